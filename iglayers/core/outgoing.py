"""Requests to addresses that callers name: one client, with one deadline, bounded answers and a guarded dial.

It is no proxy: what an answer says is not looked at, redirects are not followed, nothing is decompressed, and neither
cookies nor the environment's proxies exist.
"""

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple, Self

import msgspec
import structlog
from aiohttp.abc import AbstractResolver
from yarl import URL

from iglayers.core.addresses import Guard, guard
from iglayers.core.config import Settings
from iglayers.core.db import in_transaction
from iglayers.core.dial import Dialler
from iglayers.core.http1 import Connection, Disconnected, InvalidAnswer

log = structlog.get_logger("outgoing")

# Node closes an idle connection after 5 s; one that is closed while a request goes out fails for nothing.
KEEPALIVE_S = 4.0
# More URLs than endpoints that one worker holds.
PLACES = 2_048


class Failure(StrEnum):
    """Why there is no answer. One word for all that goes wrong before a connection: it tells nothing of networks."""

    CONNECTION_FAILED = "connection_failed"
    TLS_FAILED = "tls_failed"
    TIMED_OUT = "timed_out"
    DISCONNECTED = "disconnected"
    INVALID_ANSWER = "invalid_answer"


class DeadlinePassed(Exception):
    """There was a connection, and no answer in time."""


_FAILURES = {
    DeadlinePassed: Failure.TIMED_OUT,
    Disconnected: Failure.DISCONNECTED,
    InvalidAnswer: Failure.INVALID_ANSWER,
}


class Answer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What came back within the deadline: a status and the first bytes of the body, or a failure."""

    duration_ms: int
    status: int | None = None
    failure: Failure | None = None
    body: bytes = b""
    retry_after: str | None = None
    location: str | None = None
    address: str | None = None


class Origin(NamedTuple):
    """What a connection may be used again for."""

    is_tls: bool
    host: str
    port: int


def client(settings: Settings) -> "Client":
    """The client of a process, by the installation's settings."""
    return Client(guard(settings), deadline_s=settings.webhook_deadline_s)


class Client:
    """Posts bytes to URLs. One for a process; `close` it at the end."""

    def __init__(
        self,
        guard: Guard,
        *,
        deadline_s: float,
        ssl_context: ssl.SSLContext | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._deadline_s: float = deadline_s
        self._dialler: Dialler = Dialler(guard, deadline_s=deadline_s, ssl_context=ssl_context, resolver=resolver)
        # The one that was used last is taken first, so that a quiet time leaves few.
        self._kept: dict[Origin, list[Connection]] = {}
        self._sweep: asyncio.TimerHandle | None = None
        self._is_closed: bool = False

    async def post(self, url: str, body: bytes, *, headers: Mapping[str, str]) -> Answer:
        """One request and what came of it; never raises for what the other side does."""
        if in_transaction.get():
            raise RuntimeError("an outgoing request inside a transaction would hold its locks")
        began = asyncio.get_running_loop().time()
        fields = rendered(headers)
        try:
            origin, head = place_of(url)
            request = b"%b%bContent-Length: %d\r\n\r\n%b" % (head, fields, len(body), body)
            kept = self._take(origin)
            if kept is not None:
                # Its other end may have closed it before the request was there. Whether that was so nobody knows, and
                # what is delivered at least once may be sent again.
                with suppress(Disconnected):
                    return await self._ask(kept, origin, request, began)
            return await self._ask(await self._dial(origin, began), origin, request, began)
        except (DeadlinePassed, Disconnected, InvalidAnswer) as error:
            return _failed(_FAILURES[type(error)], error, began)
        except ssl.SSLError as error:
            return _failed(Failure.TLS_FAILED, error, began)
        # The deadline too, so that an address behind a firewall looks like one where nothing listens.
        except (OSError, ValueError, RuntimeError) as error:
            return _failed(Failure.CONNECTION_FAILED, error, began)

    async def _ask(self, connection: Connection, origin: Origin, request: bytes, began: float) -> Answer:
        loop = asyncio.get_running_loop()
        bell = loop.call_at(began + self._deadline_s, connection.fail, DeadlinePassed())
        try:
            read = await connection.ask(request)
        except BaseException:
            connection.drop()
            raise
        finally:
            bell.cancel()
        answer = Answer(
            status=read.status, duration_ms=_since(began), body=bytes(read.body),
            retry_after=read.header(b"retry-after"), location=read.header(b"location"), address=connection.address,
        )  # fmt: skip
        self._keep(origin, connection)
        return answer

    async def _dial(self, origin: Origin, began: float) -> Connection:
        async with asyncio.timeout_at(began + self._deadline_s):
            return await self._dialler.dial(Connection, origin.host, origin.port, tls=origin.is_tls)

    def _take(self, origin: Origin) -> Connection | None:
        kept, oldest = self._kept.get(origin), asyncio.get_running_loop().time() - KEEPALIVE_S
        while kept:
            connection = kept.pop()
            if connection.is_open and connection.idle_since > oldest:
                return connection
            connection.close()
        return None

    def _keep(self, origin: Origin, connection: Connection) -> None:
        if self._is_closed:
            connection.close()
        elif connection.is_open:
            loop = asyncio.get_running_loop()
            connection.idle_since = loop.time()
            self._kept.setdefault(origin, []).append(connection)
            if self._sweep is None:
                self._sweep = loop.call_later(KEEPALIVE_S, self._sweep_idle)

    def _sweep_idle(self) -> None:
        loop = asyncio.get_running_loop()
        oldest = loop.time() - KEEPALIVE_S
        for origin, kept in list(self._kept.items()):
            idle = sum(each.idle_since <= oldest for each in kept)
            for each in kept[:idle]:
                each.close()
            del kept[:idle]
            if not kept:
                del self._kept[origin]
        self._sweep = loop.call_later(KEEPALIVE_S, self._sweep_idle) if self._kept else None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End what is idle now, and what is on its way when it has its answer."""
        self._is_closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        for kept in self._kept.values():
            for each in kept:
                each.close()
        self._kept.clear()
        await self._dialler.close()


@lru_cache(PLACES)
def place_of(url: str) -> tuple[Origin, bytes]:
    """Where a URL leads, and how each request to it begins; ValueError where it leads nowhere."""
    parsed = URL(url)
    if parsed.scheme not in ("http", "https") or not parsed.raw_host or parsed.port is None:
        raise ValueError("is not an absolute URL of http or https")
    head = (
        f"POST {parsed.raw_path_qs} HTTP/1.1\r\nHost: {parsed.host_port_subcomponent}\r\n"
        "Accept-Encoding: identity\r\nAccept: */*\r\n"
    )
    return Origin(parsed.scheme == "https", parsed.raw_host, parsed.port), head.encode("ascii")


def rendered(headers: Mapping[str, str]) -> bytes:
    """Headers as they are sent; ValueError for one that would begin another line."""
    text = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if text.count("\r") != len(headers) or text.count("\n") != len(headers):
        raise ValueError("a header holds a line break")
    return text.encode()


def _failed(failure: Failure, error: Exception, began: float) -> Answer:
    log.info("outgoing.failed", failure=failure, error=repr(error.__cause__ or error)[:500])
    return Answer(failure=failure, duration_ms=_since(began))


def _since(began: float) -> int:
    return round((asyncio.get_running_loop().time() - began) * 1000)
