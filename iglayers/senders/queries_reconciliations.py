"""The only SQL on reconciliations: whose threads are due, and how far a run has come. Times are real."""

from datetime import datetime

import msgspec

from iglayers.core.db import Connection, execute, row
from iglayers.core.ids import SenderId, WorkspaceId


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run that a worker holds until `lease_until`: back to `since`, from the page behind `after` on."""

    sender_id: SenderId
    workspace_id: WorkspaceId
    instagram_id: str
    since: datetime
    after: str | None
    lease_until: datetime
    failures: int


async def add_missing(conn: Connection) -> int:
    """Every connected account has a row, due at once."""
    return await execute(conn, """
        INSERT INTO reconciliations (sender_id, workspace_id, due_at)
        SELECT c.sender_id, c.workspace_id, clock_timestamp()
        FROM sender_credentials c
        WHERE NOT EXISTS (
            SELECT FROM reconciliations r WHERE r.workspace_id = c.workspace_id AND r.sender_id = c.sender_id)
        ON CONFLICT (sender_id) DO NOTHING
    """)  # fmt: skip


async def hasten(conn: Connection) -> int:
    """After downtime: whoever was not looked at in the last minute is due now."""
    return await execute(conn, """
        UPDATE reconciliations SET due_at = clock_timestamp()
        WHERE due_at > clock_timestamp() AND failures = 0 AND done_until < clock_timestamp() - interval '1 minute'
    """)  # fmt: skip


async def take(conn: Connection, *, lease_s: float, overlap_s: float, first_look_s: float) -> Run | None:
    """The account that is most overdue; no other worker takes it before the lease ends.

    A run goes back to where the last one began, and to the oldest message of the last day of which nobody knows what
    became of it.
    """
    return await row(conn, Run, """
        WITH due AS (
            SELECT r.sender_id, s.instagram_id
            FROM reconciliations r
            JOIN senders s ON s.id = r.sender_id
            JOIN sender_credentials c ON c.workspace_id = r.workspace_id AND c.sender_id = r.sender_id
            WHERE r.due_at <= clock_timestamp() AND (r.lease_until IS NULL OR r.lease_until < clock_timestamp())
              AND s.archived_at IS NULL AND s.state IN ('active', 'paused') AND s.instagram_id IS NOT NULL
            ORDER BY r.due_at
            LIMIT 1
            FOR NO KEY UPDATE OF r SKIP LOCKED
        ), unknown AS (
            SELECT min(m.begun_at) - interval '5 minutes' AS begun_at
            FROM due
            JOIN messages m ON m.sender_id = due.sender_id AND m.state = 'unknown'
            WHERE m.begun_at > clock_timestamp() - interval '1 day'
        )
        UPDATE reconciliations r
        -- In whole milliseconds: the worker shows it again when it moves the mark.
        SET lease_until = date_trunc('milliseconds', clock_timestamp() + make_interval(secs => $1)),
            began_at = coalesce(r.began_at, clock_timestamp()),
            since = coalesce(r.since, least(
                coalesce(r.done_until - make_interval(secs => $2), clock_timestamp() - make_interval(secs => $3)),
                (SELECT begun_at FROM unknown)))
        FROM due
        WHERE r.sender_id = due.sender_id
        RETURNING r.sender_id, r.workspace_id, due.instagram_id, r.since, r.after, r.lease_until, r.failures
    """, lease_s, overlap_s, first_look_s)  # fmt: skip


async def go_on(conn: Connection, run: Run, *, after: str) -> None:
    """The next page, by whichever worker comes first."""
    await execute(conn, """
        UPDATE reconciliations SET after = $4, due_at = clock_timestamp(), lease_until = NULL, failures = 0
        WHERE workspace_id = $1 AND sender_id = $2 AND lease_until = $3
    """, run.workspace_id, run.sender_id, run.lease_until, after)  # fmt: skip


async def finish(conn: Connection, run: Run, *, again_in_s: float) -> None:
    """Whatever was written before the run began is known."""
    await execute(conn, """
        UPDATE reconciliations
        SET done_until = began_at, since = NULL, began_at = NULL, after = NULL, lease_until = NULL, failures = 0,
            due_at = clock_timestamp() + make_interval(secs => $4)
        WHERE workspace_id = $1 AND sender_id = $2 AND lease_until = $3
    """, run.workspace_id, run.sender_id, run.lease_until, again_in_s)  # fmt: skip


async def put_off(conn: Connection, run: Run, *, again_in_s: float) -> None:
    """The page could not be read; the run goes on there later."""
    await execute(conn, """
        UPDATE reconciliations
        SET lease_until = NULL, failures = least(failures + 1, 1000),
            due_at = clock_timestamp() + make_interval(secs => $4)
        WHERE workspace_id = $1 AND sender_id = $2 AND lease_until = $3
    """, run.workspace_id, run.sender_id, run.lease_until, again_in_s)  # fmt: skip
