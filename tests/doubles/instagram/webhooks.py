"""Deliveries to the app: who is told, when, in which order and shape, and the retries until 36 hours have passed."""

import asyncio
import contextlib
import random
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.doubles.instagram.wire import Update, as_meta_writes, old_signature, payload, signature, test_button
from tests.doubles.instagram.world import World

# "At once, then with decreasing frequency for 36 hours"; between the figures that are documented, a guess.
RETRY_AFTER_S = [0.0, 30.0, 120.0, 600.0, 1800.0] + [3600.0 * hours for hours in (1, 2, 4, 6, 8, 8, 6)]

ALLOWED_FIELDS = (
    "messages",
    "messaging_postbacks",
    "messaging_seen",
    "messaging_handover",
    "messaging_referral",
    "messaging_optins",
    "message_reactions",
    "message_edit",
    "standby",
    "comments",
    "live_comments",
    "mentions",
    "story_insights",
    "agent_messages",
    "follow",
    "story_reactions",
    "share_to_story",
    "comment_poll_response",
    "story_poll_response",
    "onboarding_welcome_message_series",
    "delta",
    "creator_marketplace_projects",
    "creator_marketplace_invited_creator_onboarding",
)


@dataclass
class App:
    """What the dashboard of the app holds."""

    app_id: str
    secret: str
    meta_secret: str
    callback: str | None
    verify_token: str
    name: str = "Test app"
    fields: list[str] = field(default_factory=lambda: list(ALLOWED_FIELDS))
    is_live: bool = True
    redirect_uris: list[str] = field(default_factory=list)
    deauthorize_url: str | None = None
    deletion_url: str | None = None


@dataclass
class Behaviour:
    """How deliveries behave; every field may be set by the control API. Delays are real time."""

    paused: bool = False
    echoes: bool = True
    echo_delay_ms: list[int] = field(default_factory=lambda: [5, 50])
    delay_ms: list[int] = field(default_factory=lambda: [0, 0])
    copies: int = 1
    order: str = "sent"
    batch_size: int = 1
    batch_wait_ms: int = 0
    shape: str = "documented"
    unit: str = "documented"
    array: bool = False
    unknown_fields: bool = False
    signature: str = "right"
    secret: str = "instagram"
    timeout_s: float = 5.0
    in_turn: bool = True
    retry_factor: float = 1.0


@dataclass
class Delivery:
    """One POST and everything that was tried to have it accepted."""

    id: int
    raw: bytes
    body: object
    headers: dict[str, str]
    updates: int
    state: str = "pending"
    attempts: list[dict[str, Any]] = field(default_factory=list)
    was_tried: asyncio.Event = field(default_factory=asyncio.Event)


