"""One request to Meta is one value: whether a byte may have left, what the answer says, and nothing that is secret."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import structlog

from iglayers.core.config import Settings, SettingsError
from iglayers.core.db import Database
from iglayers.core.outgoing import Failure
from iglayers.senders.transports.instagram.graph import MAX_ANSWER_BYTES, Graph, GraphAnswer, error_in, usage_in
from tests.serving import free_port

TOKEN = "IGAAsecretOfTheAccount0123456789"
Speak = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Wire:
    """A server that speaks whatever a test wants, and what it heard, a connection at a time."""

    def __init__(self, speak: Speak) -> None:
        self.speak: Speak = speak
        self.heard: list[bytes] = []
        self.url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            self.heard.append(await reader.readuntil(b"\r\n\r\n"))
            await self.speak(reader, writer)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def wire(speak: Speak) -> AsyncGenerator[Wire]:
    made = Wire(speak)
    async with await asyncio.start_server(made.serve, "127.0.0.1", 0) as listening:
        made.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        yield made


def answering(body: bytes | dict[str, Any], *, status: str = "200 OK", headers: str = "") -> Speak:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def speak(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(data)}\r\n{headers}\r\n".encode() + data)

    return speak


def graph(url: str, tmp_path: Path) -> Graph:
    return Graph(Settings(data_dir=tmp_path, instagram_graph_url=url, instagram_api_url=url))


async def asked(speak: Speak, tmp_path: Path, *, deadline_s: float = 5.0) -> tuple[GraphAnswer, Wire]:
    async with wire(speak) as made:
        answer = await graph(made.url, tmp_path).post(
            "me/messages", token=TOKEN, content={"message": {"text": "Hi"}}, deadline_s=deadline_s
        )
    return answer, made


async def test_an_answer_comes_with_its_tree_and_its_usage(tmp_path: Path) -> None:
    told = {"17841400000000042": [{"type": "instagram", "call_count": 91, "estimated_time_to_regain_access": 7}]}
    headers = f"X-App-Usage: {json.dumps({'call_count': 28})}\r\nX-Business-Use-Case-Usage: {json.dumps(told)}\r\n"
    answer, made = await asked(answering({"message_id": "m1"}, headers=headers), tmp_path)
    assert answer.fields == {"message_id": "m1"}
    assert (answer.usage.percent, answer.usage.regain_minutes) == (91, 7)
    head = made.heard[0].decode()
    assert head.startswith("POST /v26.0/me/messages HTTP/1.1\r\n")
    assert f"Authorization: Bearer {TOKEN}" in head
    assert len(made.heard) == 1


async def slow(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()  # until the other side gives up


async def hanging_up(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    return


async def cut_off(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"message_id"')


async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
        await writer.drain()


@pytest.mark.parametrize(
    ("speak", "failure"),
    [
        (slow, Failure.TIMED_OUT),
        (hanging_up, Failure.DISCONNECTED),
        (cut_off, Failure.INVALID_ANSWER),
        (endless, None),
        (answering(b"<html>Bad gateway</html>", status="502 Bad Gateway"), None),
        (answering(b"[" * 100_000), None),
        (answering(b"x" * (MAX_ANSWER_BYTES + 1)), None),
        (answering({}, status="302 Found", headers="Location: https://elsewhere.example/\r\n"), None),
    ],
)
async def test_once_a_connection_stands_nobody_knows(speak: Speak, failure: Failure | None, tmp_path: Path) -> None:
    answer, made = await asked(speak, tmp_path, deadline_s=1.0)
    assert answer.failure is failure
    assert not answer.nothing_left
    assert answer.fields is None
    assert len(made.heard) == 1


async def test_what_never_was_connected_has_sent_nothing(tmp_path: Path) -> None:
    refused = await graph(f"http://127.0.0.1:{free_port()}", tmp_path).get("me", token=TOKEN)
    assert (refused.failure, refused.nothing_left) == (Failure.CONNECTION_FAILED, True)
    unknown = await graph("https://graph.instagram.invalid", tmp_path).get("me", token=TOKEN)
    assert unknown.nothing_left


async def test_a_server_without_tls_is_sent_nothing(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert TOKEN.encode() not in await reader.read(1 << 16)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        url = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        no_tls = await graph(url, tmp_path).get("me", token=TOKEN)
    assert (no_tls.failure, no_tls.nothing_left) == (Failure.TLS_FAILED, True)


async def test_a_handshake_that_never_ends_has_sent_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        never = await graph(f"https://127.0.0.1:{deaf.getsockname()[1]}", tmp_path).get(
            "me", token=TOKEN, deadline_s=0.3
        )
    assert (never.failure, never.nothing_left) == (Failure.TIMED_OUT, True)


def test_certificates_are_checked(tmp_path: Path) -> None:
    assert Graph(Settings(data_dir=tmp_path))._ssl is True  # aiohttp's word for: against the system's authorities


async def test_it_refuses_inside_a_transaction(database: Database, tmp_path: Path) -> None:
    async with database.transaction():
        with pytest.raises(RuntimeError, match="inside a transaction"):
            await graph("http://127.0.0.1:9", tmp_path).get("me", token=TOKEN)


async def test_no_token_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = {"error": {
        "message": f"Malformed access token {TOKEN}", "code": 190, "error_subcode": "463", "fbtrace_id": "Ab1",
        "error_data": json.dumps({"url": f"https://www.instagram.com/challenge/?access_token={TOKEN}"}),
    }}  # fmt: skip
    with structlog.testing.capture_logs() as lines:
        async with wire(answering(error, status="400 Bad Request")) as made:
            meta = graph(made.url, tmp_path)
            answer = await meta.get("me", token=TOKEN, query={"fields": "user_id"})
            await meta.get_token("access_token", {"access_token": TOKEN, "client_secret": "hush"}, secrets=[TOKEN])
    assert answer.error is not None
    assert (answer.error.code, answer.error.subcode, answer.error.fbtrace_id) == (190, 463, "Ab1")
    assert answer.error.checkpoint_url == "https://www.instagram.com/challenge/?access_token=[hidden]"
    assert len(lines) == 2
    for told in (repr(answer), repr(lines), *capsys.readouterr()):
        assert TOKEN not in told
        assert "hush" not in told


def test_both_envelopes_are_read() -> None:
    token = error_in({"error_type": "OAuthException", "code": 400, "error_message": "Invalid authorization code"}, [])
    assert token is not None
    assert (token.code, token.kind, token.message) == (400, "OAuthException", "Invalid authorization code")
    assert error_in({"message_id": "m1"}, []) is None
    assert error_in([], []) is None
    for odd in ({"error": "broken"}, {"error": {}}, {"error": {"code": True}}, {"error": {"code": "x"}}):
        read = error_in(odd, [])
        assert read is not None
        assert read.code == 0


@pytest.mark.parametrize("header", [None, "", "[]", "{", '{"a": 1}', '{"a": [1]}', '{"call_count": "many"}'])
def test_usage_that_cannot_be_read_is_none(header: str | None) -> None:
    headers = {} if header is None else {"X-App-Usage": header, "X-Business-Use-Case-Usage": header}
    assert usage_in(headers).percent == 0


@pytest.mark.parametrize(
    "url",
    [
        "http://graph.instagram.com",
        "ftp://a.example",
        "https://",
        "https://u:p@a.example",
        "https://a.example/?x=1",
        "x",
    ],
)
def test_tokens_never_cross_a_network_in_the_clear(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="IGLAYERS_INSTAGRAM_GRAPH_URL"):
        Settings(data_dir=tmp_path, instagram_graph_url=url)
