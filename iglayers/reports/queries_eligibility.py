"""Who waits in a campaign, and what its accounts know of them. Read only."""

from iglayers.core.db import Connection, rows
from iglayers.core.ids import CampaignId, SenderId, TargetId, WorkspaceId
from iglayers.reports.model_eligibility import Known, Waits


async def waiting(
    conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, *, only: TargetId | None, limit: int
) -> list[Waits]:
    """People without a first message, those first whose turn comes first; or the one target, in whatever state."""
    return await rows(conn, Waits, """
        WITH waiting AS MATERIALIZED (
            (SELECT id, contact_id, sender_id, next_due_at
             FROM targets
             WHERE $3::uuid IS NULL AND campaign_id = (SELECT id FROM campaigns WHERE workspace_id = $1 AND id = $2)
               AND next_step = 0 AND next_due_at IS NOT NULL
             ORDER BY next_due_at, id
             LIMIT $4)
            UNION ALL
            SELECT id, contact_id, sender_id, next_due_at
            FROM targets
            WHERE workspace_id = $1 AND campaign_id = $2 AND id = $3
        )
        SELECT t.id AS target_id, t.contact_id, k.username, t.sender_id
        FROM waiting t
        -- Looked up by id, one by one: a planner that takes the tables for empty reads them all for each.
        CROSS JOIN LATERAL (SELECT username FROM contacts WHERE id = t.contact_id OFFSET 0) k
        WHERE k.username IS NOT NULL
        ORDER BY t.next_due_at, t.id
    """, workspace_id, campaign_id, only, limit)  # fmt: skip


async def known(
    conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, *, sender_ids: list[SenderId],
    only: TargetId | None,
) -> list[Known]:  # fmt: skip
    """Threads of these accounts with people of the campaign; comments that were answered are left out."""
    return await rows(conn, Known, """
        SELECT v.sender_id, v.contact_id, jsonb_build_object(
                   'igsid', v.igsid, 'window_ends_at', v.window_ends_at, 'last_inbound_at', v.last_inbound_at,
                   'comments', (
                       SELECT coalesce(jsonb_agg(c.comment), '[]')
                       FROM jsonb_array_elements(v.comments) AS c (comment)
                       WHERE NOT EXISTS (
                           SELECT FROM messages m
                           WHERE m.workspace_id = $1 AND m.sender_id = v.sender_id
                             AND m.comment_id = c.comment ->> 'id' AND m.state <> 'not_sent'))) AS conversation
        FROM conversations v
        JOIN targets t ON t.workspace_id = $1 AND t.campaign_id = $2 AND t.contact_id = v.contact_id
        WHERE v.workspace_id = $1 AND v.sender_id = ANY ($3) AND ($4::uuid IS NULL OR t.id = $4)
    """, workspace_id, campaign_id, sender_ids, only)  # fmt: skip
