"""Requests to addresses that callers name: one client, with one deadline, bounded answers and a guarded dial.

The guard judges the address that is about to be dialled, after every look-up and in every spelling, so that a name
cannot lead inside. It is no proxy: what an answer says is not looked at.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Self, cast

import aiohttp
import msgspec
import structlog
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection
from yarl import URL

from iglayers.core.config import Settings, listed
from iglayers.core.db import in_transaction

log = structlog.get_logger("outgoing")

MAX_READ_BYTES = 64 * 1024
MAX_HEADER_BYTES = 8 * 1024
MAX_HEADERS = 100
MAX_URL_LENGTH = 2_048
# Node closes an idle connection after 5 s; one that is closed while a request goes out fails for nothing.
KEEPALIVE_S = 4.0
# Of the deadline, for the look-up, and for the connection with TLS.
LOOKUP_SHARE = 1 / 3
CONNECT_SHARE = 1 / 2
LOOKUP_THREADS = 64
# What speaks something else than HTTP, although its port is not among the first 1,024.
CLOSED_PORTS = frozenset(
    {1080, 1433, 1521, 1723, 2049, 2375, 2379, 3128, 3306, 3389, 4190, 5060, 5061, 5432, 5672, 5900, 6000, 6379, 6566,
     6665, 6666, 6667, 6668, 6669, 6697, 9042, 9092, 9200, 9300, 10250, 11211, 27017}
)  # fmt: skip
LOOPBACK = ("127.0.0.0/8", "::1/128")

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# IANA's special-purpose registries of both families, multicast, and what is out of use but still routed somewhere.
# `is_global` is no substitute: it passes NAT64, 6to4, IPv4-compatible and site-local addresses.
_REFUSED_4 = [
    IPv4Network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
]  # fmt: skip
_PUBLIC_6 = IPv6Network("2000::/3")
_REFUSED_6 = [
    IPv6Network(network)
    for network in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
]  # fmt: skip
# Prefixes behind which an IPv4 address stands, and how many bits follow it.
_CARRIERS = [
    (IPv6Network("::ffff:0:0/96"), 0),
    (IPv6Network("::ffff:0:0:0/96"), 0),
    (IPv6Network("::/96"), 0),
    (IPv6Network("64:ff9b::/96"), 0),
    (IPv6Network("64:ff9b:1::/48"), 0),
    (IPv6Network("2002::/16"), 80),
]


class Failure(StrEnum):
    """Why there is no answer. One word for all that goes wrong before a connection: it tells nothing of networks."""

    CONNECTION_FAILED = "connection_failed"
    TLS_FAILED = "tls_failed"
    TIMED_OUT = "timed_out"
    DISCONNECTED = "disconnected"
    INVALID_ANSWER = "invalid_answer"


class Answer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What came back within the deadline: a status and the first bytes of the body, or a failure."""

    duration_ms: int
    status: int | None = None
    failure: Failure | None = None
    body: bytes = b""
    retry_after: str | None = None
    location: str | None = None
    address: str | None = None


class Guard:
    """Which addresses may be dialled: public ones, and those of the operator's networks."""

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        self._allowed: list[Network] = [ip_network(network) for network in allowed]

    def permits(self, address: Address) -> bool:
        """Whether the address, and the one that it carries, are allowed or public."""
        if any(address in network for network in self._allowed):
            log.debug("outgoing.allowed_network", address=str(address))
            return True
        carried = carried_by(address)
        if carried is not None and any(carried in network for network in self._allowed):
            return True
        return is_public(address)

    def socket(self, found: tuple[Any, ...]) -> socket.socket:
        """A socket for an address that may be dialled; OSError for another, so that the next one is tried."""
        family, kind, protocol, _, target = found
        address = ip_address(str(target[0]).partition("%")[0])
        if not self.permits(address):
            log.warning("outgoing.address_refused", address=str(address))
            raise OSError("the address may not be dialled")
        return socket.socket(family=family, type=kind, proto=protocol)


def guard(settings: Settings) -> Guard:
    """The guard of an installation: its allow-list, and loopback while it listens there alone."""
    loopback = LOOPBACK if listens_on_loopback(settings.host) else ()
    return Guard([*listed(settings.allow_networks), *loopback])


def client(settings: Settings) -> "Client":
    """The client of a process, by the installation's settings."""
    return Client(guard(settings), deadline_s=settings.webhook_deadline_s)


