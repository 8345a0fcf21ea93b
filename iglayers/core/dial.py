"""From a host's name to a connection: look-up, the addresses that the guard permits, TCP, TLS."""

# aiohappyeyeballs leaves the tuples of addresses without types.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false

import asyncio
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from ipaddress import ip_address
from typing import Any, TypeVar

from aiohappyeyeballs import AddrInfoType, remove_addr_infos, start_connection
from aiohttp.abc import AbstractResolver, ResolveResult

from iglayers.core.addresses import Guard

# Of the deadline, for the look-up, and for a connection with TLS.
LOOKUP_SHARE = 1 / 3
CONNECT_SHARE = 1 / 2
LOOKUP_THREADS = 64
# What a name server said of a name holds this long; what is dialled is judged each time.
LOOKUP_HOLDS_S = 10.0
# How long an address may take before the next one is tried beside it (RFC 8305).
NEXT_ADDRESS_S = 0.25

P = TypeVar("P", bound=asyncio.Protocol)


class Dialler:
    """Opens connections for one client."""

    def __init__(
        self,
        guard: Guard,
        *,
        deadline_s: float,
        ssl_context: ssl.SSLContext | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._guard: Guard = guard
        self._connect_s: float = deadline_s * CONNECT_SHARE
        self._ssl: ssl.SSLContext = ssl_context or verifying()
        self._resolver: AbstractResolver = resolver or Resolver(deadline_s * LOOKUP_SHARE)

    async def dial(self, protocol: Callable[[], P], host: str, port: int, *, tls: bool) -> P:
        """A connection to the first address that gives one; OSError, of which ssl.SSLError is one, if none does."""
        left = await self._addresses(host, port)
        failed: OSError | None = None
        while True:
            peer = None
            try:
                async with asyncio.timeout(self._connect_s):
                    dialled = await start_connection(
                        left, happy_eyeballs_delay=NEXT_ADDRESS_S, socket_factory=self._guard.socket
                    )
                    peer = dialled.getpeername()
                    _, made = await asyncio.get_running_loop().create_connection(
                        protocol,
                        sock=dialled,
                        ssl=self._ssl if tls else None,
                        # A certificate names no final dot.
                        server_hostname=host.rstrip(".") if tls else None,
                    )
                    return made
            except OSError as error:
                # A bad certificate says more than that nothing listens at the other address.
                failed = failed or error
                if peer is not None:
                    # It took the connection and did not shake hands: another address may.
                    remove_addr_infos(left, peer)
                if peer is None or not left:
                    raise failed from None

    async def _addresses(self, host: str, port: int) -> list[AddrInfoType]:
        try:
            found = [str(ip_address(host))]
        except ValueError:
            found = [each["host"] for each in await self._resolver.resolve(host, port)]
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port, 0, 0))
            if ":" in address
            else (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port))
            for address in found
        ]

    async def close(self) -> None:
        await self._resolver.close()


@cache
def verifying() -> ssl.SSLContext:
    """TLS by the system's authorities; reading them takes a while, so once for a process."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


class Resolver(AbstractResolver):
    """Looks names up in threads of its own, one look-up a name at a time: a slow name server holds one thread."""

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s: float = deadline_s
        self._threads: ThreadPoolExecutor = ThreadPoolExecutor(LOOKUP_THREADS, thread_name_prefix="look-up")
        self._found: dict[tuple[str, int, int], asyncio.Future[list[Any]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        name = (host, port, int(family))
        looking = self._found.get(name)
        if looking is None:
            loop = asyncio.get_running_loop()
            looking = loop.run_in_executor(self._threads, _look_up, host, port, family)
            self._found[name] = looking
            looking.add_done_callback(lambda done: self._keep(name, done))
        try:
            found = await asyncio.wait_for(asyncio.shield(looking), self._deadline_s)
        except TimeoutError:
            raise OSError(f"no name server answered within {self._deadline_s:g} s") from None
        return [
            ResolveResult(
                hostname=host, host=address[0], port=address[1], family=kind, proto=protocol,
                flags=socket.AI_NUMERICHOST,
            )
            for kind, _, protocol, _, address in found
        ]  # fmt: skip

    def _keep(self, name: tuple[str, int, int], done: asyncio.Future[list[Any]]) -> None:
        if done.cancelled() or done.exception():
            del self._found[name]
        else:
            done.get_loop().call_later(LOOKUP_HOLDS_S, self._found.pop, name, None)

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int, family: int) -> list[Any]:
    return socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
