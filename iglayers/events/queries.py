"""The only SQL on events. The engine and the upload write theirs through `record_events` or `record_many`."""

from datetime import datetime
from uuid import UUID

from iglayers.core.db import Connection, execute, plain, row, rows, value
from iglayers.core.ids import ClientId, ContactId, EventId, ReplyId, WorkspaceId
from iglayers.core.wire import json_bytes
from iglayers.events.model import Event, EventType, NewEvent


async def record(conn: Connection, event: NewEvent) -> EventId:
    """Write an event in the transaction of its change, while the row it is about is locked."""
    event_id = EventId.new()
    await execute(
        conn,
        "SELECT record_event($1, $2, $3, $4, $5, $6, $7, $8)",
        event_id, event.workspace_id, event.type, event.at, event.client_id, event.campaign_id, event.contact_id,
        json_bytes(event.data),
    )  # fmt: skip
    return event_id


async def record_many(
    conn: Connection, first: NewEvent, *, ids: list[UUID], contact_ids: list[UUID], data: list[bytes]
) -> None:
    """Thousands of events of `first`'s type, moment and campaign in one statement; ids in the order of the sequence."""
    await execute(conn, """
        WITH written AS (
            INSERT INTO events (id, workspace_id, type, created_at, sequence, client_id, campaign_id, contact_id, data)
            SELECT each.id, $1, $2, $3, nextval('event_sequence'), $4, $5, each.contact_id, each.data::json
            FROM unnest($6::uuid[], $7::uuid[], $8::text[]) AS each (id, contact_id, data)
        )
        INSERT INTO deliveries (id, workspace_id, endpoint_id, event_id)
        SELECT delivery_id(each.id), $1, e.id, each.id
        FROM webhook_endpoints e
        CROSS JOIN unnest($6::uuid[]) AS each (id)
        WHERE e.workspace_id = $1 AND e.state = 'enabled' AND (e.client_id IS NULL OR e.client_id = $4)
          AND (e.events = '{*}' OR $2 = ANY (e.events))
    """, first.workspace_id, first.type, first.at, first.client_id, first.campaign_id, ids, contact_ids,
        [item.decode() for item in data])  # fmt: skip


async def feed(
    conn: Connection, workspace_id: WorkspaceId, *, only: ClientId | None, types: list[EventType] | None,
    after: EventId | None, limit: int,
) -> list[Event]:  # fmt: skip
    """Events in the order of their commits, oldest first.

    Only events of transactions older than every running one: what commits later comes later in the order, so a
    reader that goes on from the last id never passes over one.
    """
    return await rows(conn, Event, """
        SELECT e.id, e.type, e.created_at, e.workspace_id, e.sequence, e.data
        FROM events e
        WHERE e.workspace_id = $1
          AND e.tx < pg_snapshot_xmin(pg_current_snapshot())
          AND ($2::uuid IS NULL OR e.client_id = $2)
          AND ($3::text[] IS NULL OR e.type = ANY ($3))
          AND ($4::uuid IS NULL OR (e.tx, e.id) > (
              SELECT seen.tx, seen.id FROM events seen WHERE seen.workspace_id = $1 AND seen.id = $4))
        ORDER BY e.tx, e.id
        LIMIT $5
    """, workspace_id, only, types, after, limit)  # fmt: skip


async def by_id(
    conn: Connection, workspace_id: WorkspaceId, event_id: EventId, *, only: ClientId | None
) -> Event | None:
    """One event."""
    return await row(conn, Event, """
        SELECT id, type, created_at, workspace_id, sequence, data
        FROM events
        WHERE workspace_id = $1 AND id = $2 AND ($3::uuid IS NULL OR client_id = $3)
    """, workspace_id, event_id, only)  # fmt: skip


async def erase(conn: Connection, workspace_id: WorkspaceId, contact_ids: list[ContactId]) -> None:
    """What events said about these people, and what receivers answered to them; the events keep their ids and types."""
    await execute(conn, """
        WITH erased AS (
            UPDATE events SET data = '{"erased":true}'
            WHERE workspace_id = $1 AND contact_id = ANY ($2)
            RETURNING id
        )
        UPDATE delivery_attempts a SET response = NULL
        FROM deliveries d, erased
        WHERE d.workspace_id = $1 AND d.event_id = erased.id AND a.workspace_id = $1 AND a.delivery_id = d.id
    """, workspace_id, contact_ids)  # fmt: skip


async def reach_back(conn: Connection, workspace_id: WorkspaceId, *, before: datetime) -> bool:
    """Whether there still is an event of the workspace that is older than this."""
    oldest = await value(
        conn, "SELECT created_at FROM events WHERE workspace_id = $1 ORDER BY tx, id LIMIT 1", workspace_id
    )
    return oldest is not None and oldest < before


async def undelivered_of(conn: Connection, workspace_id: WorkspaceId, contact_ids: list[ContactId]) -> set[UUID]:
    """Those of these people of whom an endpoint has not been told everything yet."""
    found = await conn.fetch("""
        SELECT DISTINCT e.contact_id
        FROM webhook_endpoints w
        CROSS JOIN LATERAL (
            -- One walk along each of the two indexes of what is not there yet.
            SELECT event_id FROM deliveries
            WHERE workspace_id = $1 AND endpoint_id = w.id AND state = 'pending' AND due_at IS NULL
            UNION ALL
            SELECT event_id FROM deliveries
            WHERE workspace_id = $1 AND endpoint_id = w.id AND state = 'pending' AND due_at IS NOT NULL
        ) AS d
        JOIN events e ON e.id = d.event_id
        WHERE w.workspace_id = $1 AND e.contact_id = ANY ($2)
    """, *plain([workspace_id, contact_ids]))  # fmt: skip
    return {each[0] for each in found}


async def forget_reply(conn: Connection, workspace_id: WorkspaceId, reply_id: ReplyId) -> None:
    """The text of a reply that was unsent, in what was told of it and in what receivers answered."""
    await execute(conn, """
        WITH told AS (
            UPDATE events SET data = jsonb_set(data::jsonb, '{reply,text}', 'null')::json
            -- An event is younger than its reply, and ids sort by time.
            WHERE workspace_id = $1 AND id > $2 AND type IN ('reply.received', 'contact.opted_out')
              AND data -> 'reply' ->> 'id' = $3
            RETURNING id
        )
        UPDATE delivery_attempts a SET response = NULL
        FROM deliveries d, told
        WHERE d.workspace_id = $1 AND d.event_id = told.id AND a.workspace_id = $1 AND a.delivery_id = d.id
    """, workspace_id, reply_id, str(reply_id))  # fmt: skip
