"""The SQL of deliveries as their owners see them: lists, the log, once more, replays."""

from datetime import datetime
from uuid import UUID

import msgspec

from iglayers.core.db import Connection, execute, row, rows, value
from iglayers.core.ids import ClientId, DeliveryId, EndpointId, EventId, ReplayId, WorkspaceId
from iglayers.events.model_webhooks import Attempt, Delivery, DeliveryState, Replay

# How many of a replay's deliveries may be on their way: more are queued when these are through.
REPLAY_AHEAD = 1_000


async def page(  # noqa: PLR0913 filters of one list
    conn: Connection, workspace_id: WorkspaceId, endpoint_id: EndpointId, *, state: DeliveryState | None,
    event_id: EventId | None, before: DeliveryId | None, limit: int,
) -> list[Delivery]:  # fmt: skip
    """Deliveries to one endpoint, newest first."""
    return await rows(conn, Delivery, """
        SELECT d.id, d.endpoint_id, d.event_id, coalesce(v.type, 'webhook.test') AS type, d.cause, d.state, d.attempts,
               CASE WHEN d.state = 'pending' THEN d.due_at END AS next_attempt_at, d.status, d.error,
               CASE WHEN d.state = 'failed' THEN 'webhook_delivery_failed' END AS error_code, d.replay_id, d.ended_at
        FROM deliveries d
        LEFT JOIN events v ON v.id = d.event_id
        WHERE d.workspace_id = $1 AND d.endpoint_id = $2
          AND ($3::text IS NULL OR d.state = $3)
          AND ($4::uuid IS NULL OR d.event_id = $4)
          AND ($5::uuid IS NULL OR d.id < $5)
        ORDER BY d.id DESC
        LIMIT $6
    """, workspace_id, endpoint_id, state, event_id, before, limit)  # fmt: skip


async def by_id(
    conn: Connection, workspace_id: WorkspaceId, delivery_id: DeliveryId, *, only: ClientId | None
) -> Delivery | None:
    """One delivery, whose endpoint is still there."""
    return await row(conn, Delivery, """
        SELECT d.id, d.endpoint_id, d.event_id, coalesce(v.type, 'webhook.test') AS type, d.cause, d.state, d.attempts,
               CASE WHEN d.state = 'pending' THEN d.due_at END AS next_attempt_at, d.status, d.error,
               CASE WHEN d.state = 'failed' THEN 'webhook_delivery_failed' END AS error_code, d.replay_id, d.ended_at
        FROM deliveries d
        JOIN webhook_endpoints e ON e.id = d.endpoint_id
        LEFT JOIN events v ON v.id = d.event_id
        WHERE d.workspace_id = $1 AND d.id = $2 AND ($3::uuid IS NULL OR e.client_id = $3)
    """, workspace_id, delivery_id, only)  # fmt: skip


async def attempts(conn: Connection, workspace_id: WorkspaceId, delivery_id: DeliveryId) -> list[Attempt]:
    """The log of a delivery, oldest first."""
    return await rows(conn, Attempt, """
        SELECT id, cause, started_at, duration_ms, address, status, error, response
        FROM delivery_attempts
        WHERE workspace_id = $1 AND delivery_id = $2
        ORDER BY id
        LIMIT 1000
    """, workspace_id, delivery_id)  # fmt: skip


async def send_again(conn: Connection, workspace_id: WorkspaceId, delivery_id: DeliveryId) -> None:
    """Once more, at once and ahead of what waits, with the whole schedule before it."""
    await execute(conn, """
        UPDATE deliveries
        SET state = 'pending', cause = 'manual', tries = 0, due_at = NULL, ended_at = NULL
        WHERE workspace_id = $1 AND id = $2
    """, workspace_id, delivery_id)  # fmt: skip


async def event_is_kept(conn: Connection, workspace_id: WorkspaceId, event_id: EventId) -> bool:
    """Whether the event can still be sent."""
    return await value(
        conn, "SELECT EXISTS (SELECT FROM events WHERE workspace_id = $1 AND id = $2)", workspace_id, event_id
    )


