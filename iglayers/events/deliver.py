"""How an event reaches an endpoint, at least once: look, take, pick, sign, post, judge, write down.

One worker holds an endpoint at a time and has at most four requests on the way to it, so that a slow endpoint holds
up itself alone; endpoints that fail share slots of their own. Nothing of the database is held during a request.
The promise is the opposite of `sending/send.py`: what nobody knows is tried again, with the same event id.
"""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

import asyncpg
import structlog

from iglayers.accounts.services import Services
from iglayers.core.clock import Moment, real_now
from iglayers.core.config import Settings, listed
from iglayers.core.crypto import Vault
from iglayers.core.db import Connection, Database
from iglayers.core.ids import EndpointId, WorkspaceId, uuid7
from iglayers.core.outgoing import Client, client
from iglayers.events import actions_endpoints, queries_engine
from iglayers.events.actions_deliveries import go_on_with_replays
from iglayers.events.attempts import body_of, news_of, opened, result_of
from iglayers.events.model_webhooks import FAILING_FOR, KEPT_FOR, DeliveryState, DisabledReason
from iglayers.events.queries_engine import Picked, Result, Room, Target
from iglayers.events.signing import Signer

log = structlog.get_logger("deliver")

IDLE_S = 0.1
PER_ENDPOINT = 4
# On the way at once in this process: to endpoints that answer, and to those whose last answer was a failure.
HEALTHY_SLOTS = 1_000
FAILING_SLOTS = 100
MOST_ENDPOINTS = 1_000
# Taken ahead for one endpoint; little where it fails, so that what is new need not wait behind what was taken.
AHEAD = 512
AHEAD_FAILING = PER_ENDPOINT
# Answers of one endpoint that are not written down yet; then it waits for the database.
MOST_UNWRITTEN = 1_024
BATCH = 2_000
# How long an answer waits for others to be written down with it, so many times over while so many come in each,
# and until there are enough: what is not written down takes the room of what could be taken.
GATHER_S = 0.02
GATHER_TIMES = 5
MANY = 4
ENOUGH = 256
# An endpoint is held this long after its last delivery: the next may come soon.
HOLD_S = 1.0
PAUSE_S = 0.5
REPLAY_PAUSE_S = 0.25
TIDY_EVERY_S = 3_600.0
GRACE_S = 6.0
GONE = 410


async def work(services: Services, stopping: asyncio.Event) -> None:
    """Deliveries and replays of one worker process, until stopped."""
    async with client(services.settings) as outgoing:
        await Deliverer(services.db, outgoing, vault=services.vault, settings=services.settings).run(stopping)


