"""What only the dashboard asks: what waits for a person, a workspace's days in numbers, names. It writes nothing."""

from datetime import date, datetime
from typing import Any

import msgspec

from iglayers.core.db import Connection, row, rows
from iglayers.core.ids import CampaignId, ClientId, ContactId, TemplateId, WorkspaceId


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
            -- By sender, whose workspace it is: the ledger has no index by workspace, and this one answers alone.
            JOIN messages m ON m.sender_id = s.id AND m.begun_at >= $2 AND m.counts
            WHERE s.workspace_id = $1 AND m.kind = 'step'
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


class ClientName(msgspec.Struct, frozen=True, kw_only=True):
    id: ClientId
    name: str
    is_archived: bool


async def client_names(conn: Connection, workspace_id: WorkspaceId) -> list[ClientName]:
    """Clients to choose from and to name, those in use first, newest first."""
    return await rows(conn, ClientName, """
        SELECT id, name, archived_at IS NOT NULL AS is_archived
        FROM clients
        WHERE workspace_id = $1
        ORDER BY archived_at IS NOT NULL, id DESC
        LIMIT 5000
    """, workspace_id)  # fmt: skip


class Using(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign that uses a template; `is_older` when it froze another text than the template has now."""

    id: CampaignId
    name: str
    state: str
    is_older: bool


async def using_template(
    conn: Connection, workspace_id: WorkspaceId, template_id: TemplateId, *, body: str, limit: int
) -> list[Using]:
    """Campaigns with a step that uses this template, newest first."""
    return await rows(conn, Using, """
        SELECT c.id, c.name, c.state, coalesce(bool_or(s.body <> $3), false) AS is_older
        FROM campaign_steps s
        JOIN campaigns c ON c.id = s.campaign_id
        WHERE s.workspace_id = $1 AND s.template_id = $2 AND c.archived_at IS NULL
        GROUP BY c.id
        ORDER BY c.id DESC
        LIMIT $4
    """, workspace_id, template_id, body, limit)  # fmt: skip


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What an upload told of a person, and which."""

    campaign_name: str
    uploaded_at: datetime
    profile_url: str | None
    full_name: str | None
    first_name: str | None
    category: str | None
    follower_count: int | None
    variables: dict[str, Any] | None


async def known_of(
    conn: Connection, workspace_id: WorkspaceId, contact_ids: list[ContactId], *, limit: int
) -> list[Known]:
    """What was uploaded of one person under all handles, newest first."""
    return await rows(conn, Known, """
        SELECT c.name AS campaign_name, t.created_at AS uploaded_at, t.profile_url, t.full_name, t.first_name,
               t.category, t.follower_count, t.variables
        FROM targets t
        JOIN campaigns c ON c.id = t.campaign_id
        WHERE t.workspace_id = $1 AND t.contact_id = ANY ($2)
        ORDER BY t.id DESC
        LIMIT $3
    """, workspace_id, contact_ids, limit)  # fmt: skip
