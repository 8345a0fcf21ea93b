"""The SQL on imports: the file as it came in, the mark up to which it is worked off, and its rejects."""

from datetime import datetime

from iglayers.core.db import Connection, execute, plain, row, rows, value
from iglayers.core.ids import CampaignId, ClientId, ContactId, ImportId, WorkspaceId
from iglayers.targets.model_imports import Import, ImportJob, ImportState, Reject, WaitingImport


async def insert(  # noqa: PLR0913 the columns of a new row
    conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, import_id: ImportId, *, dry_run: bool,
    actor: str, now: datetime, kept_until: datetime | None,
) -> None:  # fmt: skip
    """An import whose bytes are about to come in."""
    await execute(conn, """
        INSERT INTO imports (id, workspace_id, campaign_id, state, dry_run, actor, created_at, kept_until)
        VALUES ($1, $2, $3, 'receiving', $4, $5, $6, $7)
    """, import_id, workspace_id, campaign_id, dry_run, actor, now, kept_until)  # fmt: skip


async def insert_piece(
    conn: Connection, workspace_id: WorkspaceId, import_id: ImportId, *, number: int, data: bytes
) -> bool:
    """One piece of the file; False when its import is gone, with its campaign."""
    return bool(await execute(conn, """
        INSERT INTO import_pieces (import_id, number, workspace_id, data)
        SELECT id, $3, $1, $4 FROM imports WHERE workspace_id = $1 AND id = $2
        FOR KEY SHARE
    """, workspace_id, import_id, number, data))  # fmt: skip


async def pieces(
    conn: Connection, workspace_id: WorkspaceId, import_id: ImportId, *, first: int, last: int
) -> list[bytes]:
    """These pieces of the file, in order."""
    found = await conn.fetch("""
        SELECT data
        FROM import_pieces
        WHERE workspace_id = $1 AND import_id = $2 AND number BETWEEN $3 AND $4
        ORDER BY number
    """, *plain([workspace_id, import_id, first, last]))  # fmt: skip
    return [each["data"] for each in found]


async def move_pieces(
    conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, *, ended: ImportId, to: ImportId
) -> bool:
    """Give the file that a dry run of the campaign kept to another import; False when it is not here any more."""
    return bool(await execute(conn, """
        UPDATE import_pieces p
        SET import_id = $4
        FROM imports i
        WHERE p.workspace_id = $1 AND p.import_id = $3 AND i.id = $3 AND i.campaign_id = $2 AND i.ended_at IS NOT NULL
    """, workspace_id, campaign_id, ended, to))  # fmt: skip


async def file_bytes(conn: Connection, workspace_id: WorkspaceId, import_id: ImportId) -> int:
    """How much of the file is here."""
    return await value(conn, """
        SELECT coalesce(sum(length(data)), 0)::bigint
        FROM import_pieces
        WHERE workspace_id = $1 AND import_id = $2
    """, workspace_id, import_id)  # fmt: skip


async def header(conn: Connection, workspace_id: WorkspaceId, import_id: ImportId) -> list[str]:
    """What the columns are taken for."""
    return await value(conn, "SELECT header FROM imports WHERE workspace_id = $1 AND id = $2", workspace_id, import_id)


async def drop_kept_files(conn: Connection, workspace_id: WorkspaceId) -> None:
    """Files of this workspace that dry runs kept."""
    await execute(conn, """
        DELETE FROM import_pieces p
        USING imports i
        WHERE i.workspace_id = $1 AND i.ended_at IS NOT NULL AND p.workspace_id = $1 AND p.import_id = i.id
    """, workspace_id)  # fmt: skip


async def drop_files_kept_long_enough(conn: Connection, *, now: datetime) -> None:
    """Files that nobody has had read once more."""
    await execute(conn, """
        DELETE FROM import_pieces p
        USING imports i
        WHERE i.kept_until < $1 AND i.ended_at IS NOT NULL AND p.import_id = i.id
    """, now)  # fmt: skip


async def queue(  # noqa: PLR0913 what the first look at the file tells
    conn: Connection, workspace_id: WorkspaceId, import_id: ImportId, *, header: list[str], delimiter: str,
    bytes_total: int, bytes_read: int, next_line: int,
) -> bool:  # fmt: skip
    """All of the file is here, and its header can be used; False when the import is gone."""
    return bool(await execute(conn, """
        UPDATE imports
        SET state = 'queued', header = $3, delimiter = $4, bytes_total = $5, bytes_read = $6, next_line = $7
        WHERE workspace_id = $1 AND id = $2 AND state = 'receiving'
    """, workspace_id, import_id, header, delimiter, bytes_total, bytes_read, next_line))  # fmt: skip


async def forget(conn: Connection, workspace_id: WorkspaceId, import_id: ImportId) -> None:
    """An import whose file did not come in whole, or was refused."""
    await execute(
        conn,
        "DELETE FROM imports WHERE workspace_id = $1 AND id = $2 AND state = 'receiving'",
        workspace_id, import_id,
    )  # fmt: skip


