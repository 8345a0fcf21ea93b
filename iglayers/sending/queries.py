"""The engine's statements up to begin. They read across slices and, in one statement a step, write their rows."""

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from iglayers.core.clock import Moment
from iglayers.core.db import Connection, execute, plain, rows
from iglayers.core.ids import ClientId, TargetId
from iglayers.messages.queries import BEGINS
from iglayers.sending.model import Asked, Begun, ClientHistory, Facts, NewMessage, Pick


async def pick(conn: Connection, *, machine_transports: list[str], at_most: int) -> list[Pick]:
    """The most overdue running campaigns, each with a free sender, all locked: who has waited longest, by turns.

    Rows that another worker holds are passed over, so finding no sender never means that there is none. Two
    campaigns that share their senders may still be given the same one.
    """
    return await rows(conn, Pick, _PICK, machine_transports, BEGINS, at_most)


async def facts(conn: Connection, asked: Asked) -> Facts:
    """What decides about the next person, or the one named: target and contact locked, then clock and ledger read.

    A statement of its own, so that it sees whatever committed before the locks of `pick` were granted.
    """
    [found] = await _facts(conn, _FACTS, [asked])
    return found


async def facts_free(conn: Connection, asked: Sequence[Asked]) -> list[Facts]:
    """The same for several campaigns, in their order. Whom somebody holds is passed over: this waits for nobody."""
    found = {each.campaign_id: each for each in await _facts(conn, _FACTS_FREE, asked)}
    return [found[each.pick.campaign_id] for each in asked]


async def _facts(conn: Connection, sql: LiteralString, asked: Sequence[Asked]) -> list[Facts]:
    picks = [each.pick for each in asked]
    return await rows(
        conn, Facts, sql,
        [each.workspace_id for each in picks], [each.campaign_id for each in picks],
        [each.sender_id for each in picks], [each.at for each in asked], [each.month for each in asked],
        [each.limits.hourly for each in asked], [each.limits.daily for each in asked],
        [each.hourly_limit for each in picks], [each.daily_limit for each in picks],
        [each.sender_last_begun_at for each in picks], [each.campaign_last_begun_at for each in picks],
        [each.client_id for each in picks], [each.day_zone for each in picks], [each.target_id for each in asked],
    )  # fmt: skip


async def lock_clients(conn: Connection, client_ids: Sequence[ClientId]) -> list[ClientId]:
    """Hold clients, whose limits span their campaigns; those that were to be had, another worker may hold the others.

    The campaigns are held already, against the usual order; passing over a held row never waits, so it cannot deadlock.
    """
    found = await conn.fetch("""
        SELECT c.id FROM clients c WHERE c.id = ANY ($1) FOR NO KEY UPDATE SKIP LOCKED
    """, *plain([client_ids]))  # fmt: skip
    return [ClientId(each["id"]) for each in found]


async def client_histories(conn: Connection, picks: Sequence[Pick]) -> list[ClientHistory]:
    """Limits and ledger of clients that are held, in a statement that sees what committed before the lock."""
    return await rows(
        conn, ClientHistory, _CLIENT_HISTORY,
        [each.campaign_id for each in picks], [each.client_id for each in picks], [each.day_zone for each in picks],
    )  # fmt: skip


async def begin(conn: Connection, messages: Sequence[NewMessage], *, lease_s: float) -> list[Begun]:
    """The point of no return: ledger, first contact, target, campaign, sender and usage in one statement.

    Nothing is written of a message whose person is suppressed, or was contacted for this scope by another target: the
    contacts are locked, each once, so what this statement sees is what holds.
    """
    return await _begun(conn, _BEGIN, messages, lease_s, "sending")


async def claim(conn: Connection, message: NewMessage, *, lease_s: float, author: str) -> Begun:
    """The same for a card of the outbox, whose message is there already: from here on a person sends it."""
    [begun] = await _begun(conn, _CLAIM, [message], lease_s, "awaiting_operator", author)
    return begun


