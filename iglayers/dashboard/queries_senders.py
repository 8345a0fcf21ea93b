"""What the pages of senders ask beside the senders themselves. It writes nothing."""

from datetime import date, datetime

import msgspec

from iglayers.accounts.model import AuditEntry
from iglayers.core.db import Connection, rows
from iglayers.core.ids import MessageId, SenderId, WorkspaceId


class SentDay(msgspec.Struct, frozen=True, kw_only=True):
    """What one account wrote on a day of the workspace's zone."""

    day: date
    begun: int


class Recent(msgspec.Struct, frozen=True, kw_only=True):
    """A message in a list of the latest ones."""

    id: MessageId
    instagram_username: str | None
    campaign_name: str | None
    state: str
    begun_at: datetime
    error_code: str | None


async def days(
    conn: Connection, workspace_id: WorkspaceId, sender_id: SenderId, *, since: datetime, zone: str
) -> list[SentDay]:
    """Days on which the account wrote, oldest first; `since` is the beginning of a day."""
    return await rows(conn, SentDay, """
        SELECT (begun_at AT TIME ZONE $4)::date AS day, count(*)::int AS begun
        FROM messages
        WHERE workspace_id = $1 AND sender_id = $2 AND counts AND begun_at >= $3
        GROUP BY day
        ORDER BY day
    """, workspace_id, sender_id, since, zone)  # fmt: skip


async def recent(conn: Connection, workspace_id: WorkspaceId, sender_id: SenderId, *, limit: int) -> list[Recent]:
    """What the account wrote last, newest first."""
    return await rows(conn, Recent, """
        SELECT m.id, k.username AS instagram_username, c.name AS campaign_name, m.state, m.begun_at, m.error_code
        FROM messages m
        JOIN contacts k ON k.id = m.contact_id
        LEFT JOIN campaigns c ON c.id = m.campaign_id
        WHERE m.workspace_id = $1 AND m.sender_id = $2 AND m.counts
        ORDER BY m.begun_at DESC
        LIMIT $3
    """, workspace_id, sender_id, limit)  # fmt: skip


async def history(conn: Connection, workspace_id: WorkspaceId, sender_id: SenderId, *, limit: int) -> list[AuditEntry]:
    """What people did with the account, newest first."""
    return await rows(conn, AuditEntry, """
        SELECT id, at, actor, action, object_id, before, after, reason, request_id
        FROM audit_log
        WHERE workspace_id = $1 AND object_id = $2
        ORDER BY id DESC
        LIMIT $3
    """, workspace_id, str(sender_id), limit)  # fmt: skip
