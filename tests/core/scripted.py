"""A receiver that says what a test wrote down, byte for byte, and keeps what it heard."""

import asyncio
import re
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

Speak = Callable[[asyncio.StreamWriter], object]


class Scripted:
    """Answers each request by `speak`, which may close the connection; reads whole requests, one after the other."""

    def __init__(self, speak: Speak) -> None:
        self.speak: Speak = speak
        self.heard: list[bytes] = []
        # The connection on which each request came, and those that have ended at the client's side.
        self.used: list[int] = []
        self.connections: int = 0
        self.ended: int = 0
        self.port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"Content-Length: (\d+)", head)
                self.heard.append(head + await reader.readexactly(int(length[1]) if length else 0))
                self.used.append(number)
                self.speak(writer)
                await writer.drain()
        self.ended += 1
        writer.close()


@asynccontextmanager
async def scripted(
    speak: Speak | bytes = OK, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncGenerator[Scripted]:
    """With bytes it answers each request with those."""
    receiver = Scripted(speak if callable(speak) else lambda writer: writer.write(speak))
    async with await asyncio.start_server(receiver.serve, host, 0, ssl=tls) as server:
        receiver.port = server.sockets[0].getsockname()[1]
        yield receiver
