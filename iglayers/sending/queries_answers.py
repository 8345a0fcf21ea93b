"""The statements by which a person's answer begins and is settled, and what decides about it."""

from datetime import datetime
from uuid import UUID

import msgspec

from iglayers.core.clock import Clock, Moment
from iglayers.core.db import Connection, execute, row, value
from iglayers.core.ids import ClientId, ConversationId, MessageId, WorkspaceId
from iglayers.messages.queries import BEGINS
from iglayers.sending.model_answers import Answer, AnswerRow, Ending, Facts


async def hold_begins(conn: Connection) -> None:
    """As every begin does: what no begin may straddle waits for this transaction."""
    await execute(conn, "SELECT pg_advisory_xact_lock_shared($1)", BEGINS)


async def facts(
    conn: Connection, workspace_id: WorkspaceId, conversation_id: ConversationId, *, only: ClientId | None,
    now: datetime,
) -> Facts | None:  # fmt: skip
    """What decides about an answer, as it is when this is asked; a key bound to a client sees what is its client's."""
    return await row(conn, Facts, """
        SELECT v.id, v.sender_id, s.username AS sender_username, s.instagram_id, s.routes, s.state AS sender_state,
               s.state_reason AS sender_state_reason, s.archived_at IS NOT NULL AS is_archived, s.rests_until,
               v.contact_id, k.username, coalesce($3, said.client_id) AS client_id, v.igsid, v.window_ends_at,
               v.last_inbound_at,
               (SELECT coalesce(jsonb_agg(c.comment), '[]')
                FROM jsonb_array_elements(v.comments) AS c (comment)
                WHERE NOT EXISTS (
                    SELECT FROM messages m
                    WHERE m.workspace_id = $1 AND m.sender_id = v.sender_id AND m.comment_id = c.comment ->> 'id'
                      AND m.state <> 'not_sent')) AS comments,
               k.merged_into IS NOT NULL AS is_merged,
               EXISTS (SELECT FROM suppressions p
                       WHERE p.workspace_id = $1 AND p.contact_id = v.contact_id
                         AND (p.client_id IS NULL OR p.client_id = coalesce($3, said.client_id))
                         AND (p.expires_at IS NULL OR p.expires_at > $4)) AS is_suppressed,
               EXISTS (SELECT FROM suppressions p
                       WHERE p.workspace_id = $1 AND p.contact_id = v.contact_id AND p.source = 'opt_out') AS opted_out,
               EXISTS (SELECT FROM messages m
                       WHERE m.workspace_id = $1 AND m.sender_id = v.sender_id AND m.state = 'sending') AS is_busy,
               i.dispatch
        FROM conversations v
        CROSS JOIN installation i
        JOIN senders s ON s.id = v.sender_id
        LEFT JOIN contacts k ON k.id = v.contact_id
        LEFT JOIN LATERAL (
            SELECT each.client_id
            FROM (
                SELECT r.client_id, r.received_at AS at FROM replies r
                WHERE r.workspace_id = $1 AND r.contact_id = v.contact_id AND r.sender_id = v.sender_id
                  AND r.client_id IS NOT NULL
                UNION ALL
                SELECT m.client_id, m.begun_at FROM messages m
                WHERE m.workspace_id = $1 AND m.contact_id = v.contact_id AND m.sender_id = v.sender_id
                  AND m.client_id IS NOT NULL AND m.counts
            ) AS each
            WHERE $3::uuid IS NULL OR each.client_id = $3
            ORDER BY each.at DESC
            LIMIT 1
        ) AS said ON true
        WHERE v.workspace_id = $1 AND v.id = $2 AND ($3 IS NULL OR said.client_id IS NOT NULL)
    """, workspace_id, conversation_id, only, now)  # fmt: skip


async def begin(
    conn: Connection, answer: Answer, *, text: str, comment_id: str | None, lease_s: float
) -> bool:  # fmt: skip
    """The point of no return: the message, the pace of the sender, which is locked, and the thread.

    False when another message of this sender is on its way, or the comment was answered; nothing is written then.
    """
    return await value(conn, """
        WITH message AS (
            INSERT INTO messages (id, attempt_id, workspace_id, kind, client_id, contact_id, sender_id, route, body,
                                  state, lease_until, begun_at, author, comment_id)
            VALUES ($1, $2, $3, 'answer', $4, $5, $6, $7, $8, 'sending',
                    clock_timestamp() + make_interval(secs => $9), $10, $11, $12)
            -- One in flight a sender, one answer a comment: the indexes say whether.
            ON CONFLICT DO NOTHING
            RETURNING id
        ), sender AS (
            UPDATE senders s SET last_begun_at = $10
            FROM message
            WHERE s.workspace_id = $3 AND s.id = $6
        ), thread AS (
            UPDATE conversations v SET last_answer_at = greatest(v.last_answer_at, $10)
            FROM message
            WHERE v.workspace_id = $3 AND v.id = $13
        )
        SELECT EXISTS (SELECT FROM message)
    """, answer.message_id, answer.attempt_id, answer.workspace_id, answer.client_id, answer.contact_id,
        answer.sender_id, answer.route, text, lease_s, answer.begun_at, answer.author,
        comment_id, answer.conversation_id)  # fmt: skip


