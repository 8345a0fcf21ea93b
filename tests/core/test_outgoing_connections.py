"""A connection is used again while that is safe, and ends with what went wrong on it."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from iglayers.core import outgoing
from iglayers.core.addresses import Guard
from iglayers.core.outgoing import Client, Failure
from tests.core.scripted import OK, Scripted, scripted
from tests.core.test_outgoing_guard import Names, certificates
from tests.events.receiving import until

LOOPBACK = Guard(["127.0.0.1/32", "::1/128"])
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


async def post(client: Client, receiver: Scripted, body: bytes = b"{}") -> outgoing.Answer:
    return await client.post(receiver.url, body, headers={})


@pytest.mark.parametrize(
    ("answer", "connections"),
    [
        (OK, 1),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 1),
        (b"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n4\r\noops\r\n0\r\n\r\n", 1),
        (CLOSING, 3),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 3),
        (OK + OK, 3),
        (OK + b"bytes behind it", 3),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 65537\r\n\r\n" + b"x" * 65_537, 3),
    ],
)
async def test_a_connection_is_used_again_where_the_answer_left_it_clean(answer: bytes, connections: int) -> None:
    async with scripted(answer) as receiver, Client(LOOPBACK, deadline_s=5) as client:
        answers = [await post(client, receiver) for _ in range(3)]
    assert {each.failure for each in answers} == {None}
    assert (receiver.connections, len(receiver.heard)) == (connections, 3)


async def test_what_comes_while_nobody_asks_ends_the_connection() -> None:
    async with scripted() as receiver, Client(LOOPBACK, deadline_s=5) as client:
        later: list[asyncio.StreamWriter] = []
        receiver.speak = lambda writer: (writer.write(OK), later.append(writer))
        await post(client, receiver)
        later[0].write(b"HTTP/1.1 200 OK\r\nLocation: /forged\r\nContent-Length: 0\r\n\r\n")
        await until(lambda: receiver.ended == 1)
        receiver.speak = lambda writer: writer.write(b"HTTP/1.1 404 None\r\nContent-Length: 0\r\n\r\n")
        answer = await post(client, receiver)
    assert (answer.status, answer.location, receiver.connections) == (404, None, 2)


@pytest.mark.parametrize(
    ("early", "status", "failure"),
    [(b"SSH-2.0-OpenSSH_9.9\r\n", None, Failure.INVALID_ANSWER), (b"HTTP/1.1 503 Full\r\n\r\n", 503, None)],
)
async def test_what_speaks_before_it_is_asked_is_read_when_it_was_asked(
    early: bytes, status: int | None, failure: Failure | None
) -> None:
    heard: list[bytes] = []

    async def speak_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(early)
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    async with (
        await asyncio.start_server(speak_first, "127.0.0.1", 0) as listening,
        Client(LOOPBACK, deadline_s=5) as client,
    ):
        port = listening.sockets[0].getsockname()[1]
        answer = await client.post(f"http://127.0.0.1:{port}/", b"", headers={})
        await until(lambda: len(heard) == 1)
    assert (answer.status, answer.failure) == (status, failure)


async def test_the_connection_used_last_is_taken_first() -> None:
    async with scripted() as receiver, Client(LOOPBACK, deadline_s=5) as client:
        held: list[asyncio.StreamWriter] = []
        receiver.speak = held.append
        together = [asyncio.create_task(post(client, receiver)) for _ in range(3)]
        await until(lambda: len(held) == 3)
        for writer in held:
            writer.write(OK)
            await asyncio.sleep(0.01)
        await asyncio.gather(*together)
        receiver.speak = lambda writer: writer.write(OK)
        for _ in range(4):
            await post(client, receiver)
    assert receiver.used[3:] == [receiver.used[2]] * 4


async def test_an_idle_connection_is_not_used_again_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outgoing, "KEEPALIVE_S", 0.1)
    async with scripted() as receiver, Client(LOOPBACK, deadline_s=5) as client:
        await post(client, receiver)
        assert receiver.ended == 0
        await until(lambda: receiver.ended == 1, within_s=2)
        await post(client, receiver)
        monkeypatch.setattr(outgoing, "KEEPALIVE_S", 0)
        await post(client, receiver)
    assert receiver.connections == 3


async def test_a_connection_that_the_receiver_closed_is_not_used_again() -> None:
    async with scripted() as receiver, Client(LOOPBACK, deadline_s=5) as client:
        receiver.speak = lambda writer: (writer.write(OK), writer.close())
        first = await post(client, receiver)
        await until(lambda: receiver.ended == 1)
        await asyncio.sleep(0.01)
        second = await post(client, receiver)
    assert (first.status, second.status, receiver.connections) == (200, 200, 2)


async def test_a_request_that_meets_the_end_of_a_kept_connection_is_sent_once_more() -> None:
    async with scripted() as receiver, Client(LOOPBACK, deadline_s=5) as client:
        await post(client, receiver)

        def close_then_answer(writer: asyncio.StreamWriter) -> None:
            receiver.speak = lambda other: other.write(OK)
            writer.close()

        receiver.speak = close_then_answer
        answer = await post(client, receiver)
    assert (answer.status, receiver.used) == (200, [1, 1, 2])


@pytest.mark.parametrize("kept", [0, 3])
async def test_a_receiver_that_only_hangs_up_is_asked_once_on_a_fresh_connection(kept: int) -> None:
    async with scripted() as receiver, Client(LOOPBACK, deadline_s=5) as client:
        held: list[asyncio.StreamWriter] = []
        receiver.speak = held.append
        together = [asyncio.create_task(post(client, receiver)) for _ in range(kept)]
        await until(lambda: len(held) == kept)
        for writer in held:
            writer.write(OK)
        await asyncio.gather(*together)
        receiver.speak = lambda writer: writer.close()
        answer = await post(client, receiver)
    assert answer.failure is Failure.DISCONNECTED
    assert receiver.used[kept:] == ([1] if kept == 0 else [receiver.used[-2], kept + 1])


async def test_a_broken_answer_on_a_kept_connection_is_not_asked_for_again() -> None:
    async with scripted() as receiver, Client(LOOPBACK, deadline_s=5) as client:
        await post(client, receiver)
        receiver.speak = lambda writer: writer.write(b"nonsense")
        answer = await post(client, receiver)
    assert (answer.failure, len(receiver.heard)) == (Failure.INVALID_ANSWER, 2)


@pytest.mark.parametrize(
    ("answer", "failure", "body"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nhello", None, b"hello"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", Failure.INVALID_ANSWER, b""),
        (b"HTTP/1.1 200 OK\r\nContent-Le", Failure.DISCONNECTED, b""),
        (b"", Failure.DISCONNECTED, b""),
    ],
)
@pytest.mark.parametrize("end", ["close", "abort"])
async def test_the_end_of_a_connection_is_the_end_of_an_answer_or_a_failure(
    answer: bytes, failure: Failure | None, body: bytes, end: str
) -> None:
    loop = asyncio.get_running_loop()

    def speak(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        loop.call_later(0.02, writer.close if end == "close" else lambda: reset(writer))

    async with scripted(speak) as receiver, Client(LOOPBACK, deadline_s=5) as client:
        found = await post(client, receiver)
    assert (found.failure, found.body) == (failure, body)


def reset(writer: asyncio.StreamWriter) -> None:
    """RST instead of FIN."""
    wire: socket.socket = writer.get_extra_info("socket")
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.transport.abort()


async def test_half_a_connection_is_enough_for_an_answer() -> None:
    """A receiver that sends its end with the answer, and closes when it has read the client's."""

    def speak(writer: asyncio.StreamWriter) -> None:
        if not writer.is_closing() and not halved.get(writer):
            halved[writer] = True
            writer.write(OK)
            writer.write_eof()

    halved: dict[asyncio.StreamWriter, bool] = {}
    async with scripted(speak) as receiver, Client(LOOPBACK, deadline_s=5) as client:
        answers = [await post(client, receiver) for _ in range(4)]
        await until(lambda: receiver.ended == receiver.connections)
    assert [each.status for each in answers] == [200] * 4