async def insert_test(  # noqa: PLR0913 a delivery has this many facts
    conn: Connection, workspace_id: WorkspaceId, endpoint_id: EndpointId, *, delivery_id: DeliveryId,
    event_id: EventId, attempt: Attempt, state: DeliveryState,
) -> None:  # fmt: skip
    """A test and its only attempt."""
    await execute(conn, """
        WITH logged AS (
            INSERT INTO delivery_attempts (id, workspace_id, delivery_id, cause, started_at, duration_ms, address,
                                           status, error, response)
            VALUES ($5, $1, $3, 'test', $6, $7, $8, $9, $10, $11)
        )
        INSERT INTO deliveries (id, workspace_id, endpoint_id, event_id, cause, state, attempts, status, error,
                                ended_at)
        VALUES ($3, $1, $2, $4, 'test', $12, 1, $9, $10, $6)
    """, workspace_id, endpoint_id, delivery_id, event_id, attempt.id, attempt.started_at, attempt.duration_ms,
        attempt.address, attempt.status, attempt.error, attempt.response, state)  # fmt: skip


async def start_replay(conn: Connection, replay: Replay, *, workspace_id: WorkspaceId, floor: datetime) -> int:
    """A replay of events from the real moment `floor` on; how many they are."""
    return await value(conn, """
        INSERT INTO webhook_replays (id, workspace_id, endpoint_id, since, types, floor_id, total, created_at)
        SELECT $1, $2, $3, $4, $5, uuid7_floor($6), count(v.id), $7
        FROM webhook_endpoints e
        LEFT JOIN events v ON v.workspace_id = $2 AND v.id >= uuid7_floor($6)
             AND (e.client_id IS NULL OR v.client_id = e.client_id)
             AND ($5::text[] IS NULL OR v.type = ANY ($5))
        WHERE e.workspace_id = $2 AND e.id = $3
        RETURNING total
    """, replay.id, workspace_id, replay.endpoint_id, replay.since, replay.types, floor, replay.created_at)  # fmt: skip


async def replay(
    conn: Connection, workspace_id: WorkspaceId, endpoint_id: EndpointId, replay_id: ReplayId
) -> Replay | None:
    """One replay and how far it is."""
    return await row(conn, Replay, """
        SELECT r.id, r.endpoint_id, r.since, r.types, r.state, r.total, r.queued, r.created_at, r.ended_at,
               (SELECT count(*) FROM deliveries d
                WHERE d.workspace_id = $1 AND d.endpoint_id = $2 AND d.state = 'pending' AND d.due_at IS NOT NULL
                  AND d.replay_id = r.id) AS pending
        FROM webhook_replays r
        WHERE r.workspace_id = $1 AND r.endpoint_id = $2 AND r.id = $3
    """, workspace_id, endpoint_id, replay_id)  # fmt: skip


async def replays(
    conn: Connection, workspace_id: WorkspaceId, endpoint_id: EndpointId, *, before: ReplayId | None, limit: int
) -> list[Replay]:
    """Replays to one endpoint, newest first."""
    return await rows(conn, Replay, """
        SELECT r.id, r.endpoint_id, r.since, r.types, r.state, r.total, r.queued, r.created_at, r.ended_at,
               (SELECT count(*) FROM deliveries d
                WHERE d.workspace_id = $1 AND d.endpoint_id = $2 AND d.state = 'pending' AND d.due_at IS NOT NULL
                  AND d.replay_id = r.id) AS pending
        FROM webhook_replays r
        WHERE r.workspace_id = $1 AND r.endpoint_id = $2 AND ($3::uuid IS NULL OR r.id < $3)
        ORDER BY r.id DESC
        LIMIT $4
    """, workspace_id, endpoint_id, before, limit)  # fmt: skip


async def has_running_replay(conn: Connection, workspace_id: WorkspaceId, endpoint_id: EndpointId) -> bool:
    """Whether one is on its way; the endpoint is locked."""
    return await value(conn, """
        SELECT EXISTS (SELECT FROM webhook_replays
                       WHERE workspace_id = $1 AND endpoint_id = $2 AND state = 'running')
    """, workspace_id, endpoint_id)  # fmt: skip


async def cancel_replay(
    conn: Connection, workspace_id: WorkspaceId, endpoint_id: EndpointId, replay_id: ReplayId, *, at: datetime
) -> None:
    """Queue no more of it, and nothing of what is queued and has not begun."""
    await execute(conn, """
        UPDATE deliveries SET state = 'cancelled', ended_at = $4
        WHERE workspace_id = $1 AND endpoint_id = $2 AND replay_id = $3 AND state = 'pending'
    """, workspace_id, endpoint_id, replay_id, at)  # fmt: skip
    await execute(conn, """
        UPDATE webhook_replays SET state = 'cancelled', ended_at = $4
        WHERE workspace_id = $1 AND endpoint_id = $2 AND id = $3 AND state = 'running'
    """, workspace_id, endpoint_id, replay_id, at)  # fmt: skip


