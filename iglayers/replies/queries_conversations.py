"""Reads of conversations. They are written where they come about: by a reply, and by begin of an answer."""

from datetime import datetime
from typing import LiteralString
from uuid import UUID

from iglayers.core.db import Connection, row, rows
from iglayers.core.ids import ClientId, ConversationId, WorkspaceId
from iglayers.replies.model_conversations import Conversation, Filters, Word


async def page(  # noqa: PLR0913 the place in the order is a moment and an id
    conn: Connection, workspace_id: WorkspaceId, filters: Filters, *, now: datetime, before: datetime | None,
    before_id: UUID | None, limit: int,
) -> list[Conversation]:  # fmt: skip
    """Conversations, those with the newest word first."""
    return await rows(
        conn, Conversation, _PAGE, workspace_id, filters.only, now, filters.sender_id, filters.contact_id,
        filters.label, filters.window_open, filters.needs_answer, before, before_id, limit, None,
        filters.campaign_id, filters.opted_out,
    )  # fmt: skip


async def by_id(
    conn: Connection, workspace_id: WorkspaceId, conversation_id: ConversationId, *, only: ClientId | None,
    now: datetime,
) -> Conversation | None:  # fmt: skip
    """One conversation."""
    return await row(
        conn, Conversation, _PAGE, workspace_id, only, now, None, None, None, None, None, None, None, 1,
        conversation_id, None, None,
    )  # fmt: skip


async def words(  # noqa: PLR0913 the same
    conn: Connection, workspace_id: WorkspaceId, conversation_id: ConversationId, *, only: ClientId | None,
    before: datetime | None, before_id: UUID | None, limit: int,
) -> list[Word]:  # fmt: skip
    """What was written in a conversation, newest first; cards that nobody has claimed were not written."""
    return await rows(conn, Word, """
        WITH thread AS MATERIALIZED (
            SELECT sender_id, contact_id FROM conversations WHERE workspace_id = $1 AND id = $2
        )
        SELECT word.direction, word.at, word.text, word.message_id, word.reply_id, word.author, word.campaign_id,
               c.name AS campaign_name, word.step, word.route, word.status, word.error_code, word.reason, word.label,
               word.opted_out
        FROM (
            SELECT 'out' AS direction, m.begun_at AS at, m.body AS text, m.id, m.id AS message_id,
                   NULL::uuid AS reply_id, m.author, m.campaign_id,
                   CASE WHEN m.kind = 'step' THEN m.step END AS step, m.route, m.state AS status, m.error_code,
                   m.reason, NULL AS label, false AS opted_out
            FROM thread t
            JOIN messages m ON m.workspace_id = $1 AND m.contact_id = t.contact_id AND m.sender_id = t.sender_id
            WHERE m.counts AND ($3::uuid IS NULL OR m.client_id = $3)
            UNION ALL
            SELECT 'in', r.received_at, r.text, r.id, NULL, r.id, r.author, r.campaign_id, NULL, NULL, NULL, NULL,
                   r.label_reason, r.label, r.opted_out
            FROM thread t
            JOIN replies r ON r.workspace_id = $1 AND r.contact_id = t.contact_id AND r.sender_id = t.sender_id
            WHERE $3::uuid IS NULL OR r.client_id = $3
        ) AS word
        LEFT JOIN campaigns c ON c.id = word.campaign_id
        WHERE $4::timestamptz IS NULL OR (word.at, word.id) < ($4, $5::uuid)
        ORDER BY word.at DESC, word.id DESC
        LIMIT $6
    """, workspace_id, conversation_id, only, before, before_id, limit)  # fmt: skip


_PAGE: LiteralString = """
    SELECT v.id, coalesce(k.username, v.username) AS instagram_username, v.sender_id, s.username AS sender_username,
           clear.label, waits.yes AS needs_answer, newest.text AS last_reply, v.last_inbound_at, v.last_answer_at,
           v.window_ends_at, coalesce(v.window_ends_at > $3, false) AS window_open, v.active_at
    FROM conversations v
    JOIN senders s ON s.id = v.sender_id
    LEFT JOIN contacts k ON k.id = v.contact_id
    LEFT JOIN LATERAL (
        SELECT r.text, r.received_at, r.label, r.opted_out
        FROM replies r
        WHERE r.workspace_id = $1 AND r.contact_id = v.contact_id AND r.sender_id = v.sender_id
          AND ($2::uuid IS NULL OR r.client_id = $2)
        -- What a machine of the person's wrote asks for no answer and hides none.
        ORDER BY r.label = 'automatic', r.received_at DESC, r.id DESC
        LIMIT 1
    ) AS newest ON true
    LEFT JOIN LATERAL (
        SELECT r.label
        FROM replies r
        WHERE r.workspace_id = $1 AND r.contact_id = v.contact_id AND r.sender_id = v.sender_id
          AND ($2 IS NULL OR r.client_id = $2)
        ORDER BY r.label IN ('other', 'automatic'), r.received_at DESC, r.id DESC
        LIMIT 1
    ) AS clear ON true
    CROSS JOIN LATERAL (
        SELECT newest.received_at IS NOT NULL AND NOT newest.opted_out AND newest.label NOT IN ('automatic', 'no')
           AND NOT EXISTS (
               SELECT FROM messages m
               WHERE m.workspace_id = $1 AND m.contact_id = v.contact_id AND m.sender_id = v.sender_id
                 AND m.state IN ('sending', 'claimed', 'sent', 'unknown')
                 AND (m.begun_at > newest.received_at
                      OR (m.kind = 'answer' AND m.begun_at = newest.received_at))) AS yes
    ) AS waits
    WHERE v.workspace_id = $1
      AND ($12::uuid IS NULL OR v.id = $12)
      AND ($2 IS NULL
           OR EXISTS (
               SELECT FROM replies r
               WHERE r.workspace_id = $1 AND r.contact_id = v.contact_id AND r.sender_id = v.sender_id
                 AND r.client_id = $2)
           OR EXISTS (
               SELECT FROM messages m
               WHERE m.workspace_id = $1 AND m.contact_id = v.contact_id AND m.sender_id = v.sender_id
                 AND m.client_id = $2 AND m.counts))
      AND ($4::uuid IS NULL OR v.sender_id = $4)
      AND ($5::uuid IS NULL OR v.contact_id = $5)
      AND ($6::text IS NULL OR clear.label = $6)
      AND ($7::boolean IS NULL OR coalesce(v.window_ends_at > $3, false) = $7)
      AND ($8::boolean IS NULL OR waits.yes = $8)
      AND ($13::uuid IS NULL
           OR EXISTS (
               SELECT FROM replies r
               WHERE r.workspace_id = $1 AND r.contact_id = v.contact_id AND r.sender_id = v.sender_id
                 AND r.campaign_id = $13))
      AND ($14::boolean IS NULL
           OR EXISTS (
               SELECT FROM replies r
               WHERE r.workspace_id = $1 AND r.contact_id = v.contact_id AND r.sender_id = v.sender_id
                 AND r.opted_out) = $14)
      AND ($9::timestamptz IS NULL OR (v.active_at, v.id) < ($9, $10::uuid))
    ORDER BY v.active_at DESC, v.id DESC
    LIMIT $11
"""
