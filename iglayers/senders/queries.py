"""The only SQL on senders, and the read of the ledger that tells a sender's budget."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from iglayers.core.db import Connection, execute, plain, row, rows, value
from iglayers.core.ids import ClientId, SenderId, WorkspaceId
from iglayers.messages.pacing import Limits
from iglayers.senders.model import Rest, Sender, SenderState


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger says about one sender: counts of rolling windows, and the n-th latest messages."""

    sender_id: SenderId
    in_hour: int
    in_day: int
    nth_in_hour: datetime | None
    nth_in_day: datetime | None
    day_used: int
    last_begun_at: datetime | None


async def insert(conn: Connection, sender: Sender, *, workspace_id: WorkspaceId) -> bool:
    """A new sender that is ready at once; False when the workspace has one of that username, archived or not."""
    return bool(await execute(conn, """
        INSERT INTO senders (id, workspace_id, username, transport, routes, client_ids, state, hourly_limit,
                             daily_limit, ramp, min_gap_s, ready_at, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12, $12)
        ON CONFLICT (workspace_id, username) DO NOTHING
    """, sender.id, workspace_id, sender.username, sender.transport, sender.routes, sender.client_ids, sender.state,
        sender.hourly_limit, sender.daily_limit, sender.ramp, sender.min_gap_seconds, sender.created_at))  # fmt: skip


async def by_id(
    conn: Connection, workspace_id: WorkspaceId, sender_id: SenderId, *, only: ClientId | None
) -> Sender | None:
    """One sender, archived or not; a key bound to the client `only` sees those that serve it, without other clients."""
    return await row(conn, Sender, """
        SELECT id, username, transport, routes, state, state_reason, hourly_limit, daily_limit, ramp,
               CASE WHEN $3::uuid IS NULL OR client_ids = '{}' THEN client_ids ELSE ARRAY[$3] END AS client_ids,
               min_gap_s AS min_gap_seconds, warned_until, rests_until, rest_reason, sent_days,
               last_sent_on::text AS last_sent_on, last_begun_at, created_at, updated_at, archived_at
        FROM senders
        WHERE workspace_id = $1 AND id = $2 AND ($3::uuid IS NULL OR client_ids = '{}' OR $3 = ANY (client_ids))
    """, workspace_id, sender_id, only)  # fmt: skip


async def lock(conn: Connection, workspace_id: WorkspaceId, sender_id: SenderId) -> Sender | None:
    """One sender, locked: after campaigns, before targets."""
    return await row(conn, Sender, """
        SELECT id, username, transport, routes, client_ids, state, state_reason, hourly_limit, daily_limit, ramp,
               min_gap_s AS min_gap_seconds, warned_until, rests_until, rest_reason, sent_days,
               last_sent_on::text AS last_sent_on, last_begun_at, created_at, updated_at, archived_at
        FROM senders
        WHERE workspace_id = $1 AND id = $2
        FOR NO KEY UPDATE
    """, workspace_id, sender_id)  # fmt: skip


async def id_of(
    conn: Connection, workspace_id: WorkspaceId, username: str, *, only: ClientId | None
) -> SenderId | None:
    """The sender of this canonical username, archived or not, if the caller may see it."""
    found = await value(conn, """
        SELECT id
        FROM senders
        WHERE workspace_id = $1 AND username = $2
          AND ($3::uuid IS NULL OR client_ids = '{}' OR $3 = ANY (client_ids))
    """, workspace_id, username, only)  # fmt: skip
    return None if found is None else SenderId(found)


async def page(  # noqa: PLR0913 a list has this many filters
    conn: Connection, workspace_id: WorkspaceId, *, only: ClientId | None, client_id: ClientId | None,
    username: str | None, state: SenderState | None, before: SenderId | None, limit: int,
) -> list[Sender]:  # fmt: skip
    """Senders that are not archived, newest first."""
    return await rows(conn, Sender, """
        SELECT id, username, transport, routes, state, state_reason, hourly_limit, daily_limit, ramp,
               CASE WHEN $2::uuid IS NULL OR client_ids = '{}' THEN client_ids ELSE ARRAY[$2] END AS client_ids,
               min_gap_s AS min_gap_seconds, warned_until, rests_until, rest_reason, sent_days,
               last_sent_on::text AS last_sent_on, last_begun_at, created_at, updated_at, archived_at
        FROM senders
        WHERE workspace_id = $1 AND archived_at IS NULL
          AND ($2::uuid IS NULL OR client_ids = '{}' OR $2 = ANY (client_ids))
          -- A key of one client cannot ask whom else a sender serves.
          AND ($3::uuid IS NULL OR ($2 IS NULL OR $2 = $3) AND (client_ids = '{}' OR $3 = ANY (client_ids)))
          AND ($4::text IS NULL OR username = $4)
          AND ($5::text IS NULL OR state = $5)
          AND ($6::uuid IS NULL OR id < $6)
        ORDER BY id DESC
        LIMIT $7
    """, workspace_id, only, client_id, username, state, before, limit)  # fmt: skip


