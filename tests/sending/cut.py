"""A relay between the engine and its database that cuts the connection at the moment a test names."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

from tests.serving import free_port


class Relay:
    """Passes everything on, but for the next request that holds certain bytes.

    The one that `cut_before` names never reaches the server; the answer to what `cut_after` names never comes back.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._parts = parts
        self._folder = parse_qs(parts.query).get("host", [None])[0]
        self.cut_before: bytes | None = None
        self.cut_after: bytes | None = None
        self.struck = 0
        self._open: set[asyncio.Task[None]] = set()

    def url(self, port: int) -> str:
        login = self._parts.netloc.rpartition("@")[0]
        return self._parts._replace(netloc=f"{login}@127.0.0.1:{port}", query="sslmode=disable").geturl()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await self._connect()
        deaf = asyncio.Event()
        both = [
            asyncio.create_task(self._requests(reader, to_server, deaf)),
            asyncio.create_task(self._answers(from_server, writer, deaf)),
        ]
        self._open.update(both)
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)
        self._open.difference_update(both)
        writer.close()
        to_server.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._folder is not None:
            return await asyncio.open_unix_connection(f"{self._folder}/.s.PGSQL.5432")
        return await asyncio.open_connection(self._parts.hostname, self._parts.port or 5432)

    async def _requests(self, reader: asyncio.StreamReader, to: asyncio.StreamWriter, deaf: asyncio.Event) -> None:
        while data := await reader.read(65_536):
            if self.cut_before is not None and self.cut_before in data:
                self.cut_before, self.struck = None, self.struck + 1
                return
            if self.cut_after is not None and self.cut_after in data:
                self.cut_after, self.struck = None, self.struck + 1
                deaf.set()
            to.write(data)
            await to.drain()

    async def _answers(self, reader: asyncio.StreamReader, to: asyncio.StreamWriter, deaf: asyncio.Event) -> None:
        while data := await reader.read(65_536):
            if deaf.is_set():  # the server has answered, so it has done what it was asked
                return
            to.write(data)
            await to.drain()


@asynccontextmanager
async def relaying(url: str) -> AsyncGenerator[tuple[Relay, str]]:
    """A relay to this database, and the URL under which it is reached."""
    relay, port = Relay(url), free_port()
    server = await asyncio.start_server(relay.serve, "127.0.0.1", port)
    try:
        yield relay, relay.url(port)
    finally:
        server.close()
        for task in list(relay._open):
            task.cancel()
        await server.wait_closed()
