"""In whom nothing happens any more: what retention asks across all tables. Read only."""

from collections.abc import Sequence
from datetime import datetime

from iglayers.core.db import Connection, plain
from iglayers.core.ids import ContactId, WorkspaceId


async def quiet(
    conn: Connection, workspace_id: WorkspaceId, contact_ids: Sequence[ContactId], *, before: datetime
) -> list[ContactId]:
    """Those of these people of whom, under every handle, all that is known is older than `before` and at an end.

    At an end: in no campaign that runs or is paused, and nothing of theirs waits for a person to settle or send it.
    """
    found = await conn.fetch("""
        SELECT asked.id
        FROM unnest($2::uuid[]) AS asked (id)
        WHERE NOT EXISTS (
            SELECT FROM (
                SELECT id, created_at FROM contacts WHERE workspace_id = $1 AND id = asked.id
                UNION ALL
                SELECT id, created_at FROM contacts WHERE workspace_id = $1 AND merged_into = asked.id
            ) AS handle
            WHERE handle.created_at >= $3
               OR EXISTS (
                   SELECT FROM targets t
                   JOIN campaigns c ON c.id = t.campaign_id
                   WHERE t.workspace_id = $1 AND t.contact_id = handle.id
                     AND (t.updated_at >= $3 OR c.state IN ('running', 'paused')
                          OR t.state IN ('sending', 'awaiting_operator', 'unknown')))
               OR EXISTS (
                   SELECT FROM messages m
                   WHERE m.workspace_id = $1 AND m.contact_id = handle.id
                     AND (greatest(m.begun_at, m.settled_at) >= $3
                          OR m.state IN ('sending', 'handed_over', 'claimed', 'unknown')))
               OR EXISTS (
                   SELECT FROM replies r
                   WHERE r.workspace_id = $1 AND r.contact_id = handle.id AND r.received_at >= $3)
               OR EXISTS (
                   SELECT FROM conversations v
                   WHERE v.workspace_id = $1 AND v.contact_id = handle.id AND v.active_at >= $3)
               -- A comment or a reaction is no word in a conversation, and shows that the person is there.
               OR EXISTS (
                   SELECT FROM inbound i
                   WHERE i.workspace_id = $1 AND i.contact_id = handle.id AND i.occurred_at >= $3)
               OR EXISTS (
                   SELECT FROM suppressions s
                   WHERE s.workspace_id = $1 AND s.contact_id = handle.id AND s.created_at >= $3)
        )
    """, *plain([workspace_id, list(contact_ids), before]))  # fmt: skip
    return [ContactId(each[0]) for each in found]