async def change(conn: Connection, sender: Sender, *, workspace_id: WorkspaceId, ready_at: datetime) -> None:
    """Store a sender as it is now. `ready_at` is the hint; a change of limits may bring it forward."""
    await execute(conn, """
        UPDATE senders
        SET transport = $3, routes = $4, client_ids = $5, state = $6, state_reason = $7, hourly_limit = $8,
            daily_limit = $9, ramp = $10, min_gap_s = $11, warned_until = $12, archived_at = $13, updated_at = $14,
            ready_at = $15
        WHERE workspace_id = $1 AND id = $2
    """, workspace_id, sender.id, sender.transport, sender.routes, sender.client_ids, sender.state,
        sender.state_reason, sender.hourly_limit, sender.daily_limit, sender.ramp, sender.min_gap_seconds,
        sender.warned_until, sender.archived_at, sender.updated_at, ready_at)  # fmt: skip


async def rename(conn: Connection, workspace_id: WorkspaceId, sender_id: SenderId, *, username: str) -> None:
    """The account has a new name at Instagram."""
    await execute(
        conn, "UPDATE senders SET username = $3 WHERE workspace_id = $1 AND id = $2", workspace_id, sender_id, username
    )


async def report_trouble(conn: Connection, sender: Sender, *, workspace_id: WorkspaceId) -> None:
    """Store what an attempt showed about the account; limits and the hint stay."""
    await execute(conn, """
        UPDATE senders
        SET state = $3, state_reason = $4, warned_until = $5, updated_at = $6
        WHERE workspace_id = $1 AND id = $2
    """, workspace_id, sender.id, sender.state, sender.state_reason, sender.warned_until,
        sender.updated_at)  # fmt: skip


async def rest(conn: Connection, workspace_id: WorkspaceId, sender_id: SenderId, asked: Rest) -> None:
    """Nothing more leaves through the sender until then; a longer rest stays."""
    await execute(conn, """
        UPDATE senders SET rests_until = greatest(rests_until, $3), rest_reason = $4
        WHERE workspace_id = $1 AND id = $2
    """, workspace_id, sender_id, asked.until, asked.reason)  # fmt: skip


async def in_flight(conn: Connection, workspace_id: WorkspaceId, sender_id: SenderId) -> bool:
    """Whether a message of this sender may be leaving now; no other can begin while its row is locked."""
    return await value(conn, """
        SELECT EXISTS (
            SELECT FROM messages
            WHERE workspace_id = $1 AND sender_id = $2 AND state IN ('sending', 'claimed'))
    """, workspace_id, sender_id)  # fmt: skip


async def begun(
    conn: Connection, workspace_id: WorkspaceId, limits: Mapping[SenderId, Limits], *, hour_from: datetime,
    day_from: datetime, zone: str,
) -> dict[SenderId, Begun]:  # fmt: skip
    """What counts against the limits of these senders: everything begun, unknown included, but not `not_sent`."""
    found = await rows(conn, Begun, """
        SELECT asked.sender_id, told.*, s.last_begun_at
        FROM unnest($2::uuid[], $5::int[], $6::int[]) AS asked (sender_id, hourly, daily)
        JOIN senders s ON s.id = asked.sender_id
        CROSS JOIN LATERAL (
            WITH counted AS MATERIALIZED (
                SELECT begun_at
                FROM messages
                WHERE workspace_id = $1 AND sender_id = asked.sender_id AND counts AND begun_at > $4
            )
            SELECT (SELECT count(*) FROM counted WHERE begun_at > $3)::int AS in_hour,
                   (SELECT count(*) FROM counted)::int AS in_day,
                   -- Outside its window the n-th latest limits nothing, so the rows of a day are enough.
                   (SELECT begun_at FROM counted ORDER BY begun_at DESC OFFSET asked.hourly - 1 LIMIT 1) AS nth_in_hour,
                   (SELECT begun_at FROM counted ORDER BY begun_at DESC OFFSET asked.daily - 1 LIMIT 1) AS nth_in_day,
                   (SELECT count(*) FROM messages m
                    WHERE m.workspace_id = $1 AND m.sender_id = asked.sender_id AND m.counts
                      AND m.begun_at >= date_trunc('day', s.last_begun_at, $7::text) AND m.begun_at <= s.last_begun_at
                   )::int AS day_used
        ) AS told
    """, workspace_id, list(limits), hour_from, day_from, [each.hourly for each in limits.values()],
        [each.daily for each in limits.values()], zone)  # fmt: skip
    return {each.sender_id: each for each in found}


async def unknown_clients(conn: Connection, workspace_id: WorkspaceId, client_ids: list[ClientId]) -> list[ClientId]:
    """Which of these are not clients of the workspace, or archived."""
    found = await conn.fetch("""
        SELECT wanted.id
        FROM unnest($2::uuid[]) AS wanted (id)
        WHERE NOT EXISTS (
            SELECT FROM clients c WHERE c.workspace_id = $1 AND c.id = wanted.id AND c.archived_at IS NULL)
    """, *plain([workspace_id, client_ids]))  # fmt: skip
    return [ClientId(each["id"]) for each in found]


async def count_anew(conn: Connection, workspace_id: WorkspaceId, sender_id: SenderId, *, since: datetime) -> None:
    """The circuit breaker has judged the sender up to here."""
    await execute(
        conn,
        "UPDATE senders SET breaker_from = $3 WHERE workspace_id = $1 AND id = $2",
        workspace_id, sender_id, since,
    )  # fmt: skip
