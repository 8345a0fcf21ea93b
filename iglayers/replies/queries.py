"""The only SQL on replies, and the reads that match them to what was written."""

from datetime import datetime
from uuid import UUID

from iglayers.core.db import Connection, execute, row, rows, value
from iglayers.core.ids import CampaignId, ClientId, ContactId, MessageId, ReplyId, SenderId, WorkspaceId
from iglayers.replies.model import Answered, Context, Filters, Reply, Stored


async def newest_message(
    conn: Connection, workspace_id: WorkspaceId, *, sender_id: SenderId, contact_id: ContactId, until: datetime,
    only: ClientId | None,
) -> Answered | None:  # fmt: skip
    """The newest message of this sender that may have reached this person by then; nothing is locked."""
    return await row(conn, Answered, """
        SELECT m.id AS message_id, m.target_id, m.campaign_id, c.client_id, m.begun_at,
               NOT EXISTS (
                   SELECT FROM messages a
                   WHERE a.workspace_id = $1 AND a.contact_id = $3 AND a.sender_id = $2 AND a.kind = 'answer'
                     AND a.begun_at > m.begun_at) AS is_last
        FROM (
            -- OFFSET 0: along the person's few messages, never along the sender's many.
            SELECT * FROM messages WHERE workspace_id = $1 AND contact_id = $3 OFFSET 0
        ) AS m
        JOIN campaigns c ON c.id = m.campaign_id
        WHERE m.sender_id = $2 AND m.kind = 'step' AND m.state IN ('sending', 'claimed', 'sent', 'unknown')
          AND m.begun_at <= $5
          AND ($4::uuid IS NULL OR c.client_id = $4)
        ORDER BY m.begun_at DESC, m.id DESC
        LIMIT 1
    """, workspace_id, sender_id, contact_id, only, until)  # fmt: skip


async def hold_campaign(conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId) -> None:
    """Keep the campaign from being cancelled or deleted meanwhile; the engine is not in the way.

    The reply's foreign key needs this lock too: taken after the target's, it would close a circle with a cancel.
    """
    await value(conn, """
        SELECT true FROM campaigns WHERE workspace_id = $1 AND id = $2 FOR KEY SHARE
    """, workspace_id, campaign_id)  # fmt: skip


async def insert(
    conn: Connection, reply: Reply, *, workspace_id: WorkspaceId, contact_id: ContactId | None, inbound_id: UUID | None
) -> bool:
    """A new reply, or one that was stored before its person was known and is completed; False if nothing is new."""
    return bool(await execute(conn, """
        INSERT INTO replies AS r (id, workspace_id, sender_id, contact_id, client_id, campaign_id, target_id,
                                  message_id, inbound_id, text, opted_out, label, label_reason, labelled_by, author,
                                  received_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
        ON CONFLICT (inbound_id) DO UPDATE
        SET contact_id = excluded.contact_id, client_id = excluded.client_id, campaign_id = excluded.campaign_id,
            target_id = excluded.target_id, message_id = excluded.message_id
        WHERE r.contact_id IS NULL AND excluded.contact_id IS NOT NULL
    """, reply.id, workspace_id, reply.sender_id, contact_id, reply.client_id, reply.campaign_id, reply.target_id,
        reply.message_id, inbound_id, reply.text, reply.opted_out, reply.label, reply.label_reason, reply.labelled_by,
        reply.author, reply.received_at))  # fmt: skip


async def stored(conn: Connection, workspace_id: WorkspaceId, inbound_id: UUID) -> Stored | None:
    """The reply that a fact became."""
    return await row(conn, Stored, """
        SELECT id, contact_id, text, opted_out, label, label_reason, labelled_by
        FROM replies
        WHERE workspace_id = $1 AND inbound_id = $2
    """, workspace_id, inbound_id)  # fmt: skip


async def set_text(
    conn: Connection, workspace_id: WorkspaceId, reply_id: ReplyId, *, text: str | None, opted_out: bool
) -> None:
    """What the person made of a reply. Who asked for no more messages has asked, whatever became of the text."""
    await execute(conn, """
        UPDATE replies SET text = $3, opted_out = opted_out OR $4 WHERE workspace_id = $1 AND id = $2
    """, workspace_id, reply_id, text, opted_out)  # fmt: skip


async def opted_out_unnamed(conn: Connection, workspace_id: WorkspaceId, sender_id: SenderId, igsid: str) -> bool:
    """Whether a person asked for no more messages before the name was known."""
    return await value(conn, """
        SELECT EXISTS (
            SELECT FROM inbound i
            JOIN replies r ON r.workspace_id = $1 AND r.inbound_id = i.id
            WHERE i.workspace_id = $1 AND i.sender_id = $2 AND i.fact ->> 'igsid' = $3
              AND i.contact_id IS NULL AND i.processed_at IS NOT NULL AND r.opted_out)
    """, workspace_id, sender_id, igsid)  # fmt: skip


async def said_before(
    conn: Connection, workspace_id: WorkspaceId, *, contact_id: ContactId, message_id: MessageId, text: str
) -> bool:
    """Whether this person answered another message with the very same text."""
    return await value(conn, """
        SELECT EXISTS (
            SELECT FROM replies
            WHERE workspace_id = $1 AND contact_id = $2 AND message_id <> $3 AND text = $4)
    """, workspace_id, contact_id, message_id, text)  # fmt: skip


