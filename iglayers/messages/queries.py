"""Reads of the ledger, and the few writes that are not the engine's."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from iglayers.core.db import Connection, execute, plain, row, rows, value
from iglayers.core.ids import CampaignId, ClientId, ContactId, MessageId, SenderId, TargetId, WorkspaceId
from iglayers.messages.model import ContactedTwice, Message, MessageState


async def page(  # noqa: PLR0913 the filters of a list
    conn: Connection, workspace_id: WorkspaceId, *, only: ClientId | None, campaign_id: CampaignId | None,
    state: MessageState | None, before: MessageId | None, limit: int,
) -> list[Message]:  # fmt: skip
    """Messages, newest first."""
    return await rows(conn, Message, """
        SELECT m.id, m.kind, m.campaign_id, m.target_id, m.contact_id, k.username AS instagram_username, m.sender_id,
               s.username AS sender_username, m.step, m.variant, m.route, m.body AS text, m.state AS status,
               m.begun_at, m.settled_at, m.provider_message_id, m.error_code, m.reason, m.evidence, m.author
        FROM messages m
        JOIN contacts k ON k.id = m.contact_id
        JOIN senders s ON s.id = m.sender_id
        WHERE m.workspace_id = $1
          AND ($2::uuid IS NULL OR m.client_id = $2)
          AND ($3::uuid IS NULL OR m.campaign_id = $3)
          AND ($4::text IS NULL OR m.state = $4)
          AND ($5::uuid IS NULL OR m.id < $5)
        ORDER BY m.id DESC
        LIMIT $6
    """, workspace_id, only, campaign_id, state, before, limit)  # fmt: skip


async def by_id(
    conn: Connection, workspace_id: WorkspaceId, message_id: MessageId, *, only: ClientId | None
) -> Message | None:
    """One message."""
    return await row(conn, Message, """
        SELECT m.id, m.kind, m.campaign_id, m.target_id, m.contact_id, k.username AS instagram_username, m.sender_id,
               s.username AS sender_username, m.step, m.variant, m.route, m.body AS text, m.state AS status,
               m.begun_at, m.settled_at, m.provider_message_id, m.error_code, m.reason, m.evidence, m.author
        FROM messages m
        JOIN contacts k ON k.id = m.contact_id
        JOIN senders s ON s.id = m.sender_id
        WHERE m.workspace_id = $1 AND m.id = $2 AND ($3::uuid IS NULL OR m.client_id = $3)
    """, workspace_id, message_id, only)  # fmt: skip


async def add_evidence(
    conn: Connection,
    workspace_id: WorkspaceId,
    message_id: MessageId,
    *,
    evidence: dict[str, Any],
    provider_message_id: str | None,
) -> None:
    """Something that shows what became of a message, also when it was settled before; each once.

    `provider_message_id` where it is proof of it.
    """
    await execute(conn, """
        UPDATE messages
        SET evidence = evidence || jsonb_build_array($3::jsonb),
            provider_message_id = coalesce(provider_message_id, $4)
        WHERE workspace_id = $1 AND id = $2 AND NOT evidence @> jsonb_build_array($3::jsonb)
    """, workspace_id, message_id, evidence, provider_message_id)  # fmt: skip


async def by_provider_id(
    conn: Connection, workspace_id: WorkspaceId, contact_id: ContactId, *, sender_id: SenderId,
    provider_message_id: str,
) -> MessageId | None:  # fmt: skip
    """The message that the provider named so; along the person's few messages, so it needs no index of its own."""
    found = await value(conn, """
        SELECT id FROM messages
        WHERE workspace_id = $1 AND contact_id = $2 AND sender_id = $3 AND provider_message_id = $4
    """, workspace_id, contact_id, sender_id, provider_message_id)  # fmt: skip
    return None if found is None else MessageId(found)


async def is_leaving(
    conn: Connection, workspace_id: WorkspaceId, contact_id: ContactId, *, sender_id: SenderId
) -> bool:
    """Whether a message of this sender to this person is on its way."""
    return await value(conn, """
        SELECT EXISTS (
            SELECT FROM messages
            WHERE workspace_id = $1 AND contact_id = $2 AND sender_id = $3 AND state = 'sending')
    """, workspace_id, contact_id, sender_id)  # fmt: skip


async def doubtful(  # noqa: PLR0913 whose, through whom, what, when
    conn: Connection, workspace_id: WorkspaceId, contact_id: ContactId, *, sender_id: SenderId, text: str,
    begun_from: datetime, begun_to: datetime,
) -> list[MessageId]:  # fmt: skip
    """Messages of this text to this person of which it is not proven what became of them."""
    found = await conn.fetch("""
        SELECT id FROM messages
        WHERE workspace_id = $1 AND contact_id = $2 AND sender_id = $3 AND begun_at BETWEEN $5 AND $6
          AND provider_message_id IS NULL AND btrim(body, E' \n') = btrim($4, E' \n')
          AND (state = 'unknown' OR error_code = 'outcome_unknown' OR author IS NOT NULL)
        ORDER BY id
    """, *plain([workspace_id, contact_id, sender_id, text, begun_from, begun_to]))  # fmt: skip
    return [MessageId(each["id"]) for each in found]


