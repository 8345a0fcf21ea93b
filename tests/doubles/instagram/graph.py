"""The API over HTTP: one handler that strips the version, finds the token, the route and the fault, and answers."""

import asyncio
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.doubles.instagram import errors, oauth, reading, sending
from tests.doubles.instagram.errors import GraphError, OAuthError
from tests.doubles.instagram.faults import Call, Fault, Faults, refusal
from tests.doubles.instagram.oauth import Login, PageError
from tests.doubles.instagram.webhooks import ALLOWED_FIELDS, App, Webhooks
from tests.doubles.instagram.world import Account, Token, World, milliseconds

SECRETS = {"access_token", "client_secret", "code", "signed_request"}
_VERSION = re.compile(r"/(v\d+\.\d+)(?=/)")
_BEARER = re.compile(r"Bearer\s+(\S+)", re.IGNORECASE)
JSON_TYPE = "application/json; charset=UTF-8"


@dataclass
class Settings:
    """Switches of the surface."""

    bad_token_status: int = 400
    missing_token_code: int = 104
    consent_status: int = 400
    conversations_per_s: int | None = 2
    usage_allowance: int = 20_000
    app_usage: int | None = None


@dataclass
class Request:
    """One call, read: where to, as whom, with what."""

    method: str
    path: str
    query: dict[str, str]
    body: dict[str, Any]
    base: str
    version: str
    token_value: str | None = None
    token_in: str = "nowhere"
    token: Token | None = None
    outcome: dict[str, Any] = field(default_factory=dict)

    @property
    def parts(self) -> list[str]:
        return [part for part in self.path.split("/") if part]

    def parameter(self, name: str) -> str:
        found = self.query.get(name, self.body.get(name, ""))
        return ",".join(map(str, found)) if isinstance(found, list) else str(found)