async def count_unended(conn: Connection, workspace_id: WorkspaceId) -> int:
    """How many imports of the workspace are coming in, waiting or running."""
    return await value(conn, "SELECT count(*) FROM imports WHERE workspace_id = $1 AND ended_at IS NULL", workspace_id)


async def waiting(conn: Connection, *, limit: int) -> list[WaitingImport]:
    """Imports with rows to read; those with the fewest read first: a short file does not wait for a long one."""
    return await rows(conn, WaitingImport, """
        SELECT id, workspace_id, campaign_id
        FROM imports
        WHERE ended_at IS NULL AND state <> 'receiving'
        ORDER BY rows_read, id
        LIMIT $1
    """, limit)  # fmt: skip


async def take(conn: Connection, workspace_id: WorkspaceId, import_id: ImportId) -> ImportJob | None:
    """Hold an import for one batch; None when another worker has it, or it has ended. Its campaign is held already."""
    return await row(conn, ImportJob, """
        SELECT id, workspace_id, campaign_id, dry_run, actor, header, delimiter, bytes_total, bytes_read, next_line,
               rows_read, accepted, rejected_by_code, started_at
        FROM imports
        WHERE workspace_id = $1 AND id = $2 AND ended_at IS NULL AND state <> 'receiving'
        FOR NO KEY UPDATE SKIP LOCKED
    """, workspace_id, import_id)  # fmt: skip


async def move_mark(conn: Connection, job: ImportJob) -> None:
    """Everything before the mark is done; it commits with what was done."""
    await execute(conn, """
        UPDATE imports
        SET state = 'running', bytes_read = $3, next_line = $4, rows_read = $5, accepted = $6, rejected_by_code = $7,
            started_at = $8
        WHERE workspace_id = $1 AND id = $2
    """, job.workspace_id, job.id, job.bytes_read, job.next_line, job.rows_read, job.accepted, job.rejected_by_code,
        job.started_at)  # fmt: skip


async def lock(conn: Connection, workspace_id: WorkspaceId, import_id: ImportId) -> None:
    """Hold an import; waits for the batch that is being written."""
    await execute(
        conn, "SELECT id FROM imports WHERE workspace_id = $1 AND id = $2 FOR NO KEY UPDATE", workspace_id, import_id
    )


async def end(
    conn: Connection, workspace_id: WorkspaceId, import_id: ImportId, *, state: ImportState, reason: str | None,
    at: datetime,
) -> None:  # fmt: skip
    """The end of an import that is held; its bytes go, unless a dry run keeps them, its rejects stay."""
    await execute(conn, """
        DELETE FROM import_pieces p
        USING imports i
        WHERE p.workspace_id = $1 AND p.import_id = $2 AND i.id = $2 AND (i.kept_until IS NULL OR $3 <> 'completed')
    """, workspace_id, import_id, state)  # fmt: skip
    await execute(conn, """
        UPDATE imports SET state = $3, reason = $4, ended_at = $5
        WHERE workspace_id = $1 AND id = $2
    """, workspace_id, import_id, state, reason, at)  # fmt: skip


async def drop_names(conn: Connection, workspace_id: WorkspaceId, import_id: ImportId) -> None:
    """Forget who stands where in a file that is done; a million rows, so nothing waits for this."""
    await execute(conn, "DELETE FROM import_names WHERE workspace_id = $1 AND import_id = $2", workspace_id, import_id)


async def by_id(
    conn: Connection, workspace_id: WorkspaceId, import_id: ImportId, *, only: ClientId | None
) -> Import | None:
    """One import; `only` is the client that the caller's key is bound to."""
    return await row(conn, Import, """
        SELECT i.id, i.campaign_id, i.state, i.dry_run, i.bytes_total, i.bytes_read, i.rows_read, i.accepted,
               i.rows_read - i.accepted AS rejected, i.rejected_by_code,
               CASE WHEN i.started_at IS NOT NULL THEN (i.rows_read / greatest(0.001, extract(epoch FROM
                   coalesce(i.ended_at, clock_timestamp()) - i.started_at)))::integer END AS rows_per_second,
               i.reason, i.created_at, i.started_at, i.ended_at
        FROM imports i
        JOIN campaigns c ON c.id = i.campaign_id
        WHERE i.workspace_id = $1 AND i.id = $2 AND i.state <> 'receiving' AND ($3::uuid IS NULL OR c.client_id = $3)
    """, workspace_id, import_id, only)  # fmt: skip


