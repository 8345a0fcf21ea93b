"""The engine's statements. They read across slices and, in one statement a step, write the rows of one message."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import LiteralString
from uuid import UUID

from iglayers.core.clock import Moment
from iglayers.core.db import Connection, execute, plain, row, value
from iglayers.core.ids import CampaignId, TargetId
from iglayers.messages.pacing import Limits
from iglayers.messages.queries import BEGINS
from iglayers.sending.model import Attempt, Begun, ClientHistory, Ended, Facts, NewMessage, Pick


async def pick(conn: Connection, *, machine_transports: list[str]) -> Pick | None:
    """The most overdue running campaign and the sender that has waited longest for it, both locked.

    Rows that another worker holds are passed over, so finding no sender never means that there is none.
    """
    return await row(conn, Pick, _PICK, machine_transports, BEGINS)  # fmt: skip


async def facts(
    conn: Connection, pick: Pick, *, now: datetime, sender: Limits, month: date, target_id: TargetId | None
) -> Facts | None:
    """What decides about the next person, or the one named: target and contact locked, then clock and ledger read.

    A statement of its own, so that it sees whatever committed before the locks of `pick` were granted.
    """
    return await row(
        conn, Facts, _FACTS,
        pick.workspace_id, pick.campaign_id, pick.sender_id, now, month, sender.hourly, sender.daily,
        pick.hourly_limit, pick.daily_limit, pick.sender_last_begun_at, pick.campaign_last_begun_at, pick.client_id,
        pick.day_zone, target_id,
    )  # fmt: skip


async def lock_client(conn: Connection, pick: Pick) -> bool:
    """Hold the client, whose limits span its campaigns; False while another worker holds it.

    The campaign is held already, against the usual order; passing over a held row never waits, so it cannot deadlock.
    """
    return await value(conn, """
        SELECT true FROM clients WHERE workspace_id = $1 AND id = $2 FOR NO KEY UPDATE SKIP LOCKED
    """, pick.workspace_id, pick.client_id) is not None  # fmt: skip


async def client_history(conn: Connection, pick: Pick) -> ClientHistory:
    """Limits and ledger of a client that is held, in a statement that sees what committed before the lock."""
    found = await row(conn, ClientHistory, _CLIENT_HISTORY, pick.workspace_id, pick.client_id, pick.day_zone)
    assert found is not None
    return found


async def begin(conn: Connection, message: NewMessage, *, lease_s: float) -> Begun:
    """The point of no return: ledger, first contact, target, campaign, sender and usage in one statement.

    Nothing is written when the person is suppressed, or was contacted for this scope by another target: the
    contact is locked, so what this statement sees is what holds.
    """
    return await _begun(conn, _BEGIN, message, lease_s, "sending")


async def claim(conn: Connection, message: NewMessage, *, lease_s: float, author: str) -> Begun:
    """The same for a card of the outbox, whose message is there already: from here on a person sends it."""
    return await _begun(conn, _CLAIM, message, lease_s, "awaiting_operator", author)


async def _begun(
    conn: Connection, sql: LiteralString, message: NewMessage, lease_s: float, target_state: str, *author: str
) -> Begun:
    attempt = message.attempt
    found = await row(
        conn, Begun, sql,
        attempt.message_id, attempt.workspace_id, attempt.attempt_id, attempt.client_id, attempt.campaign_id,
        attempt.target_id, attempt.contact_id, attempt.sender_id, attempt.step, message.variant, attempt.route,
        message.text, attempt.begun_at, lease_s, message.workspace_is_scope, attempt.usage_month,
        message.campaign_due_at, message.sender_ready_at, message.sent_on, message.monthly_limit, message.comment_id,
        target_state, *author,
    )  # fmt: skip
    assert found is not None
    return found


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


async def skip(  # noqa: PLR0913 a skip is told with all its facts
    conn: Connection, pick: Pick, target_id: TargetId, *, step: int, code: str, reason: str, at: Moment,
    event: tuple[UUID, UUID, bytes],
) -> None:  # fmt: skip
    """A person who is not written to: nothing leaves, the target says why. A follow-up that may not go just ends."""
    event_id, contact_id, data = event
    await execute(conn, """
        WITH skipped AS (
            UPDATE targets t
            SET state = CASE WHEN $3 = 0 THEN 'skipped' ELSE t.state END, error_code = $4, reason = $5,
                next_due_at = NULL, updated_at = $6
            WHERE t.workspace_id = $1 AND t.id = $2
            RETURNING t.id
        )
        SELECT record_event($7, $1, 'message.skipped', $6, $8, $9, $10, $11::json) FROM skipped
    """, pick.workspace_id, target_id, step, code, reason, at, event_id, pick.client_id, pick.campaign_id,
        contact_id, data)  # fmt: skip


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


_PICK: LiteralString = """
    WITH gate AS MATERIALIZED (
        SELECT pg_advisory_xact_lock_shared($2)
    ), due AS MATERIALIZED (
        SELECT c.id, c.workspace_id, c.client_id, c.name, c.metadata, c.hourly_limit, c.daily_limit,
               c.last_begun_at, c.routes, c.schedule, c.sender_ids
        FROM gate
        CROSS JOIN campaigns c
        WHERE c.state = 'running' AND c.due_at <= statement_timestamp()
          AND (SELECT dispatch FROM installation) = 'running'
        ORDER BY c.due_at
        LIMIT 1
        FOR NO KEY UPDATE OF c SKIP LOCKED
    ), campaign AS MATERIALIZED (
        SELECT due.*, w.timezone, w.clock_real_at, w.clock_at, w.clock_speed,
               w.clock_at + (clock_timestamp() - w.clock_real_at) * w.clock_speed AS now,
               k.hourly_limit IS NOT NULL OR k.daily_limit IS NOT NULL AS client_has_limits
        FROM due
        JOIN workspaces w ON w.id = due.workspace_id
        JOIN clients k ON k.id = due.client_id
    ), first_is_due AS MATERIALIZED (
        SELECT EXISTS (
            SELECT FROM targets t
            WHERE t.campaign_id = campaign.id AND t.next_step = 0 AND t.next_due_at <= campaign.now) AS yes
        FROM campaign
    ), pinned AS MATERIALIZED (
        SELECT s.id, s.ready_at
        FROM campaign
        CROSS JOIN unnest(campaign.sender_ids) AS wanted (id)
        CROSS JOIN LATERAL (SELECT * FROM senders WHERE id = wanted.id OFFSET 0) AS s
        WHERE s.workspace_id = campaign.workspace_id
          AND s.state = 'active' AND s.archived_at IS NULL AND s.ready_at <= campaign.now
          AND (s.client_ids = '{}' OR campaign.client_id = ANY (s.client_ids))
          AND (s.rests_until IS NULL OR s.rests_until <= campaign.now)
          AND (s.routes && $1 OR has_room_for_cards(s.workspace_id, s.id))
    ), serving AS MATERIALIZED (
        -- Where any sender may serve, the few that have waited longest are enough to look at.
        SELECT s.id, s.ready_at
        FROM campaign
        CROSS JOIN senders s
        WHERE campaign.sender_ids = '{}' AND s.workspace_id = campaign.workspace_id
          AND s.state = 'active' AND s.archived_at IS NULL AND s.ready_at <= campaign.now
          AND (s.client_ids = '{}' OR campaign.client_id = ANY (s.client_ids))
          AND (s.rests_until IS NULL OR s.rests_until <= campaign.now)
          AND (s.routes && $1 OR has_room_for_cards(s.workspace_id, s.id))
          AND (SELECT m.id FROM messages m WHERE m.sender_id = s.id AND m.state = 'sending') IS NULL
          -- Only who has somebody to write to: eight without would hide the one with a follow-up behind them.
          AND ((SELECT yes FROM first_is_due) OR EXISTS (
              SELECT FROM targets t
              WHERE t.campaign_id = campaign.id AND t.sender_id = s.id AND t.next_step > 0
                AND t.next_due_at <= campaign.now))
        ORDER BY s.ready_at
        LIMIT 8
    ), free AS MATERIALIZED (
        SELECT each.id
        FROM (SELECT id, ready_at FROM pinned UNION ALL SELECT id, ready_at FROM serving) AS each
        CROSS JOIN campaign
        WHERE (SELECT m.id FROM messages m WHERE m.sender_id = each.id AND m.state = 'sending') IS NULL
          -- A follow-up goes out from the account that wrote first.
          AND ((SELECT yes FROM first_is_due) OR EXISTS (
              SELECT FROM targets t
              WHERE t.campaign_id = campaign.id AND t.sender_id = each.id AND t.next_step > 0
                AND t.next_due_at <= campaign.now))
        ORDER BY each.ready_at, each.id
    ), sender AS MATERIALIZED (
        -- Locked one after the other, by key, until one is to be had; what it is by then counts.
        SELECT s.id, s.username, s.instagram_id, s.routes, s.hourly_limit, s.daily_limit, s.ramp, s.min_gap_s,
               s.warned_until, s.sent_days, s.last_sent_on, s.last_begun_at
        FROM free
        CROSS JOIN LATERAL (SELECT * FROM senders WHERE id = free.id FOR NO KEY UPDATE SKIP LOCKED) AS s
        CROSS JOIN campaign
        WHERE s.state = 'active' AND s.archived_at IS NULL AND s.ready_at <= campaign.now
          AND (s.client_ids = '{}' OR campaign.client_id = ANY (s.client_ids))
        LIMIT 1
    )
    SELECT c.id AS campaign_id, c.workspace_id, c.client_id, c.name AS campaign_name, c.metadata,
           c.hourly_limit, c.daily_limit, c.last_begun_at AS campaign_last_begun_at,
           c.client_has_limits, c.routes, c.schedule,
           c.timezone AS zone, c.clock_real_at AS real_at, c.clock_at AS at, c.clock_speed AS speed,
           cardinality(c.sender_ids) = 1 AS only_sender,
           s.id AS sender_id, s.username AS sender_username, s.instagram_id AS sender_instagram_id,
           s.routes AS sender_routes,
           s.hourly_limit AS sender_hourly_limit, s.daily_limit AS sender_daily_limit, s.ramp, s.min_gap_s,
           s.warned_until, s.sent_days, s.last_sent_on, s.last_begun_at AS sender_last_begun_at
    FROM campaign c
    LEFT JOIN sender s ON true