async def test_after_a_deadline_the_connection_is_not_used_again() -> None:
    async with scripted() as receiver, Client(LOOPBACK, deadline_s=0.2) as client:
        late: list[asyncio.StreamWriter] = []
        receiver.speak = late.append
        assert (await post(client, receiver)).failure is Failure.TIMED_OUT
        late[0].write(b"HTTP/1.1 500 Late\r\nContent-Length: 0\r\n\r\n")
        receiver.speak = lambda writer: writer.write(OK)
        assert (await post(client, receiver)).status == 200
    assert receiver.used == [1, 2]


async def test_a_request_that_is_given_up_ends_its_connection() -> None:
    async with scripted() as receiver, Client(LOOPBACK, deadline_s=5) as client:
        receiver.speak = lambda _writer: None
        given_up = asyncio.create_task(post(client, receiver))
        await until(lambda: len(receiver.heard) == 1)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        await until(lambda: receiver.ended == 1)
        receiver.speak = lambda writer: writer.write(OK)
        assert (await post(client, receiver)).status == 200


async def test_a_client_that_is_closed_keeps_nothing() -> None:
    async with scripted() as receiver:
        held: list[asyncio.StreamWriter] = []
        async with Client(LOOPBACK, deadline_s=5) as client:
            await post(client, receiver)
            receiver.speak = held.append
            asked = asyncio.create_task(post(client, receiver))
            other = asyncio.create_task(post(client, receiver))
            await until(lambda: len(held) == 2)
            held[0].write(OK)
            await asked
            assert receiver.ended == 0
        await until(lambda: receiver.ended == 1)
        held[1].write(OK)
        assert (await other).status == 200
        await until(lambda: receiver.ended == 2)


