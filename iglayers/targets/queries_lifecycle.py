"""What a campaign's end and its start do to all of its people at once: SQL on targets."""

from collections import Counter
from datetime import datetime
from typing import Any

import msgspec

from iglayers.core.db import Connection, execute, stream, value
from iglayers.core.ids import CampaignId, WorkspaceId
from iglayers.templates.render import Variable, parse


class Fields(msgspec.Struct, frozen=True):
    """What templates may use of a target."""

    username: str | None
    profile_url: str | None
    full_name: str | None
    first_name: str | None
    category: str | None
    follower_count: int | None
    variables: dict[str, Any] | None


async def cancel_open(conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, *, at: datetime) -> int:
    """Everybody who is still queued is cancelled, and nobody gets another follow-up; the campaign is held alone."""
    return await execute(conn, """
        UPDATE targets
        SET state = CASE WHEN state = 'queued' THEN 'cancelled' ELSE state END, next_due_at = NULL, updated_at = $3
        WHERE workspace_id = $1 AND campaign_id = $2 AND next_due_at IS NOT NULL
    """, workspace_id, campaign_id, at)  # fmt: skip


async def skip_rest(
    conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, *, at: datetime, limit: int, event_data: bytes
) -> int:
    """Up to `limit` people whom the schedule's end leaves out, each with its event; the number of people."""
    return await value(conn, """
        WITH left_out AS MATERIALIZED (
            SELECT id FROM targets
            WHERE workspace_id = $1 AND campaign_id = $2 AND next_due_at IS NOT NULL
            ORDER BY id
            LIMIT $4
            FOR NO KEY UPDATE
        ), skipped AS (
            UPDATE targets t
            SET state = CASE WHEN t.state = 'queued' THEN 'skipped' ELSE t.state END, reason = 'schedule_ended',
                next_due_at = NULL, updated_at = $3
            FROM left_out
            WHERE t.workspace_id = $1 AND t.id = left_out.id
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
    """How many queued people lack each variable that a text needs and gives no fallback for."""
    needed = {
        part.name
        for body in bodies
        for part in parse(body).parts
        if isinstance(part, Variable) and part.fallback is None
    } - {"clientName", "senderUsername", "instagramUsername"}
    gaps: Counter[str] = Counter()
    if not needed:
        return gaps
    async for person in stream(conn, Fields, """
        SELECT k.username, t.profile_url, t.full_name, t.first_name, t.category, t.follower_count, t.variables
        FROM targets t
        JOIN contacts k ON k.id = t.contact_id
        WHERE t.workspace_id = $1 AND t.campaign_id = $2 AND t.state = 'queued'
    """, workspace_id, campaign_id):  # fmt: skip
        values = (person.variables or {}) | {
            "profileUrl": person.profile_url, "fullName": person.full_name, "firstName": person.first_name,
            "category": person.category, "followerCount": person.follower_count,
        }  # fmt: skip
        gaps.update(name for name in needed if not str(values.get(name) or "").strip())
    return gaps