"""

_FACTS: LiteralString = """
    WITH followup AS MATERIALIZED (
        SELECT t.id FROM targets t
        WHERE t.workspace_id = $1 AND t.campaign_id = $2 AND t.sender_id = $3
          AND t.next_step > 0 AND t.next_due_at <= $4 AND $14::uuid IS NULL
        ORDER BY t.next_due_at
        LIMIT 1
        FOR NO KEY UPDATE
    ), first AS MATERIALIZED (
        SELECT t.id FROM targets t
        WHERE t.workspace_id = $1 AND t.campaign_id = $2 AND t.next_step = 0 AND t.next_due_at <= $4
          AND NOT EXISTS (SELECT FROM followup) AND $14::uuid IS NULL
        ORDER BY t.next_due_at, t.id
        LIMIT 1
        FOR NO KEY UPDATE
    ), asked AS MATERIALIZED (
        SELECT t.id FROM targets t WHERE t.workspace_id = $1 AND t.id = $14 FOR NO KEY UPDATE
    ), person AS MATERIALIZED (
        SELECT t.id AS target_id, t.next_step AS step, t.profile_url, t.full_name, t.first_name, t.category,
               t.follower_count, t.variables, k.id AS contact_id, k.username,
               k.merged_into IS NOT NULL AS merged
        FROM (SELECT id FROM followup UNION ALL SELECT id FROM first UNION ALL SELECT id FROM asked) AS next
        JOIN targets t ON t.id = next.id
        JOIN contacts named ON named.id = t.contact_id
        -- Where a merge left the target under its old name, the person who is left.
        JOIN contacts k ON k.id = coalesce(named.merged_into, named.id)
        FOR NO KEY UPDATE OF k
    )
    SELECT clock_timestamp() AS real_now, i.dispatch, w.monthly_limit,
           w.first_contact_scope = 'workspace' AS workspace_is_scope,
           coalesce((SELECT u.sent FROM usage_months u WHERE u.workspace_id = $1 AND u.month = $5), 0)
               AS month_sent,
           c.name AS client_name, c.hourly_limit AS client_hourly_limit, c.daily_limit AS client_daily_limit,
           EXISTS (SELECT FROM messages m WHERE m.sender_id = $3 AND m.state = 'sending') AS sender_busy,
           CASE WHEN $6::int IS NOT NULL THEN (
               SELECT m.begun_at FROM messages m WHERE m.sender_id = $3 AND m.counts
               ORDER BY m.begun_at DESC OFFSET $6::int - 1 LIMIT 1) END AS sender_nth_in_hour,
           CASE WHEN $7::int IS NOT NULL THEN (
               SELECT m.begun_at FROM messages m WHERE m.sender_id = $3 AND m.counts
               ORDER BY m.begun_at DESC OFFSET $7::int - 1 LIMIT 1) END AS sender_nth_in_day,
           CASE WHEN $7::int IS NULL THEN 0 ELSE (
               SELECT count(*) FROM messages m
               WHERE m.sender_id = $3 AND m.counts
                 AND m.begun_at >= date_trunc('day', $10::timestamptz, $13::text)) END AS sender_day_used,
           CASE WHEN $8::int IS NOT NULL THEN (
               SELECT m.begun_at FROM messages m WHERE m.campaign_id = $2 AND m.counts
               ORDER BY m.begun_at DESC OFFSET $8::int - 1 LIMIT 1) END AS campaign_nth_in_hour,
           CASE WHEN $9::int IS NOT NULL THEN (
               SELECT m.begun_at FROM messages m WHERE m.campaign_id = $2 AND m.counts
               ORDER BY m.begun_at DESC OFFSET $9::int - 1 LIMIT 1) END AS campaign_nth_in_day,
           CASE WHEN $8::int IS NULL AND $9::int IS NULL THEN 0 ELSE (
               SELECT count(*) FROM messages m
               WHERE m.campaign_id = $2 AND m.counts
                 AND m.begun_at >= date_trunc('day', $11::timestamptz, $13::text)) END AS campaign_day_used,
           p.target_id, p.step, p.profile_url, p.full_name, p.first_name, p.category, p.follower_count,
           p.variables, p.contact_id, p.username, coalesce(p.merged, false) AS merged,
           (SELECT count(*) FROM messages m
            WHERE m.contact_id = p.contact_id AND m.target_id = p.target_id AND m.step = p.step
              AND m.state = 'not_sent') AS not_sent_before,
           (SELECT jsonb_build_object(
                'igsid', v.igsid, 'window_ends_at', v.window_ends_at, 'last_inbound_at', v.last_inbound_at,
                'comments', (
                    SELECT coalesce(jsonb_agg(c.comment), '[]')
                    FROM jsonb_array_elements(v.comments) AS c (comment)
                    WHERE NOT EXISTS (
                        SELECT FROM messages m
                        WHERE m.sender_id = $3 AND m.comment_id = c.comment ->> 'id' AND m.state <> 'not_sent')))
            FROM conversations v WHERE v.sender_id = $3 AND v.contact_id = p.contact_id) AS conversation,
           (SELECT jsonb_agg(jsonb_build_object(
                'step', s.step, 'variant', s.variant, 'weight', s.weight, 'delay_hours', s.delay_hours,
                'body', CASE WHEN s.step = p.step THEN s.body END) ORDER BY s.step, s.variant)
            FROM campaign_steps s WHERE s.workspace_id = $1 AND s.campaign_id = $2) AS steps
    FROM workspaces w
    CROSS JOIN installation i
    CROSS JOIN clients c
    LEFT JOIN person p ON true
    WHERE w.id = $1 AND c.id = $12