async def _begun(
    conn: Connection, sql: LiteralString, messages: Sequence[NewMessage], lease_s: float, target_state: str,
    *author: str,
) -> list[Begun]:  # fmt: skip
    attempts = [each.attempt for each in messages]
    found = await rows(
        conn, Begun, sql,
        [each.message_id for each in attempts], [each.workspace_id for each in attempts],
        [each.attempt_id for each in attempts], [each.client_id for each in attempts],
        [each.campaign_id for each in attempts], [each.target_id for each in attempts],
        [each.contact_id for each in attempts], [each.sender_id for each in attempts],
        [each.step for each in attempts], [each.variant for each in messages], [each.route for each in attempts],
        [each.text for each in messages], [each.begun_at for each in attempts],
        [each.workspace_is_scope for each in messages], [each.usage_month for each in attempts],
        [each.campaign_due_at for each in messages], [each.sender_ready_at for each in messages],
        [each.sent_on for each in messages], [each.monthly_limit for each in messages],
        [each.comment_id for each in messages], lease_s, target_state, *author,
    )  # fmt: skip
    by_message = {each.message_id: each for each in found}
    return [by_message[each.message_id] for each in attempts]


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
        LIMIT $3
        FOR NO KEY UPDATE OF c SKIP LOCKED
    ), campaign AS MATERIALIZED (
        SELECT due.*, row_number() OVER () AS place, w.timezone, w.clock_real_at, w.clock_at, w.clock_speed, clock.now,
               k.hourly_limit IS NOT NULL OR k.daily_limit IS NOT NULL AS client_has_limits,
               EXISTS (
                   SELECT FROM targets t
                   WHERE t.campaign_id = due.id AND t.next_step = 0 AND t.next_due_at <= clock.now) AS first_is_due
        FROM due
        JOIN workspaces w ON w.id = due.workspace_id
        JOIN clients k ON k.id = due.client_id
        CROSS JOIN LATERAL (
            SELECT w.clock_at + (clock_timestamp() - w.clock_real_at) * w.clock_speed AS now OFFSET 0) AS clock
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
    LEFT JOIN LATERAL (
        WITH pinned AS MATERIALIZED (
            SELECT s.id, s.ready_at
            FROM unnest(c.sender_ids) AS wanted (id)
            CROSS JOIN LATERAL (SELECT * FROM senders WHERE id = wanted.id OFFSET 0) AS s
            WHERE s.workspace_id = c.workspace_id
              AND s.state = 'active' AND s.archived_at IS NULL AND s.ready_at <= c.now
              AND (s.client_ids = '{}' OR c.client_id = ANY (s.client_ids))
              AND (s.rests_until IS NULL OR s.rests_until <= c.now)
              AND (s.routes && $1 OR has_room_for_cards(s.workspace_id, s.id))
        ), serving AS MATERIALIZED (
            -- Where any sender may serve, the few that have waited longest are enough to look at.
            SELECT s.id, s.ready_at
            FROM senders s
            WHERE c.sender_ids = '{}' AND s.workspace_id = c.workspace_id
              AND s.state = 'active' AND s.archived_at IS NULL AND s.ready_at <= c.now
              AND (s.client_ids = '{}' OR c.client_id = ANY (s.client_ids))
              AND (s.rests_until IS NULL OR s.rests_until <= c.now)
              AND (s.routes && $1 OR has_room_for_cards(s.workspace_id, s.id))
              AND (SELECT m.id FROM messages m WHERE m.sender_id = s.id AND m.state = 'sending') IS NULL
              -- Only who has somebody to write to: eight without would hide the one with a follow-up behind them.
              AND (c.first_is_due OR EXISTS (
                  SELECT FROM targets t
                  WHERE t.campaign_id = c.id AND t.sender_id = s.id AND t.next_step > 0 AND t.next_due_at <= c.now))
            ORDER BY s.ready_at
            LIMIT 8
        ), free AS MATERIALIZED (
            SELECT each.id, row_number() OVER (ORDER BY each.ready_at, each.id) AS place, count(*) OVER () AS number
            FROM (SELECT id, ready_at FROM pinned UNION ALL SELECT id, ready_at FROM serving) AS each
            WHERE (SELECT m.id FROM messages m WHERE m.sender_id = each.id AND m.state = 'sending') IS NULL
              -- A follow-up goes out from the account that wrote first.
              AND (c.first_is_due OR EXISTS (
                  SELECT FROM targets t
                  WHERE t.campaign_id = c.id AND t.sender_id = each.id AND t.next_step > 0
                    AND t.next_due_at <= c.now))
        ), by_turns AS MATERIALIZED (
            -- Campaigns that share their senders do not all begin with the same one.
            SELECT free.id FROM free ORDER BY (free.place - c.place + free.number * 100) % free.number
        )
        -- Locked one after the other, by key, until one is to be had; what it is by then counts.
        SELECT s.id, s.username, s.instagram_id, s.routes, s.hourly_limit, s.daily_limit, s.ramp, s.min_gap_s,
               s.warned_until, s.sent_days, s.last_sent_on, s.last_begun_at
        FROM by_turns
        CROSS JOIN LATERAL (SELECT * FROM senders WHERE id = by_turns.id FOR NO KEY UPDATE SKIP LOCKED) AS s
        WHERE s.state = 'active' AND s.archived_at IS NULL AND s.ready_at <= c.now
          AND (s.client_ids = '{}' OR c.client_id = ANY (s.client_ids))
        LIMIT 1
    ) AS s ON true
"""

_FACTS: LiteralString = """
    SELECT each.campaign_id, clock_timestamp() AS real_now, i.dispatch, w.monthly_limit,
           w.first_contact_scope = 'workspace' AS workspace_is_scope,
           coalesce((
               SELECT u.sent FROM usage_months u
               WHERE u.workspace_id = each.workspace_id AND u.month = each.month), 0) AS month_sent,
           c.name AS client_name, c.hourly_limit AS client_hourly_limit, c.daily_limit AS client_daily_limit,
           EXISTS (SELECT FROM messages m WHERE m.sender_id = each.sender_id AND m.state = 'sending') AS sender_busy,
           CASE WHEN each.sender_hourly IS NOT NULL THEN (
               SELECT m.begun_at FROM messages m WHERE m.sender_id = each.sender_id AND m.counts
               ORDER BY m.begun_at DESC OFFSET each.sender_hourly - 1 LIMIT 1) END AS sender_nth_in_hour,
           CASE WHEN each.sender_daily IS NOT NULL THEN (
               SELECT m.begun_at FROM messages m WHERE m.sender_id = each.sender_id AND m.counts
               ORDER BY m.begun_at DESC OFFSET each.sender_daily - 1 LIMIT 1) END AS sender_nth_in_day,
           CASE WHEN each.sender_daily IS NULL THEN 0 ELSE (
               SELECT count(*) FROM messages m
               WHERE m.sender_id = each.sender_id AND m.counts
                 AND m.begun_at >= date_trunc('day', each.sender_last_at, each.zone)) END AS sender_day_used,
           CASE WHEN each.hourly IS NOT NULL THEN (
               SELECT m.begun_at FROM messages m WHERE m.campaign_id = each.campaign_id AND m.counts
               ORDER BY m.begun_at DESC OFFSET each.hourly - 1 LIMIT 1) END AS campaign_nth_in_hour,
           CASE WHEN each.daily IS NOT NULL THEN (
               SELECT m.begun_at FROM messages m WHERE m.campaign_id = each.campaign_id AND m.counts
               ORDER BY m.begun_at DESC OFFSET each.daily - 1 LIMIT 1) END AS campaign_nth_in_day,
           CASE WHEN each.hourly IS NULL AND each.daily IS NULL THEN 0 ELSE (
               SELECT count(*) FROM messages m
               WHERE m.campaign_id = each.campaign_id AND m.counts
                 AND m.begun_at >= date_trunc('day', each.campaign_last_at, each.zone)) END AS campaign_day_used,
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
                        WHERE m.sender_id = each.sender_id AND m.comment_id = c.comment ->> 'id'
                          AND m.state <> 'not_sent')))
            FROM conversations v WHERE v.sender_id = each.sender_id AND v.contact_id = p.contact_id) AS conversation,
           (SELECT jsonb_agg(jsonb_build_object(
                'step', s.step, 'variant', s.variant, 'weight', s.weight, 'delay_hours', s.delay_hours,
                'body', CASE WHEN s.step = p.step THEN s.body END) ORDER BY s.step, s.variant)
            FROM campaign_steps s
            WHERE s.workspace_id = each.workspace_id AND s.campaign_id = each.campaign_id) AS steps
    FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::date[], $6::int[], $7::int[], $8::int[],
                $9::int[], $10::timestamptz[], $11::timestamptz[], $12::uuid[], $13::text[], $14::uuid[])
        AS each (workspace_id, campaign_id, sender_id, at, month, sender_hourly, sender_daily, hourly, daily,
               sender_last_at, campaign_last_at, client_id, zone, target_id)
    JOIN workspaces w ON w.id = each.workspace_id
    JOIN clients c ON c.id = each.client_id
    CROSS JOIN installation i
    LEFT JOIN LATERAL (
        WITH followup AS MATERIALIZED (
            SELECT t.id FROM targets t
            WHERE t.workspace_id = each.workspace_id AND t.campaign_id = each.campaign_id
              AND t.sender_id = each.sender_id AND t.next_step > 0 AND t.next_due_at <= each.at
              AND each.target_id IS NULL
            ORDER BY t.next_due_at
            LIMIT 1
            FOR NO KEY UPDATE -- waits
        ), first AS MATERIALIZED (
            SELECT t.id FROM targets t
            WHERE t.workspace_id = each.workspace_id AND t.campaign_id = each.campaign_id AND t.next_step = 0
              AND t.next_due_at <= each.at AND NOT EXISTS (SELECT FROM followup) AND each.target_id IS NULL
            ORDER BY t.next_due_at, t.id
            LIMIT 1
            FOR NO KEY UPDATE -- waits
        ), asked AS MATERIALIZED (
            SELECT t.id FROM targets t
            WHERE t.id = each.target_id
            FOR NO KEY UPDATE -- waits
        )
        SELECT t.id AS target_id, t.next_step AS step, t.profile_url, t.full_name, t.first_name, t.category,
               t.follower_count, t.variables, k.id AS contact_id, k.username,
               k.merged_into IS NOT NULL AS merged
        FROM (SELECT id FROM followup UNION ALL SELECT id FROM first UNION ALL SELECT id FROM asked) AS next
        JOIN targets t ON t.id = next.id
        JOIN contacts named ON named.id = t.contact_id
        -- Where a merge left the target under its old name, the person who is left.
        JOIN contacts k ON k.id = coalesce(named.merged_into, named.id)
        FOR NO KEY UPDATE OF k -- waits
    ) AS p ON true