async def merge_first_contacts(
    conn: Connection, workspace_id: WorkspaceId, gone: ContactId, *, into: ContactId
) -> None:
    """Who had a first message under one handle has had it under the other."""
    await execute(conn, """
        INSERT INTO first_contacts (workspace_id, scope_id, contact_id, target_id)
        SELECT workspace_id, scope_id, $3, target_id FROM first_contacts WHERE workspace_id = $1 AND contact_id = $2
        ON CONFLICT (workspace_id, scope_id, contact_id) DO NOTHING
    """, workspace_id, gone, into)  # fmt: skip


async def doubt_not_sent(conn: Connection, workspace_id: WorkspaceId, message_id: MessageId) -> bool:
    """What a person gave up to be sent again is unknown once more, while nothing else of its step has begun.

    The caller holds the target, so that nothing begins meanwhile.
    """
    return await execute(conn, """
        UPDATE messages m SET state = 'unknown'
        WHERE m.workspace_id = $1 AND m.id = $2 AND m.state = 'not_sent' AND m.error_code = 'outcome_unknown'
          AND NOT EXISTS (
              SELECT FROM messages other
              WHERE other.workspace_id = $1 AND other.target_id = m.target_id AND other.step = m.step
                AND other.kind = 'step' AND other.state NOT IN ('not_sent', 'skipped'))
    """, workspace_id, message_id) > 0  # fmt: skip


async def set_author(conn: Connection, workspace_id: WorkspaceId, message_id: MessageId, *, author: str) -> None:
    """Who resolved it."""
    await execute(
        conn, "UPDATE messages SET author = $3 WHERE workspace_id = $1 AND id = $2", workspace_id, message_id, author
    )


# Held in shared mode by every begin; exclusively by what changes rules that begins must not straddle.
BEGINS = 7_301_970_217


async def stop_begins(conn: Connection) -> None:
    """Wait until every begin in flight has committed, and hold new ones until this transaction ends."""
    await execute(conn, "SELECT pg_advisory_xact_lock($1)", BEGINS)


async def count_month(
    conn: Connection, workspace_id: WorkspaceId, *, month: date, begins_at: datetime, ends_at: datetime
) -> int:
    """What campaigns wrote in a month and may have arrived; what people answer is not limited.

    What may yet be given back is marked as counted; no begin is in flight.
    """
    return await value(conn, """
        WITH open AS (
            UPDATE messages SET usage_month = $2
            WHERE workspace_id = $1 AND kind = 'step' AND begun_at >= $3 AND begun_at < $4
              AND state IN ('sending', 'claimed', 'unknown')
        )
        SELECT count(*) FROM messages
        WHERE workspace_id = $1 AND kind = 'step' AND begun_at >= $3 AND begun_at < $4
          AND state IN ('sending', 'claimed', 'sent', 'unknown')
    """, workspace_id, month, begins_at, ends_at)  # fmt: skip


async def widen_first_contacts(conn: Connection, workspace_id: WorkspaceId) -> int:
    """Whoever had a first message from any client has had one from the workspace."""
    return await execute(conn, """
        INSERT INTO first_contacts (workspace_id, scope_id, contact_id, target_id)
        SELECT DISTINCT ON (contact_id) workspace_id, workspace_id, contact_id, target_id
        FROM first_contacts
        WHERE workspace_id = $1 AND scope_id <> $1
        ORDER BY contact_id, target_id
        ON CONFLICT (workspace_id, scope_id, contact_id) DO NOTHING
    """, workspace_id)  # fmt: skip


async def in_flight(conn: Connection, workspace_id: WorkspaceId, contact_ids: list[ContactId]) -> bool:
    """Whether a message to one of these people is on its way, or in somebody's hands."""
    return await value(conn, """
        SELECT EXISTS (
            SELECT FROM messages
            WHERE workspace_id = $1 AND contact_id = ANY ($2) AND state IN ('sending', 'claimed'))
    """, workspace_id, contact_ids)  # fmt: skip


async def withdraw_cards(
    conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, *, reason: str, at: datetime
) -> None:
    """Cards that nobody claimed are none any more; their targets were settled before, the campaign is held alone."""
    await execute(conn, """
        UPDATE messages SET state = 'skipped', reason = $3, settled_at = $4, held = NULL, held_until = NULL
        WHERE workspace_id = $1 AND campaign_id = $2 AND state = 'handed_over'
    """, workspace_id, campaign_id, reason, at)  # fmt: skip