"""

_VERDICT: LiteralString = """
    WITH scope AS MATERIALIZED (
        SELECT $4::uuid AS id UNION ALL SELECT $2 WHERE $15
    ), verdict AS MATERIALIZED (
        SELECT EXISTS (
                   SELECT FROM suppressions s
                   WHERE s.workspace_id = $2 AND s.contact_id = $7
                     AND (s.client_id IS NULL OR s.client_id = $4)
                     AND (s.expires_at IS NULL OR s.expires_at > $13)) AS suppressed,
               EXISTS (
                   SELECT FROM first_contacts f
                   WHERE f.workspace_id = $2 AND f.contact_id = $7 AND f.scope_id IN (SELECT id FROM scope)
                     AND f.target_id <> $6) AS contacted,
               -- Settling may have made a follow-up due after the reply had stopped it.
               $9 > 0 AND EXISTS (
                   SELECT FROM replies r
                   JOIN targets t ON t.workspace_id = $2 AND t.id = $6
                   WHERE r.workspace_id = $2 AND r.contact_id = $7 AND r.received_at >= t.sent_at
                     AND r.label <> 'automatic') AS replied
    ), message AS (
"""

_INSERTED: LiteralString = """
        INSERT INTO messages (id, attempt_id, workspace_id, client_id, campaign_id, target_id, contact_id,
                              sender_id, step, variant, route, body, state, lease_until, begun_at, usage_month,
                              comment_id)
        SELECT $1, $3, $2, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'sending',
               clock_timestamp() + make_interval(secs => $14), $13, $16, $21
        FROM verdict
        WHERE NOT suppressed AND NOT contacted AND NOT replied
        RETURNING id
"""

_CLAIMED: LiteralString = """
        UPDATE messages m
        SET state = 'claimed', attempt_id = $3, variant = $10, route = $11, body = $12, begun_at = $13,
            lease_until = clock_timestamp() + make_interval(secs => $14), usage_month = $16, comment_id = $21,
            author = $23
        FROM verdict
        WHERE NOT suppressed AND NOT contacted AND NOT replied
          AND m.workspace_id = $2 AND m.id = $1 AND m.state = 'handed_over' AND m.held IS NULL
        RETURNING m.id
"""

_BEGUN: LiteralString = """
    ), ledger AS (
        INSERT INTO first_contacts (workspace_id, scope_id, contact_id, target_id)
        SELECT $2, scope.id, $7, $6 FROM message, scope
        ON CONFLICT (workspace_id, scope_id, contact_id) DO NOTHING
    ), target AS (
        UPDATE targets t
        SET state = CASE WHEN $9 = 0 THEN $22 ELSE t.state END, sender_id = $8, next_due_at = NULL,
            error_code = CASE WHEN $9 = 0 THEN NULL ELSE t.error_code END,
            reason = CASE WHEN $9 = 0 THEN NULL ELSE t.reason END, updated_at = $13
        FROM message
        WHERE t.workspace_id = $2 AND t.id = $6
    ), campaign AS (
        UPDATE campaigns c
        SET due_at = $17, last_begun_at = $13, blocked_reason = NULL, limited_by = NULL,
            next_at = NULL
        FROM message
        WHERE c.workspace_id = $2 AND c.id = $5
    ), sender AS (
        UPDATE senders s
        SET ready_at = $18, last_begun_at = $13,
            sent_days = s.sent_days + (s.last_sent_on IS DISTINCT FROM $19)::int, last_sent_on = $19
        FROM message
        WHERE s.workspace_id = $2 AND s.id = $8
    ), counted AS (
        -- The hot row of the workspace, last, and only where a monthly limit is set.
        INSERT INTO usage_months AS u (workspace_id, month, sent)
        SELECT $2, $16, 1 FROM message WHERE $16::date IS NOT NULL AND $20::int > 0
        ON CONFLICT (workspace_id, month) DO UPDATE SET sent = u.sent + 1 WHERE u.sent < $20
        RETURNING sent
    ), warned AS MATERIALIZED (
        SELECT record_event(event_id(), $2, 'usage.warning', $13, NULL, NULL, NULL, json_build_object(
            'usage', json_build_object('month', to_char($16, 'YYYY-MM'), 'sent', sent, 'limit', $20)))
        FROM counted
        WHERE sent = $20 OR sent = ceil($20 * 0.8)
    )
    SELECT EXISTS (SELECT FROM message) AS begun, suppressed, contacted, replied,
           EXISTS (SELECT FROM message) AND $16::date IS NOT NULL AND NOT EXISTS (SELECT FROM counted) AS month_full
    FROM verdict
    WHERE (SELECT count(*) FROM warned) >= 0
