"""What a campaign's end and its start do to all of its people at once: SQL on targets."""

from datetime import datetime

from iglayers.core.db import Connection, execute, value
from iglayers.core.ids import CampaignId, ContactId, WorkspaceId
from iglayers.templates.render import Variable, parse


async def cancel_open(conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, *, at: datetime) -> None:
    """Cancel whoever was not written to, claimed cards excepted, and plan no follow-ups; the campaign is held alone."""
    await execute(conn, """
        WITH held AS (
            SELECT t.id,
                   t.state = 'queued' OR (t.state = 'awaiting_operator' AND NOT EXISTS (
                       SELECT FROM messages m
                       WHERE m.workspace_id = $1 AND m.target_id = t.id AND m.kind = 'step' AND m.state = 'claimed'
                   )) AS is_open
            FROM targets t
            WHERE t.workspace_id = $1 AND t.campaign_id = $2
              AND (t.next_due_at IS NOT NULL OR t.state = 'awaiting_operator')
            ORDER BY t.id
            FOR NO KEY UPDATE
        )
        UPDATE targets t
        SET state = CASE WHEN held.is_open THEN 'cancelled' ELSE t.state END, next_due_at = NULL, updated_at = $3
        FROM held
        WHERE t.id = held.id AND (held.is_open OR t.next_due_at IS NOT NULL)
    """, workspace_id, campaign_id, at)  # fmt: skip


async def skip_rest(
    conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, *, at: datetime, limit: int, event_data: bytes
) -> int:
    """Up to `limit` people whom the schedule's end leaves out, each with its event; the number of people.

    Who is held is passed over, for a later call: the campaign and its next person are held here, before these.
    """
    return await value(conn, """
        WITH left_out AS MATERIALIZED (
            SELECT id FROM targets
            WHERE workspace_id = $1 AND campaign_id = $2 AND next_due_at IS NOT NULL
            ORDER BY id
            LIMIT $4
            FOR NO KEY UPDATE SKIP LOCKED
        ), skipped AS (
            UPDATE targets t
            SET state = CASE WHEN t.state = 'queued' THEN 'skipped' ELSE t.state END, reason = 'schedule_ended',
                next_due_at = NULL, updated_at = $3
            FROM left_out
            WHERE t.id = left_out.id
            RETURNING t.id, t.contact_id, t.state, t.first_name, t.full_name, t.category, t.follower_count,
                      t.profile_url, t.next_step
        ), told AS MATERIALIZED (
            SELECT record_event(
                event_id(), $1, 'message.skipped', $3, c.client_id, $2, s.contact_id, json_build_object(
                    'campaign', $5::json -> 'campaign',
                    'target', json_build_object(
                        'id', 'tgt_' || replace(s.id::text, '-', ''), 'instagramUsername', k.username,
                        'profileUrl', s.profile_url, 'fullName', s.full_name, 'firstName', s.first_name,
                        'category', s.category, 'followerCount', s.follower_count),
                    'message', json_build_object(
                        'step', s.next_step, 'status', 'skipped', 'errorCode', NULL, 'reason', 'schedule_ended')))
            FROM skipped s
            JOIN contacts k ON k.id = s.contact_id
            JOIN campaigns c ON c.workspace_id = $1 AND c.id = $2
            WHERE s.state = 'skipped'
        )
        SELECT (SELECT count(*) FROM skipped) + 0 * (SELECT count(*) FROM told)
    """, workspace_id, campaign_id, at, limit, event_data)  # fmt: skip


async def count_missing_variables(
    conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, *, bodies: list[str]
) -> dict[str, int]:
    """How many queued targets lack each variable that these texts need and have no fallback for."""
    parts = [part for body in bodies for part in parse(body).parts if isinstance(part, Variable)]
    names = {part.name for part in parts if part.fallback is None} - {"clientName", "senderUsername"}
    found = await conn.fetch(r"""
        SELECT needed.name, count(*) AS number
        FROM targets t
        JOIN contacts c ON c.id = t.contact_id
        CROSS JOIN unnest($3::text[]) AS needed (name)
        WHERE t.workspace_id = $1 AND t.campaign_id = $2 AND t.state = 'queued'
          AND coalesce(
              CASE needed.name
                  WHEN 'instagramUsername' THEN c.username
                  WHEN 'profileUrl' THEN t.profile_url
                  WHEN 'fullName' THEN t.full_name
                  WHEN 'firstName' THEN t.first_name
                  WHEN 'category' THEN t.category
                  WHEN 'followerCount' THEN t.follower_count::text
                  ELSE t.variables ->> needed.name
              END, '') !~ '\S'
        GROUP BY needed.name
    """, workspace_id.uuid, campaign_id.uuid, sorted(names))  # fmt: skip
    return {each["name"]: each["number"] for each in found}


async def erase(
    conn: Connection, workspace_id: WorkspaceId, contact_ids: list[ContactId], *, at: datetime, code: str | None,
    reason: str,
) -> int:  # fmt: skip
    """Everything that was uploaded about these people; whoever waits for a message is skipped, with code and reason."""
    return await execute(conn, """
        WITH held AS (
            SELECT id FROM targets
            WHERE workspace_id = $1 AND contact_id = ANY ($2)
            ORDER BY id
            FOR NO KEY UPDATE
        )
        UPDATE targets t
        SET profile_url = NULL, full_name = NULL, first_name = NULL, category = NULL, follower_count = NULL,
            variables = NULL, next_due_at = NULL, updated_at = $3,
            state = CASE WHEN t.state IN ('queued', 'awaiting_operator') THEN 'skipped' ELSE t.state END,
            error_code = CASE WHEN t.state IN ('queued', 'awaiting_operator') THEN $4 ELSE t.error_code END,
            -- A reason may be what somebody wrote about the person; the code tells what happened.
            reason = CASE WHEN t.reason IN ('schedule_ended', 'retention_ended') THEN t.reason
                          WHEN t.state IN ('queued', 'awaiting_operator') OR t.reason IS NOT NULL THEN $5 END
        FROM held
        WHERE t.id = held.id
    """, workspace_id, contact_ids, at, code, reason)  # fmt: skip


async def count_known(conn: Connection, workspace_id: WorkspaceId, contact_ids: list[ContactId]) -> int:
    """How many targets of these people still say something about them, or wait for a message."""
    return await value(conn, """
        SELECT count(*) FROM targets
        WHERE workspace_id = $1 AND contact_id = ANY ($2)
          AND (next_due_at IS NOT NULL OR num_nonnulls(
                   profile_url, full_name, first_name, category, follower_count, variables) > 0)
    """, workspace_id, contact_ids)  # fmt: skip
