"""SQL beside the sending: leases that ended, what is needed to settle later, and what a database remembers."""

from typing import LiteralString

import msgspec

from iglayers.core.clock import Clock
from iglayers.core.db import Connection, row, value
from iglayers.core.ids import MessageId
from iglayers.sending.model import Attempt, AttemptRow


async def ended_leases(conn: Connection, *, limit: int) -> list[MessageId]:
    """Messages whose worker, or whose claimer in the outbox, has not been heard of until the end of the lease."""
    found = await conn.fetch("""
        SELECT id FROM messages
        WHERE kind = 'step' AND state IN ('sending', 'claimed') AND lease_until < clock_timestamp() AND held IS NULL
        LIMIT $1
    """, limit)  # fmt: skip
    return [MessageId(each["id"]) for each in found]


async def newest_begun(conn: Connection) -> MessageId | None:
    """The newest message that was begun anywhere."""
    found = await value(conn, "SELECT id FROM messages ORDER BY id DESC LIMIT 1")
    return None if found is None else MessageId(found)


async def knows(conn: Connection, message_id: MessageId) -> bool:
    """Whether this database remembers the message."""
    return await value(conn, "SELECT EXISTS (SELECT FROM messages WHERE id = $1)", message_id)


async def attempt(conn: Connection, message_id: MessageId) -> Attempt | None:
    """A message that a campaign sent, with all that settling it needs; read without a lock."""
    found = await row(conn, AttemptRow, _ATTEMPT, message_id)
    if found is None:
        return None
    fields = msgspec.structs.asdict(found)
    clock = Clock(real_at=fields.pop("real_at"), at=fields.pop("at"), speed=fields.pop("speed"))
    return Attempt(**fields, clock=clock)


_ATTEMPT: LiteralString = """
    SELECT m.id AS message_id, m.attempt_id, m.workspace_id, m.client_id, m.campaign_id, m.target_id, m.contact_id,
           m.sender_id, s.username AS sender_username, m.step, m.route, m.begun_at, m.usage_month,
           (SELECT min(n.delay_hours) FROM campaign_steps n
            WHERE n.workspace_id = m.workspace_id AND n.campaign_id = m.campaign_id AND n.step = m.step + 1)
               AS next_step_delay_h,
           (SELECT count(*) FROM messages e
            WHERE e.workspace_id = m.workspace_id AND e.contact_id = m.contact_id AND e.target_id = m.target_id
              AND e.step = m.step AND e.state = 'not_sent') AS not_sent_before,
           w.clock_real_at AS real_at, w.clock_at AS at, w.clock_speed AS speed,
           jsonb_build_object(
               'campaign', jsonb_build_object(
                   'id', 'cmp_' || replace(c.id::text, '-', ''), 'name', c.name,
                   'clientId', 'cl_' || replace(c.client_id::text, '-', ''), 'metadata', c.metadata),
               'target', jsonb_build_object(
                   'id', 'tgt_' || replace(t.id::text, '-', ''), 'instagramUsername', k.username,
                   'profileUrl', t.profile_url, 'fullName', t.full_name, 'firstName', t.first_name,
                   'category', t.category, 'followerCount', t.follower_count,
                   'variables', coalesce(t.variables, '{}'))) AS event
    FROM messages m
    JOIN workspaces w ON w.id = m.workspace_id
    JOIN senders s ON s.id = m.sender_id
    JOIN campaigns c ON c.id = m.campaign_id
    JOIN targets t ON t.id = m.target_id
    JOIN contacts k ON k.id = m.contact_id
    WHERE m.id = $1 AND m.kind = 'step'
"""
