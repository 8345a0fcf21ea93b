"""What only the dashboard asks: what waits for a person, and a workspace's days in numbers. It writes nothing."""

from datetime import date, datetime

import msgspec

from iglayers.core.db import Connection, row, rows
from iglayers.core.ids import WorkspaceId


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """What does not go on without a person."""

    unknown: int
    challenged: int
    disabled: int
    in_outbox: int
    failing_webhooks: int
    disabled_webhooks: int
    drafts: int
    running: int
    senders: int
    clients: int


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """A day of the workspace's zone: messages by when they began, replies by when they came."""

    day: date
    sent: int
    failed: int
    unknown: int
    replied: int


async def waiting(conn: Connection, workspace_id: WorkspaceId) -> Waiting:
    """What a person should look at first, in numbers."""
    found = await row(conn, Waiting, """
        WITH s AS (
            SELECT state FROM senders WHERE workspace_id = $1 AND archived_at IS NULL
        ), e AS (
            SELECT state, failing_since FROM webhook_endpoints WHERE workspace_id = $1
        ), c AS (
            SELECT state FROM campaigns
            WHERE workspace_id = $1 AND archived_at IS NULL AND state IN ('draft', 'running')
        )
        SELECT
            (SELECT count(*)::int FROM messages WHERE workspace_id = $1 AND state = 'unknown') AS unknown,
            (SELECT count(*)::int FROM s WHERE state = 'challenged') AS challenged,
            (SELECT count(*)::int FROM s WHERE state = 'disabled') AS disabled,
            (SELECT count(*)::int FROM messages
             WHERE workspace_id = $1 AND state IN ('handed_over', 'claimed')) AS in_outbox,
            (SELECT count(*)::int FROM e WHERE state = 'enabled' AND failing_since IS NOT NULL) AS failing_webhooks,
            (SELECT count(*)::int FROM e WHERE state = 'disabled') AS disabled_webhooks,
            (SELECT count(*)::int FROM c WHERE state = 'draft') AS drafts,
            (SELECT count(*)::int FROM c WHERE state = 'running') AS running,
            (SELECT count(*)::int FROM s) AS senders,
            (SELECT count(*)::int FROM clients WHERE workspace_id = $1 AND archived_at IS NULL) AS clients
    """, workspace_id)  # fmt: skip
    assert found is not None
    return found


async def days(conn: Connection, workspace_id: WorkspaceId, *, since: datetime, zone: str) -> list[Day]:
    """Days with something in them, oldest first; `since` is the beginning of a day."""
    return await rows(conn, Day, """
        WITH counted AS (
            SELECT m.begun_at AS at, m.state = 'sent' AS sent, m.state = 'failed' AS failed,
                   m.state = 'unknown' AS unknown, false AS replied
            FROM senders s
            -- By sender, because the ledger has no index by workspace.
            JOIN messages m ON m.sender_id = s.id AND m.begun_at >= $2 AND m.state <> 'not_sent'
            WHERE s.workspace_id = $1 AND m.workspace_id = $1 AND m.kind = 'step'
            UNION ALL
            SELECT received_at, false, false, false, true
            FROM replies
            WHERE workspace_id = $1 AND received_at >= $2
        )
        SELECT (at AT TIME ZONE $3)::date AS day, count(*) FILTER (WHERE sent)::int AS sent,
               count(*) FILTER (WHERE failed)::int AS failed, count(*) FILTER (WHERE unknown)::int AS unknown,
               count(*) FILTER (WHERE replied)::int AS replied
        FROM counted
        GROUP BY day
        ORDER BY day
    """, workspace_id, since, zone)  # fmt: skip
