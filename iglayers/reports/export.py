"""Results as a file that is written while it is sent: CSV and NDJSON, a thousand rows in memory at a time."""

import asyncio
import csv
import io
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager

import msgspec
from litestar import Response
from litestar.types import ASGIApp, Receive, Scope, Send

from iglayers.campaigns.model import Campaign
from iglayers.core import csv_text
from iglayers.core.clock import Moment
from iglayers.core.db import Database
from iglayers.core.ids import WorkspaceId
from iglayers.core.wire import json_bytes
from iglayers.reports import queries
from iglayers.reports.model import Filters, Result

FORMATS = {"csv": f"{csv_text.MEDIA_TYPE}; charset=utf-8", "ndjson": "application/x-ndjson"}
_UNFIT_FOR_A_FILE_NAME = re.compile(r"[^A-Za-z0-9]+")

FIRST_ROWS = 50
ROWS_AT_ONCE = 1_000
# A reader that takes nothing for so long is gone; until then it holds a connection to the database.
SEND_TIMEOUT_S = 60

COLUMNS = tuple(field.encode_name for field in msgspec.structs.fields(Result))

Chunks = AsyncGenerator[bytes, None]


class Streamed(Response[bytes]):
    """An answer whose body is made while it is sent.

    What goes wrong before the first chunk is an ordinary refusal. After it, the exception goes up to the server,
    which closes the connection without the final chunk, so that nobody takes half a file for a whole one.
    """

    def __init__(
        self, opened: Callable[[], AbstractAsyncContextManager[Chunks]], *, media_type: str, filename: str
    ) -> None:
        super().__init__(b"", media_type=media_type)
        self._opened: Callable[[], AbstractAsyncContextManager[Chunks]] = opened
        self._headers: list[tuple[bytes, bytes]] = [
            (b"content-type", media_type.encode()),
            (b"content-disposition", f'attachment; filename="{filename}"'.encode()),
            (b"cache-control", b"no-store"),
        ]

    def to_asgi_response(self, *_: object, **__: object) -> ASGIApp:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._answer

    async def _answer(self, _scope: Scope, receive: Receive, send: Send) -> None:
        # All of it in one task: the transaction ends where it began, also when the reader goes away.
        gone = asyncio.ensure_future(disconnected(receive))
        try:
            async with self._opened() as chunks, aclosing(chunks):
                await self._send_chunks(chunks, send, gone)
        finally:
            gone.cancel()

    async def _send_chunks(self, chunks: Chunks, send: Send, gone: asyncio.Future[None]) -> None:
        has_started = False
        async for chunk in chunks:
            if not has_started:
                await send({"type": "http.response.start", "status": 200, "headers": self._headers})
                has_started = True
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            if gone.done():
                return
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def results_file(
    db: Database, workspace_id: WorkspaceId, campaign: Campaign, *, filters: Filters, shape: str
) -> Streamed:
    """The results of a campaign that the caller may see, as a file in one of FORMATS."""
    written = as_csv if shape == "csv" else as_ndjson

    @asynccontextmanager
    async def opened() -> AsyncGenerator[Chunks, None]:
        async with db.transaction() as conn:
            await queries.prefer_first_row(conn)
            yield written(queries.every(conn, workspace_id, campaign.id, filters=filters))

    name = _UNFIT_FOR_A_FILE_NAME.sub("-", campaign.name).strip("-").lower()[:60]
    return Streamed(opened, media_type=FORMATS[shape], filename=f"{name or 'campaign'}-results.{shape}")


async def disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def as_ndjson(results: AsyncIterator[Result]) -> Chunks:
    """One JSON object a line; an empty file when there are none."""
    yield b""
    async for some in batches(results):
        yield b"".join([json_bytes(each) + b"\n" for each in some])


async def as_csv(results: AsyncIterator[Result]) -> Chunks:
    """The header, then a line for each result; cells that a spreadsheet would run are neutralised."""
    yield csv_text.write_rows([COLUMNS])
    async for some in batches(results):
        yield csv_lines(some)


def csv_lines(results: Sequence[Result]) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerows([_cells(each) for each in results])
    return written.getvalue().encode()


def _cells(each: Result) -> list[object]:
    return [
        str(each.target_id),
        _text(each.instagram_username),
        _text(each.profile_url),
        _text(each.full_name),
        _text(each.first_name),
        _text(each.category),
        each.follower_count,
        json_bytes(each.variables).decode() if each.variables else None,
        each.status.value,
        each.error_code,
        _text(each.reason),
        _text(each.sender_username),
        each.route,
        _text(each.message),
        _moment(each.sent_at),
        _moment(each.replied_at),
        _text(each.last_reply),
        _moment(each.updated_at),
    ]


def _text(cell: str | None) -> str | None:
    return None if cell is None else csv_text.safe_cell(cell)


def _moment(cell: object) -> str | None:
    return cell.rfc3339() if isinstance(cell, Moment) else None


async def batches(results: AsyncIterator[Result]) -> AsyncGenerator[list[Result], None]:
    """Results some at a time: few at first, so that the reader sees the file begin, then many."""
    most, some = FIRST_ROWS, list[Result]()
    async for each in results:
        some.append(each)
        if len(some) >= most:
            yield some
            most, some = ROWS_AT_ONCE, []
    if some:
        yield some
