"""The only place that speaks HTTP to Meta: one request on a connection of its own, and what came of it as a value.

A fresh connection for each request: whatever fails before it stands has provably sent nothing. Tokens and secrets
stand in no log line, no exception and no value that leaves here.
"""

import asyncio
import re
import ssl
import time
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, cast
from urllib.parse import quote, urlencode

import aiohttp
import msgspec
import structlog
from yarl import URL

from iglayers.core.config import Settings
from iglayers.core.db import in_transaction
from iglayers.core.dial import Resolver
from iglayers.core.http1 import MAX_HEADER_BYTES, MAX_HEADERS
from iglayers.core.outgoing import Failure

log = structlog.get_logger("instagram")

MAX_ANSWER_BYTES = 1 << 20
DEADLINE_S = 20.0
# Of the deadline, for the look-up of a name.
LOOKUP_SHARE = 1 / 3
# What Meta repeats of a token it cannot read, and what stands in the addresses of further pages.
_TOKEN = re.compile(r"\b(?:IGAA|IGQ|EAA)[A-Za-z0-9_-]{8,}|(?<=access_token=)[^&\s\"']+|(?<=client_secret=)[^&\s\"']+")
_HIDDEN = "[hidden]"
_URL = re.compile(r"https://[^\s\"'<>\\]+")


class Host(StrEnum):
    """Meta's hosts; each has a setting of its own, so that a local double may stand in for it."""

    GRAPH = "graph"
    API = "api"


class GraphError(msgspec.Struct, frozen=True, kw_only=True):
    """An error as Meta told it. Rules look at `code` and `subcode` alone: `message` may be in any language."""

    code: int
    subcode: int | None = None
    kind: str = ""
    message: str = ""
    is_transient: bool = False
    fbtrace_id: str | None = None
    checkpoint_url: str | None = None  # where the owner clears a challenge


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """How much of its allowance the app or the account has used, and when it is let in again."""

    percent: float = 0.0
    regain_minutes: float = 0.0


class GraphAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one request: a `failure`, or a status with what the body said.

    `tree` is the JSON of an answer that tells of no error. It may hold a token or a text, so it is never shown.
    """

    status: int | None = None
    tree: object = None
    error: GraphError | None = None
    usage: Usage = Usage()
    retry_after: str | None = None
    failure: Failure | None = None
    nothing_left: bool = False  # it failed before the connection stood: provably not sent

    @property
    def fields(self) -> dict[str, Any] | None:
        """The answer of a call that succeeded and said so with an object; None for anything else."""
        succeeded = self.status is not None and 200 <= self.status < 300 and self.error is None
        return cast("dict[str, Any]", self.tree) if succeeded and isinstance(self.tree, dict) else None

    def __repr__(self) -> str:
        return f"GraphAnswer(status={self.status}, error={self.error}, failure={self.failure})"


class Graph:
    """Meta's API by the installation's settings. Holds no connection, so there is nothing to close."""

    def __init__(self, settings: Settings, *, ssl_context: ssl.SSLContext | None = None) -> None:
        self._hosts: dict[Host, str] = {
            Host.GRAPH: settings.instagram_graph_url.rstrip("/"),
            Host.API: settings.instagram_api_url.rstrip("/"),
        }
        self._version: str = settings.instagram_api_version
        self._resolver: Resolver = Resolver(DEADLINE_S * LOOKUP_SHARE)
        self._ssl: ssl.SSLContext | bool = ssl_context or True

    async def get(
        self, path: str, *, token: str, query: Mapping[str, str] | None = None, deadline_s: float = DEADLINE_S
    ) -> GraphAnswer:
        """`GET /v26.0/{path}`. For further pages pass `paging.cursors.after`: `paging.next` holds the token."""
        url = self._url(Host.GRAPH, f"{self._version}/{path}", query)
        return await self._ask("GET", url, secrets=[token], headers=_bearer(token), deadline_s=deadline_s)

    async def post(
        self, path: str, *, token: str, content: object = None, query: Mapping[str, str] | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> GraphAnswer:  # fmt: skip
        """`POST /v26.0/{path}` with `content` as JSON."""
        url = self._url(Host.GRAPH, f"{self._version}/{path}", query)
        headers = _bearer(token) | {"Content-Type": "application/json"}
        data = msgspec.json.encode({} if content is None else content)
        return await self._ask("POST", url, secrets=[token], headers=headers, data=data, deadline_s=deadline_s)

    async def get_token(self, path: str, query: Mapping[str, str], *, secrets: list[str]) -> GraphAnswer:
        """The token endpoints of the graph host: without a version, and with their secrets in the query."""
        return await self._ask("GET", self._url(Host.GRAPH, path, query), secrets=secrets, headers={})

    async def post_form(self, path: str, form: Mapping[str, str], *, secrets: list[str]) -> GraphAnswer:
        """The exchange of a code: a form to the API host, without a version."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        data = urlencode(form).encode()
        return await self._ask("POST", self._url(Host.API, path, None), secrets=secrets, headers=headers, data=data)

    def _url(self, host: Host, path: str, query: Mapping[str, str] | None) -> str:
        url = f"{self._hosts[host]}/{quote(path, safe='/')}"
        return f"{url}?{urlencode(query)}" if query else url

    async def _ask(
        self, method: str, url: str, *, secrets: list[str], headers: dict[str, str], data: bytes | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> GraphAnswer:  # fmt: skip
        """One request within one deadline; never raises for what the network or Meta does."""
        if in_transaction.get():
            raise RuntimeError("an outgoing request inside a transaction would hold its locks")
        began = time.monotonic()
        connected = asyncio.Event()
        answer: GraphAnswer
        try:
            async with asyncio.timeout(deadline_s):
                answer = await self._exchange(method, url, headers, data, connected, secrets)
        except TimeoutError:
            answer = GraphAnswer(failure=Failure.TIMED_OUT, nothing_left=not connected.is_set())
        except (aiohttp.ClientError, OSError, ValueError, RuntimeError) as error:
            answer = GraphAnswer(failure=failure_of(error), nothing_left=not connected.is_set())
        log.info("instagram.asked", **_told(method, url, answer), duration_ms=round((time.monotonic() - began) * 1000))
        return answer

    async def _exchange(
        self, method: str, url: str, headers: dict[str, str], data: bytes | None, connected: asyncio.Event,
        secrets: list[str],
    ) -> GraphAnswer:  # fmt: skip
        trace = aiohttp.TraceConfig()

        async def note(*_: object) -> None:
            connected.set()

        trace.on_connection_create_end.append(note)
        connector = aiohttp.TCPConnector(resolver=self._resolver, ssl=self._ssl, force_close=True)
        async with (
            aiohttp.ClientSession(
                connector=connector,
                trace_configs=[trace],
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                auto_decompress=False,
                trust_env=False,
                max_line_size=MAX_HEADER_BYTES,
                max_field_size=MAX_HEADER_BYTES,
                max_headers=MAX_HEADERS,
            ) as session,
            session.request(
                method,
                URL(url, encoded=True),
                data=data,
                headers={"Accept-Encoding": "identity", "Accept": "application/json", **headers},
                # A redirect would carry the token to wherever it leads.
                allow_redirects=False,
            ) as response,
        ):
            return _answer(response.status, response.headers, await _read(response), secrets)


def failure_of(error: BaseException) -> Failure:
    """What went wrong, in the one word that the log and people see."""
    match error:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError() | ssl.SSLError():
            return Failure.TLS_FAILED
        case aiohttp.ClientConnectorError():
            return Failure.CONNECTION_FAILED
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | ConnectionError():
            return Failure.DISCONNECTED
        case aiohttp.ClientPayloadError() | aiohttp.ClientResponseError():
            return Failure.INVALID_ANSWER
        case _:
            return Failure.CONNECTION_FAILED


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The whole body; none of one that is longer than MAX_ANSWER_BYTES."""
    read = bytearray()
    while len(read) <= MAX_ANSWER_BYTES:
        part = await response.content.read(MAX_ANSWER_BYTES + 1 - len(read))
        if not part:
            return bytes(read)
        read += part
    response.close()
    return b""


def _answer(status: int, headers: Mapping[str, str], body: bytes, secrets: list[str]) -> GraphAnswer:
    try:
        tree = cast("object", msgspec.json.decode(body))
    except (msgspec.DecodeError, ValueError, RecursionError):
        tree = None
    error = error_in(tree, secrets)
    return GraphAnswer(
        status=status, tree=tree if error is None else None, error=error, usage=usage_in(headers),
        retry_after=headers.get("Retry-After"),
    )  # fmt: skip


def error_in(tree: object, secrets: list[str]) -> GraphError | None:
    """The error that an answer holds, in either envelope, without anything secret."""
    if not isinstance(tree, dict):
        return None
    fields = cast("dict[str, Any]", tree)
    if "error_type" in fields or "error_message" in fields:  # the token endpoints
        return GraphError(
            code=_number(fields.get("code")) or 0, kind=str(fields.get("error_type", "")),
            message=hidden(str(fields.get("error_message", "")), secrets),
        )  # fmt: skip
    told = fields.get("error")
    if not isinstance(told, dict):
        return None if told is None else GraphError(code=0, message=hidden(str(told), secrets))
    error = cast("dict[str, Any]", told)
    trace_id = error.get("fbtrace_id")
    return GraphError(
        code=_number(error.get("code")) or 0,
        subcode=_number(error.get("error_subcode")),
        kind=str(error.get("type", "")),
        message=hidden(str(error.get("error_user_msg") or error.get("message") or ""), secrets),
        is_transient=error.get("is_transient") is True,
        fbtrace_id=None if trace_id is None else str(trace_id)[:100],
        checkpoint_url=_checkpoint(error.get("error_data"), secrets),
    )


def usage_in(headers: Mapping[str, str]) -> Usage:
    """The fullest of the allowances that two headers tell of; what cannot be read counts as none."""
    percents, minutes = [0.0], [0.0]
    parts = [_decoded(headers.get("X-App-Usage"))]
    by_account = _decoded(headers.get("X-Business-Use-Case-Usage"))
    for listed in by_account.values():
        if isinstance(listed, list):
            parts += [cast("dict[str, Any]", each) for each in cast("list[object]", listed) if isinstance(each, dict)]
    for part in parts:
        percents += [_share(part.get(name)) for name in ("call_count", "total_time", "total_cputime")]
        minutes.append(_share(part.get("estimated_time_to_regain_access")))
    return Usage(percent=max(percents), regain_minutes=max(minutes))


def hidden(text: str, secrets: list[str]) -> str:
    """A text that people may read: at most 500 characters, without these secrets and whatever looks like a token."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, _HIDDEN)
    return _TOKEN.sub(_HIDDEN, text)[:500]


def _checkpoint(data: object, secrets: list[str]) -> str | None:
    """The first https address in `error_data`, which is an object or a text."""
    text = data if isinstance(data, str) else msgspec.json.encode(data).decode()
    found = _URL.search(text.replace("\\/", "/"))
    return hidden(found[0], secrets) if found else None


def _decoded(header: str | None) -> dict[str, Any]:
    try:
        tree = cast("object", msgspec.json.decode(header or "{}"))
    except (msgspec.DecodeError, ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", tree) if isinstance(tree, dict) else {}


def _share(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else 0.0


def _number(value: object) -> int | None:
    """A code, which some answers spell as a text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,12}", value, re.ASCII):
        return int(value)
    return None


def _told(method: str, url: str, answer: GraphAnswer) -> dict[str, object]:
    """One line of the log: the path without its query, and codes, never a text."""
    error = answer.error
    return {
        "method": method,
        "path": url.partition("?")[0],
        "status": answer.status,
        "failure": answer.failure,
        "code": error and error.code,
        "subcode": error and error.subcode,
        "fbtrace_id": error and error.fbtrace_id,
        "usage_percent": answer.usage.percent,
    }
