"""The SQL of delivering: which endpoints have work, which worker has them, what is next, and what came of it.

An endpoint is a due row. One worker holds it at a time, under a lease that names what the worker has taken, so that
whoever comes after a crash can write those attempts down. `now` is real time, by the worker's clock.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import accumulate
from uuid import UUID

import msgspec

from iglayers.core.db import Connection, execute, rows, value
from iglayers.core.ids import EndpointId
from iglayers.events.model_webhooks import DeliveryState


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where an endpoint's deliveries go and what signs them, as it is now."""

    id: EndpointId
    url: str
    secret: bytes
    previous_secret: bytes | None
    previous_until: datetime | None
    failing_since: datetime | None
    max_per_second: int | None


class Picked(msgspec.Struct, frozen=True, gc=False):
    """A delivery to be tried now, with its event (None when it has expired); plain ids, as there are thousands."""

    delivery_id: UUID
    attempt_id: UUID
    endpoint_id: UUID
    workspace_id: UUID
    tries: int
    event_id: UUID
    type: str | None
    created_at: datetime | None
    sequence: int | None
    data: msgspec.Raw | None


class Room(msgspec.Struct, frozen=True):
    """How much more a worker takes for an endpoint, and what it has in hand: attempts, and of which deliveries."""

    endpoint_id: UUID
    most: int
    attempts: Sequence[UUID]
    attempted: Sequence[UUID]


