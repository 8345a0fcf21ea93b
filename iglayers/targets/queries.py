"""The only SQL on targets. What the engine does to them stands in `sending`, what replies do in queries_replies."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from iglayers.core.db import Connection, execute, row, rows
from iglayers.core.ids import CampaignId, TargetId, WorkspaceId
from iglayers.targets.model import ENDED_UNSENT, Target, TargetRow, TargetState


class History(msgspec.Struct, frozen=True):
    """What is known of a person at upload: their target in the campaign, and whether anybody wrote to them."""

    contact_id: UUID
    target_id: UUID | None
    state: str | None
    is_written_to: bool  # as this target
    is_contacted: bool  # in the scope of first contacts


async def histories(
    conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, *, contact_ids: list[UUID], scopes: list[UUID]
) -> dict[UUID, History]:
    """Those of these people who are in the campaign or had a first message in one of these scopes."""
    found = await rows(conn, History, """
        SELECT asked.contact_id, t.id AS target_id, t.state,
               EXISTS (
                   SELECT FROM messages m
                   WHERE m.workspace_id = $1 AND m.target_id = t.id AND m.kind = 'step' AND m.counts
                     AND m.state NOT IN ('not_sent', 'skipped')  -- for the index
               ) AS is_written_to,
               EXISTS (
                   SELECT FROM first_contacts f
                   WHERE f.workspace_id = $1 AND f.scope_id = ANY ($4) AND f.contact_id = asked.contact_id
               ) AS is_contacted
        FROM unnest($3::uuid[]) AS asked (contact_id)
        LEFT JOIN targets t
            ON t.workspace_id = $1 AND t.campaign_id = $2 AND t.contact_id = asked.contact_id
    """, workspace_id, campaign_id, contact_ids, scopes)  # fmt: skip
    return {each.contact_id: each for each in found if each.target_id is not None or each.is_contacted}


async def insert(  # noqa: PLR0913 three columns of the same rows
    conn: Connection,
    workspace_id: WorkspaceId,
    campaign_id: CampaignId,
    *,
    ids: list[UUID],
    contact_ids: list[UUID],
    people: list[TargetRow],
    now: datetime,
) -> set[UUID]:
    """Queued targets; those that were not inserted, because another upload committed the same people first."""
    count = await execute(conn, """
        INSERT INTO targets (id, workspace_id, campaign_id, contact_id, profile_url, full_name, first_name, category,
                             follower_count, variables, state, next_step, next_due_at, created_at, updated_at)
        SELECT id, $1, $2, contact_id, profile_url, full_name, first_name, category,
               follower_count, variables, 'queued', 0, $3, $3, $3
        FROM unnest($4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bigint[], $11::jsonb[])
             AS given (id, contact_id, profile_url, full_name, first_name, category, follower_count, variables)
        -- Everybody inserts in one order, so that two uploads of the same people wait and never deadlock.
        ORDER BY contact_id
        ON CONFLICT (workspace_id, campaign_id, contact_id) DO NOTHING
    """, workspace_id, campaign_id, now, ids, contact_ids, *_columns(people))  # fmt: skip
    if count == len(ids):
        return set()
    found = await conn.fetch(
        "SELECT id FROM targets WHERE workspace_id = $1 AND id = ANY ($2::uuid[])", workspace_id.uuid, ids
    )
    return set(ids) - {each[0] for each in found}


async def lock(conn: Connection, workspace_id: WorkspaceId, ids: list[UUID]) -> None:
    """Hold targets; what is read of them afterwards is true until the transaction ends."""
    await execute(conn, """
        SELECT id
        FROM targets
        WHERE workspace_id = $1 AND id = ANY ($2::uuid[])
        ORDER BY id
        FOR NO KEY UPDATE
    """, workspace_id, ids)  # fmt: skip


async def queue_again(
    conn: Connection, workspace_id: WorkspaceId, *, ids: list[UUID], people: list[TargetRow], now: datetime
) -> set[UUID]:
    """New fields for locked targets that ended with nobody written to, queued as if new; those that were."""
    found = await conn.fetch("""
        UPDATE targets t
        SET profile_url = given.profile_url, full_name = given.full_name, first_name = given.first_name,
            category = given.category, follower_count = given.follower_count, variables = given.variables,
            state = 'queued', error_code = NULL, reason = NULL, sender_id = NULL, next_step = 0, next_due_at = $2,
            sent_at = NULL, replied_at = NULL, updated_at = $2
        FROM unnest($4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[], $10::jsonb[])
             AS given (id, profile_url, full_name, first_name, category, follower_count, variables)
        WHERE t.id = given.id AND t.state = ANY ($3::text[])
          AND NOT EXISTS (
              SELECT FROM messages m
              WHERE m.workspace_id = $1 AND m.target_id = t.id AND m.kind = 'step' AND m.counts
                AND m.state NOT IN ('not_sent', 'skipped')  -- for the index
          )
        RETURNING t.id
    """, workspace_id.uuid, now, [state.value for state in ENDED_UNSENT], ids, *_columns(people))  # fmt: skip
    return {each[0] for each in found}


def _columns(people: Sequence[TargetRow]) -> list[list[object]]:
    return [
        [each.profile_url for each in people],
        [each.full_name for each in people],
        [each.first_name for each in people],
        [each.category for each in people],
        [each.follower_count for each in people],
        [each.variables for each in people],
    ]


async def page(
    conn: Connection,
    workspace_id: WorkspaceId,
    campaign_id: CampaignId,
    *,
    states: Sequence[TargetState],
    before: TargetId | None,
    limit: int,
) -> list[Target]:
    """Targets of a campaign in these states, newest first.

    One short walk down the index for each state: the campaign has a million targets, and no index by id alone.
    """
    return await rows(conn, Target, """
        SELECT t.id, t.campaign_id, c.username AS instagram_username, t.profile_url, t.full_name, t.first_name,
               t.category, t.follower_count, t.variables, t.state AS status, t.error_code, t.reason, t.sender_id,
               t.next_step, t.next_due_at, t.sent_at, t.replied_at, t.created_at, t.updated_at
        FROM (
            SELECT newest.id
            FROM unnest($3::text[]) AS wanted (state)
            CROSS JOIN LATERAL (
                SELECT id
                FROM targets
                -- The workspace is asked of the campaign: asked here, the planner walks the people of all states.
                WHERE campaign_id = (SELECT id FROM campaigns WHERE workspace_id = $1 AND id = $2)
                  AND state = wanted.state AND ($4::uuid IS NULL OR id < $4)
                ORDER BY state DESC, id DESC
                LIMIT $5
            ) AS newest
            ORDER BY newest.id DESC
            LIMIT $5
        ) AS listed
        JOIN targets t ON t.id = listed.id
        JOIN contacts c ON c.id = t.contact_id
        ORDER BY t.id DESC
    """, workspace_id, campaign_id, list(states), before, limit)  # fmt: skip


async def by_id(
    conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, target_id: TargetId
) -> Target | None:
    """One target of a campaign."""
    return await row(conn, Target, """
        SELECT t.id, t.campaign_id, c.username AS instagram_username, t.profile_url, t.full_name, t.first_name,
               t.category, t.follower_count, t.variables, t.state AS status, t.error_code, t.reason, t.sender_id,
               t.next_step, t.next_due_at, t.sent_at, t.replied_at, t.created_at, t.updated_at
        FROM targets t
        JOIN contacts c ON c.id = t.contact_id
        WHERE t.workspace_id = $1 AND t.campaign_id = $2 AND t.id = $3
    """, workspace_id, campaign_id, target_id)  # fmt: skip


async def cancel_queued(
    conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, target_id: TargetId, *, now: datetime
) -> bool:
    """Cancel one target unless it is further than queued; False when it is, or is not there."""
    return bool(await execute(conn, """
        UPDATE targets
        SET state = 'cancelled', next_due_at = NULL, updated_at = $4
        WHERE workspace_id = $1 AND campaign_id = $2 AND id = $3 AND state = 'queued'
    """, workspace_id, campaign_id, target_id, now))  # fmt: skip