"""

_FACTS_FREE: LiteralString = _FACTS.replace("-- waits", "SKIP LOCKED")

_WANTED: LiteralString = """
    WITH wanted AS MATERIALIZED (
        SELECT each.*,
               EXISTS (
                   SELECT FROM suppressions s
                   WHERE s.workspace_id = each.workspace_id AND s.contact_id = each.contact_id
                     AND (s.client_id IS NULL OR s.client_id = each.client_id)
                     AND (s.expires_at IS NULL OR s.expires_at > each.begun_at)) AS suppressed,
               EXISTS (
                   SELECT FROM first_contacts f
                   WHERE f.workspace_id = each.workspace_id AND f.contact_id = each.contact_id
                     AND f.scope_id = ANY (ARRAY[
                         each.client_id, CASE WHEN each.workspace_is_scope THEN each.workspace_id END])
                     AND f.target_id <> each.target_id) AS contacted,
               -- Settling may have made a follow-up due after the reply had stopped it.
               each.step > 0 AND EXISTS (
                   SELECT FROM replies r
                   JOIN targets t ON t.id = each.target_id
                   WHERE r.workspace_id = each.workspace_id AND r.contact_id = each.contact_id
                     AND r.received_at >= t.sent_at AND r.label <> 'automatic') AS replied
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[], $8::uuid[],
                    $9::smallint[], $10::smallint[], $11::text[], $12::text[], $13::timestamptz[], $14::boolean[],
                    $15::date[], $16::timestamptz[], $17::timestamptz[], $18::date[], $19::int[], $20::text[])
            AS each (message_id, workspace_id, attempt_id, client_id, campaign_id, target_id, contact_id, sender_id,
                   step, variant, route, body, begun_at, workspace_is_scope, usage_month, campaign_due_at,
                   sender_ready_at, sent_on, monthly_limit, comment_id)
    ), message AS (
"""

_INSERTED: LiteralString = """
        INSERT INTO messages (id, attempt_id, workspace_id, client_id, campaign_id, target_id, contact_id,
                              sender_id, step, variant, route, body, state, lease_until, begun_at, usage_month,
                              comment_id)
        SELECT message_id, attempt_id, workspace_id, client_id, campaign_id, target_id, contact_id,
               sender_id, step, variant, route, body, 'sending',
               clock_timestamp() + make_interval(secs => $21), begun_at, usage_month, comment_id
        FROM wanted
        WHERE NOT suppressed AND NOT contacted AND NOT replied
        RETURNING id
"""

_CLAIMED: LiteralString = """
        UPDATE messages m
        SET state = 'claimed', attempt_id = each.attempt_id, variant = each.variant, route = each.route,
            body = each.body, begun_at = each.begun_at, lease_until = clock_timestamp() + make_interval(secs => $21),
            usage_month = each.usage_month, comment_id = each.comment_id, author = $23
        FROM wanted each
        WHERE NOT suppressed AND NOT contacted AND NOT replied
          AND m.id = each.message_id AND m.state = 'handed_over' AND m.held IS NULL
        RETURNING m.id
"""

_BEGUN: LiteralString = """
    ), begun AS MATERIALIZED (
        SELECT * FROM wanted WHERE message_id IN (SELECT id FROM message)
    ), ledger AS (
        INSERT INTO first_contacts (workspace_id, scope_id, contact_id, target_id)
        SELECT b.workspace_id, scope.id, b.contact_id, b.target_id
        FROM begun b
        CROSS JOIN LATERAL (SELECT b.client_id UNION ALL SELECT b.workspace_id WHERE b.workspace_is_scope) AS scope (id)
        ON CONFLICT (workspace_id, scope_id, contact_id) DO NOTHING
    ), target AS (
        UPDATE targets t
        SET state = CASE WHEN b.step = 0 THEN $22 ELSE t.state END, sender_id = b.sender_id, next_due_at = NULL,
            error_code = CASE WHEN b.step = 0 THEN NULL ELSE t.error_code END,
            reason = CASE WHEN b.step = 0 THEN NULL ELSE t.reason END, updated_at = b.begun_at
        FROM begun b
        WHERE t.id = b.target_id
    ), campaign AS (
        UPDATE campaigns c
        SET due_at = b.campaign_due_at, last_begun_at = b.begun_at, blocked_reason = NULL, limited_by = NULL,
            next_at = NULL
        FROM begun b
        WHERE c.id = b.campaign_id
    ), sender AS (
        UPDATE senders s
        SET ready_at = b.sender_ready_at, last_begun_at = b.begun_at,
            sent_days = s.sent_days + (s.last_sent_on IS DISTINCT FROM b.sent_on)::int, last_sent_on = b.sent_on
        FROM begun b
        WHERE s.id = b.sender_id
    ), month AS MATERIALIZED (
        SELECT workspace_id, usage_month AS month, count(*)::int AS more, min(monthly_limit) AS most,
               max(begun_at) AS at
        FROM begun
        WHERE usage_month IS NOT NULL
        GROUP BY workspace_id, usage_month
        ORDER BY workspace_id, usage_month
    ), counted AS (
        -- The hot row of each workspace, and only where a monthly limit is set.
        INSERT INTO usage_months AS u (workspace_id, month, sent)
        SELECT workspace_id, month, more FROM month WHERE more <= most
        ON CONFLICT (workspace_id, month) DO UPDATE SET sent = u.sent + excluded.sent
            WHERE u.sent + excluded.sent <= (
                SELECT most FROM month WHERE workspace_id = u.workspace_id AND month = u.month)
        RETURNING workspace_id, month, sent
    ), warned AS MATERIALIZED (
        SELECT record_event(event_id(), workspace_id, 'usage.warning', month.at, NULL, NULL, NULL,
            json_build_object('usage', json_build_object(
                'month', to_char(month, 'YYYY-MM'), 'sent', reached.sent, 'limit', month.most)))
        FROM counted
        JOIN month USING (workspace_id, month)
        CROSS JOIN LATERAL (SELECT month.most UNION SELECT ceil(month.most * 0.8)::int) AS reached (sent)
        WHERE reached.sent > counted.sent - month.more AND reached.sent <= counted.sent
    )
    SELECT message_id, message_id IN (SELECT message_id FROM begun) AS begun, suppressed, contacted, replied,
           (SELECT count(*) FROM month) > (SELECT count(*) FROM counted) AS month_full
    FROM wanted
    WHERE (SELECT count(*) FROM warned) >= 0
