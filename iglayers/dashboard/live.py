"""The live part of a campaign's page, as server-sent events: one stream a page, from a cheap look every second or so.

A stream ends when its reader goes, when the process stops, and by itself after some minutes: the browser opens another,
and a session that has ended is seen.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any

import asyncpg
from litestar import Response, get
from litestar.types import ASGIApp, Receive, Scope, Send

from iglayers.core.errors import Error, Unavailable
from iglayers.dashboard import campaign_view
from iglayers.dashboard.pages import HEADERS, render
from iglayers.dashboard.request import PageRequest
from iglayers.reports.export import disconnected

# Of one process; each looks at the database once a second.
MOST_STREAMS = 100
LASTS_S = 300.0
LOOK_EVERY_S = 1.0
# A look that takes long, as with a million people, rests this many times as long.
RESTS = 20
HEARTBEAT_S = 15.0
# How soon a browser comes again, the server gone.
RETRY_MS = 2_000

_open: set["Live"] = set()


class Live(Response[bytes]):
    """An answer that goes on: the parts of the page, each time they changed."""

    def __init__(self, request: PageRequest) -> None:
        super().__init__(b"", media_type="text/event-stream")
        self._request: PageRequest = request

    def to_asgi_response(self, *_: object, **__: object) -> ASGIApp:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._answer

    async def _answer(self, _scope: Scope, receive: Receive, send: Send) -> None:
        gone: asyncio.Future[Any] = asyncio.ensure_future(disconnected(receive))
        stopping: asyncio.Future[Any] = asyncio.ensure_future(self._request.services.stopping.wait())
        headers = {**HEADERS, "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        _open.add(self)
        try:
            await send({
                "type": "http.response.start", "status": 200,
                "headers": [(name.lower().encode(), text.encode()) for name, text in headers.items()],
            })  # fmt: skip
            async with aclosing(self._events({gone, stopping})) as events:
                async for event in events:
                    await send({"type": "http.response.body", "body": event, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            _open.discard(self)
            gone.cancel()
            stopping.cancel()

    async def _events(self, ends: set[asyncio.Future[Any]]) -> AsyncGenerator[bytes, None]:
        yield f"retry: {RETRY_MS}\n\n".encode()
        told, told_at, began_at = "", time.monotonic(), time.monotonic()
        while time.monotonic() - began_at < LASTS_S:
            looked_at = time.monotonic()
            parts = await self._look()
            now = time.monotonic()
            if parts is None:
                return
            if parts != told:
                told, told_at = parts, now
                yield _event(parts)
            elif now - told_at >= HEARTBEAT_S:
                told_at = now
                yield b": still here\n\n"
            wait_s = max(LOOK_EVERY_S, RESTS * (now - looked_at))
            done, _ = await asyncio.wait(ends, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
            if done:
                return

    async def _look(self) -> str | None:
        """The parts as they are now; None when the campaign is gone, or the database for a while."""
        request = self._request
        with suppress(Error, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            async with request.services.db.transaction() as conn:
                view = await campaign_view.read(request, conn)
            return render(request, "campaigns/_live.html", **campaign_view.shown(view))
        return None


def _event(text: str) -> bytes:
    lines = "".join(f"data: {line}\n" for line in text.splitlines() if line.strip())
    return f"event: parts\n{lines}\n".encode()


def count_open() -> int:
    return len(_open)


@get("/campaigns/{id:str}/live")
async def follow_campaign(request: PageRequest) -> Live:
    request.only_query(*campaign_view.QUERY)
    async with request.connection() as conn:
        await campaign_view.read(request, conn)  # refused as the page would be
    if count_open() >= MOST_STREAMS:
        raise Unavailable(
            "Too many pages are being followed.", remedy="This page shows the news when it is loaded anew."
        )
    return Live(request)


ROUTES = [follow_campaign]