class Result(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An attempt that was made, and what becomes of its delivery."""

    attempt_id: UUID
    delivery_id: UUID
    started_at: datetime
    duration_ms: int
    address: str | None
    status: int | None
    error: str | None
    response: str | None
    state: DeliveryState
    due_at: datetime | None


class News(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch of attempts tells about an endpoint."""

    endpoint_id: UUID
    succeeded: bool
    failed_at: datetime | None  # first failure, after the last success if there was one
    due_at: datetime | None  # earliest moment at which one of its deliveries is tried again


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """What waits in the whole installation: endpoints by state, deliveries by lane, and the oldest that is due."""

    enabled: int
    failing: int
    disabled: int
    new: int
    waiting: int
    held: int
    oldest_new: str | None  # id of its event, which tells the moment
    oldest_due_at: datetime | None


async def backlog(conn: Connection, *, most: int) -> Backlog:
    """For the operator. Two probes an endpoint, and counting stops at `most`, so that asking often costs little."""
    [found] = await rows(conn, Backlog, """
        WITH endpoint AS MATERIALIZED (
            SELECT e.id, e.state, e.failing_since, n.event_id, w.due_at
            FROM webhook_endpoints e
            LEFT JOIN LATERAL (
                SELECT d.event_id FROM deliveries d
                WHERE d.endpoint_id = e.id AND d.state = 'pending' AND d.due_at IS NULL
                ORDER BY d.event_id LIMIT 1) n ON true
            LEFT JOIN LATERAL (
                SELECT d.due_at FROM deliveries d
                WHERE d.endpoint_id = e.id AND d.state = 'pending' AND d.due_at IS NOT NULL
                ORDER BY d.due_at LIMIT 1) w ON true
        )
        SELECT count(*) FILTER (WHERE state = 'enabled' AND failing_since IS NULL) AS enabled,
               count(*) FILTER (WHERE state = 'enabled' AND failing_since IS NOT NULL) AS failing,
               count(*) FILTER (WHERE state = 'disabled') AS disabled,
               (SELECT count(*) FROM (
                    SELECT FROM deliveries d JOIN endpoint e ON e.id = d.endpoint_id AND e.state = 'enabled'
                    WHERE d.state = 'pending' AND d.due_at IS NULL LIMIT $1) AS counted) AS new,
               (SELECT count(*) FROM (
                    SELECT FROM deliveries d JOIN endpoint e ON e.id = d.endpoint_id AND e.state = 'enabled'
                    WHERE d.state = 'pending' AND d.due_at IS NOT NULL LIMIT $1) AS counted) AS waiting,
               (SELECT count(*) FROM (
                    SELECT FROM deliveries d JOIN endpoint e ON e.id = d.endpoint_id AND e.state = 'disabled'
                    WHERE d.state = 'pending' LIMIT $1) AS counted) AS held,
               min(event_id::text) FILTER (WHERE state = 'enabled') AS oldest_new,
               min(due_at) FILTER (WHERE state = 'enabled') AS oldest_due_at
        FROM endpoint
    """, most)  # fmt: skip
    return found


async def with_work(conn: Connection, worker: UUID, *, now: datetime) -> list[UUID]:
    """Endpoints that have new deliveries or ones whose moment has come, and that no other worker holds."""
    found = await conn.fetch("""
        -- One probe of the index for each endpoint that has something new, however much it has.
        WITH RECURSIVE fresh AS (
            (SELECT endpoint_id FROM deliveries
             WHERE state = 'pending' AND due_at IS NULL ORDER BY endpoint_id LIMIT 1)
            UNION ALL
            SELECT (SELECT d.endpoint_id FROM deliveries d
                    WHERE d.state = 'pending' AND d.due_at IS NULL AND d.endpoint_id > fresh.endpoint_id
                    ORDER BY d.endpoint_id LIMIT 1)
            FROM fresh
            WHERE fresh.endpoint_id IS NOT NULL
        )
        SELECT e.id
        FROM fresh
        JOIN webhook_endpoints e ON e.id = fresh.endpoint_id
        WHERE e.state = 'enabled' AND (e.lease_id = $1 OR e.lease_until IS NULL OR e.lease_until < $2)
        UNION
        SELECT e.id
        FROM webhook_endpoints e
        WHERE e.state = 'enabled' AND e.due_at <= $2
          AND (e.lease_id = $1 OR e.lease_until IS NULL OR e.lease_until < $2)
    """, worker, now)  # fmt: skip
    return [record["id"] for record in found]


async def take(
    conn: Connection, worker: UUID, endpoint_ids: list[UUID], *, now: datetime, lease_until: datetime
) -> list[UUID]:
    """Those of the endpoints that are free are this worker's until the lease ends.

    What a worker had in hand when its lease ended is written down as interrupted: it may have been sent.
    """
    found = await conn.fetch("""
        WITH free AS MATERIALIZED (
            SELECT id, workspace_id, attempt_ids, attempted_ids
            FROM webhook_endpoints
            WHERE id = ANY ($2::uuid[]) AND state = 'enabled' AND (lease_until IS NULL OR lease_until < $3)
            ORDER BY id
            FOR NO KEY UPDATE SKIP LOCKED
        ), interrupted AS (
            INSERT INTO delivery_attempts (id, workspace_id, delivery_id, cause, started_at, duration_ms, error)
            SELECT had.attempt_id, free.workspace_id, had.delivery_id, d.cause,
                   to_timestamp(('x' || left(replace(had.attempt_id::text, '-', ''), 12))::bit(48)::bigint / 1000.0),
                   0, 'interrupted'
            FROM free
            CROSS JOIN LATERAL unnest(free.attempt_ids, free.attempted_ids) AS had (attempt_id, delivery_id)
            JOIN deliveries d ON d.id = had.delivery_id
            ON CONFLICT (delivery_id, id) DO NOTHING
            RETURNING delivery_id
        ), counted AS (
            UPDATE deliveries d
            SET attempts = d.attempts + 1, status = NULL, error = 'interrupted'
            FROM interrupted
            WHERE d.id = interrupted.delivery_id AND d.state = 'pending'
        )
        UPDATE webhook_endpoints e
        SET lease_id = $1, lease_until = $4, attempt_ids = '{}', attempted_ids = '{}'
        FROM free
        WHERE e.id = free.id
        RETURNING e.id
    """, worker, endpoint_ids, now, lease_until)  # fmt: skip
    return [record["id"] for record in found]


async def targets(conn: Connection, worker: UUID, endpoint_ids: list[UUID]) -> list[Target]:
    """Endpoints that this worker holds, as they are now."""
    return await rows(conn, Target, """
        SELECT id, url, secret, previous_secret, previous_until, failing_since, max_per_second
        FROM webhook_endpoints
        WHERE id = ANY ($2::uuid[]) AND lease_id = $1 AND state = 'enabled'
    """, worker, endpoint_ids)  # fmt: skip


async def pick(
    conn: Connection, worker: UUID, rooms: Sequence[Room], *, now: datetime, lease_until: datetime
) -> list[Picked]:
    """The next deliveries of endpoints that this worker holds: new ones first, then those whose moment has come."""
    # Arrays of different lengths do not make an array of arrays: one for all, and where each ends.
    ends = list(accumulate((len(room.attempts) for room in rooms), initial=0))
    found = await conn.fetch("""
        WITH line AS MATERIALIZED (
            SELECT e.id, e.workspace_id, asked.most, ($6::uuid[])[asked.above + 1 : asked.upto] AS attempts,
                   ($7::uuid[])[asked.above + 1 : asked.upto] AS attempted
            FROM unnest($2::uuid[], $3::integer[], $4::integer[], $5::integer[]) AS asked (id, most, above, upto)
            JOIN webhook_endpoints e ON e.id = asked.id
            WHERE e.state = 'enabled' AND e.lease_id = $1
        ), next AS MATERIALIZED (
            SELECT line.id AS endpoint_id, line.workspace_id, d.id, d.event_id, d.tries, d.due_at,
                   -- The moment, and chance, as a delivery's id has it.
                   delivery_id(moment.id) AS attempt_id
            FROM line
            CROSS JOIN (SELECT event_id() AS id) moment
            CROSS JOIN LATERAL (
                (SELECT n.id, n.event_id, n.tries, n.due_at
                 FROM deliveries n
                 WHERE n.endpoint_id = line.id AND n.state = 'pending' AND n.due_at IS NULL
                   AND n.id <> ALL (line.attempted)
                 ORDER BY n.event_id
                 LIMIT line.most)
                UNION ALL
                (SELECT w.id, w.event_id, w.tries, w.due_at
                 FROM deliveries w
                 WHERE w.endpoint_id = line.id AND w.state = 'pending' AND w.due_at <= $8
                   AND w.id <> ALL (line.attempted)
                 ORDER BY w.due_at
                 LIMIT line.most)
                LIMIT line.most
            ) d
        ), held AS (
            UPDATE webhook_endpoints e
            SET lease_until = $9, attempt_ids = line.attempts || took.attempts,
                attempted_ids = line.attempted || took.attempted
            FROM line
            JOIN (SELECT endpoint_id, array_agg(attempt_id) AS attempts, array_agg(id) AS attempted
                  FROM next GROUP BY endpoint_id) took ON took.endpoint_id = line.id
            WHERE e.id = line.id AND e.lease_id = $1
        )
        SELECT next.id AS delivery_id, next.attempt_id, next.endpoint_id, next.workspace_id, next.tries,
               next.event_id, v.type, v.created_at, v.sequence, v.data
        FROM next
        LEFT JOIN events v ON v.id = next.event_id
        -- The join may lose the order: what is new first.
        ORDER BY next.due_at NULLS FIRST, next.event_id
    """, worker, [room.endpoint_id for room in rooms], [room.most for room in rooms], ends[:-1],
        ends[1:], [each for room in rooms for each in room.attempts],
        [each for room in rooms for each in room.attempted], now, lease_until)  # fmt: skip
    # Columns in the order of the fields: reading them by name takes longer than all else here.
    return [Picked(*record) for record in found]


async def log_results(conn: Connection, results: Sequence[Result]) -> None:
    """Attempts, and what becomes of their deliveries. Repeating it changes nothing; what has ended stays so."""
    await execute(
        conn,
        """
        WITH result AS MATERIALIZED (
            SELECT r.*, a.id IS NULL AS is_new
            FROM unnest(
                $1::uuid[], $2::uuid[], $3::timestamptz[], $4::integer[], $5::text[], $6::smallint[], $7::text[],
                $8::text[], $9::text[], $10::timestamptz[]
            ) AS r (attempt_id, delivery_id, started_at, duration_ms, address, status, error, response, state, due_at)
            LEFT JOIN delivery_attempts a ON a.delivery_id = r.delivery_id AND a.id = r.attempt_id
            -- Somebody may have written it down as interrupted while this worker was silent, and counted it.
            WHERE a.id IS NULL OR a.error = 'interrupted'
        ), logged AS (
            INSERT INTO delivery_attempts (id, workspace_id, delivery_id, cause, started_at, duration_ms, address,
                                           status, error, response)
            SELECT r.attempt_id, d.workspace_id, r.delivery_id, d.cause, r.started_at, r.duration_ms, r.address,
                   r.status, r.error, r.response
            FROM result r
            JOIN deliveries d ON d.id = r.delivery_id
            ON CONFLICT (delivery_id, id) DO UPDATE
            SET started_at = EXCLUDED.started_at, duration_ms = EXCLUDED.duration_ms, address = EXCLUDED.address,
                status = EXCLUDED.status, error = EXCLUDED.error, response = EXCLUDED.response
        )
        UPDATE deliveries d
        SET state = r.state, tries = CASE WHEN r.state = 'delivered' THEN 0 ELSE d.tries + 1 END,
            attempts = d.attempts + r.is_new::integer, due_at = r.due_at, status = r.status,
            error = r.error, ended_at = CASE WHEN r.state = 'pending' THEN NULL ELSE r.started_at END
        FROM result r
        WHERE d.id = r.delivery_id AND d.state = 'pending'
    """,
        *(list(column) for column in zip(*(msgspec.structs.astuple(each) for each in results), strict=True)),
    )


async def tell_endpoints(conn: Connection, news: Sequence[News]) -> None:
    """Since when an endpoint fails, and when one of its deliveries is tried again at the earliest."""
    await execute(
        conn,
        """
        UPDATE webhook_endpoints e
        SET failing_since = CASE WHEN n.succeeded THEN n.failed_at ELSE coalesce(e.failing_since, n.failed_at) END,
            due_at = least(e.due_at, n.due_at)
        FROM unnest($1::uuid[], $2::boolean[], $3::timestamptz[], $4::timestamptz[])
             AS n (id, succeeded, failed_at, due_at)
        WHERE e.id = n.id
    """,
        *(list(column) for column in zip(*(msgspec.structs.astuple(each) for each in news), strict=True)),
    )


async def cancel_expired(conn: Connection, delivery_ids: list[UUID], *, at: datetime) -> None:
    """End deliveries whose event is not kept any more."""
    await execute(conn, """
        UPDATE deliveries SET state = 'cancelled', error = 'event_expired', ended_at = $2
        WHERE id = ANY ($1::uuid[]) AND state = 'pending'
    """, delivery_ids, at)  # fmt: skip


async def renew(conn: Connection, worker: UUID, endpoint_ids: list[UUID], *, lease_until: datetime) -> list[UUID]:
    """Those of the endpoints that are still this worker's, now for longer."""
    found = await conn.fetch("""
        UPDATE webhook_endpoints SET lease_until = $3
        WHERE id = ANY ($2::uuid[]) AND lease_id = $1
        RETURNING id
    """, worker, endpoint_ids, lease_until)  # fmt: skip
    return [record["id"] for record in found]


async def release(conn: Connection, worker: UUID, endpoint_ids: list[UUID]) -> None:
    """Give endpoints back, and read from their deliveries when they are due next; in a transaction of its own."""
    await execute(conn, """
        SELECT FROM webhook_endpoints
        WHERE id = ANY ($2::uuid[]) AND lease_id = $1
        ORDER BY id
        FOR NO KEY UPDATE
    """, worker, endpoint_ids)  # fmt: skip
    # Its own statement: it must see what was queued by those who held the rows before.
    await execute(conn, """
        UPDATE webhook_endpoints e
        SET lease_id = NULL, lease_until = NULL, attempt_ids = '{}', attempted_ids = '{}',
            due_at = (SELECT d.due_at FROM deliveries d
                      WHERE d.endpoint_id = e.id AND d.state = 'pending' AND d.due_at IS NOT NULL
                      ORDER BY d.due_at
                      LIMIT 1)
        WHERE e.id = ANY ($2::uuid[]) AND e.lease_id = $1
    """, worker, endpoint_ids)  # fmt: skip


async def has_failed_since(conn: Connection, endpoint_id: UUID, moment: datetime) -> bool:
    """Whether nothing has succeeded since `moment`."""
    return bool(await value(
        conn, "SELECT true FROM webhook_endpoints WHERE id = $1 AND failing_since <= $2", endpoint_id, moment
    ))  # fmt: skip


async def cancel_orphans(conn: Connection, *, at: datetime) -> int:
    """End what was queued for an endpoint while it was being deleted."""
    return await execute(conn, """
        UPDATE deliveries d SET state = 'cancelled', ended_at = $1
        WHERE d.state = 'pending' AND d.due_at IS NULL
          AND NOT EXISTS (SELECT FROM webhook_endpoints e WHERE e.id = d.endpoint_id)
    """, at)  # fmt: skip


async def drop_expired(conn: Connection, *, before: datetime) -> int:
    """Drop the months of events, deliveries and attempts that have ended before `before`; how many tables."""
    return await value(conn, "SELECT drop_event_partitions($1)", before)
