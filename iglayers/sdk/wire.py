"""One HTTP exchange: a request, a connection for it, and what its answer means. No retries here."""

import json
import ssl
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from typing import Any, NamedTuple, cast
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from iglayers import __version__
from iglayers.sdk.errors import ApiError, Refused, Unreachable

JSON = "application/json"
CHUNK_BYTES = 1 << 16
# Whatever a connection does that is no answer.
BROKEN = (OSError, HTTPException)


class Request(NamedTuple):
    """`repeatable`: the server does it once, however often it is sent."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes | None
    repeatable: bool


def address(url: str) -> SplitResult:
    """Where the API is; a path that ends with /api/v1 may be left out."""
    try:
        parts = urlsplit(url.strip())
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and not parts.query:
            return parts._replace(path=parts.path.rstrip("/").removesuffix("/api/v1"), fragment="")
    except ValueError:
        pass
    raise Unreachable(f"{url!r} is no address of a server.", remedy="Give one such as http://127.0.0.1:3000.")


def connect(where: SplitResult, timeout_s: float) -> HTTPConnection:
    """A connection that opens with its first request."""
    host = where.hostname or ""
    if where.scheme == "https":
        return HTTPSConnection(host, where.port, timeout=timeout_s, context=ssl.create_default_context())
    return HTTPConnection(host, where.port, timeout=timeout_s)


def segment(text: str) -> str:
    """A name or an id as one part of a path."""
    if not text.strip():
        raise ApiError("An id is empty.", remedy="Name what is meant.")
    return quote(text.strip(), safe="")


def target(where: SplitResult, path: str, query: Mapping[str, object]) -> str:
    """What stands in the request line; a query of None is left out."""
    named = {name: _text(item) for name, item in query.items() if item is not None}
    return f"{where.path}/api/v1{quote(path, safe='/%')}" + (f"?{urlencode(named)}" if named else "")


def headers(key: str, *, media_type: str | None, idempotency_key: str | None) -> dict[str, str]:
    sent = {"Authorization": f"Bearer {key}", "Accept": "*/*", "User-Agent": f"iglayers-python/{__version__}"}
    if media_type is not None:
        sent["Content-Type"] = media_type
    if idempotency_key is not None:
        sent["Idempotency-Key"] = idempotency_key
    return sent


def exchange(conn: HTTPConnection, request: Request) -> HTTPResponse:
    """Send a request; the head of its answer. Raises one of BROKEN when there is none."""
    try:
        conn.request(request.method, request.target, body=request.body, headers=request.headers)
    except (BrokenPipeError, ConnectionResetError):
        # A server that refuses before it has read the body has answered, and the answer is still there to read.
        if conn.sock is None:
            raise
    return conn.getresponse()


def tree(answer: HTTPResponse) -> dict[str, Any]:
    """The whole answer; Refused when it is one."""
    raw = answer.read()
    try:
        found: object = json.loads(raw)
    except ValueError:
        found = None
    if answer.status < 300 and isinstance(found, dict):
        return cast("dict[str, Any]", found)
    if 300 <= answer.status < 400:
        raise Unreachable(
            f"The server answered with a redirect to {answer.headers.get('Location', 'nowhere')}.",
            remedy="Set IGLAYERS_URL to where it leads.",
        )
    if answer.status < 300:
        kind = answer.headers.get_content_type()
        raise Unreachable(
            f"What answers there is no IG Layers API: it sent {kind}, status {answer.status}.",
            remedy="Check IGLAYERS_URL.",
        )
    body = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    raise Refused(answer.status, body, retry_after_s=_seconds(answer.headers.get("Retry-After")))


def chunks(answer: HTTPResponse) -> Iterator[bytes]:
    """The answer as it comes in; IncompleteRead when it ends early."""
    while piece := answer.read(CHUNK_BYTES):
        yield piece
    if answer.length:
        raise IncompleteRead(b"", answer.length)


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isascii() and text.isdigit() else None


def _text(item: object) -> str:
    return str(item).lower() if isinstance(item, bool) else str(item)