"""

_BEGIN: LiteralString = _WANTED + _INSERTED + _BEGUN
_CLAIM: LiteralString = _WANTED + _CLAIMED + _BEGUN

_CLIENT_HISTORY: LiteralString = """
    SELECT each.campaign_id, c.hourly_limit, c.daily_limit,
           CASE WHEN c.hourly_limit IS NOT NULL THEN (
               SELECT m.begun_at FROM messages m WHERE m.client_id = c.id AND m.counts
               ORDER BY m.begun_at DESC OFFSET c.hourly_limit - 1 LIMIT 1) END AS nth_in_hour,
           CASE WHEN c.daily_limit IS NOT NULL THEN (
               SELECT m.begun_at FROM messages m WHERE m.client_id = c.id AND m.counts
               ORDER BY m.begun_at DESC OFFSET c.daily_limit - 1 LIMIT 1) END AS nth_in_day,
           CASE WHEN c.hourly_limit IS NULL AND c.daily_limit IS NULL THEN 0 ELSE (
               SELECT count(*) FROM messages m
               WHERE m.client_id = c.id AND m.counts
                 AND m.begun_at >= date_trunc('day', last.begun_at, each.zone)) END AS day_used,
           last.begun_at AS last_begun_at
    FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS each (campaign_id, client_id, zone)
    JOIN clients c ON c.id = each.client_id
    LEFT JOIN LATERAL (
        SELECT m.begun_at FROM messages m
        WHERE m.client_id = c.id AND m.counts
        ORDER BY m.begun_at DESC
        LIMIT 1) last ON true
"""
