"""SQL for a person whom another account of the campaign may write to: the account, locked, and a later turn."""

from datetime import date, datetime

import msgspec

from iglayers.core.db import Connection, execute, plain, row
from iglayers.core.ids import ContactId, SenderId, TargetId
from iglayers.sending.model import Pick


class OtherSender(msgspec.Struct, frozen=True, kw_only=True):
    """What of a `Pick` is another sender's."""

    sender_id: SenderId
    sender_username: str
    sender_instagram_id: str | None
    sender_routes: list[str]
    sender_hourly_limit: int
    sender_daily_limit: int
    ramp: bool
    min_gap_s: int
    warned_until: datetime | None
    sent_days: int
    last_sent_on: date | None
    sender_last_begun_at: datetime | None


async def may_have_a_way(
    conn: Connection, pick: Pick, contact_id: ContactId, *, by_hand: list[str], now: datetime, limit: int
) -> list[SenderId]:
    """Other accounts of the campaign: to whom the person spoke, then on whose posts they commented, then `by_hand`."""
    found = await conn.fetch("""
        WITH campaign AS MATERIALIZED (
            SELECT client_id, sender_ids FROM campaigns WHERE workspace_id = $1 AND id = $2
        ), serving AS (
            SELECT s.id, CASE WHEN v.window_ends_at > $5 THEN 1 ELSE 2 END AS place
            FROM conversations v
            JOIN senders s ON s.id = v.sender_id
            WHERE v.workspace_id = $1 AND v.contact_id = $3 AND (v.window_ends_at > $5 OR v.comments <> '[]')
            UNION ALL
            SELECT s.id, 3 FROM senders s WHERE s.workspace_id = $1 AND cardinality($6::text[]) > 0 AND s.routes && $6
        )
        SELECT s.id
        FROM serving
        CROSS JOIN campaign c
        JOIN senders s ON s.id = serving.id
        WHERE s.id <> $4 AND s.state = 'active' AND s.archived_at IS NULL
          AND (s.client_ids = '{}' OR c.client_id = ANY (s.client_ids))
          AND (c.sender_ids = '{}' OR s.id = ANY (c.sender_ids))
        GROUP BY s.id
        ORDER BY min(serving.place), s.id
        LIMIT $7
    """, *plain([pick.workspace_id, pick.campaign_id, contact_id, pick.sender_id, now, by_hand, limit]))  # fmt: skip
    return [SenderId(each["id"]) for each in found]


async def hold(conn: Connection, pick: Pick, sender_id: SenderId, *, now: datetime) -> OtherSender | None:
    """That account, locked; None while somebody else holds it, or where it rests or was stopped meanwhile.

    The first one and the person are held already, against the usual order: passing over never waits.
    """
    return await row(conn, OtherSender, """
        SELECT s.id AS sender_id, s.username AS sender_username, s.instagram_id AS sender_instagram_id,
               s.routes AS sender_routes, s.hourly_limit AS sender_hourly_limit,
               s.daily_limit AS sender_daily_limit, s.ramp, s.min_gap_s, s.warned_until, s.sent_days,
               s.last_sent_on, s.last_begun_at AS sender_last_begun_at
        FROM senders s
        WHERE s.workspace_id = $1 AND s.id = $2 AND s.state = 'active' AND s.archived_at IS NULL
          AND (s.rests_until IS NULL OR s.rests_until <= $3)
        FOR NO KEY UPDATE SKIP LOCKED
    """, pick.workspace_id, sender_id, now)  # fmt: skip


async def put_off(conn: Connection, pick: Pick, target_id: TargetId, *, until: datetime) -> None:
    """The person, who is locked, has their turn later; others go first."""
    await execute(
        conn,
        "UPDATE targets SET next_due_at = $3 WHERE workspace_id = $1 AND id = $2",
        pick.workspace_id, target_id, until,
    )  # fmt: skip
