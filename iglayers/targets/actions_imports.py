"""Verbs of imports: take a file in, work it off batch by batch, end it.

A batch is one transaction: targets, rejects, and the mark up to which the file is done. Killed before its commit it did
nothing; after it, nobody reads those rows again.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import msgspec

from iglayers.accounts import actions as accounts
from iglayers.accounts.model import Caller
from iglayers.contacts.usernames import InvalidUsername, canonical, handle_hash
from iglayers.core import csv_text
from iglayers.core.clock import Moment, real_now
from iglayers.core.csv_text import Head, LostRow, MalformedRow, Part
from iglayers.core.db import Connection, Database
from iglayers.core.errors import Conflict, Invalid
from iglayers.core.ids import CampaignId, ClientId, ImportId, WorkspaceId
from iglayers.events import queries as events
from iglayers.events.model import EventType, NewEvent
from iglayers.targets import queries_imports as queries
from iglayers.targets.actions import upload
from iglayers.targets.csv import check_header, row_of
from iglayers.targets.model import RefusedRow, RowResult, TargetDuplicate, TargetRow, UploadCampaign, UploadedRows
from iglayers.targets.model_imports import (
    MAX_IMPORT_ROWS,
    MAX_UNENDED,
    PIECE_BYTES,
    Import,
    ImportJob,
    ImportNotFound,
    ImportState,
    Reject,
)

BATCH_ROWS = 2_500
REJECTS_AT_ONCE = 1_000
REJECTS_HEADER = ("line", "instagramUsername", "code", "reason")
# What `beginning` shows of a file.
FIRST_ROWS = 3
# What a batch reads of the file, and what it reads where not even one row ends in that.
WINDOW_BYTES = 1 << 20
LONGEST_ROW_BYTES = 4 << 20
REJECTS_KEPT_FOR = timedelta(days=30)
# So long somebody can look at what a dry run found before the file has to be sent again.
FILE_KEPT_FOR = timedelta(days=1)
# Longer than a file may take to come in: only a process that ended leaves one behind.
RECEIVED_WITHIN = timedelta(minutes=20)


class Receiver:
    """Stores a file in pieces as it comes in; holds one piece in memory and nothing in the database."""

    def __init__(self, db: Database, caller: Caller, import_id: ImportId) -> None:
        self._db: Database = db
        self._caller: Caller = caller
        self._import_id: ImportId = import_id
        self._buffer: bytearray = bytearray()
        self._stored: int = 0
        self.size: int = 0

    async def take(self, part: bytes) -> None:
        self._buffer += part
        self.size += len(part)
        while len(self._buffer) >= PIECE_BYTES:
            await self._store(bytes(self._buffer[:PIECE_BYTES]))
            del self._buffer[:PIECE_BYTES]

    async def end(self) -> None:
        if self._buffer:
            await self._store(bytes(self._buffer))

    async def _store(self, data: bytes) -> None:
        async with self._db.connection() as conn:
            is_stored = await queries.insert_piece(
                conn, self._caller.workspace_id, self._import_id, number=self._stored, data=data
            )
        if not is_stored:
            raise ImportNotFound("The campaign was deleted while its file came in.")
        self._stored += 1


async def begin(
    conn: Connection, caller: Caller, campaign_id: CampaignId, *, dry_run: bool, keeps_file: bool = False
) -> ImportId:
    """An import whose file is about to come in; nobody sees it before `queue`.

    A dry run that `keeps_file` can be followed by `read_again`.
    """
    if await queries.count_unended(conn, caller.workspace_id) >= MAX_UNENDED:
        raise Conflict(f"{MAX_UNENDED} imports of this workspace are waiting.", remedy="Try again when one has ended.")
    import_id = ImportId.new()
    now = real_now()
    await queries.insert(
        conn, caller.workspace_id, campaign_id, import_id, dry_run=dry_run, actor=caller.actor, now=now,
        kept_until=now + FILE_KEPT_FOR if keeps_file else None,
    )  # fmt: skip
    return import_id


async def read_again(
    conn: Connection, caller: Caller, campaign_id: CampaignId, *, ended: ImportId, columns: list[str], dry_run: bool
) -> Import:
    """Read the file that a dry run kept once more, as another import with these names for its columns.

    Conflict when the file is not here any more, as after somebody else has done the same.
    """
    import_id = await begin(conn, caller, campaign_id, dry_run=dry_run, keeps_file=dry_run)
    if not await queries.move_pieces(conn, caller.workspace_id, campaign_id, ended=ended, to=import_id):
        raise _file_gone()
    size = await queries.file_bytes(conn, caller.workspace_id, import_id)
    return await queue(conn, caller, import_id, bytes_total=size, columns=columns)


async def beginning(conn: Connection, caller: Caller, import_id: ImportId) -> tuple[Head, list[list[str]]]:
    """The header of a file as it came in, and the first rows that can be read; Conflict when it is not here."""
    start = await _start(conn, caller, import_id)
    if not start:
        raise _file_gone()
    is_last = len(start) < WINDOW_BYTES
    head = csv_text.read_head(start, is_last=is_last)
    part = csv_text.read_part(start[head.bytes_read :], head, most=FIRST_ROWS, is_last=is_last)
    return head, [cells for _, cells in part.rows if not isinstance(cells, MalformedRow)]


async def queue(
    conn: Connection, caller: Caller, import_id: ImportId, *, bytes_total: int, columns: list[str] | None = None
) -> Import:
    """Give a file that has come in whole to the workers; Invalid when it cannot be read at all.

    `columns` are names for its columns in the place of the header's; an empty one leaves its column out.
    """
    workspace_id = caller.workspace_id
    start = await _start(conn, caller, import_id)
    head = csv_text.read_head(start, is_last=bytes_total <= WINDOW_BYTES)
    names = head.header if columns is None else columns
    if len(names) != len(head.header):
        raise Invalid(f"The file has {len(head.header)} columns, not {len(names)}.", param="columns")
    check_header(names if columns is None else [name for name in names if name])
    if head.bytes_read == bytes_total:
        raise Invalid("The file has a header and no rows.", param="body", remedy="Send at least one row.")
    is_queued = await queries.queue(
        conn, workspace_id, import_id, header=names, delimiter=head.delimiter, bytes_total=bytes_total,
        bytes_read=head.bytes_read, next_line=head.next_line,
    )  # fmt: skip
    if not is_queued:
        raise ImportNotFound("The campaign was deleted while its file came in.")
    await accounts.audit(conn, caller, "import.created", import_id)
    return await show(conn, caller, import_id)


def _file_gone() -> Conflict:
    return Conflict(
        "The file is not here any more: it was read again already, or its day is over.",
        remedy="Look at the campaign, or send the file again.",
    )


async def _start(conn: Connection, caller: Caller, import_id: ImportId) -> bytes:
    last = WINDOW_BYTES // PIECE_BYTES - 1
    return b"".join(await queries.pieces(conn, caller.workspace_id, import_id, first=0, last=last))


async def forget_unless_queued(db: Database, caller: Caller, import_id: ImportId) -> None:
    """Drop what came in of a file that did not come in whole, or was refused."""
    async with db.connection() as conn:
        await queries.forget(conn, caller.workspace_id, import_id)


async def show(conn: Connection, caller: Caller, import_id: ImportId) -> Import:
    found = await queries.by_id(conn, caller.workspace_id, import_id, only=caller.client_id)
    if found is None:
        raise ImportNotFound("There is no such import.")
    return found


async def rejects_file(db: Database, caller: Caller, import_id: ImportId) -> AsyncGenerator[bytes, None]:
    """The refused lines of an import that the caller may see, as CSV, some at a time."""
    yield csv_text.write_rows([REJECTS_HEADER])
    line = 0
    while True:
        async with db.connection() as conn:
            found = await queries.rejects(conn, caller.workspace_id, import_id, after_line=line, limit=REJECTS_AT_ONCE)
        if not found:
            return
        yield csv_text.write_rows([(each.line, each.username, each.code, each.reason) for each in found])
        line = found[-1].line


async def work_off(
    conn: Connection, caller: Caller, job: ImportJob, campaign: UploadCampaign, *, pepper: bytes
) -> tuple[ImportState, str | None]:
    """The next rows of an import that is held, as its campaign is; the state that follows, and why if it ends early."""
    started_at = job.started_at or real_now()
    part = await _read(conn, job)
    rows = part.rows[: MAX_IMPORT_ROWS - job.rows_read]
    given = await asyncio.to_thread(_typed, job.header, rows)
    await _refuse_seen(conn, job, given)
    report = await upload(conn, caller, campaign, given, pepper=pepper, dry_run=job.dry_run)
    refused = [each for each in report.results if each.error is not None]
    if refused:
        rejects = [_reject(each, pepper) for each in refused]
        await queries.insert_rejects(conn, job.workspace_id, job.id, rejects)
    moved = msgspec.structs.replace(
        job, bytes_read=job.bytes_read + part.bytes_read, next_line=part.next_line,
        rows_read=job.rows_read + len(rows), accepted=job.accepted + report.accepted, started_at=started_at,
        rejected_by_code=Counter(job.rejected_by_code) + Counter(each.error.code for each in refused if each.error),
    )  # fmt: skip
    await queries.move_mark(conn, moved)
    return _follows(moved, part, is_cut=len(rows) < len(part.rows))


def _follows(job: ImportJob, part: Part, *, is_cut: bool) -> tuple[ImportState, str | None]:
    if is_cut:
        most = f"{MAX_IMPORT_ROWS:,}"
        return ImportState.FAILED, f"The file has more than {most} rows; those after the first {most} were not read."
    if part.rows and isinstance(lost := part.rows[-1][1], LostRow):
        return ImportState.FAILED, lost.message
    return ImportState.RUNNING if job.bytes_read < job.bytes_total else ImportState.COMPLETED, None


async def _read(conn: Connection, job: ImportJob) -> Part:
    head = Head(job.header, job.delimiter, job.bytes_read, job.next_line)
    for size in (WINDOW_BYTES, LONGEST_ROW_BYTES):
        piece = await _window(conn, job, size)
        is_last = job.bytes_read + size >= job.bytes_total
        part = await asyncio.to_thread(csv_text.read_part, piece, head, most=BATCH_ROWS, is_last=is_last)
        if part.bytes_read or is_last:
            return part
    why = f"Line {job.next_line}: the row is longer than {LONGEST_ROW_BYTES:,} bytes; nothing after it was read."
    return Part([(job.next_line, LostRow(why, param="body"))], 0, job.next_line)


async def _window(conn: Connection, job: ImportJob, size: int) -> bytes:
    first, last = job.bytes_read // PIECE_BYTES, (job.bytes_read + size - 1) // PIECE_BYTES
    start = job.bytes_read - first * PIECE_BYTES
    data = b"".join(await queries.pieces(conn, job.workspace_id, job.id, first=first, last=last))
    return data[start : start + size]


def _typed(header: list[str], rows: list[tuple[int, list[str] | MalformedRow]]) -> UploadedRows:
    return UploadedRows([row_of(header, cells, line) for line, cells in rows], [line for line, _ in rows])


async def _refuse_seen(conn: Connection, job: ImportJob, given: UploadedRows) -> None:
    """Refuse, in place, every row whose person stands on an earlier line of the file."""
    assert given.lines is not None
    first: dict[str, int] = {}
    for row, line in zip(given.rows, given.lines, strict=True):
        if isinstance(row, TargetRow):
            first.setdefault(row.username, line)
    first |= await queries.name_first(conn, job.workspace_id, job.id, usernames=list(first), lines=list(first.values()))
    for index, (row, line) in enumerate(zip(given.rows, given.lines, strict=True)):
        if isinstance(row, TargetRow) and first[row.username] != line:
            why = f"{row.username} is in this file already, at line {first[row.username]}."
            given.rows[index] = RefusedRow(row.username, TargetDuplicate(why))


def _reject(result: RowResult, pepper: bytes) -> Reject:
    assert result.error is not None
    assert result.line is not None
    username = (result.instagram_username or "").replace("\x00", "")
    try:
        digest = handle_hash(pepper, canonical(username))
    except InvalidUsername:
        digest = None
    return Reject(result.line, username, result.error.code, result.error.message.replace("\x00", ""), digest)


async def end(  # noqa: PLR0913 what the event tells
    conn: Connection, caller: Caller, import_id: ImportId, *, state: ImportState, reason: str | None,
    client_id: ClientId, campaign: dict[str, Any],
) -> Import:  # fmt: skip
    """End an import that is held: its bytes go, its counts and rejects stay, and an event tells of it."""
    await queries.end(conn, caller.workspace_id, import_id, state=state, reason=reason, at=real_now())
    ended = await show(conn, caller, import_id)
    await events.record(conn, NewEvent(
        type=EventType.IMPORT_COMPLETED, workspace_id=caller.workspace_id, at=caller.now, client_id=client_id,
        campaign_id=ended.campaign_id, data={"campaign": campaign, "import": ended},
    ))  # fmt: skip
    return ended


async def drop_names(db: Database, ended: Import, *, workspace_id: WorkspaceId) -> None:
    """After the commit of the end, so that it is told at once."""
    async with db.connection() as conn:
        await queries.drop_names(conn, workspace_id, ended.id)


async def tidy(conn: Connection, *, now: Moment) -> None:
    """Drop files that never came in whole, what is left of those that are done, and rejects past their time."""
    await queries.drop_names_of_ended(conn)
    await queries.drop_unfinished(conn, before=now - RECEIVED_WITHIN)
    await queries.drop_files_kept_long_enough(conn, now=now)
    await queries.drop_old_rejects(conn, before=now - REJECTS_KEPT_FOR)
