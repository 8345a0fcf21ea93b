"""Whatever a server does with a request, it ends within the deadline and takes little memory."""

import asyncio
import gzip
import socket
import ssl
import time
import tracemalloc
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from iglayers.core.addresses import Guard
from iglayers.core.db import Database
from iglayers.core.http1 import MAX_READ_BYTES
from iglayers.core.outgoing import Client, Failure
from tests.core.test_outgoing_guard import Names, certificates
from tests.events.receiving import receiving

DEADLINE_S = 0.5
LATE_S = 0.5
BOMB = gzip.compress(b"\0" * 50_000_000)
LOOPBACK = Guard(["127.0.0.1/32"])

Speak = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(speak: Speak, *, tls: bool = False) -> AsyncGenerator[str]:
    """Speaks when a request has come in; `tls` gives a URL on which it never shakes hands."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n") if not tls else await reader.read(1)
            await speak(writer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        yield f"http{'s' if tls else ''}://127.0.0.1:{port}/"


@contextmanager
def ending_in_time() -> Generator[None]:
    """The block ends by the deadline, as the loop itself counts it: a loaded machine holds up both clocks."""
    rung: list[float] = []
    bell = asyncio.get_running_loop().call_later(DEADLINE_S, lambda: rung.append(time.monotonic()))
    yield
    bell.cancel()
    assert not rung or time.monotonic() - rung[0] < LATE_S


async def endless_body(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
        await writer.drain()


async def gzip_bomb(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB) + BOMB)
    await writer.drain()


async def a_byte_at_a_time(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(DEADLINE_S / 10)


async def a_header_byte_at_a_time(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX: ")
    await a_byte_at_a_time(writer)


async def silence(_writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def silence_after_the_headers(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    await silence(writer)


async def huge_header(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()


async def many_headers(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X: y\r\n" * 10_000)
        await writer.drain()


async def endless_hints(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100)
        await writer.drain()


async def nonsense(writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-OpenSSH_9.9\r\n")
    await writer.drain()


async def hanging_up(_writer: asyncio.StreamWriter) -> None:
    return


async def less_than_promised(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    await writer.drain()


@pytest.mark.parametrize(
    ("speak", "failure"),
    [
        (endless_body, None),
        (gzip_bomb, None),
        (a_byte_at_a_time, Failure.TIMED_OUT),
        (a_header_byte_at_a_time, Failure.TIMED_OUT),
        (silence, Failure.TIMED_OUT),
        (silence_after_the_headers, Failure.TIMED_OUT),
        (huge_header, Failure.INVALID_ANSWER),
        (many_headers, Failure.INVALID_ANSWER),
        (endless_hints, Failure.INVALID_ANSWER),
        (nonsense, Failure.INVALID_ANSWER),
        (hanging_up, Failure.DISCONNECTED),
        (less_than_promised, Failure.INVALID_ANSWER),
    ],
)
async def test_every_answer_ends_in_time_and_takes_little_memory(speak: Speak, failure: Failure | None) -> None:
    async with server(speak) as url, Client(LOOPBACK, deadline_s=DEADLINE_S) as client:
        tracemalloc.start()
        try:
            with ending_in_time():
                answer = await client.post(url, b"{}", headers={})
            _, most_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert answer.failure is failure
    assert most_bytes < 10_000_000
    assert len(answer.body) <= MAX_READ_BYTES


class Narrow(Guard):
    """Dials with buffers that hold a small part of a request, so that the rest cannot leave."""

    def socket(self, found: tuple[Any, ...]) -> socket.socket:
        dialled = super().socket(found)
        dialled.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
        return dialled


@pytest.mark.parametrize(
    ("answer", "status", "failure"),
    [
        (b"", None, Failure.TIMED_OUT),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", None, Failure.TIMED_OUT),
        (b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n", 413, None),
    ],
)
async def test_a_large_request_that_nobody_reads_ends_in_time_and_leaves_nothing_behind(
    answer: bytes, status: int | None, failure: Failure | None
) -> None:
    free, body = asyncio.Event(), b"x" * 900_000
    kept_bytes: list[int] = []

    async def never_read(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await free.wait()
        writer.transport.abort()

    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    listener.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    async with (
        await asyncio.start_server(never_read, sock=listener, limit=1_024),
        Client(Narrow(["127.0.0.1/32"]), deadline_s=DEADLINE_S) as client,
    ):
        tracemalloc.start()
        try:
            for _ in range(3):
                with ending_in_time():
                    answers = await asyncio.gather(*(client.post(url, body, headers={}) for _ in range(4)))
                assert {(each.status, each.failure) for each in answers} == {(status, failure)}
                kept_bytes.append(tracemalloc.get_traced_memory()[0])
            _, most_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            free.set()
    assert most_bytes < 10_000_000
    assert kept_bytes[-1] - kept_bytes[0] < len(body) / 4


@pytest.mark.parametrize(
    ("answer", "status", "failure"),
    [(b"", None, Failure.TIMED_OUT), (b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n", 413, None)],
)
async def test_nor_does_one_over_tls(
    answer: bytes, status: int | None, failure: Failure | None, tmp_path: Path
) -> None:
    server_side, client_side = certificates(tmp_path, "slow.example")
    listener, dialled, body, rounds = socket.socket(), list[ssl.SSLSocket](), b"x" * 900_000, 3
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    listener.settimeout(5)

    def shake_hands_and_never_read() -> None:
        for _ in range(4 * rounds):
            dialled.append(server_side.wrap_socket(listener.accept()[0], server_side=True))
            dialled[-1].sendall(answer)

    url = f"https://slow.example:{listener.getsockname()[1]}/"
    kept_bytes: list[int] = []
    guard, names = Narrow(["127.0.0.1/32"]), Names(["127.0.0.1"])
    async with Client(guard, deadline_s=DEADLINE_S, ssl_context=client_side, resolver=names) as client:
        serving = asyncio.create_task(asyncio.to_thread(shake_hands_and_never_read))
        tracemalloc.start()
        try:
            for _ in range(rounds):
                answers = await asyncio.gather(*(client.post(url, body, headers={}) for _ in range(4)))
                assert {(each.status, each.failure) for each in answers} == {(status, failure)}
                kept_bytes.append(tracemalloc.get_traced_memory()[0])
        finally:
            tracemalloc.stop()
        await serving
    for each in [listener, *dialled]:
        each.close()
    assert kept_bytes[-1] - kept_bytes[0] < len(body) / 4


async def test_a_handshake_that_never_ends_is_no_connection() -> None:
    async with server(silence, tls=True) as url, Client(LOOPBACK, deadline_s=DEADLINE_S) as client:
        with ending_in_time():
            answer = await client.post(url, b"{}", headers={})
    assert answer.failure is Failure.CONNECTION_FAILED


async def test_a_look_up_that_hangs_holds_one_thread_and_no_other_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    real, free = socket.getaddrinfo, asyncio.Event()
    loop = asyncio.get_running_loop()

    def look_up(host: str, *args: object, **options: object) -> object:
        asked.append(host)
        if host == "hanging.example":
            asyncio.run_coroutine_threadsafe(free.wait(), loop).result()
        return real("127.0.0.1", *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("iglayers.core.dial.socket.getaddrinfo", look_up)
    async with receiving() as receiver, Client(LOOPBACK, deadline_s=DEADLINE_S) as client:
        hanging = [asyncio.create_task(client.post("http://hanging.example/", b"", headers={})) for _ in range(100)]
        await asyncio.sleep(0)
        answer = await client.post(receiver.url.replace("127.0.0.1", "quick.example"), b"", headers={})
        failures = {each.failure for each in await asyncio.gather(*hanging)}
        free.set()
    assert answer.status == 200
    assert failures == {Failure.CONNECTION_FAILED}
    assert asked.count("hanging.example") == 1


async def test_an_answer_is_kept_as_it_came() -> None:
    async def compressed(writer: asyncio.StreamWriter) -> None:
        body = gzip.compress(b"hello")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()

    async with server(compressed) as url, Client(LOOPBACK, deadline_s=5) as client:
        answer = await client.post(url, b"{}", headers={})
    assert gzip.decompress(answer.body) == b"hello"


async def test_a_request_asks_for_no_compression_and_carries_its_headers_alone() -> None:
    async with receiving() as receiver, Client(LOOPBACK, deadline_s=5) as client:
        await client.post(receiver.url, b"{}", headers={"User-Agent": "x", "Content-Type": "application/json"})
    [hit] = receiver.hits
    assert hit.headers | {"Host": ""} == {
        "Host": "", "Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "x",
        "Content-Type": "application/json", "Content-Length": "2",
    }  # fmt: skip


async def test_no_request_leaves_inside_a_transaction(database: Database) -> None:
    async with receiving() as receiver, Client(LOOPBACK, deadline_s=5) as client:
        async with database.transaction():
            with pytest.raises(RuntimeError, match="transaction"):
                await client.post(receiver.url, b"", headers={})
        assert receiver.hits == []
