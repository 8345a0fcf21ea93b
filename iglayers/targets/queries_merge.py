"""What a merge of two people does to their targets: SQL on targets. All of them are locked first, before the people."""

from datetime import datetime
from uuid import UUID

from iglayers.core.db import Connection, execute, plain, value
from iglayers.core.ids import ContactId, WorkspaceId


async def lock_of(conn: Connection, workspace_id: WorkspaceId, contact_ids: list[ContactId]) -> list[UUID]:
    """Hold every target of these people."""
    found = await conn.fetch("""
        SELECT id
        FROM targets
        WHERE workspace_id = $1 AND contact_id = ANY ($2)
        ORDER BY id
        FOR NO KEY UPDATE
    """, *plain([workspace_id, contact_ids]))  # fmt: skip
    return [each[0] for each in found]


async def move(
    conn: Connection, workspace_id: WorkspaceId, target_ids: list[UUID], *, gone: ContactId, kept: ContactId,
    at: datetime,
) -> int:  # fmt: skip
    """Locked targets become those of the person who is left; where both are in a campaign, each keeps its own."""
    return await execute(conn, """
        UPDATE targets t SET contact_id = $4, updated_at = $5
        WHERE t.workspace_id = $1 AND t.id = ANY ($2) AND t.contact_id = $3
          AND NOT EXISTS (
              SELECT FROM targets other
              WHERE other.workspace_id = $1 AND other.campaign_id = t.campaign_id AND other.contact_id = $4)
    """, workspace_id, target_ids, gone, kept, at)  # fmt: skip


async def skip_twins(
    conn: Connection, workspace_id: WorkspaceId, target_ids: list[UUID], *, kept: ContactId, at: datetime
) -> int:
    """Of a person who is in a campaign twice, one is not written to, and an event tells of it; their number.

    That is the one under the name that is gone, unless it was written to and the other was not.
    """
    return await value(conn, """
        WITH twin AS MATERIALIZED (
            SELECT gone.id AS gone_id, kept.id AS kept_id,
                   EXISTS (SELECT FROM messages m
                           WHERE m.workspace_id = $1 AND m.target_id = gone.id AND m.kind = 'step' AND m.counts
                     AND m.state NOT IN ('not_sent', 'skipped')  -- for the index
                   ) AS gone_is_written_to
            FROM targets gone
            JOIN targets kept ON kept.workspace_id = $1 AND kept.campaign_id = gone.campaign_id
                             AND kept.contact_id = $3
            WHERE gone.workspace_id = $1 AND gone.id = ANY ($2) AND gone.contact_id <> $3
        ), skipped AS (
            UPDATE targets t
            SET state = 'skipped', error_code = 'target_duplicate', next_due_at = NULL, updated_at = $4,
                reason = 'The same person is in this campaign under another name, which was merged with this one.'
            FROM twin
            WHERE t.workspace_id = $1 AND t.id IN (twin.gone_id, twin.kept_id)
              AND t.id = ANY ($2) AND t.state IN ('queued', 'awaiting_operator')
              AND (t.id = twin.gone_id OR twin.gone_is_written_to)
            RETURNING t.*
        ), told AS MATERIALIZED (
            SELECT record_event(
                event_id(), $1, 'message.skipped', $4, c.client_id, c.id, s.contact_id, json_build_object(
                    'campaign', json_build_object(
                        'id', 'cmp_' || replace(c.id::text, '-', ''), 'name', c.name,
                        'clientId', 'cl_' || replace(c.client_id::text, '-', ''), 'metadata', c.metadata),
                    'target', json_build_object(
                        'id', 'tgt_' || replace(s.id::text, '-', ''), 'instagramUsername', k.username,
                        'profileUrl', s.profile_url, 'fullName', s.full_name, 'firstName', s.first_name,
                        'category', s.category, 'followerCount', s.follower_count),
                    'message', json_build_object(
                        'step', s.next_step, 'status', 'skipped', 'errorCode', s.error_code, 'reason', s.reason)))
            FROM skipped s
            JOIN contacts k ON k.id = s.contact_id
            JOIN campaigns c ON c.id = s.campaign_id
        )
        SELECT ((SELECT count(*) FROM skipped) + 0 * (SELECT count(*) FROM told))::int
    """, workspace_id, target_ids, kept, at)  # fmt: skip


async def stop_doubled_followups(
    conn: Connection, workspace_id: WorkspaceId, target_ids: list[UUID], *, kept: ContactId, at: datetime
) -> int:
    """No follow-up goes to locked targets of a person whose first contact is another target; their number.

    A begin would refuse them too; this way they say so at once.
    """
    return await execute(conn, """
        UPDATE targets t
        SET next_due_at = NULL, error_code = 'target_duplicate', updated_at = $4,
            reason = 'The same person was written to under another name before: no follow-up goes out from here.'
        FROM campaigns c, workspaces w
        WHERE t.workspace_id = $1 AND t.id = ANY ($2) AND t.next_step > 0 AND t.next_due_at IS NOT NULL
          AND c.id = t.campaign_id AND w.id = $1
          AND EXISTS (
              SELECT FROM first_contacts f
              WHERE f.workspace_id = $1 AND f.contact_id = $3 AND f.target_id <> t.id
                AND (f.scope_id = c.client_id OR w.first_contact_scope = 'workspace' AND f.scope_id = $1))
    """, workspace_id, target_ids, kept, at)  # fmt: skip