async def write_down(conn: Connection, answer: Answer, *, text: str, event: tuple[UUID, str, bytes]) -> None:
    """An answer that a person has sent in Instagram: it counts for the sender like any other."""
    event_id, event_type, data = event
    await execute(conn, """
        WITH message AS (
            INSERT INTO messages (id, attempt_id, workspace_id, kind, client_id, contact_id, sender_id, route, body,
                                  state, begun_at, settled_at, author)
            VALUES ($1, $2, $3, 'answer', $4, $5, $6, $7, $8, 'sent', $9, $9, $10)
        ), sender AS (
            UPDATE senders SET last_begun_at = $9 WHERE workspace_id = $3 AND id = $6
        ), thread AS (
            UPDATE conversations SET last_answer_at = greatest(last_answer_at, $9) WHERE workspace_id = $3 AND id = $14
        )
        SELECT record_event($11, $3, $12, $9, $4, NULL, $5, $13::json)
    """, answer.message_id, answer.attempt_id, answer.workspace_id, answer.client_id, answer.contact_id,
        answer.sender_id, answer.route, text, answer.begun_at, answer.author, event_id, event_type,
        data, answer.conversation_id)  # fmt: skip


async def settle(conn: Connection, answer: Answer, end: Ending, *, at: Moment, event: tuple[UUID, str, bytes]) -> bool:
    """Write down how an answer ended, and tell it; False when it was settled for good before."""
    event_id, event_type, data = event
    return await value(conn, """
        WITH message AS (
            UPDATE messages
            SET state = $4::text, settled_at = $5::timestamptz, error_code = $6, reason = $7, lease_until = NULL,
                provider_message_id = coalesce($8::text, provider_message_id)
            WHERE workspace_id = $2 AND id = $1 AND attempt_id = $3 AND kind = 'answer'
              AND state IN ('sending', 'unknown') AND state <> $4::text
            RETURNING id
        ), told AS MATERIALIZED (
            SELECT record_event($9, $2, $10, $5, $11, NULL, $12, $13::json) FROM message
        )
        SELECT EXISTS (SELECT FROM message) AND (SELECT count(*) FROM told) >= 0
    """, answer.message_id, answer.workspace_id, answer.attempt_id, end.state, at, end.error_code, end.reason,
        end.provider_message_id, event_id, event_type, answer.client_id, answer.contact_id, data)  # fmt: skip


async def ended_leases(conn: Connection, *, limit: int) -> list[MessageId]:
    """Answers whose process has not been heard of until the end of their lease."""
    found = await conn.fetch("""
        SELECT id FROM messages
        WHERE state = 'sending' AND kind = 'answer' AND lease_until < clock_timestamp()
        ORDER BY lease_until
        LIMIT $1
    """, limit)  # fmt: skip
    return [MessageId(each["id"]) for each in found]


async def answer(conn: Connection, message_id: MessageId) -> Answer | None:
    """An answer, with all that settling it needs; read without a lock."""
    found = await row(conn, AnswerRow, """
        SELECT m.id AS message_id, m.attempt_id, m.workspace_id, m.client_id, m.contact_id, k.username, m.sender_id,
               s.username AS sender_username, v.id AS conversation_id, m.route, m.author, m.begun_at,
               w.clock_real_at AS real_at, w.clock_at AS at, w.clock_speed AS speed
        FROM messages m
        JOIN workspaces w ON w.id = m.workspace_id
        JOIN senders s ON s.id = m.sender_id
        JOIN contacts k ON k.id = m.contact_id
        LEFT JOIN conversations v ON v.sender_id = m.sender_id AND v.contact_id = m.contact_id
        WHERE m.id = $1 AND m.kind = 'answer'
    """, message_id)  # fmt: skip
    if found is None:
        return None
    fields = msgspec.structs.asdict(found)
    clock = Clock(real_at=fields.pop("real_at"), at=fields.pop("at"), speed=fields.pop("speed"))
    return Answer(**fields, clock=clock)