class Line:
    """An endpoint that this worker holds: what it has taken for it, and what is not yet written down."""

    def __init__(self, endpoint_id: UUID, *, held_until: datetime, begin_until: datetime) -> None:
        self.endpoint_id: UUID = endpoint_id
        self.hold(held_until, begin_until)
        self.waiting: deque[Picked] = deque()
        self.unwritten: dict[UUID, UUID] = {}
        self.carriers: int = 0
        self.target: Target | None = None
        self.signer: tuple[Target, bool, Signer] | None = None
        # By the last answer, and by the database: one success there ends days of failure.
        self.is_failing: bool = False
        self.is_marked: bool = False
        self.has_more: bool = False
        self.next_slot: float = 0.0
        self.busy_at: float = time.monotonic()

    def hold(self, until: datetime, begin_until: datetime) -> None:
        """It is this worker's until then; what begins, begins early enough to end before."""
        self.held_until: datetime = until
        self.begin_until: datetime = begin_until

    @property
    def is_idle(self) -> bool:
        return not self.unwritten and not self.carriers

    @property
    def room(self) -> int:
        """How much more may be taken: nothing while much is left, so that it is taken in large parts."""
        ahead = AHEAD_FAILING if self.is_failing else AHEAD
        left = len(self.waiting)
        if (self.has_more and left > ahead // 4) or len(self.unwritten) >= MOST_UNWRITTEN:
            return 0
        # Requests on their way to an endpoint that fails may end late: they count, so that little is taken ahead.
        return max(0, ahead - (len(self.unwritten) if self.is_failing else left))

    @property
    def is_low(self) -> bool:
        return self.has_more and self.room > 0

    def drop_waiting(self) -> None:
        """Forget what was taken and not begun; it is still pending in the database."""
        while self.waiting:
            del self.unwritten[self.waiting.popleft().attempt_id]


class Deliverer:
    """One worker's part of the deliveries. Any number may run; each may be killed at any time."""

    def __init__(
        self, db: Database, client: Client, *, vault: Vault, settings: Settings, now: Callable[[], Moment] = real_now
    ) -> None:
        self._db: Database = db
        self._client: Client = client
        self._vault: Vault = vault
        self._now: Callable[[], Moment] = now
        self._delays_s: tuple[int, ...] = tuple(int(delay) for delay in listed(settings.webhook_retries_s))
        # An attempt that has begun ends before its lease does.
        self._deadline: timedelta = timedelta(seconds=settings.webhook_deadline_s)
        self._lease: timedelta = 2 * self._deadline
        self._worker: UUID = uuid7()
        self._lines: dict[UUID, Line] = {}
        self._results: deque[tuple[Picked, Result]] = deque()
        self._carrying: set[asyncio.Task[None]] = set()
        self._slots: asyncio.Semaphore = asyncio.Semaphore(HEALTHY_SLOTS)
        self._failing_slots: asyncio.Semaphore = asyncio.Semaphore(FAILING_SLOTS)
        # Statements that change several endpoints follow each other, so that they never wait for each other crosswise.
        self._endpoint_rows: asyncio.Lock = asyncio.Lock()
        self._hungry: asyncio.Event = asyncio.Event()
        self._answered: asyncio.Event = asyncio.Event()

    async def run(self, stopping: asyncio.Event) -> None:
        """Deliver until stopped; then what is on its way may end."""
        writing = asyncio.create_task(self._write_forever())
        beside = [
            asyncio.create_task(self._replay_forever()),
            asyncio.create_task(self._tidy_forever()),
            asyncio.create_task(self._wake_when(stopping)),
        ]
        try:
            while not stopping.is_set():
                self._hungry.clear()
                if not await self._guarded(self.step):
                    with suppress(TimeoutError):
                        async with asyncio.timeout(IDLE_S):
                            await self._hungry.wait()
            await self._end(writing)
        finally:
            left = [writing, *beside, *self._carrying]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _wake_when(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self._hungry.set()

    async def _end(self, writing: asyncio.Task[None]) -> None:
        """Begin nothing more, write down what ends in time, and give the endpoints back."""
        for line in self._lines.values():
            line.drop_waiting()
        if self._carrying:
            await asyncio.wait(self._carrying, timeout=GRACE_S)
        # What it is writing is rolled back and written here.
        writing.cancel()
        await asyncio.wait([writing])
        while self._results:
            await self._write()
        # Where something is still on its way the lease ends by itself, and the next worker writes it down.
        ended = [line.endpoint_id for line in self._lines.values() if not line.unwritten]
        async with self._db.transaction() as conn:
            await queries_engine.release(conn, self._worker, ended)

    async def _replay_forever(self) -> None:
        while True:
            if not await self._guarded(lambda: go_on_with_replays(self._db)):
                await asyncio.sleep(REPLAY_PAUSE_S)

    async def _tidy_forever(self) -> None:
        while True:
            await self._guarded(self.tidy)
            await asyncio.sleep(TIDY_EVERY_S)

    async def tidy(self) -> bool:
        """End what was queued for endpoints that are gone, and drop the months that are over."""
        now = self._now()
        async with self._db.connection() as conn:
            await queries_engine.cancel_orphans(conn, at=now)
        async with self._db.transaction() as conn:
            return await queries_engine.drop_expired(conn, before=now - KEPT_FOR) > 0

    async def _guarded(self, step: Callable[[], Awaitable[bool]]) -> bool:
        """A step whose failure must not end the loop: the database may be away."""
        try:
            return await step()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("deliver.database_failed", error=str(error), kind=type(error).__name__)
        except Exception:
            log.exception("deliver.step_failed")
        return False

    async def step(self) -> bool:
        """Look for work and give it to carriers; False when there is nothing more to take now."""
        now = self._now()
        async with self._endpoint_rows:
            await self._renew(now)
            async with self._db.connection() as conn:
                found = await queries_engine.with_work(conn, self._worker, now=now)
            await self._take([each for each in found if each not in self._lines], now)
            lines = [self._lines[each] for each in found if each in self._lines]
            rooms = [
                Room(line.endpoint_id, line.room, list(line.unwritten), list(line.unwritten.values()))
                for line in lines
                if line.room
            ]
            if rooms:
                self._give_out(await self._pick(rooms, now), rooms, now)
            await self._give_back(found)
        return any(line.is_low for line in self._lines.values())

    async def _take(self, endpoint_ids: list[UUID], now: Moment) -> None:
        free = MOST_ENDPOINTS - len(self._lines)
        if not endpoint_ids or free <= 0:
            return
        until = now + self._lease
        async with self._db.transaction() as conn:
            taken = await queries_engine.take(conn, self._worker, endpoint_ids[:free], now=now, lease_until=until)
        self._lines |= {each: Line(each, held_until=until, begin_until=until - self._deadline) for each in taken}

    async def _pick(self, rooms: Sequence[Room], now: Moment) -> list[Picked]:
        until = now + self._lease
        async with self._db.connection() as conn:
            targets = await queries_engine.targets(conn, self._worker, [room.endpoint_id for room in rooms])
            picked = await queries_engine.pick(conn, self._worker, rooms, now=now, lease_until=until)
        for target in targets:
            line = self._lines[target.id.uuid]
            if line.target != target:
                line.target = target
            line.is_marked = line.is_failing = target.failing_since is not None
        return picked

    def _give_out(self, picked: Sequence[Picked], rooms: Sequence[Room], now: Moment) -> None:
        until = now + self._lease
        taken: defaultdict[UUID, list[Picked]] = defaultdict(list)
        for each in picked:
            taken[each.endpoint_id].append(each)
        for room in rooms:
            line, new = self._lines[room.endpoint_id], taken[room.endpoint_id]
            if new:
                line.hold(until, until - self._deadline)
            line.waiting.extend(new)
            line.unwritten |= {each.attempt_id: each.delivery_id for each in new}
            line.has_more = len(new) == room.most
            for _ in range(min(len(line.waiting), PER_ENDPOINT - line.carriers)):
                line.carriers += 1
                task = asyncio.create_task(self._carry(line))
                self._carrying.add(task)
                task.add_done_callback(self._carrying.discard)

    async def _give_back(self, found: Sequence[UUID]) -> None:
        """Endpoints with nothing to do; at once where the database thought that there was something."""
        moment = time.monotonic()
        idle = [
            line.endpoint_id
            for line in self._lines.values()
            if line.is_idle and (line.endpoint_id in found or line.busy_at < moment - HOLD_S)
        ]
        if not idle:
            return
        async with self._db.transaction() as conn:
            await queries_engine.release(conn, self._worker, idle)
        for endpoint_id in idle:
            del self._lines[endpoint_id]

    async def _renew(self, now: Moment) -> None:
        """Hold on to endpoints whose lease is half over; let go of those that somebody else has."""
        soon = now + self._lease * 0.8
        ending = [line.endpoint_id for line in self._lines.values() if line.held_until < soon]
        if not ending:
            return
        until = now + self._lease
        async with self._db.connection() as conn:
            kept = set(await queries_engine.renew(conn, self._worker, ending, lease_until=until))
        for endpoint_id in ending:
            line = self._lines[endpoint_id]
            if endpoint_id in kept:
                line.hold(until, until - self._deadline)
            else:
                line.drop_waiting()

    async def _carry(self, line: Line) -> None:
        """Post what waits for one endpoint, one after the other; up to four do so at the same time."""
        try:
            while line.waiting:
                if line.target is not None and line.target.max_per_second:
                    await self._wait_for_slot(line, line.target.max_per_second)
                async with self._failing_slots if line.is_failing else self._slots:
                    if not line.waiting:
                        return
                    now = self._now()
                    if line.begin_until < now:
                        line.drop_waiting()
                        return
                    await self._attempt(line, line.waiting.popleft(), now)
                if line.is_low:
                    self._hungry.set()
        finally:
            line.carriers -= 1
            line.busy_at = time.monotonic()

    async def _wait_for_slot(self, line: Line, per_second: int) -> None:
        """The pace that the endpoint's owner asked for; one worker holds the endpoint, so it holds over all."""
        moment = time.monotonic()
        line.next_slot = max(line.next_slot, moment) + 1 / per_second
        await asyncio.sleep(line.next_slot - 1 / per_second - moment)

    async def _attempt(self, line: Line, picked: Picked, started_at: Moment) -> None:
        body, target = body_of(picked), line.target
        assert target is not None
        if body is None:
            async with self._db.connection() as conn:
                await queries_engine.cancel_expired(conn, [picked.delivery_id], at=started_at)
            del line.unwritten[picked.attempt_id]
            return
        headers = self._signer(line, target, started_at).headers(
            body, event_id=f"evt_{picked.event_id.hex}", kind=str(picked.type),
            delivery_id=f"dlv_{picked.delivery_id.hex}", timestamp=int(started_at.timestamp()),
        )  # fmt: skip
        answer = await self._client.post(target.url, body, headers=headers)
        result = result_of(picked, answer, started_at=started_at, delays_s=self._delays_s)
        line.is_failing = result.state is not DeliveryState.DELIVERED
        if result.status == GONE:
            line.drop_waiting()
        self._results.append((picked, result))
        self._answered.set()

    def _signer(self, line: Line, target: Target, now: Moment) -> Signer:
        """Made once for each change of the endpoint, and once when a rotation's overlap ends."""
        overlaps = target.previous_until is not None and now < target.previous_until
        made = line.signer
        if made is None or made[0] is not target or made[1] is not overlaps:
            secrets = opened(target, target.id, vault=self._vault, now=now)
            line.signer = made = (target, overlaps, Signer(secrets))
        return made[2]

    async def _write_forever(self) -> None:
        while True:
            await self._answered.wait()
            self._answered.clear()
            while self._results:
                await self._gather()
                try:
                    await self._write()
                except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                    log.warning("deliver.not_written_yet", error=str(error), kind=type(error).__name__)
                    await asyncio.sleep(PAUSE_S)
                except Exception:
                    log.exception("deliver.write_failed")
                    await asyncio.sleep(PAUSE_S)

    async def _gather(self) -> None:
        """Let answers come together while they come fast: each writing has its cost."""
        for _ in range(GATHER_TIMES):
            before = len(self._results)
            await asyncio.sleep(GATHER_S)
            if len(self._results) - before < MANY or len(self._results) >= ENOUGH:
                return

    async def _write(self) -> None:
        """Write down what has come back, in one transaction; until that has succeeded it is tried again."""
        batch = list(islice(self._results, BATCH))
        failing = {line.endpoint_id for line in self._lines.values() if line.is_marked}
        news = news_of(batch, failing=failing)
        results = [result for _, result in batch]
        if news:
            async with self._endpoint_rows, self._db.transaction() as conn:
                await queries_engine.tell_endpoints(conn, news)
                await queries_engine.log_results(conn, results)
                await self._disable(conn, batch)
        else:  # all were taken, by endpoints that take: one statement, which commits by itself
            async with self._db.connection() as conn:
                await queries_engine.log_results(conn, results)
        for each in news:
            self._lines[each.endpoint_id].is_marked = each.failed_at is not None
        for picked, _ in batch:
            self._results.popleft()
            self._lines[picked.endpoint_id].unwritten.pop(picked.attempt_id, None)
        if any(self._lines[picked.endpoint_id].is_low for picked, _ in batch):
            self._hungry.set()

    async def _disable(self, conn: Connection, batch: list[tuple[Picked, Result]]) -> None:
        """Endpoints that said they are gone, and those that ran out of tries after days of nothing but failure."""
        now = self._now()
        gone = {picked.endpoint_id: picked for picked, result in batch if result.status == GONE}
        spent = {picked.endpoint_id: picked for picked, result in batch if result.state is DeliveryState.FAILED}
        for endpoint_id, picked in gone.items():
            await actions_endpoints.disable(
                conn, WorkspaceId(picked.workspace_id), EndpointId(endpoint_id), reason=DisabledReason.GONE, now=now
            )
        for endpoint_id, picked in spent.items():
            if await queries_engine.has_failed_since(conn, endpoint_id, now - FAILING_FOR):
                await actions_endpoints.disable(
                    conn,
                    WorkspaceId(picked.workspace_id),
                    EndpointId(endpoint_id),
                    reason=DisabledReason.FAILING,
                    now=now,
                )