async def test_the_address_that_answered_is_told_of_each_family() -> None:
    async with scripted(host="::1") as receiver, Client(LOOPBACK, deadline_s=5) as client:
        answer = await client.post(f"http://[::1]:{receiver.port}/", b"", headers={})
        named = await client.post(f"http://[0:0:0:0:0:0:0:1]:{receiver.port}/", b"", headers={})
    assert (answer.status, answer.address, named.address) == (200, "::1", "::1")


async def test_a_silent_address_holds_up_no_other() -> None:
    """RFC 8305: the next one is tried beside it."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.2", 0))
        silent.listen(0)
        port = silent.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for each in fillers:
            each.setblocking(False)
            each.connect_ex(("127.0.0.2", port))
        receiver = Scripted(lambda writer: writer.write(OK))
        async with (
            await asyncio.start_server(receiver.serve, "127.0.0.1", port),
            Client(Guard(["127.0.0.0/8"]), deadline_s=5, resolver=Names(["127.0.0.2", "127.0.0.1"])) as client,
        ):
            answer = await client.post(f"http://two.example:{port}/", b"", headers={})
        for each in fillers:
            each.close()
    assert (answer.status, answer.address) == (200, "127.0.0.1")
    assert answer.duration_ms < 2_000


@pytest.mark.parametrize("odd", ["breaks off", "hangs"])
async def test_an_address_that_shakes_no_hands_is_followed_by_the_next(odd: str, tmp_path: Path) -> None:
    server_side, client_side = certificates(tmp_path, "two.example")

    async def shake_no_hands(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        if odd == "hangs":
            await reader.read()
        writer.close()

    async with await asyncio.start_server(shake_no_hands, "127.0.0.2", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        receiver = Scripted(lambda writer: writer.write(OK))
        names = Names(["127.0.0.2", "127.0.0.1"])
        async with (
            await asyncio.start_server(receiver.serve, "127.0.0.1", port, ssl=server_side),
            Client(Guard(["127.0.0.0/8"]), deadline_s=1, ssl_context=client_side, resolver=names) as client,
        ):
            answer = await client.post(f"https://two.example:{port}/", b"", headers={})
            assert (answer.status, answer.address) == (200, "127.0.0.1")
            again = await client.post(f"https://two.example:{port}/", b"", headers={})
    assert (again.status, receiver.used) == (200, [1, 1])


async def test_a_certificate_of_nobody_known_is_a_failure_of_tls(tmp_path: Path) -> None:
    server_side, _ = certificates(tmp_path, "right.example")
    async with (
        scripted(tls=server_side) as receiver,
        Client(LOOPBACK, deadline_s=5, resolver=Names(["127.0.0.1"])) as client,
    ):
        answer = await client.post(f"https://right.example:{receiver.port}/", b"", headers={})
    assert (answer.failure, receiver.heard) == (Failure.TLS_FAILED, [])


async def test_a_bad_certificate_is_told_though_no_other_address_answers(tmp_path: Path) -> None:
    server_side, client_side = certificates(tmp_path, "wrong.example")
    names = Names(["127.0.0.1", "127.0.0.2"])
    async with (
        scripted(tls=server_side) as receiver,
        Client(Guard(["127.0.0.0/8"]), deadline_s=5, ssl_context=client_side, resolver=names) as client,
    ):
        answer = await client.post(f"https://right.example:{receiver.port}/", b"", headers={})
    assert (answer.failure, receiver.heard) == (Failure.TLS_FAILED, [])


async def test_plain_http_where_tls_was_asked_for_is_a_failure_of_tls() -> None:
    async def speak_plainly(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with (
        await asyncio.start_server(speak_plainly, "127.0.0.1", 0) as listening,
        Client(LOOPBACK, deadline_s=5) as client,
    ):
        port = listening.sockets[0].getsockname()[1]
        answer = await client.post(f"https://127.0.0.1:{port}/", b"", headers={})
    assert answer.failure is Failure.TLS_FAILED


async def test_a_name_is_looked_up_once_for_connections_that_follow_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []
    real: Callable[..., Any] = socket.getaddrinfo

    def look_up(host: str, *args: object, **options: object) -> object:
        asked.append(host)
        if host == "nowhere.example":
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return real("127.0.0.1", *args, **options)

    monkeypatch.setattr("iglayers.core.dial.socket.getaddrinfo", look_up)
    async with scripted(CLOSING) as receiver, Client(LOOPBACK, deadline_s=5) as client:
        for name in ("some.example", "nowhere.example") * 2:
            await client.post(f"http://{name}:{receiver.port}/", b"", headers={})
    assert asked == ["some.example", "nowhere.example", "nowhere.example"]
    assert receiver.connections == 2
