"""The outbox's statements: cards handed over, locked to be claimed, answered, given back, taken back."""

from datetime import timedelta
from typing import Any, LiteralString

import msgspec

from iglayers.core.clock import Moment
from iglayers.core.db import Connection, execute, row, rows, value
from iglayers.core.ids import CampaignId, ClientId, MessageId, SenderId, WorkspaceId
from iglayers.messages.queries import BEGINS
from iglayers.sending.model import Attempt, Pick
from iglayers.sending.model_outbox import CardPlace, CardRow, CardStatus, Said

# A person of a sender whose outbox is full waits this long, so that others of the campaign get their turn.
FULL_AGAIN_AFTER = timedelta(minutes=10)


async def hand_over(conn: Connection, attempt: Attempt, *, variant: int) -> None:
    """A card for a person to send: a plan only, which counts against no limit. The sender is locked.

    Without room in the outbox the person comes later.
    """
    await execute(conn, """
        WITH room AS MATERIALIZED (
            SELECT has_room_for_cards($2, $8) AS yes
        ), card AS (
            INSERT INTO messages (id, attempt_id, workspace_id, client_id, campaign_id, target_id, contact_id,
                                  sender_id, step, variant, route, state, begun_at)
            SELECT $1, $3, $2, $4, $5, $6, $7, $8, $9, $10, $11, 'handed_over', $12 FROM room WHERE yes
        ), plan AS (
            UPDATE campaigns SET blocked_reason = NULL, limited_by = NULL, next_at = NULL
            WHERE workspace_id = $2 AND id = $5
        )
        UPDATE targets t
        SET state = CASE WHEN room.yes AND $9 = 0 THEN 'awaiting_operator' ELSE t.state END,
            sender_id = CASE WHEN room.yes THEN $8 ELSE t.sender_id END,
            next_due_at = CASE WHEN room.yes THEN NULL ELSE $13::timestamptz END, updated_at = $12
        FROM room
        WHERE t.workspace_id = $2 AND t.id = $6
    """, attempt.message_id, attempt.workspace_id, attempt.attempt_id, attempt.client_id, attempt.campaign_id,
        attempt.target_id, attempt.contact_id, attempt.sender_id, attempt.step, variant, attempt.route,
        attempt.begun_at, attempt.begun_at + FULL_AGAIN_AFTER)  # fmt: skip


async def page(  # noqa: PLR0913 the filters of a list
    conn: Connection, workspace_id: WorkspaceId, *, only: ClientId | None, actor: str, sender_id: SenderId | None,
    status: CardStatus | None, after: MessageId | None, limit: int, mine: bool = False,
) -> list[CardRow]:  # fmt: skip
    """Cards to work on, oldest first: those of running campaigns, all that are claimed, one's own that are unknown.

    `mine`: only those that `actor` has claimed or said something of.
    """
    return await rows(conn, CardRow, _CARDS + """
        WHERE m.workspace_id = $1 AND m.route = 'assisted' AND m.kind = 'step'
          AND ($2::uuid IS NULL OR m.client_id = $2)
          AND ($4::uuid IS NULL OR m.sender_id = $4)
          AND ($6::uuid IS NULL OR m.id > $6)
          AND ($5::text IS NULL OR m.state = $5)
          AND (NOT $8 OR m.author = $3)
          AND (m.state = 'claimed'
               OR m.state = 'unknown' AND m.author = $3
               OR m.state = 'handed_over' AND c.state = 'running' AND s.state = 'active' AND s.archived_at IS NULL)
        ORDER BY m.id
        LIMIT $7
    """, workspace_id, only, actor, sender_id, status, after, limit, mine)  # fmt: skip


async def by_id(
    conn: Connection, workspace_id: WorkspaceId, message_id: MessageId, *, only: ClientId | None
) -> CardRow | None:
    """One card, in whatever state."""
    return await row(conn, CardRow, _CARDS + """
        WHERE m.workspace_id = $1 AND m.id = $2 AND m.route = 'assisted' AND m.kind = 'step'
          AND ($3::uuid IS NULL OR m.client_id = $3)
    """, workspace_id, message_id, only)  # fmt: skip