async def withdraw_twins_cards(
    conn: Connection, workspace_id: WorkspaceId, target_ids: list[UUID], *, at: datetime
) -> None:
    """Cards of targets that are skipped by now, which nobody claimed; the targets are held."""
    await execute(conn, """
        UPDATE messages m
        SET state = 'skipped', reason = 'The same person as another contact.', settled_at = $3, held = NULL,
            held_until = NULL
        FROM targets t
        WHERE m.workspace_id = $1 AND m.target_id = ANY ($2) AND m.state = 'handed_over'
          AND t.id = m.target_id AND t.state = 'skipped'
    """, workspace_id, target_ids, at)  # fmt: skip


async def erase(conn: Connection, workspace_id: WorkspaceId, contact_ids: list[ContactId]) -> None:
    """The texts to these people and what came back about them; that they were written to stays in the ledger."""
    await execute(conn, """
        UPDATE messages
        SET body = NULL, reason = NULL, evidence = '[]', held = NULL, held_until = NULL,
            state = CASE WHEN state = 'handed_over' THEN 'skipped' ELSE state END
        WHERE workspace_id = $1 AND contact_id = ANY ($2)
    """, workspace_id, contact_ids)  # fmt: skip


async def of_contacts(
    conn: Connection, workspace_id: WorkspaceId, contact_ids: list[ContactId], *, only: ClientId | None, limit: int
) -> list[Message]:
    """What was written to one person under all handles, newest first."""
    return await rows(conn, Message, """
        SELECT m.id, m.kind, m.campaign_id, m.target_id, m.contact_id, k.username AS instagram_username, m.sender_id,
               s.username AS sender_username, m.step, m.variant, m.route, m.body AS text, m.state AS status,
               m.begun_at, m.settled_at, m.provider_message_id, m.error_code, m.reason, m.evidence, m.author
        FROM messages m
        JOIN contacts k ON k.id = m.contact_id
        JOIN senders s ON s.id = m.sender_id
        WHERE m.workspace_id = $1 AND m.contact_id = ANY ($2) AND ($3::uuid IS NULL OR m.client_id = $3)
        ORDER BY m.begun_at DESC, m.id DESC
        LIMIT $4
    """, workspace_id, contact_ids, only, limit)  # fmt: skip


async def move(conn: Connection, workspace_id: WorkspaceId, *, gone: ContactId, kept: ContactId) -> int:
    """What was written to one locked person was written to the other; how many messages."""
    return await execute(
        conn, "UPDATE messages SET contact_id = $3 WHERE workspace_id = $1 AND contact_id = $2",
        workspace_id, gone, kept,
    )  # fmt: skip


async def contacted_twice(
    conn: Connection, workspace_id: WorkspaceId, contact_ids: list[ContactId]
) -> list[ContactedTwice]:
    """Scopes in which two people both had a first message, and which target keeps it if they are one.

    The older one; but not one of which nobody knows whether it arrived, if the other did: it may yet be given back.
    """
    return await rows(conn, ContactedTwice, """
        SELECT nullif(scope_id, $1) AS client_id,
               (array_agg(target_id ORDER BY is_unknown, target_id))[1] AS kept_target_id,
               (array_agg(target_id ORDER BY is_unknown, target_id))[2] AS other_target_id
        FROM (
            SELECT f.scope_id, f.target_id, EXISTS (
                       SELECT FROM messages m
                       WHERE m.workspace_id = $1 AND m.target_id = f.target_id AND m.step = 0 AND m.state = 'unknown'
                   ) AS is_unknown
            FROM first_contacts f
            WHERE f.workspace_id = $1 AND f.contact_id = ANY ($2)
        ) AS first
        GROUP BY scope_id
        HAVING count(*) > 1
        ORDER BY client_id
    """, workspace_id, contact_ids)  # fmt: skip


async def unknown_among(conn: Connection, workspace_id: WorkspaceId, target_ids: list[TargetId]) -> MessageId | None:
    """A first message to one of these targets of which nobody knows whether it arrived."""
    found = await value(conn, """
        SELECT id FROM messages
        WHERE workspace_id = $1 AND target_id = ANY ($2) AND step = 0 AND state = 'unknown'
        ORDER BY id
        LIMIT 1
    """, workspace_id, target_ids)  # fmt: skip
    return found and MessageId(found)


async def move_first_contacts(
    conn: Connection, workspace_id: WorkspaceId, *, gone: ContactId, kept: ContactId, keep: list[TargetId]
) -> None:
    """The first contacts of one locked person are the other's; where both had one, that of a target in `keep` stays."""
    await execute(conn, """
        WITH moved AS MATERIALIZED (
            DELETE FROM first_contacts WHERE workspace_id = $1 AND contact_id = $2
            RETURNING scope_id, target_id
        )
        INSERT INTO first_contacts AS f (workspace_id, scope_id, contact_id, target_id)
        SELECT $1, scope_id, $3, target_id FROM moved
        ON CONFLICT (workspace_id, scope_id, contact_id)
        DO UPDATE SET target_id = excluded.target_id WHERE excluded.target_id = ANY ($4)
    """, workspace_id, gone, kept, keep)  # fmt: skip