def listens_on_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_public(address: Address) -> bool:
    """Whether an address leads to the public internet, by the one it carries too."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_4)
    # Also where the carried address is public: what translates it stands in a network that is not ours to use.
    return address in _PUBLIC_6 and not any(address in network for network in _REFUSED_6)


def carried_by(address: Address) -> IPv4Address | None:
    """The IPv4 address inside an IPv6 one: mapped, compatible, translated, NAT64, 6to4."""
    if isinstance(address, IPv4Address):
        return None
    for network, bits_after in _CARRIERS:
        if address in network:
            return IPv4Address(int(address) >> bits_after & 0xFFFF_FFFF)
    return None


def checked_url(url: str, *, http_allowed: bool) -> str:
    """An absolute URL that may be called; ValueError says what is wrong with it. The address is judged when dialled."""
    if len(url) > MAX_URL_LENGTH:
        raise ValueError(f"has {len(url)} characters; at most {MAX_URL_LENGTH} are allowed")
    if any(character <= " " or character in '\\"<>^`{|}\x7f' for character in url):
        raise ValueError("holds a blank or another character that a URL cannot hold")
    try:
        parsed = URL(url)
        port = parsed.port
    except ValueError:
        raise ValueError("is not a URL") from None
    if parsed.scheme not in ("https", "http") or not parsed.host:
        raise ValueError("must be an absolute URL that starts with https://")
    if parsed.scheme == "http" and not http_allowed:
        raise ValueError("must start with https://: this server does not deliver over http")
    if parsed.user is not None or parsed.password is not None:
        raise ValueError("must not hold a user name or password")
    if port is None or port in CLOSED_PORTS or (port < 1_024 and port not in (80, 443)):
        raise ValueError(f"names the port {port}; use 443, 80, or one above 1023 that is not another service's")
    return url


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
        self._resolver: AbstractResolver = resolver or Resolver(deadline_s * LOOKUP_SHARE)
        connector = aiohttp.TCPConnector(
            limit=0,
            keepalive_timeout=KEEPALIVE_S,
            resolver=self._resolver,
            socket_factory=guard.socket,
            ssl=ssl_context or True,
        )
        self._session: aiohttp.ClientSession = aiohttp.ClientSession(
            connector=connector,
            response_class=_Response,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "identity", "Accept": "*/*"},
            # One clock for all of a request, to the fraction of a second: beyond the threshold it would be rounded up.
            # The other tells what never was connected from what stalled, so that an address behind a firewall looks
            # like one where nothing listens; so does the resolver's.
            timeout=aiohttp.ClientTimeout(
                total=deadline_s, sock_connect=deadline_s * CONNECT_SHARE, ceil_threshold=deadline_s + 1
            ),
            auto_decompress=False,
            trust_env=False,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            max_headers=MAX_HEADERS,
        )

    async def post(self, url: str, body: bytes, *, headers: Mapping[str, str]) -> Answer:
        """One request and what came of it; never raises for what the other side does."""
        if in_transaction.get():
            raise RuntimeError("an outgoing request inside a transaction would hold its locks")
        began = time.monotonic()
        try:
            return await self._post(url, body, headers, began)
        except aiohttp.ConnectionTimeoutError:
            return Answer(failure=Failure.CONNECTION_FAILED, duration_ms=_since(began))
        except TimeoutError:
            return Answer(failure=Failure.TIMED_OUT, duration_ms=_since(began))
        except (aiohttp.ClientError, OSError, ValueError, RuntimeError) as error:
            failure = failure_of(error)
            log.info("outgoing.failed", failure=failure, error=repr(error)[:500])
            return Answer(failure=failure, duration_ms=_since(began))

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str], began: float) -> Answer:
        sent = aiohttp.BytesPayload(body)
        async with self._session.post(url, data=sent, headers=headers, allow_redirects=False) as response:
            kept = cast("_Response", response)
            try:
                read = await self._read(response)
            finally:
                kept.drop_unsent()
            return Answer(
                status=response.status,
                duration_ms=_since(began),
                body=read,
                retry_after=response.headers.get("Retry-After"),
                location=response.headers.get("Location"),
                address=kept.address,
            )

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        """The first bytes of the body as they came; a connection that has more is closed, not read to its end."""
        read = bytearray()
        while len(read) < MAX_READ_BYTES:
            part = await response.content.read(MAX_READ_BYTES - len(read))
            if not part:
                return bytes(read)
            read += part
        if not response.content.at_eof():
            response.close()
        return bytes(read)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._session.close()
        await self._resolver.close()


class Resolver(AbstractResolver):
    """Looks names up in threads of its own, one look-up a name at a time: a slow name server holds one thread."""

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s: float = deadline_s
        self._threads: ThreadPoolExecutor = ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="look-up")
        self._running: dict[tuple[str, int, int], asyncio.Future[list[Any]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        name = (host, port, int(family))
        running = self._running.get(name)
        if running is None:
            loop = asyncio.get_running_loop()
            running = loop.run_in_executor(self._threads, _look_up, host, port, family)
            self._running[name] = running
            running.add_done_callback(lambda _: self._running.pop(name, None))
        try:
            found = await asyncio.wait_for(asyncio.shield(running), self._deadline_s)
        except TimeoutError:
            raise OSError(f"no name server answered within {self._deadline_s:g} s") from None
        return [
            ResolveResult(
                hostname=host, host=address[0], port=address[1], family=kind, proto=protocol,
                flags=socket.AI_NUMERICHOST,
            )
            for kind, _, protocol, _, address in found
        ]  # fmt: skip

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int, family: int) -> list[Any]:
    return socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)


class _Response(aiohttp.ClientResponse):
    """Keeps the address that answered: by the end of the body the connection is gone. Lets go of what is unsent."""

    address: str | None = None
    transport: asyncio.Transport | None = None

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        self.transport = connection.transport
        if self.transport is not None:
            peer = cast("tuple[object, ...] | None", self.transport.get_extra_info("peername"))
            self.address = str(peer[0]) if peer else None
        try:
            return await super().start(connection)
        except BaseException:
            self.drop_unsent()
            raise

    def drop_unsent(self) -> None:
        """A transport that is closed keeps what the receiver has not read until it is read, which may be never."""
        transport = self.transport
        # One that is closed is not asked for its size: asyncio's of TLS has no answer then.
        if transport is not None and (transport.is_closing() or transport.get_write_buffer_size()):
            transport.abort()


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


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