async def place(
    conn: Connection, workspace_id: WorkspaceId, message_id: MessageId, *, only: ClientId | None
) -> CardPlace | None:
    """What has to be locked before a card may be claimed; begins are let in by their gate first."""
    return await row(conn, CardPlace, """
        WITH gate AS MATERIALIZED (
            SELECT pg_advisory_xact_lock_shared($4)
        )
        SELECT m.campaign_id, m.client_id, m.sender_id, m.target_id
        FROM gate
        CROSS JOIN messages m
        WHERE m.workspace_id = $1 AND m.id = $2 AND m.route = 'assisted' AND m.kind = 'step'
          AND ($3::uuid IS NULL OR m.client_id = $3)
    """, workspace_id, message_id, only, BEGINS)  # fmt: skip


async def pick(conn: Connection, workspace_id: WorkspaceId, card: CardPlace) -> Pick:
    """The card's campaign and sender as the engine sees them; the caller holds both."""
    found = await row(conn, Pick, """
        SELECT c.id AS campaign_id, c.workspace_id, c.client_id, c.name AS campaign_name, c.metadata,
               c.hourly_limit, c.daily_limit, c.last_begun_at AS campaign_last_begun_at,
               k.hourly_limit IS NOT NULL OR k.daily_limit IS NOT NULL AS client_has_limits, c.routes, c.schedule,
               w.timezone AS zone, w.clock_real_at AS real_at, w.clock_at AS at, w.clock_speed AS speed,
               cardinality(c.sender_ids) = 1 AS only_sender,
               s.id AS sender_id, s.username AS sender_username, s.instagram_id AS sender_instagram_id,
               s.routes AS sender_routes, s.hourly_limit AS sender_hourly_limit,
               s.daily_limit AS sender_daily_limit, s.ramp, s.min_gap_s, s.warned_until, s.sent_days,
               s.last_sent_on, s.last_begun_at AS sender_last_begun_at
        FROM campaigns c
        JOIN workspaces w ON w.id = c.workspace_id
        JOIN clients k ON k.id = c.client_id
        JOIN senders s ON s.workspace_id = c.workspace_id AND s.id = $3
        WHERE c.workspace_id = $1 AND c.id = $2
    """, workspace_id, card.campaign_id, card.sender_id)  # fmt: skip
    assert found is not None
    return found


async def lock(conn: Connection, workspace_id: WorkspaceId, message_id: MessageId) -> CardRow | None:
    """A card, locked for what its claimer says of it."""
    await value(
        conn,
        "SELECT true FROM messages WHERE workspace_id = $1 AND id = $2 FOR NO KEY UPDATE",
        workspace_id,
        message_id,
    )
    return await by_id(conn, workspace_id, message_id, only=None)


async def hold(
    conn: Connection,
    workspace_id: WorkspaceId,
    message_id: MessageId,
    *,
    held: dict[str, Any],
    author: str,
    for_s: float,
) -> None:
    """Keep what became of a card until it can no longer be undone; the card is locked."""
    await execute(conn, """
        UPDATE messages
        SET held = $3, held_until = clock_timestamp() + make_interval(secs => $5), author = $4
        WHERE workspace_id = $1 AND id = $2
    """, workspace_id, message_id, held, author, for_s)  # fmt: skip


async def let_go(conn: Connection, workspace_id: WorkspaceId, message_id: MessageId, *, lease_s: float) -> None:
    """Forget what was said of a card; a claimed one is its claimer's again for as long as at first."""
    await execute(conn, """
        UPDATE messages
        SET held = NULL, held_until = NULL,
            author = CASE WHEN state = 'handed_over' THEN NULL ELSE author END,
            lease_until = CASE WHEN state = 'claimed' THEN clock_timestamp() + make_interval(secs => $3) END
        WHERE workspace_id = $1 AND id = $2
    """, workspace_id, message_id, lease_s)  # fmt: skip


async def give_back(conn: Connection, attempt: Attempt) -> None:
    """A claimed card of which its claimer says that nothing was sent is a plan again: nothing of it counts any more."""
    await execute(conn, """
        WITH card AS (
            UPDATE messages
            SET state = 'handed_over', author = NULL, lease_until = NULL, usage_month = NULL, body = NULL
            WHERE workspace_id = $1 AND id = $2 AND state = 'claimed' AND held IS NULL
            RETURNING step, target_id
        ), freed AS (
            DELETE FROM first_contacts f
            USING card
            WHERE card.step = 0 AND f.workspace_id = $1 AND f.target_id = card.target_id
        )
        UPDATE usage_months u
        SET sent = u.sent - 1
        FROM card
        WHERE u.workspace_id = $1 AND u.month = $3::date
    """, attempt.workspace_id, attempt.message_id, attempt.usage_month)  # fmt: skip