"""

_BEGIN: LiteralString = _VERDICT + _INSERTED + _BEGUN
_CLAIM: LiteralString = _VERDICT + _CLAIMED + _BEGUN

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

_CLIENT_HISTORY: LiteralString = """
    SELECT c.hourly_limit, c.daily_limit,
           CASE WHEN c.hourly_limit IS NOT NULL THEN (
               SELECT m.begun_at FROM messages m WHERE m.client_id = c.id AND m.counts
               ORDER BY m.begun_at DESC OFFSET c.hourly_limit - 1 LIMIT 1) END AS nth_in_hour,
           CASE WHEN c.daily_limit IS NOT NULL THEN (
               SELECT m.begun_at FROM messages m WHERE m.client_id = c.id AND m.counts
               ORDER BY m.begun_at DESC OFFSET c.daily_limit - 1 LIMIT 1) END AS nth_in_day,
           CASE WHEN c.hourly_limit IS NULL AND c.daily_limit IS NULL THEN 0 ELSE (
               SELECT count(*) FROM messages m
               WHERE m.client_id = c.id AND m.counts
                 AND m.begun_at >= date_trunc('day', last.begun_at, $3::text)) END AS day_used,
           last.begun_at AS last_begun_at
    FROM clients c
    LEFT JOIN LATERAL (
        SELECT m.begun_at FROM messages m
        WHERE m.client_id = c.id AND m.counts
        ORDER BY m.begun_at DESC
        LIMIT 1) last ON true
    WHERE c.workspace_id = $1 AND c.id = $2
"""