async def contact_of(conn: Connection, workspace_id: WorkspaceId, reply_id: ReplyId) -> ContactId | None:
    """Who wrote a reply, once that is known."""
    found = await value(
        conn, "SELECT contact_id FROM replies WHERE workspace_id = $1 AND id = $2", workspace_id, reply_id
    )
    return None if found is None else ContactId(found)


async def set_label(conn: Connection, workspace_id: WorkspaceId, reply: Reply) -> None:
    """What a person says a reply amounts to."""
    await execute(conn, """
        UPDATE replies SET label = $3, label_reason = $4, labelled_by = $5 WHERE workspace_id = $1 AND id = $2
    """, workspace_id, reply.id, reply.label, reply.label_reason, reply.labelled_by)  # fmt: skip


async def context(conn: Connection, workspace_id: WorkspaceId, message_id: MessageId) -> Context | None:
    """What an event about an answer to this message tells."""
    return await row(conn, Context, """
        SELECT c.id AS campaign_id, c.name AS campaign_name, c.client_id, c.metadata,
               t.id AS target_id, p.username AS instagram_username, t.profile_url, t.full_name, t.first_name,
               t.category, t.follower_count, t.variables,
               m.id AS message_id, m.step, m.route, m.body AS message_text
        FROM messages m
        JOIN campaigns c ON c.id = m.campaign_id
        JOIN targets t ON t.id = m.target_id
        JOIN contacts p ON p.id = t.contact_id
        WHERE m.workspace_id = $1 AND m.id = $2
    """, workspace_id, message_id)  # fmt: skip


async def by_id(
    conn: Connection, workspace_id: WorkspaceId, reply_id: ReplyId, *, only: ClientId | None
) -> Reply | None:
    """One reply."""
    return await row(conn, Reply, """
        SELECT r.id, p.username AS instagram_username, r.sender_id, s.username AS sender_username, r.client_id,
               r.campaign_id, r.target_id, r.message_id, r.text, r.opted_out, r.label, r.label_reason, r.labelled_by,
               r.author, r.received_at
        FROM replies r
        JOIN senders s ON s.id = r.sender_id
        LEFT JOIN contacts p ON p.id = r.contact_id
        WHERE r.workspace_id = $1 AND r.id = $2 AND ($3::uuid IS NULL OR r.client_id = $3)
    """, workspace_id, reply_id, only)  # fmt: skip


async def page(
    conn: Connection, workspace_id: WorkspaceId, filters: Filters, *, before: ReplyId | None, limit: int
) -> list[Reply]:
    """Replies, newest first."""
    return await rows(conn, Reply, """
        SELECT r.id, p.username AS instagram_username, r.sender_id, s.username AS sender_username, r.client_id,
               r.campaign_id, r.target_id, r.message_id, r.text, r.opted_out, r.label, r.label_reason, r.labelled_by,
               r.author, r.received_at
        FROM replies r
        JOIN senders s ON s.id = r.sender_id
        LEFT JOIN contacts p ON p.id = r.contact_id
        WHERE r.workspace_id = $1
          AND ($2::uuid IS NULL OR r.client_id = $2)
          AND ($3::uuid IS NULL OR r.campaign_id = $3)
          AND ($4::uuid IS NULL OR r.target_id = $4)
          AND ($5::uuid IS NULL OR r.sender_id = $5)
          AND ($6::uuid IS NULL OR r.contact_id = $6)
          AND ($7::text IS NULL OR r.label = $7)
          AND ($8::uuid IS NULL OR r.id < $8)
        ORDER BY r.id DESC
        LIMIT $9
    """, workspace_id, filters.only, filters.campaign_id, filters.target_id, filters.sender_id, filters.contact_id,
        filters.label, before, limit)  # fmt: skip


async def erase(conn: Connection, workspace_id: WorkspaceId, contact_ids: list[ContactId]) -> None:
    """What these people wrote; that and when they replied stays."""
    await execute(conn, """
        UPDATE replies SET text = NULL, label_reason = NULL WHERE workspace_id = $1 AND contact_id = ANY ($2)
    """, workspace_id, contact_ids)  # fmt: skip


async def of_contacts(
    conn: Connection, workspace_id: WorkspaceId, contact_ids: list[ContactId], *, only: ClientId | None, limit: int
) -> list[Reply]:
    """What one person wrote, under all handles, newest first."""
    return await rows(conn, Reply, """
        SELECT r.id, p.username AS instagram_username, r.sender_id, s.username AS sender_username, r.client_id,
               r.campaign_id, r.target_id, r.message_id, r.text, r.opted_out, r.label, r.label_reason, r.labelled_by,
               r.author, r.received_at
        FROM replies r
        JOIN senders s ON s.id = r.sender_id
        JOIN contacts p ON p.id = r.contact_id
        WHERE r.workspace_id = $1 AND r.contact_id = ANY ($2) AND ($3::uuid IS NULL OR r.client_id = $3)
        ORDER BY r.received_at DESC, r.id DESC
        LIMIT $4
    """, workspace_id, contact_ids, only, limit)  # fmt: skip


async def move(conn: Connection, workspace_id: WorkspaceId, *, gone: ContactId, kept: ContactId) -> int:
    """What one locked person answered, the other did; how many replies."""
    return await execute(
        conn, "UPDATE replies SET contact_id = $3 WHERE workspace_id = $1 AND contact_id = $2",
        workspace_id, gone, kept,
    )  # fmt: skip
