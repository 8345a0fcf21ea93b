"""SQL of campaigns and senders that wait: for how long, for what, and who would be next."""

from datetime import datetime
from typing import LiteralString

from iglayers.core.clock import Moment
from iglayers.core.db import Connection, execute, row, value
from iglayers.sending.model import Outlook, Pick


async def wait_for(
    conn: Connection, pick: Pick, *, due_at: datetime, next_at: Moment | None, rule: str | None, blocker: str | None
) -> None:
    """When a worker looks at the campaign again, when it may go on, and what it waits for."""
    await execute(conn, """
        UPDATE campaigns SET due_at = $3, next_at = $4, limited_by = $5, blocked_reason = $6
        WHERE workspace_id = $1 AND id = $2 AND state = 'running'
    """, pick.workspace_id, pick.campaign_id, due_at, next_at, rule, blocker)  # fmt: skip


async def rest_sender(conn: Connection, pick: Pick, *, ready_at: datetime) -> None:
    """The sender may not go before this moment."""
    await execute(
        conn,
        "UPDATE senders SET ready_at = $3 WHERE workspace_id = $1 AND id = $2",
        pick.workspace_id, pick.sender_id, ready_at,
    )  # fmt: skip


async def outlook(conn: Connection, pick: Pick, *, now: datetime, machine_transports: list[str]) -> Outlook:
    """What a campaign without a next message waits for."""
    found = await row(conn, Outlook, _OUTLOOK, pick.workspace_id, pick.campaign_id, now, machine_transports)
    assert found is not None
    return found


async def next_due(conn: Connection) -> datetime | None:
    """The real moment at which the next running campaign is due; None also while nothing may be sent at all."""
    return await value(
        conn,
        """
        SELECT min(due_at) FROM campaigns
        WHERE state = 'running' AND (SELECT dispatch FROM installation) = 'running'
    """,
    )


_OUTLOOK: LiteralString = """
    WITH serving AS MATERIALIZED (
        SELECT s.routes && $4 OR has_room_for_cards(s.workspace_id, s.id) AS able,
               greatest(s.ready_at, s.rests_until) AS ready_at,
               EXISTS (SELECT FROM messages m WHERE m.sender_id = s.id AND m.state = 'sending') AS busy
        FROM senders s
        JOIN campaigns c ON c.workspace_id = s.workspace_id AND c.id = $2
        WHERE s.workspace_id = $1 AND s.state = 'active' AND s.archived_at IS NULL
          AND (s.client_ids = '{}' OR c.client_id = ANY (s.client_ids))
          AND (c.sender_ids = '{}' OR s.id = ANY (c.sender_ids))
    )
    SELECT least(
               (SELECT min(t.next_due_at) FROM targets t
                WHERE t.workspace_id = $1 AND t.campaign_id = $2 AND t.next_step = 0
                  AND t.next_due_at IS NOT NULL),
               (SELECT min(t.next_due_at) FROM targets t
                WHERE t.workspace_id = $1 AND t.campaign_id = $2 AND t.next_step > 0
                  AND t.next_due_at IS NOT NULL)) AS next_due_at,
           EXISTS (SELECT FROM targets t
                   WHERE t.workspace_id = $1 AND t.campaign_id = $2 AND t.next_step = 0
                     AND t.next_due_at <= $3) AS first_is_due,
           EXISTS (SELECT FROM targets t
                   WHERE t.workspace_id = $1 AND t.campaign_id = $2
                     AND t.state IN ('sending', 'awaiting_operator'))
           OR EXISTS (SELECT FROM messages m
                      WHERE m.campaign_id = $2 AND m.state IN ('handed_over', 'claimed')) AS in_flight,
           EXISTS (SELECT FROM messages m
                   WHERE m.campaign_id = $2 AND m.state IN ('handed_over', 'claimed')) AS in_hands,
           (SELECT count(*) FROM serving WHERE able) AS able_senders,
           (SELECT count(*) FROM serving WHERE NOT able) AS full_senders,
           (SELECT min(ready_at) FROM serving WHERE able AND NOT busy) AS ready_at,
           (SELECT count(*) FROM serving WHERE able AND busy) AS busy
"""
