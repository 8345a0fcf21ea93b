"""SQL of attempts that have ended: written down, told, and where nothing was sent given back."""

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from iglayers.core.clock import Moment
from iglayers.core.db import Connection, execute, plain, value
from iglayers.core.ids import CampaignId
from iglayers.sending.model import Attempt, Ended


async def settle(conn: Connection, ended: Ended) -> bool:
    """Write down how an attempt ended; False when it was settled for good before.

    The target is locked first, then the message. First-hand knowledge also settles an unknown; `replied` stays.
    """
    return bool(await _settle(conn, _SETTLE, [ended]))


async def settle_free(conn: Connection, ended: Sequence[Ended]) -> set[UUID]:
    """The same for many at once, none of which gives anything back; the messages that were settled.

    Left out is whose target or message somebody holds: this waits for nobody, so it needs no order and holds nobody up.
    """
    return await _settle(conn, _SETTLE_FREE, ended)


async def _settle(conn: Connection, sql: LiteralString, ended: Sequence[Ended]) -> set[UUID]:
    events = [each.event or (None, None, None) for each in ended]
    found = await conn.fetch(sql, *plain([
        [each.attempt.message_id for each in ended], [each.attempt.workspace_id for each in ended],
        [each.attempt.attempt_id for each in ended], [each.attempt.target_id for each in ended],
        [each.attempt.usage_month for each in ended], [each.attempt.client_id for each in ended],
        [each.attempt.campaign_id for each in ended], [each.attempt.contact_id for each in ended],
        [each.at for each in ended], [each.end.message_state for each in ended],
        [each.end.target_state for each in ended], [each.end.error_code for each in ended],
        [each.end.reason for each in ended], [each.end.provider_message_id for each in ended],
        [each.end.next_step for each in ended], [each.end.next_due_at for each in ended],
        [each.end.gives_back for each in ended], [event_id for event_id, _, _ in events],
        [event_type for _, event_type, _ in events], [data and data.decode() for _, _, data in events],
    ]))  # fmt: skip
    return {each["id"] for each in found}


async def lock_campaign_for_settling(conn: Connection, campaign_id: CampaignId) -> None:
    """Keep the campaign from being cancelled while one of its people is queued again."""
    await value(conn, "SELECT true FROM campaigns WHERE id = $1 FOR KEY SHARE", campaign_id)


async def free_sender(conn: Connection, attempt: Attempt, *, at: Moment) -> None:
    """What is given back may let the sender go sooner than was planned."""
    await execute(
        conn,
        "UPDATE senders SET ready_at = least(ready_at, $3) WHERE workspace_id = $1 AND id = $2",
        attempt.workspace_id, attempt.sender_id, at,
    )  # fmt: skip


_ENDED: LiteralString = """
    WITH target AS MATERIALIZED (
        SELECT each.*
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::date[], $6::uuid[], $7::uuid[], $8::uuid[],
                    $9::timestamptz[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::smallint[],
                    $16::timestamptz[], $17::boolean[], $18::uuid[], $19::text[], $20::text[])
            AS each (message_id, workspace_id, attempt_id, target_id, usage_month, client_id, campaign_id, contact_id,
                     at, message_state, target_state, error_code, reason, provider_message_id, next_step,
                     next_due_at, gives_back, event_id, event_type, event_data)
        JOIN targets t ON t.id = each.target_id
"""

_HELD: LiteralString = " FOR NO KEY UPDATE OF t"
# The messages too: who counts the month anew holds many of them, and no target.
_FREE: LiteralString = """
        JOIN messages m ON m.id = each.message_id
        FOR NO KEY UPDATE OF t, m SKIP LOCKED
"""

_SETTLED: LiteralString = """
    ), message AS (
        UPDATE messages m
        SET state = ended.message_state, settled_at = ended.at, error_code = ended.error_code, reason = ended.reason,
            lease_until = NULL, held = NULL, held_until = NULL,
            provider_message_id = coalesce(ended.provider_message_id, m.provider_message_id),
            usage_month = CASE WHEN ended.gives_back THEN NULL ELSE m.usage_month END
        FROM target ended
        WHERE m.id = ended.message_id AND m.attempt_id = ended.attempt_id
          AND m.target_id = ended.target_id
          AND m.state IN ('sending', 'handed_over', 'claimed', 'unknown') AND m.state <> ended.message_state
        RETURNING m.step, ended.*
    ), settled AS (
        UPDATE targets t
        SET state = CASE WHEN t.state = 'replied' OR ended.step > 0 THEN t.state
                         WHEN ended.target_state = 'queued' AND c.state = 'cancelled' THEN 'cancelled'
                         ELSE ended.target_state END,
            sent_at = CASE WHEN ended.target_state = 'sent' AND ended.step = 0 THEN ended.at ELSE t.sent_at END,
            error_code = CASE WHEN ended.step > 0 THEN t.error_code ELSE ended.error_code END,
            reason = CASE WHEN ended.step > 0 THEN t.reason ELSE ended.reason END,
            next_step = coalesce(ended.next_step, t.next_step),
            next_due_at = CASE WHEN t.state = 'replied' OR c.state = 'cancelled' THEN NULL ELSE ended.next_due_at END,
            updated_at = ended.at
        FROM message ended
        JOIN campaigns c ON c.id = ended.campaign_id
        WHERE t.id = ended.target_id
    ), freed AS (
        DELETE FROM first_contacts f
        USING message ended
        WHERE ended.gives_back AND ended.step = 0 AND f.workspace_id = ended.workspace_id
          AND f.target_id = ended.target_id
    ), refunded AS (
        UPDATE usage_months u
        SET sent = u.sent - 1
        FROM message ended
        WHERE ended.gives_back AND u.workspace_id = ended.workspace_id AND u.month = ended.usage_month
    ), told AS MATERIALIZED (
        SELECT record_events(array_agg(event_id), array_agg(workspace_id), array_agg(event_type), array_agg(at),
                             array_agg(client_id), array_agg(campaign_id), array_agg(contact_id),
                             array_agg(event_data::json))
        FROM message
        WHERE event_id IS NOT NULL
        HAVING count(*) > 0
    )
    SELECT message_id AS id FROM message WHERE (SELECT count(*) FROM told) >= 0
"""

_SETTLE: LiteralString = _ENDED + _HELD + _SETTLED
_SETTLE_FREE: LiteralString = _ENDED + _FREE + _SETTLED
