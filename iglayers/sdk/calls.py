"""The API as an object: calls, lists as iterators, files as streams.

What a call changes is changed once: each POST, PATCH and DELETE carries an Idempotency-Key, with which it may be
sent again.
"""

import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPConnection, HTTPResponse
from socket import gaierror
from typing import Any, TypeVar
from uuid import uuid4

from iglayers.sdk import wire
from iglayers.sdk.errors import Refused, Unreachable
from iglayers.sdk.wire import Request

T = TypeVar("T")
JsonObject = dict[str, Any]

DEFAULT_URL = "http://127.0.0.1:3000"
# The most that a list gives at once.
PAGE = 1_000
_PASSING = frozenset({"rate_limit_exceeded", "unavailable", "http_503", "http_429", "idempotency_in_progress"})
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 8.0


class Api:
    """One server, called with one key, for one thread.

    A call waits at most `timeout_s` for each part of an answer. Where sending it again is safe it is sent again, for
    `patience_s` in all; a server that never answered is not waited for.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        key: str = "",
        *,
        timeout_s: float = 60.0,
        patience_s: float = 120.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.where = wire.address(url)
        self._key: str = key.strip()
        if not (self._key.isascii() and self._key.isprintable() and self._key):
            raise Unreachable("The API key is empty, or no key.", remedy="A key begins with sk_live_ or sk_test_.")
        self._timeout_s: float = timeout_s
        self._patience_s: float = patience_s
        self._sleep: Callable[[float], None] = sleep
        self._conn: HTTPConnection | None = None
        self._has_answered: bool = False

    def get(self, path: str, **query: object) -> JsonObject:
        return self._tree(self._request("GET", path, query=query))

    def post(self, path: str, body: object = None, **query: object) -> JsonObject:
        """With a key of its own, so that it may be sent again; see `post_once` for what takes none."""
        return self._tree(self._request("POST", path, body, query=query, key=_new_key()))

    def patch(self, path: str, body: object) -> JsonObject:
        return self._tree(self._request("PATCH", path, body, key=_new_key()))

    def delete(self, path: str, **query: object) -> JsonObject:
        return self._tree(self._request("DELETE", path, query=query, key=_new_key()))

    def post_once(self, path: str, body: object = None) -> JsonObject:
        """A POST that the server would do again if it came again (it calls somebody else), so it is sent once."""
        self.close()  # a connection that has lain idle may be dead, and nothing would tell whether the call came in
        return self._tree(self._request("POST", path, body))

    def post_csv(self, path: str, data: bytes, **query: object) -> JsonObject:
        """Rows as text/csv instead of JSON."""
        request = self._request("POST", path, data, query=query, key=_new_key(), media_type="text/csv")
        return self._tree(request)

    def every(
        self, path: str, query: Mapping[str, object] | None = None, *, most: int | None = None
    ) -> Iterator[JsonObject]:
        """The items of a list, newest first, over all its pages; `most` of them at most."""
        left, cursor = most, None
        while left is None or left > 0:
            limit = PAGE if left is None else min(left, PAGE)
            page = self.get(path, limit=limit, cursor=cursor, **(query or {}))
            yield from page["data"]
            left = None if left is None else left - len(page["data"])
            cursor = page["nextCursor"]
            if not page["hasMore"]:
                return

    def download(self, path: str, **query: object) -> Iterator[bytes]:
        """A file piece by piece; Unreachable when it breaks off, so that half a file is never taken for a whole one."""
        request = self._request("GET", path, query=query)
        conn = wire.connect(self.where, self._timeout_s)
        try:
            answer = self._patiently(request, lambda: _opened(wire.exchange(conn, request)), conn.close)
            try:
                yield from wire.chunks(answer)
            except wire.BROKEN as error:
                raise Unreachable("The file broke off before its end.", remedy="Fetch it again.") from error
        finally:
            conn.close()

    def close(self) -> None:
        if self._conn is not None:
            self._conn.close()
            self._conn = None

    def _tree(self, request: Request) -> JsonObject:
        return self._patiently(request, lambda: wire.tree(wire.exchange(self._kept(), request)), self.close)

    def _kept(self) -> HTTPConnection:
        if self._conn is None:
            self._conn = wire.connect(self.where, self._timeout_s)
        return self._conn

    def _patiently(self, request: Request, once: Callable[[], T], hang_up: Callable[[], None]) -> T:
        began, waited_s, wait_s = time.monotonic(), 0.0, _FIRST_WAIT_S
        while True:
            try:
                answer = once()
                self._has_answered = True
                return answer
            except Refused as error:
                self._has_answered = True
                failure, asked_s = error, error.retry_after_s
                is_passing = error.code in _PASSING
            except wire.BROKEN as error:
                hang_up()
                failure, asked_s = self._unreachable(request, error), None
                is_passing = self._may_come_back(error)
            pause_s = wait_s if asked_s is None else asked_s
            spent_s = max(waited_s, time.monotonic() - began)
            if not (is_passing and request.repeatable) or spent_s + pause_s > self._patience_s:
                raise failure
            self._sleep(pause_s)
            waited_s, wait_s = waited_s + pause_s, min(2 * wait_s, _LONGEST_WAIT_S)

    def _may_come_back(self, error: Exception) -> bool:
        if isinstance(error, ssl.SSLCertVerificationError):
            return False
        return self._has_answered or not isinstance(error, ConnectionRefusedError | gaierror | ssl.SSLError)

    def _unreachable(self, request: Request, error: Exception) -> Unreachable:
        where = self.where._replace(netloc=self.where.netloc.rpartition("@")[2]).geturl()
        why = str(error) or type(error).__name__
        doubt = "" if request.method == "GET" or isinstance(error, ConnectionRefusedError) else (
            " Whether the change was made is not known."
        )  # fmt: skip
        failure = Unreachable(
            f"No answer from {where}: {why}.{doubt}",
            remedy="See whether `iglayers serve` runs there, or set IGLAYERS_URL to where it does.",
        )
        failure.__cause__ = error
        return failure

    def _request(
        self, method: str, path: str, body: object = None, *, query: dict[str, object] | None = None,
        key: str | None = None, media_type: str = wire.JSON,
    ) -> Request:  # fmt: skip
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = wire.headers(self._key, media_type=media_type if data is not None else None, idempotency_key=key)
        repeatable = method == "GET" or key is not None
        return Request(method, wire.target(self.where, path, query or {}), sent, data, repeatable)


def _opened(answer: HTTPResponse) -> HTTPResponse:
    if answer.status != 200:
        wire.tree(answer)
    return answer


def _new_key() -> str:
    return uuid4().hex