async def page(
    conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, *, before: ImportId | None, limit: int
) -> list[Import]:
    """A campaign's imports, newest first."""
    return await rows(conn, Import, """
        SELECT id, campaign_id, state, dry_run, bytes_total, bytes_read, rows_read, accepted,
               rows_read - accepted AS rejected, rejected_by_code,
               CASE WHEN started_at IS NOT NULL THEN (rows_read / greatest(0.001, extract(epoch FROM
                   coalesce(ended_at, clock_timestamp()) - started_at)))::integer END AS rows_per_second,
               reason, created_at, started_at, ended_at
        FROM imports
        WHERE workspace_id = $1 AND campaign_id = $2 AND state <> 'receiving' AND ($3::uuid IS NULL OR id < $3)
        ORDER BY id DESC
        LIMIT $4
    """, workspace_id, campaign_id, before, limit)  # fmt: skip


async def name_first(
    conn: Connection, workspace_id: WorkspaceId, import_id: ImportId, *, usernames: list[str], lines: list[int]
) -> dict[str, int]:
    """Note on which line each of these people stands; of those that stood in the file before, the line."""
    made = await conn.fetch("""
        INSERT INTO import_names (import_id, username, workspace_id, line)
        SELECT $2, username, $1, line
        FROM unnest($3::text[], $4::integer[]) AS given (username, line)
        ON CONFLICT (import_id, username) DO NOTHING
        RETURNING username
    """, *plain([workspace_id, import_id, usernames, lines]))  # fmt: skip
    if len(made) == len(usernames):
        return {}
    again = list(set(usernames) - {each["username"] for each in made})
    found = await conn.fetch("""
        SELECT username, line FROM import_names
        WHERE workspace_id = $1 AND import_id = $2 AND username = ANY ($3::text[])
    """, *plain([workspace_id, import_id, again]))  # fmt: skip
    return {each["username"]: each["line"] for each in found}


async def insert_rejects(
    conn: Connection, workspace_id: WorkspaceId, import_id: ImportId, rejects: list[Reject]
) -> None:
    """Lines of the batch that became no target."""
    await execute(conn, """
        INSERT INTO import_rejects (import_id, line, workspace_id, handle_hash, username, code, reason)
        SELECT $2, line, $1, handle_hash, username, code, reason
        FROM unnest($3::integer[], $4::bytea[], $5::text[], $6::text[], $7::text[])
             AS given (line, handle_hash, username, code, reason)
    """, workspace_id, import_id, [each.line for each in rejects], [each.handle_hash for each in rejects],
        [each.username for each in rejects], [each.code for each in rejects],
        [each.reason for each in rejects])  # fmt: skip


async def rejects(
    conn: Connection, workspace_id: WorkspaceId, import_id: ImportId, *, after_line: int, limit: int
) -> list[Reject]:
    """Rejects below a line, in the order of the file."""
    return await rows(conn, Reject, """
        SELECT line, username, code, reason
        FROM import_rejects
        WHERE workspace_id = $1 AND import_id = $2 AND line > $3
        ORDER BY line
        LIMIT $4
    """, workspace_id, import_id, after_line, limit)  # fmt: skip


async def erase_rejects(
    conn: Connection, workspace_id: WorkspaceId, contact_ids: list[ContactId], usernames: list[str]
) -> None:
    """What rejects say of these people; their lines and codes stay."""
    await execute(conn, """
        UPDATE import_rejects r
        SET username = '', reason = 'The person''s data was erased.', handle_hash = NULL
        FROM contacts c
        WHERE c.workspace_id = $1 AND c.id = ANY ($2) AND r.workspace_id = $1 AND r.handle_hash = c.handle_hash
    """, workspace_id, contact_ids)  # fmt: skip
    # A line whose link named one person and whose username another.
    await execute(conn, """
        UPDATE import_rejects
        SET reason = 'The data of a person it named was erased.'
        WHERE workspace_id = $1 AND string_to_array(translate(reason, ',', ' '), ' ') && $2
    """, workspace_id, usernames)  # fmt: skip


async def erase_names(conn: Connection, workspace_id: WorkspaceId, usernames: list[str]) -> None:
    """These people in what is left of files that are done."""
    await execute(
        conn, "DELETE FROM import_names WHERE workspace_id = $1 AND username = ANY ($2)", workspace_id, usernames
    )


async def drop_names_of_ended(conn: Connection) -> None:
    """The same as `drop_names`, where a process ended in between."""
    await execute(conn, """
        DELETE FROM import_names n
        USING imports i
        WHERE i.ended_at IS NOT NULL AND n.import_id = i.id
    """)  # fmt: skip


async def drop_unfinished(conn: Connection, *, before: datetime) -> None:
    """Files that never came in whole, because the process that took them ended."""
    await execute(conn, "DELETE FROM imports WHERE state = 'receiving' AND created_at < $1", before)


async def drop_old_rejects(conn: Connection, *, before: datetime) -> None:
    """Rejects of imports that ended before this moment; the counts stay with the import."""
    await execute(conn, """
        DELETE FROM import_rejects r
        USING imports i
        WHERE i.ended_at < $1 AND r.import_id = i.id
    """, before)  # fmt: skip