class Graph:
    """The surface and what it stands on. `log` is every request in order, without tokens."""

    def __init__(self, world: World, app: App, hooks: Webhooks) -> None:
        self.world: World = world
        self.app: App = app
        self.hooks: Webhooks = hooks
        self.faults: Faults = Faults()
        self.login: Login = Login()
        self.rules: sending.Rules = sending.Rules()
        self.settings: Settings = Settings()
        self.log: list[dict[str, Any]] = []
        self.urls: list[str] = []  # as they came, with whatever should not stand in them

    async def handle(self, http: web.Request) -> web.StreamResponse:
        request = await _read(http)
        line = self._note(http, request)
        began = time.monotonic()
        trace_id = self.world.opaque("A", 9)
        try:
            response = await self._answer(http, request)
        except OAuthError as refused:
            response = _json(refused.envelope(), refused.status)
            line["code"] = refused.status
        except PageError as refused:
            response = web.Response(text=refused.page, status=400, content_type="text/html")
        except GraphError as refused:
            response = self._refuse(request, refused, trace_id)
            line |= {"code": refused.code, "subcode": refused.subcode}
        finally:
            line |= request.outcome | {"took_ms": round((time.monotonic() - began) * 1000)}
        line["status"] = response.status
        response.headers["x-fb-trace-id"] = trace_id
        self._add_usage(request, response)
        return response

    async def _answer(self, http: web.Request, request: Request) -> web.StreamResponse:
        work, call = self._route(request)
        fault = self.faults.take(call, now=self.world.now())
        if fault is None:
            return work()
        request.outcome |= {"fault": fault.name, "fault_id": fault.id}
        if fault.regain_minutes is not None:
            request.outcome["usage"] = (fault.usage_type, fault.regain_minutes, fault.code)
        done = work() if fault.commit else None
        if fault.kind == "slow":
            await asyncio.sleep(fault.hang_s)
            return done or work()
        return await self._misbehave(http, fault)

    async def _misbehave(self, http: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.kind == "error":
            raise refusal(fault)
        if fault.kind == "html":
            page = "<html><body><h1>502 Bad Gateway</h1></body></html>"
            return web.Response(text=page, status=fault.status, content_type="text/html")
        if fault.kind == "garbled":
            return web.Response(body=b'{"recipient_id":"88', status=fault.status, headers={"Content-Type": JSON_TYPE})
        if fault.kind == "hang":
            await _until_gone(http, fault.hang_s)
        if http.transport is not None:
            http.transport.abort()
        return web.Response(status=500)

    def _route(self, request: Request) -> tuple[Callable[[], web.StreamResponse], Call]:
        """What is to be done, checked as far as the token, and the call as faults see it."""
        match request.method, request.parts:
            case "GET", ["oauth", "authorize"]:
                return lambda: self._authorize(request), Call(frozenset({"authorize"}))
            case "POST", ["oauth", "access_token"]:
                return lambda: self._code(request), Call(frozenset({"oauth_code"}))
            case "GET", ["access_token" | "refresh_access_token" as name]:
                query = request.query | ({"access_token": request.token_value} if request.token_value else {})
                known = self.world.tokens.get(request.token_value or "")
                call = Call(frozenset({"exchange" if name == "access_token" else "refresh"}), known and known.ig_id)
                return lambda: self._exchange(name, query), call
            case _:
                return self._node(request)

    def _node(self, request: Request) -> tuple[Callable[[], web.StreamResponse], Call]:
        token = self._token(request)
        account = self.world.accounts[token.ig_id]
        parts = request.parts
        is_own = bool(parts) and parts[0] in {"me", account.ig_id, account.app_scoped_id}
        work: Callable[[], dict[str, Any]]
        match request.method, parts[1:] if is_own else parts:
            case "GET", [] if is_own:
                is_discovery = "business_discovery" in request.query.get("fields", "")
                operations = {"discovery" if is_discovery else "me"}
                work = lambda: self._me(request, account)  # noqa: E731
            case "POST", ["messages"] if is_own:
                operations = _send_operations(request.body)
                work = lambda: sending.send(self.world, self.hooks, token, request.body, self.rules)  # noqa: E731
            case "GET" | "POST" | "DELETE", ["subscribed_apps"] if is_own:
                operations = {"subscribe"}
                work = lambda: self._subscribe(request, account)  # noqa: E731
            case "GET", ["conversations"] if is_own:
                operations = {"conversations"}
                work = lambda: self._conversations(request, account, token)  # noqa: E731
            case "POST", ["message_attachments"] if is_own:
                operations = {"attachment"}
                work = lambda: self._attach(request, account)  # noqa: E731
            case "GET", [str(name), *rest] if not is_own and re.fullmatch(r"[\w.:=-]{5,}", name):
                kind, work = self._object(request, account, name, rest)
                operations = {kind}
            case _, [str(name), *rest] if not is_own and name.isdigit() and rest in (["messages"], ["subscribed_apps"]):
                raise errors.no_such_object(name)
            case _:
                raise errors.unknown_path(request.path)
        call = Call(frozenset(operations), account.ig_id, self._recipients(request, account))
        return lambda: _json(work()), call

    def _token(self, request: Request) -> Token:
        if request.token_value is None:
            if self.settings.missing_token_code == 104:
                raise errors.no_token()
            raise GraphError(self.settings.missing_token_code, "An active access token must be used.")
        token = oauth.usable(self.world, request.token_value, bad_status=self.settings.bad_token_status)
        request.token = token
        request.outcome["account"] = token.ig_id
        return token

    def _recipients(self, request: Request, account: Account) -> frozenset[str]:
        """Every name of the person a send is for: IGSID, username, public id, and the comment's id."""
        recipient = request.body.get("recipient")
        if not isinstance(recipient, dict):
            return frozenset()
        given = str(recipient.get("id") or recipient.get("comment_id") or "")
        comment = self.world.comments.get(given)
        peer = comment.peer if comment else self.world.peer_by_igsid(account.ig_id, given)
        return frozenset({given} | ({peer.igsid, peer.person.username, peer.person.user_id} if peer else set()))

    def _authorize(self, request: Request) -> web.StreamResponse:
        target = oauth.authorize(self.world, self.app, self.login, request.query)
        return web.Response(status=302, headers={"Location": target})

    def _code(self, request: Request) -> web.StreamResponse:
        form = {name: str(item) for name, item in request.body.items()}
        token, answer = oauth.short_token(self.world, self.app, self.login, form)
        request.outcome["account"] = token.ig_id
        return _json(answer)

    def _exchange(self, name: str, query: dict[str, str]) -> web.StreamResponse:
        bad_status = self.settings.bad_token_status
        if name == "access_token":
            return _json(oauth.long_token(self.world, self.app, query, bad_status=bad_status))
        return _json(oauth.refreshed_token(self.world, query, bad_status=bad_status))

    def _me(self, request: Request, account: Account) -> dict[str, Any]:
        fields = reading.parse_fields(request.query.get("fields", ""))
        if "business_discovery" in fields:
            field = fields["business_discovery"]
            person = self.world.person(field.arguments.get("username", ""))
            return reading.discovery(
                self.world, account, field, self._picture(request, person.user_id if person else account.ig_id)
            )
        return reading.me(account, fields, self._picture(request, account.ig_id))

    def _object(
        self, request: Request, account: Account, name: str, rest: list[str]
    ) -> tuple[str, Callable[[], dict[str, Any]]]:
        """A conversation, message, comment or person by id."""
        world, fields = self.world, reading.parse_fields(request.query.get("fields", ""))
        thread = next((each for each in world.threads_of(account.ig_id) if each.id == name), None)
        if thread is not None and rest == ["messages"]:
            return "conversation", lambda: reading.messages(account, thread, fields, request.query)
        if rest:
            raise errors.unknown_path(request.path) if thread else errors.no_such_object(name)
        if thread is not None:
            return "conversation", lambda: reading.conversation(world, account, thread, fields)
        if found := world.find_message(account.ig_id, name):
            return "message", lambda: reading.one_message(account, *found, fields)
        comment = world.comments.get(name)
        if comment is not None and comment.ig_id == account.ig_id and not comment.is_deleted:
            return "comment", lambda: reading.comment(comment, fields)
        peer = world.peer_by_igsid(account.ig_id, name)
        if peer is not None and peer.is_known:
            picture = self._picture(request, peer.person.user_id)
            return "profile", lambda: reading.profile(peer, fields, picture)
        raise errors.no_such_object(name)

    def _picture(self, request: Request, user_id: str) -> str:
        return request.base + reading.picture_path(self.app.secret, user_id, self.world.now())

    def _subscribe(self, request: Request, account: Account) -> dict[str, Any]:
        """All or nothing: one field that is not known and nothing changes."""
        if request.method == "GET":
            mine = {"id": self.app.app_id, "name": self.app.name, "subscribed_fields": account.subscribed_fields}
            return {"data": [mine] if account.subscribed_fields else []}
        if request.method == "DELETE":
            account.subscribed_fields = []
            return {"success": True}
        wanted = [each.strip() for each in request.parameter("subscribed_fields").split(",") if each.strip()]
        if not wanted:
            raise errors.parameter("(subscribed_fields) is required")
        if unknown := [each for each in wanted if each not in ALLOWED_FIELDS]:
            allowed = ", ".join(ALLOWED_FIELDS)
            raise errors.parameter(f"Param subscribed_fields must be one of {{{allowed}}} - got {unknown}.")
        account.subscribed_fields = list(dict.fromkeys(wanted))
        return {"success": True}

    def _conversations(self, request: Request, account: Account, token: Token) -> dict[str, Any]:
        per_s = self.settings.conversations_per_s
        if per_s and not self.world.within_limit("conversations", account.ig_id, calls=per_s, per_s=1.0):
            request.outcome["usage"] = ("messenger", 1, 80006)
            raise GraphError(80006, "There have been too many calls from this account. Wait a bit and try again.")
        if "instagram_business_manage_messages" not in token.scopes:
            raise errors.no_permission("instagram_business_manage_messages")
        if not account.messages_access:
            raise errors.messages_access_off()
        shown = {name: item for name, item in request.query.items() if name not in {"access_token", "after"}}
        query = "&".join(f"{name}={item}" for name, item in (shown | {"access_token": token.value}).items())
        next_url = f"{request.base}/{request.version}/{account.ig_id}/conversations?{query}"
        return reading.conversations(self.world, account, request.query, next_url)

    def _attach(self, request: Request, account: Account) -> dict[str, Any]:
        message = request.body.get("message")
        if not isinstance(message, dict) or not isinstance(message.get("attachment"), dict):
            raise errors.parameter("(message.attachment) is required")
        attachment_id = self.world.digits("555", 12)
        self.world.attachments[attachment_id] = account.ig_id
        return {"attachment_id": attachment_id}

    def _refuse(self, request: Request, refused: GraphError, trace_id: str) -> web.Response:
        account = self.world.accounts.get(request.token.ig_id) if request.token else None
        status = self.settings.consent_status if refused.code == 230 else refused.status
        response = _json(refused.envelope(trace_id, account.locale if account else "en"), status)
        response.headers.update(refused.headers)
        return response

    def _note(self, http: web.Request, request: Request) -> dict[str, Any]:
        now = self.world.now()
        line = {
            "n": len(self.log) + 1,
            "at_ms": milliseconds(now),
            "method": request.method,
            "path": request.path,
            "version": request.version,
            "query": {name: item for name, item in request.query.items() if name not in SECRETS},
            "body": {name: item for name, item in request.body.items() if name not in SECRETS},
            "token_in": request.token_in,
            "user_agent": http.headers.get("User-Agent"),
            "status": None,
            "code": None,
            "subcode": None,
        }
        self.log.append(line)
        self.urls.append(f"{http.method} {http.raw_path}")
        return line

    def _add_usage(self, request: Request, response: web.StreamResponse) -> None:
        """Percent of the allowance; minutes until access comes back."""
        kind, minutes, code = request.outcome.get("usage", ("instagram", 0, None))
        calls = min(100, len(self.log) * 100 // self.settings.usage_allowance)
        app_calls = 100 if code == 4 else self.settings.app_usage if self.settings.app_usage is not None else calls
        app = {"call_count": app_calls, "total_time": calls, "total_cputime": calls}
        response.headers["X-App-Usage"] = json.dumps(app, separators=(",", ":"))
        if request.token is None:
            return
        account = self.world.accounts[request.token.ig_id]
        business = {
            "type": kind,
            "call_count": 100 if minutes else calls,
            "total_cputime": calls,
            "total_time": calls,
            "estimated_time_to_regain_access": minutes,
        } | account.usage
        header = json.dumps({account.ig_id: [business]}, separators=(",", ":"))
        response.headers["X-Business-Use-Case-Usage"] = header


async def _read(http: web.Request) -> Request:
    version = _VERSION.match(http.path)
    request = Request(
        method=http.method,
        path=http.path[len(version[0]) :] if version else http.path,
        query=dict(http.query),
        body=await _body(http),
        base=f"{http.scheme}://{http.host}",
        version=version[1] if version else "v26.0",
    )
    if bearer := _BEARER.fullmatch(http.headers.get("Authorization", "")):
        request.token_value, request.token_in = bearer[1], "header"
    elif request.query.get("access_token"):
        request.token_value, request.token_in = request.query["access_token"], "query"
    elif request.body.get("access_token"):
        request.token_value, request.token_in = str(request.body["access_token"]), "body"
    return request


async def _body(http: web.Request) -> dict[str, Any]:
    """JSON or a form; in a form, objects may be JSON texts, as Graph takes them."""
    if http.content_type == "application/json":
        try:
            body = json.loads(await http.read() or b"{}")
        except ValueError:
            return {}
        return body if isinstance(body, dict) else {}
    form = {name: str(item) for name, item in (await http.post()).items()}
    return {name: _value(item) for name, item in form.items()}


def _value(text: str) -> Any:
    try:
        return json.loads(text) if text.startswith("{") else text
    except ValueError:
        return text


def _send_operations(body: dict[str, Any]) -> set[str]:
    if "sender_action" in body:
        return {"action"}
    recipient = body.get("recipient")
    is_private_reply = isinstance(recipient, dict) and "comment_id" in recipient
    return {"send", "private_reply"} if is_private_reply else {"send"}


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=json.dumps(body).encode(), status=status, headers={"Content-Type": JSON_TYPE})


async def _until_gone(http: web.Request, most_s: float) -> None:
    """Until the client has given up or the time is over."""
    until = time.monotonic() + most_s
    while time.monotonic() < until and http.transport is not None and not http.transport.is_closing():  # noqa: ASYNC110
        await asyncio.sleep(0.02)
