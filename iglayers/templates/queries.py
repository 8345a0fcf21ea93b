"""The only SQL on message templates; campaigns and targets are read by joins, never written."""

from datetime import datetime

import msgspec

from iglayers.core.db import Connection, execute, row, rows
from iglayers.core.ids import CampaignId, ClientId, TargetId, TemplateId, WorkspaceId
from iglayers.templates.render import Recipient


class TemplateRow(msgspec.Struct, frozen=True, kw_only=True):
    """A template as it is stored; its variables are read from the body."""

    id: TemplateId
    name: str
    body: str
    archived_at: datetime | None
    created_at: datetime
    updated_at: datetime


async def insert(conn: Connection, new: TemplateRow, *, workspace_id: WorkspaceId) -> None:
    """A new template."""
    await execute(conn, """
        INSERT INTO message_templates (id, workspace_id, name, body, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6)
    """, new.id, workspace_id, new.name, new.body, new.created_at, new.updated_at)  # fmt: skip


async def by_id(conn: Connection, workspace_id: WorkspaceId, template_id: TemplateId) -> TemplateRow | None:
    """One template, archived or not."""
    return await row(conn, TemplateRow, """
        SELECT id, name, body, archived_at, created_at, updated_at
        FROM message_templates
        WHERE workspace_id = $1 AND id = $2
    """, workspace_id, template_id)  # fmt: skip


async def lock(conn: Connection, workspace_id: WorkspaceId, template_id: TemplateId) -> TemplateRow | None:
    """One template, locked. A campaign that takes it up holds it FOR SHARE, and so waits for an archiving."""
    return await row(conn, TemplateRow, """
        SELECT id, name, body, archived_at, created_at, updated_at
        FROM message_templates
        WHERE workspace_id = $1 AND id = $2
        FOR NO KEY UPDATE
    """, workspace_id, template_id)  # fmt: skip


async def hold(conn: Connection, workspace_id: WorkspaceId, template_id: TemplateId) -> TemplateRow | None:
    """One template that stays as it is meanwhile; for a campaign that takes it up or freezes it."""
    return await row(conn, TemplateRow, """
        SELECT id, name, body, archived_at, created_at, updated_at
        FROM message_templates
        WHERE workspace_id = $1 AND id = $2
        FOR SHARE
    """, workspace_id, template_id)  # fmt: skip


async def page(
    conn: Connection, workspace_id: WorkspaceId, *, before: TemplateId | None, limit: int, search: str | None = None,
    is_archived: bool = False,
) -> list[TemplateRow]:  # fmt: skip
    """Templates that are not archived, or those that are, newest first; `search` is a part of the name or text."""
    return await rows(conn, TemplateRow, """
        SELECT id, name, body, archived_at, created_at, updated_at
        FROM message_templates
        WHERE workspace_id = $1 AND (archived_at IS NOT NULL) = $5
          AND ($2::uuid IS NULL OR id < $2)
          AND ($4::text IS NULL OR strpos(lower(name || ' ' || body), lower($4)) > 0)
        ORDER BY id DESC
        LIMIT $3
    """, workspace_id, before, limit, search, is_archived)  # fmt: skip


async def change(conn: Connection, changed: TemplateRow, *, workspace_id: WorkspaceId) -> None:
    """Store a template's fields as they are now."""
    await execute(conn, """
        UPDATE message_templates
        SET name = $3, body = $4, archived_at = $5, updated_at = $6
        WHERE workspace_id = $1 AND id = $2
    """, workspace_id, changed.id, changed.name, changed.body, changed.archived_at, changed.updated_at)  # fmt: skip


async def open_campaigns(conn: Connection, workspace_id: WorkspaceId, template_id: TemplateId) -> list[CampaignId]:
    """Draft, running and paused campaigns with a step that uses this template."""
    found = await conn.fetch("""
        SELECT DISTINCT c.id
        FROM campaign_steps s
        JOIN campaigns c ON c.id = s.campaign_id
        WHERE s.workspace_id = $1 AND s.template_id = $2
          AND c.state IN ('draft', 'running', 'paused') AND c.archived_at IS NULL
        ORDER BY c.id
    """, workspace_id, template_id)  # fmt: skip
    return [CampaignId(each[0]) for each in found]


async def sending_older(
    conn: Connection, workspace_id: WorkspaceId, template_id: TemplateId, *, body: str
) -> list[CampaignId]:
    """Running and paused campaigns that froze this template when its text was another than `body`."""
    found = await conn.fetch("""
        SELECT DISTINCT c.id
        FROM campaign_steps s
        JOIN campaigns c ON c.id = s.campaign_id
        WHERE s.workspace_id = $1 AND s.template_id = $2 AND s.body <> $3
          AND c.state IN ('running', 'paused')
        ORDER BY c.id
    """, workspace_id, template_id, body)  # fmt: skip
    return [CampaignId(each[0]) for each in found]


async def recipient(
    conn: Connection, workspace_id: WorkspaceId, target_id: TargetId, *, only: ClientId | None
) -> Recipient | None:
    """A target as the renderer sees it; its sender only where one has been chosen."""
    return await row(conn, Recipient, """
        SELECT p.username, t.profile_url, t.full_name, t.first_name, t.category, t.follower_count, t.variables,
               cl.name AS client_name, s.username AS sender_username
        FROM targets t
        JOIN contacts p ON p.id = t.contact_id
        JOIN campaigns c ON c.id = t.campaign_id
        JOIN clients cl ON cl.id = c.client_id
        LEFT JOIN senders s ON s.id = t.sender_id
        WHERE t.workspace_id = $1 AND t.id = $2 AND p.username IS NOT NULL
          AND ($3::uuid IS NULL OR c.client_id = $3)
    """, workspace_id, target_id, only)  # fmt: skip