async def answered(conn: Connection, *, limit: int) -> list[MessageId]:
    """Cards of which somebody said what became of them, and it can no longer be undone."""
    found = await conn.fetch("SELECT id FROM messages WHERE held_until <= clock_timestamp() LIMIT $1", limit)
    return [MessageId(each["id"]) for each in found]


async def said(conn: Connection, workspace_id: WorkspaceId, message_id: MessageId) -> Said | None:
    """What was said of a card and can no longer be undone; locks the message, after its target."""
    found = await value(conn, """
        WITH target AS MATERIALIZED (
            SELECT t.id FROM targets t
            JOIN messages m ON m.workspace_id = t.workspace_id AND m.target_id = t.id
            WHERE m.workspace_id = $1 AND m.id = $2
            FOR NO KEY UPDATE OF t
        )
        SELECT m.held
        FROM target
        JOIN messages m ON m.workspace_id = $1 AND m.id = $2
        WHERE m.held_until <= clock_timestamp()
        FOR NO KEY UPDATE OF m
    """, workspace_id, message_id)  # fmt: skip
    return None if found is None else msgspec.convert(found, Said)


async def take_back(conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, *, at: Moment) -> int:
    """The campaign's unclaimed cards are no cards any more, and their people wait as before.

    Who is held is passed over, for a later call.
    """
    return await execute(conn, _TAKE_BACK, workspace_id, campaign_id, None, at)


async def take_back_of_sender(conn: Connection, workspace_id: WorkspaceId, sender_id: SenderId, *, at: Moment) -> int:
    """The same for a sender that is stopped, so that others may write to its people."""
    return await execute(conn, _TAKE_BACK, workspace_id, None, sender_id, at)


async def stopped_senders(conn: Connection) -> list[tuple[WorkspaceId, SenderId]]:
    """Senders that are not active and still have unclaimed cards."""
    found = await conn.fetch("""
        SELECT DISTINCT m.workspace_id, m.sender_id
        FROM messages m
        JOIN senders s ON s.id = m.sender_id
        WHERE m.state = 'handed_over' AND m.held IS NULL
          AND (s.state <> 'active' OR s.archived_at IS NOT NULL OR NOT 'assisted' = ANY (s.routes))
    """)  # fmt: skip
    return [(WorkspaceId(each["workspace_id"]), SenderId(each["sender_id"])) for each in found]


_CARDS: LiteralString = """
    SELECT m.id, m.state, m.campaign_id, c.name AS campaign_name, c.state AS campaign_state, m.client_id,
           m.target_id, m.contact_id, k.username AS instagram_username, t.full_name, t.first_name, t.category,
           t.follower_count, m.sender_id, s.username AS sender_username, m.step, m.body, m.author, m.begun_at,
           m.lease_until, m.held, m.held_until, m.error_code, m.reason
    FROM messages m
    JOIN campaigns c ON c.id = m.campaign_id
    JOIN targets t ON t.id = m.target_id
    JOIN contacts k ON k.id = m.contact_id
    JOIN senders s ON s.id = m.sender_id
"""

# Targets before messages; a card that is claimed meanwhile is no longer handed over when its row is reached.
_TAKE_BACK: LiteralString = """
    WITH held AS MATERIALIZED (
        SELECT t.id, m.id AS message_id, m.step
        FROM targets t
        JOIN messages m ON m.workspace_id = $1 AND m.target_id = t.id
        WHERE t.workspace_id = $1 AND m.state = 'handed_over' AND m.held IS NULL
          AND ($2::uuid IS NULL OR m.campaign_id = $2) AND ($3::uuid IS NULL OR m.sender_id = $3)
        ORDER BY t.id
        FOR NO KEY UPDATE OF t SKIP LOCKED
    ), taken AS (
        UPDATE messages m
        SET state = 'skipped', reason = 'The card was taken back before anybody claimed it.', settled_at = $4
        FROM held
        WHERE m.id = held.message_id AND m.state = 'handed_over' AND m.held IS NULL
        RETURNING m.target_id, m.step
    )
    UPDATE targets t
    SET state = CASE WHEN t.state = 'awaiting_operator' THEN 'queued' ELSE t.state END,
        next_step = taken.step, next_due_at = CASE WHEN t.state <> 'replied' THEN $4 END, updated_at = $4
    FROM taken
    WHERE t.id = taken.target_id
"""
