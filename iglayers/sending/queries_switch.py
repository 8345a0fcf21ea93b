"""SQL for a person whom another account of the campaign may write to: the account, locked, and a later turn."""

from datetime import date, datetime

import msgspec

from iglayers.core.db import Connection, execute, row, value
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


async def knows(conn: Connection, pick: Pick, contact_id: ContactId, *, now: datetime) -> SenderId | None:
    """An account that may serve the campaign and has the person's ear: an open window, else a comment."""
    found = await value(conn, """
        SELECT s.id
        FROM conversations v
        JOIN senders s ON s.workspace_id = $1 AND s.id = v.sender_id
        JOIN campaigns c ON c.workspace_id = $1 AND c.id = $2
        WHERE v.workspace_id = $1 AND v.contact_id = $3 AND s.id <> $4
          AND s.state = 'active' AND s.archived_at IS NULL
          AND (s.client_ids = '{}' OR c.client_id = ANY (s.client_ids))
          AND (c.sender_ids = '{}' OR s.id = ANY (c.sender_ids))
          AND (v.window_ends_at > $5 OR v.comments <> '[]')
        ORDER BY v.window_ends_at > $5 DESC NULLS LAST, s.id
        LIMIT 1
    """, pick.workspace_id, pick.campaign_id, contact_id, pick.sender_id, now)  # fmt: skip
    return None if found is None else SenderId(found)


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
