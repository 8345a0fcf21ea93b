"""The verbs below /_control/: they make accounts and people, move them and the clock, plant faults, and judge.

Each verb is a method; its arguments are the names of the path and the JSON body. What does not fit is refused
with 400 and the reason.
"""

import inspect
import json
import re
from collections.abc import Callable
from dataclasses import asdict, fields, is_dataclass
from datetime import datetime
from typing import Any

from aiohttp import web

from tests.doubles.instagram import faults, reading
from tests.doubles.instagram.graph import Graph
from tests.doubles.instagram.people import People, Refused
from tests.doubles.instagram.webhooks import Delivery
from tests.doubles.instagram.wire import as_meta_writes, signed_request
from tests.doubles.instagram.world import SCOPES, Account, World, iso, milliseconds

Verb = Callable[..., Any]
_PERSON_VERBS = (
    "writes", "comments", "deletes_comment", "taps", "postback", "opens_link", "opts_in", "edits", "unsends",
    "reacts", "sees", "blocks", "follows", "renames",
)  # fmt: skip
_OWNER_VERBS = {
    "types": "owner_types", "unsends": "owner_unsends", "comments": "owner_comments",
    "writes_to_itself": "owner_writes_to_itself", "is_mentioned": "owner_mention",
}  # fmt: skip