class Webhooks:
    """The queue of updates and the deliveries made of them."""

    def __init__(self, world: World, app: App) -> None:
        self.world: World = world
        self.app: App = app
        self.behaviour: Behaviour = Behaviour()
        self.deliveries: list[Delivery] = []
        self._waiting: list[tuple[float, Update]] = []
        self._changed: asyncio.Event = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._pumping: asyncio.Task[None] | None = None
        self._session: aiohttp.ClientSession | None = None
        self._delays: random.Random = random.Random(world.seed)

    async def start(self) -> None:
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        self._pumping = self._spawn(self._pump())

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session:
            await self._session.close()

    def forget(self, world: World) -> None:
        """A new world: nothing of the old one is delivered any more, and behaviour is as at the start."""
        for task in self._tasks - {self._pumping}:
            task.cancel()
        self.world = world
        self.behaviour = Behaviour()
        self.deliveries.clear()
        self._waiting.clear()

    def tell(self, update: Update, *, is_echo: bool = False) -> None:
        """Only if app, field and account are all subscribed."""
        account = self.world.accounts.get(update.ig_id)
        if not (self.app.callback and self.app.is_live and update.field in self.app.fields and account):
            return
        if update.field not in account.subscribed_fields or (is_echo and not self.behaviour.echoes):
            return
        low, high = self.behaviour.echo_delay_ms if is_echo else self.behaviour.delay_ms
        ready_at = time.monotonic() + self._delays.uniform(low, high) / 1000
        self._waiting += [(ready_at, update)] * max(1, self.behaviour.copies)
        self._changed.set()

    def change(self, fields: dict[str, Any]) -> Behaviour:
        for name, item in fields.items():
            setattr(self.behaviour, name, item)
        self._changed.set()
        return self.behaviour

    def drop(self) -> int:
        """Lose everything that has not been sent yet."""
        lost = len(self._waiting)
        self._waiting.clear()
        for delivery in self.deliveries:
            if delivery.state == "pending":
                delivery.state = "dropped"
        return lost

    def send_raw(self, raw: bytes) -> Delivery:
        return self._begin(raw, None, 1)

    def send_test(self, field_name: str) -> Delivery:
        return self._begin(as_meta_writes(test_button(field_name)), test_button(field_name), 1)

    def again(self, delivery: Delivery) -> None:
        """The same bytes once more, as a late duplicate."""
        self._spawn(self._attempt(delivery))

    @property
    def unsettled(self) -> int:
        return len(self._waiting) + sum(not task.done() for task in self._tasks - {self._pumping})

    async def settle(self, timeout_s: float) -> bool:
        """Until nothing waits or is being tried; False if that does not come in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self.unsettled:  # noqa: ASYNC110 many things end it
                    await asyncio.sleep(0.005)
        return not self.unsettled

    async def handshake(self, token: str | None) -> dict[str, Any]:
        """What the dashboard does when callback and verify token are saved."""
        assert self._session
        challenge = self.world.digits("1", 10)
        query = {
            "hub.mode": "subscribe",
            "hub.challenge": challenge,
            "hub.verify_token": self.app.verify_token if token is None else token,
        }
        try:
            async with self._session.get(str(self.app.callback), params=query, allow_redirects=False) as answer:
                body = await answer.text()
                good = answer.status == 200 and body == challenge
                return {"ok": good, "status": answer.status, "body": body, "content_type": answer.content_type}
        except aiohttp.ClientError as failure:
            return {"ok": False, "status": None, "body": repr(failure), "content_type": None}

    async def call_back(self, url: str, signed: str) -> dict[str, Any]:
        """The deauthorize or the deletion callback."""
        assert self._session
        async with self._session.post(url, data={"signed_request": signed}, allow_redirects=False) as answer:
            return {"status": answer.status, "body": await answer.text(), "signed_request": signed}

    async def _pump(self) -> None:
        while True:
            await self._until_something_is_ready()
            batch = self._take()
            if batch:
                first_attempt = self._deliver(batch)
                if self.behaviour.in_turn:
                    await first_attempt.wait()

    async def _until_something_is_ready(self) -> None:
        self._changed.clear()
        if self.behaviour.paused or not self._waiting:
            await self._changed.wait()
            return
        pause = self._starts_at() - time.monotonic()
        if pause > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), pause)

    def _starts_at(self) -> float:
        """When the next batch goes: the first update's moment, or later if the batch may still fill."""
        first = min(ready_at for ready_at, _ in self._waiting)
        is_full = len(self._waiting) >= self.behaviour.batch_size
        return first if is_full else first + self.behaviour.batch_wait_ms / 1000

    def _take(self) -> list[Update]:
        now = time.monotonic()
        if self.behaviour.paused or not self._waiting or self._starts_at() > now:
            return []
        ready = [each for each in self._waiting if each[0] <= now]
        if self.behaviour.order == "reversed":
            ready.reverse()
        elif self.behaviour.order == "shuffled":
            self._delays.shuffle(ready)
        elif self.behaviour.order == "sent":
            ready.sort(key=lambda each: each[0])
        taken = ready[: self.behaviour.batch_size]
        for each in taken:
            self._waiting.remove(each)
        return [update for _, update in taken]

    def _deliver(self, batch: list[Update]) -> asyncio.Event:
        body = payload(
            batch,
            sent_at=self.world.now(),
            shape=self.behaviour.shape,
            unit=self.behaviour.unit,
            unknown=self.behaviour.unknown_fields,
            array=self.behaviour.array,
        )
        return self._begin(as_meta_writes(body), body, len(batch)).was_tried

    def _begin(self, raw: bytes, body: object, updates: int) -> Delivery:
        delivery = Delivery(len(self.deliveries) + 1, raw, body, self._headers(raw), updates)
        self.deliveries.append(delivery)
        self._spawn(self._try(delivery))
        return delivery

    def _headers(self, raw: bytes) -> dict[str, str]:
        how = self.behaviour
        secrets = {"instagram": self.app.secret, "meta": self.app.meta_secret}
        secret = secrets.get(how.secret, how.secret)
        headers = {"Content-Type": "application/json", "User-Agent": "facebookexternalua"}
        if how.signature != "missing":
            headers["X-Hub-Signature"] = old_signature(secret, raw)
        if how.signature in {"right", "wrong"}:
            signed = raw if how.signature == "right" else raw + b" "
            headers["X-Hub-Signature-256"] = signature(secret, signed)
        return headers

    async def _try(self, delivery: Delivery) -> None:
        try:
            if await self._attempt(delivery):
                return
        finally:
            delivery.was_tried.set()
        for pause in RETRY_AFTER_S:
            await asyncio.sleep(pause / self.behaviour.retry_factor)
            if delivery.state == "dropped" or await self._attempt(delivery):
                return
        delivery.state = "dropped"

    async def _attempt(self, delivery: Delivery) -> bool:
        assert self._session
        began = time.monotonic()
        timeout = aiohttp.ClientTimeout(total=self.behaviour.timeout_s)
        attempt: dict[str, Any] = {"at_ms": round(self.world.now() * 1000), "status": None, "error": None}
        try:
            async with self._session.post(
                str(self.app.callback), data=delivery.raw, headers=delivery.headers, timeout=timeout,
                allow_redirects=False,
            ) as answer:  # fmt: skip
                attempt["status"] = answer.status
        except (aiohttp.ClientError, TimeoutError) as failure:
            attempt["error"] = type(failure).__name__
        delivery.attempts.append(attempt | {"took_ms": round((time.monotonic() - began) * 1000)})
        if attempt["status"] is not None and 200 <= attempt["status"] < 300:
            delivery.state = "delivered"
            return True
        return False

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