class RunningReplay(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    workspace_id: WorkspaceId
    endpoint_id: EndpointId
    room: int


async def next_replay(conn: Connection) -> RunningReplay | None:
    """A replay that may queue more, locked with its endpoint; another worker takes another."""
    return await row(conn, RunningReplay, """
        SELECT r.id, r.workspace_id, r.endpoint_id, $1 - busy.count::integer AS room
        FROM webhook_replays r
        JOIN webhook_endpoints e ON e.id = r.endpoint_id
        CROSS JOIN LATERAL (
            SELECT count(*) AS count FROM deliveries d
            WHERE d.endpoint_id = r.endpoint_id AND d.state = 'pending' AND d.due_at IS NOT NULL
              AND d.replay_id = r.id) busy
        WHERE r.state = 'running' AND e.state = 'enabled' AND busy.count <= $1 / 2
        ORDER BY r.id
        LIMIT 1
        FOR NO KEY UPDATE OF e, r SKIP LOCKED
    """, REPLAY_AHEAD)  # fmt: skip


async def queue_replay(conn: Connection, running: RunningReplay, *, now: datetime) -> int:
    """The next events of a replay, behind everything that is new, and its mark, in one statement; how many.

    In the order of the feed, and only events of transactions that are older than every running one: none is passed
    over. It is complete when nothing older than the replay itself runs any more.
    """
    return await value(conn, """
        WITH replay AS MATERIALIZED (
            SELECT r.endpoint_id, r.types, r.floor_id, r.last_tx, r.mark_tx, r.mark_id, e.client_id
            FROM webhook_replays r
            JOIN webhook_endpoints e ON e.id = r.endpoint_id
            WHERE r.workspace_id = $1 AND r.id = $2 AND r.state = 'running'
        ), next AS MATERIALIZED (
            SELECT v.id, v.tx
            FROM replay
            CROSS JOIN LATERAL (
                SELECT v.id, v.tx
                FROM events v
                WHERE v.workspace_id = $1
                  AND (v.tx, v.id) > (coalesce(replay.mark_tx, '0'::xid8),
                                      coalesce(replay.mark_id, '00000000-0000-0000-0000-000000000000'::uuid))
                  AND v.tx <= replay.last_tx AND v.tx < pg_snapshot_xmin(pg_current_snapshot())
                  AND v.id >= replay.floor_id
                  AND (replay.client_id IS NULL OR v.client_id = replay.client_id)
                  AND (replay.types IS NULL OR v.type = ANY (replay.types))
                ORDER BY v.tx, v.id
                LIMIT $3) v
        ), queued AS (
            INSERT INTO deliveries (id, workspace_id, endpoint_id, event_id, replay_id, cause, due_at)
            SELECT event_id(), $1, replay.endpoint_id, next.id, $2, 'replay', $4
            FROM next CROSS JOIN replay
        ), due AS (
            UPDATE webhook_endpoints e SET due_at = least(e.due_at, $4)
            FROM replay
            WHERE e.id = replay.endpoint_id AND EXISTS (SELECT FROM next)
        ), marked AS (
            UPDATE webhook_replays r
            SET queued = r.queued + (SELECT count(*) FROM next),
                mark_tx = coalesce((SELECT tx FROM next ORDER BY tx DESC, id DESC LIMIT 1), r.mark_tx),
                mark_id = coalesce((SELECT id FROM next ORDER BY tx DESC, id DESC LIMIT 1), r.mark_id),
                state = CASE WHEN is_over THEN 'completed' ELSE 'running' END,
                ended_at = CASE WHEN is_over THEN $4::timestamptz END
            FROM (SELECT (SELECT count(*) FROM next) < $3
                         AND replay.last_tx < pg_snapshot_xmin(pg_current_snapshot()) AS is_over
                  FROM replay) state
            WHERE r.workspace_id = $1 AND r.id = $2
        )
        SELECT count(*) FROM next
    """, running.workspace_id, running.id, running.room, now)  # fmt: skip