class Control:
    """The judge and the stage manager of one double."""

    def __init__(self, graph: Graph) -> None:
        self.graph: Graph = graph
        self.people: People = People(graph.world, graph.hooks)
        self._app_at_start: dict[str, Any] = asdict(graph.app)
        self.verbs: list[tuple[str, re.Pattern[str], Verb]] = [
            (method, re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", f"/_control{path}")), verb)
            for method, path, verb in self._table()
        ]

    def _table(self) -> list[tuple[str, str, Verb]]:
        people = [
            ("POST", f"/people/{{person}}/{name}", lambda name=name, **given: getattr(self.people, name)(**given))
            for name in _PERSON_VERBS
        ]
        owners = [
            ("POST", f"/accounts/{{account}}/{name}", lambda verb=verb, **given: getattr(self.people, verb)(**given))
            for name, verb in _OWNER_VERBS.items()
        ]
        return [
            ("GET", "/clock", self.clock),
            ("POST", "/clock", self.clock),
            ("POST", "/reset", self.reset),
            ("GET", "/accounts", self.accounts),
            ("POST", "/accounts", self.add_account),
            ("POST", "/accounts/{account}", self.change_account),
            ("POST", "/accounts/{account}/token", self.token),
            ("POST", "/accounts/{account}/expire_tokens", self.expire_tokens),
            ("POST", "/accounts/{account}/kill_tokens", self.kill_tokens),
            ("POST", "/accounts/{account}/ends_live", self.ends_live),
            ("POST", "/accounts/{account}/removes_app", self.removes_app),
            ("POST", "/accounts/{account}/asks_for_deletion", self.asks_for_deletion),
            *owners,
            ("POST", "/people", self.add_person),
            ("GET", "/people/{person}", self.person),
            *people,
            ("GET", "/threads/{account}/{person}", self.thread),
            ("GET", "/faults", self.faults),
            ("POST", "/faults", self.plant),
            ("DELETE", "/faults", self.remove_faults),
            ("DELETE", "/faults/{fault_id}", self.remove_faults),
            ("GET", "/webhooks", self.webhooks),
            ("POST", "/webhooks", self.webhooks),
            ("POST", "/webhooks/verify", self.verify),
            ("POST", "/webhooks/drop", self.drop),
            ("POST", "/webhooks/settle", self.settle),
            ("POST", "/webhooks/raw", self.raw),
            ("POST", "/webhooks/test_button", self.test_button),
            ("POST", "/webhooks/again", self.again),
            ("POST", "/login", lambda **given: _change(self.graph.login, given)),
            ("POST", "/app", lambda **given: _change(self.graph.app, given)),
            ("POST", "/rules", lambda **given: _change(self.graph.rules, given)),
            ("POST", "/settings", lambda **given: _change(self.graph.settings, given)),
            ("GET", "/log", self.log),
            ("GET", "/deliveries", self.deliveries),
        ]

    @property
    def world(self) -> World:
        return self.graph.world

    async def handle(self, http: web.Request) -> web.StreamResponse:
        raw = await http.read()
        for method, pattern, verb in self.verbs:
            found = pattern.fullmatch(http.path)
            if found and method == http.method:
                try:
                    given = {**http.query, **json.loads(raw or b"{}"), **found.groupdict()}
                    inspect.signature(verb).bind(**given)
                    answer = verb(**given)
                    answer = await answer if inspect.isawaitable(answer) else answer
                except (Refused, TypeError, ValueError, KeyError) as refused:
                    return web.json_response({"error": str(refused)}, status=400)
                return web.json_response(answer)
        known = sorted(f"{method} {pattern.pattern}" for method, pattern, _ in self.verbs)
        return web.json_response({"error": f"no verb {http.method} {http.path}", "verbs": known}, status=404)

    def clock(
        self, *, advance_s: float | None = None, at: str | float | None = None, speed: float | None = None
    ) -> dict[str, Any]:
        """`at` is seconds since 1970 or ISO 8601."""
        moment = datetime.fromisoformat(at).timestamp() if isinstance(at, str) else at
        if advance_s is not None:
            moment = (self.world.now() if moment is None else moment) + advance_s
        self.world.clock.set(at=moment, speed=speed)
        now = self.world.now()
        return {"now": iso(now), "now_ms": milliseconds(now), "speed": self.world.clock.speed}

    def reset(self) -> dict[str, Any]:
        """An empty world on real time; switches, faults and the app as at the start."""
        graph = self.graph
        world = World(graph.world.seed)
        graph.hooks.forget(world)
        fresh = Graph(world, graph.app, graph.hooks)
        for name in ("world", "faults", "login", "rules", "settings", "log", "urls"):
            setattr(graph, name, getattr(fresh, name))
        self.people.world = world
        _change(graph.app, self._app_at_start)
        return {}

    def add_account(
        self,
        username: str,
        *,
        subscribed_fields: list[str] | None = None,
        scopes: list[str] | None = None,
        **given: Any,
    ) -> dict[str, Any]:
        """With a long-lived token, as one from the dashboard of the app."""
        if self.world.account(username):
            raise Refused(f"there is an account {username} already")
        account = self.world.add_account(username, **given)
        account.subscribed_fields = subscribed_fields or []
        return _shown(account) | self.token(account.ig_id, scopes=scopes)

    def accounts(self) -> list[dict[str, Any]]:
        return [_shown(each) for each in self.world.accounts.values()]

    def change_account(self, account: str, **given: Any) -> dict[str, Any]:
        return _change(self._account(account), given)

    def token(
        self,
        account: str,
        *,
        long: bool = True,
        scopes: list[str] | None = None,
        life_s: float | None = None,
        age_s: float = 0.0,
    ) -> dict[str, Any]:
        """A further token, as if issued `age_s` ago."""
        granted = SCOPES if scopes is None else frozenset(scopes)
        token = self.world.issue_token(self._account(account).ig_id, is_long=long, scopes=granted, life_s=life_s)
        token.issued_at -= age_s
        token.expires_at -= age_s
        return {"access_token": token.value, "expires_at": iso(token.expires_at)}

    def expire_tokens(self, account: str) -> dict[str, Any]:
        tokens = self._tokens(account)
        for token in tokens:
            token.expires_at = self.world.now()
        return {"tokens": len(tokens)}

    def kill_tokens(self, account: str, *, subcode: int | None = 467, error_data: Any = None) -> dict[str, Any]:
        """Every token of the account answers 190 with this subcode from now on; null brings them back."""
        tokens = self._tokens(account)
        for token in tokens:
            token.dead_subcode = subcode
            token.error_data = faults.CHECKPOINT if subcode == 459 and error_data is None else error_data
        return {"tokens": len(tokens)}

    def ends_live(self, account: str, media: str) -> dict[str, Any]:
        self._account(account)
        self.world.ended_lives.add(media)
        return {}

    async def removes_app(self, account: str) -> dict[str, Any]:
        """The owner removes the app: tokens are dead (458), the deauthorize callback is called if there is one."""
        self.kill_tokens(account, subcode=458)
        return await self._call_back(self.graph.app.deauthorize_url, account)

    async def asks_for_deletion(self, account: str) -> dict[str, Any]:
        return await self._call_back(self.graph.app.deletion_url, account)

    def add_person(self, username: str, *, follows: list[str] | None = None, **given: Any) -> dict[str, Any]:
        """`follows` names accounts. A person exists for an account only after an interaction."""
        if self.world.person(username):
            raise Refused(f"there is a person {username} already")
        person = self.world.add_person(username, **given)
        for account in follows or []:
            self.people.follows(username, account)
        return asdict(person)

    def person(self, person: str) -> dict[str, Any]:
        found = self.world.person(person)
        if found is None:
            raise Refused(f"there is no person {person}")
        igsids = {account.ig_id: self.world.peer(account, found).igsid for account in self.world.accounts.values()}
        return asdict(found) | {"igsids": igsids}

    def thread(self, account: str, person: str) -> dict[str, Any]:
        """Everything between the two, oldest first, deleted messages included."""
        found = self.world.person(person)
        if found is None:
            raise Refused(f"there is no person {person}")
        thread = self.world.thread(self.world.peer(self._account(account), found))
        return {"id": thread.id, "folder": thread.folder, "messages": [asdict(each) for each in thread.messages]}

    def faults(self) -> dict[str, Any]:
        return {"planted": [asdict(each) for each in self.graph.faults.planted], "names": sorted(faults.NAMED)}

    def plant(
        self, fault: str = "error", *, account: str | None = None, always: bool = False, **given: Any
    ) -> dict[str, Any]:
        """Once, unless `times` or `always` or `for_s` says otherwise; of one account by IG_ID or username."""
        if fault not in faults.NAMED:
            raise Refused(f"there is no fault {fault}; there are {sorted(faults.NAMED)}")
        if always:
            given["times"] = None
        ig_id = self._account(account).ig_id if account is not None else None
        return asdict(self.graph.faults.plant(fault, now=self.world.now(), account=ig_id, **given))

    def remove_faults(self, fault_id: str | None = None) -> dict[str, Any]:
        return {"removed": self.graph.faults.remove(int(fault_id) if fault_id is not None else None)}

    def webhooks(self, **given: Any) -> dict[str, Any]:
        behaviour = _change(self.graph.hooks.behaviour, given)
        self.graph.hooks.change({})
        return behaviour

    async def verify(self, *, token: str | None = None) -> dict[str, Any]:
        return await self.graph.hooks.handshake(token)

    def drop(self) -> dict[str, Any]:
        return {"dropped": self.graph.hooks.drop()}

    async def settle(self, *, timeout_s: float = 10.0) -> dict[str, Any]:
        settled = await self.graph.hooks.settle(timeout_s)
        return {"settled": settled, "unsettled": self.graph.hooks.unsettled}

    def raw(self, *, body: Any = None, text: str | None = None) -> dict[str, Any]:
        """Any payload, signed as behaviour says: `body` as Meta would write it, or `text` byte for byte."""
        return _delivery(self.graph.hooks.send_raw(as_meta_writes(body) if text is None else text.encode()))

    def test_button(self, *, field: str = "messages") -> dict[str, Any]:
        return _delivery(self.graph.hooks.send_test(field))

    def again(self, *, delivery: int) -> dict[str, Any]:
        """The same bytes once more."""
        found = next((each for each in self.graph.hooks.deliveries if each.id == delivery), None)
        if found is None:
            raise Refused(f"there is no delivery {delivery}")
        self.graph.hooks.again(found)
        return {}

    def log(self) -> dict[str, Any]:
        """`messages` left the account and were stored; `received` came from people; `requests` and `urls` in order."""
        return {
            "messages": self.world.sent,
            "received": self.world.received,
            "requests": self.graph.log,
            "urls": self.graph.urls,
        }

    def deliveries(self) -> list[dict[str, Any]]:
        return [_delivery(each) for each in self.graph.hooks.deliveries]

    async def picture(self, http: web.Request) -> web.StreamResponse:
        """Links to pictures end after some days, with 403."""
        user_id, secret = http.match_info["user_id"], self.graph.app.secret
        until, key = http.query.get("oe", ""), http.query.get("oh", "")
        if not reading.picture_is_good(secret, user_id, until, key, self.world.now()):
            return web.Response(status=403, text="URL signature expired")
        return web.Response(body=b"\xff\xd8\xff\xe0", content_type="image/jpeg")

    def _account(self, reference: str) -> Account:
        found = self.world.account(reference)
        if found is None:
            raise Refused(f"there is no account {reference}")
        return found

    def _tokens(self, account: str) -> list[Any]:
        ig_id = self._account(account).ig_id
        return [each for each in self.world.tokens.values() if each.ig_id == ig_id]

    async def _call_back(self, url: str | None, account: str) -> dict[str, Any]:
        payload = {
            "user_id": self._account(account).app_scoped_id,
            "algorithm": "HMAC-SHA256",
            "issued_at": int(self.world.now()),
        }
        signed = signed_request(self.graph.app.secret, payload)
        return await self.graph.hooks.call_back(url, signed) if url else {"signed_request": signed}


def _shown(account: Account) -> dict[str, Any]:
    return asdict(account)


def _change(target: Any, given: dict[str, Any]) -> dict[str, Any]:
    """Set fields of a group of switches; the whole group afterwards."""
    assert is_dataclass(target)
    known = {each.name for each in fields(target)}
    if unknown := sorted(set(given) - known):
        raise Refused(f"unknown: {unknown}; there are {sorted(known)}")
    for name, item in given.items():
        setattr(target, name, item)
    return {name: getattr(target, name) for name in sorted(known)}


def _delivery(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "state": delivery.state,
        "updates": delivery.updates,
        "body": delivery.body,
        "raw": delivery.raw.decode(errors="replace"),
        "headers": delivery.headers,
        "attempts": delivery.attempts,
    }
