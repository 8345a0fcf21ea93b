"""The only SQL on campaigns and campaign_steps outside the engine."""

from datetime import datetime
from typing import cast
from uuid import UUID

import msgspec

from iglayers.campaigns.model import Campaign, CampaignState, Serving
from iglayers.core.db import Connection, execute, row, rows, value
from iglayers.core.ids import CampaignId, ClientId, SenderId, TemplateId, WorkspaceId


class Step(msgspec.Struct, frozen=True, kw_only=True):
    step: int
    variant: int
    template_id: TemplateId
    weight: int
    delay_hours: int
    body: str | None


async def insert(conn: Connection, campaign: Campaign, *, workspace_id: WorkspaceId) -> None:
    """A new draft; its steps are written beside it."""
    await execute(conn, """
        INSERT INTO campaigns (id, workspace_id, client_id, name, hourly_limit, daily_limit, metadata, sender_ids,
                               routes, schedule, missing_variable, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)
    """, campaign.id, workspace_id, campaign.client_id, campaign.name, campaign.hourly_limit, campaign.daily_limit,
        campaign.metadata, campaign.sender_ids, campaign.routes, campaign.schedule, campaign.missing_variable,
        campaign.created_at)  # fmt: skip


async def replace_steps(
    conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, steps: list[Step]
) -> None:
    """A draft's steps, written anew."""
    await execute(
        conn, "DELETE FROM campaign_steps WHERE workspace_id = $1 AND campaign_id = $2", workspace_id, campaign_id
    )
    await execute(conn, """
        INSERT INTO campaign_steps (workspace_id, campaign_id, step, variant, template_id, weight, delay_hours)
        SELECT $1, $2, * FROM unnest($3::smallint[], $4::smallint[], $5::uuid[], $6::integer[], $7::integer[])
    """, workspace_id, campaign_id, [step.step for step in steps], [step.variant for step in steps],
        [step.template_id for step in steps], [step.weight for step in steps],
        [step.delay_hours for step in steps])  # fmt: skip


async def freeze_steps(conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId) -> None:
    """The templates' texts as they are now; a later edit does not reach this campaign."""
    await execute(conn, """
        UPDATE campaign_steps s
        SET body = t.body
        FROM message_templates t
        WHERE s.workspace_id = $1 AND s.campaign_id = $2 AND t.id = s.template_id
          AND s.body IS NULL
    """, workspace_id, campaign_id)  # fmt: skip


async def steps(conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId) -> list[Step]:
    """A campaign's steps; the body is the frozen one, before the start the template's own."""
    return await rows(conn, Step, """
        SELECT s.step, s.variant, s.template_id, s.weight, s.delay_hours, coalesce(s.body, t.body) AS body
        FROM campaign_steps s
        JOIN message_templates t ON t.id = s.template_id
        WHERE s.workspace_id = $1 AND s.campaign_id = $2
        ORDER BY s.step, s.variant
    """, workspace_id, campaign_id)  # fmt: skip


async def by_id(
    conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, *, only: ClientId | None
) -> Campaign | None:
    """One campaign; `only` is the client that the caller's key is bound to."""
    return await row(conn, Campaign, """
        SELECT c.id, c.client_id, c.name, c.state, c.hourly_limit, c.daily_limit, c.sender_ids, c.routes, c.schedule,
               c.missing_variable, c.metadata, c.blocked_reason, c.paused_reason, c.limited_by, c.next_at,
               c.created_at, c.updated_at, c.started_at, c.completed_at, c.cancelled_at, c.archived_at,
               s.message_template_id, s.variants, s.follow_ups
        FROM campaigns c, LATERAL campaign_texts(c.workspace_id, c.id) s
        WHERE c.workspace_id = $1 AND c.id = $2 AND ($3::uuid IS NULL OR c.client_id = $3)
    """, workspace_id, campaign_id, only)  # fmt: skip


async def page(  # noqa: PLR0913 the filters of a list
    conn: Connection, workspace_id: WorkspaceId, *, only: ClientId | None, client_id: ClientId | None,
    state: CampaignState | None, before: CampaignId | None, limit: int, search: str | None = None,
    is_archived: bool = False,
) -> list[Campaign]:  # fmt: skip
    """Campaigns that are not archived, or those that are, newest first; `search` is a part of the name."""
    return await rows(conn, Campaign, """
        SELECT c.id, c.client_id, c.name, c.state, c.hourly_limit, c.daily_limit, c.sender_ids, c.routes, c.schedule,
               c.missing_variable, c.metadata, c.blocked_reason, c.paused_reason, c.limited_by, c.next_at,
               c.created_at, c.updated_at, c.started_at, c.completed_at, c.cancelled_at, c.archived_at,
               s.message_template_id, s.variants, s.follow_ups
        FROM campaigns c, LATERAL campaign_texts(c.workspace_id, c.id) s
        WHERE c.workspace_id = $1 AND (c.archived_at IS NOT NULL) = $8
          AND ($2::uuid IS NULL OR c.client_id = $2)
          AND ($3::uuid IS NULL OR c.client_id = $3)
          AND ($4::text IS NULL OR c.state = $4)
          AND ($5::uuid IS NULL OR c.id < $5)
          AND ($7::text IS NULL OR strpos(lower(c.name), lower($7)) > 0)
        ORDER BY c.id DESC
        LIMIT $6
    """, workspace_id, only, client_id, state, before, limit, search, is_archived)  # fmt: skip


async def lock(conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, *, only: ClientId | None) -> bool:
    """Hold the campaign for a change of its state, limits or texts; read it after that."""
    return await value(conn, """
        SELECT true FROM campaigns
        WHERE workspace_id = $1 AND id = $2 AND ($3::uuid IS NULL OR client_id = $3)
        FOR NO KEY UPDATE
    """, workspace_id, campaign_id, only) is not None  # fmt: skip


async def lock_alone(
    conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, *, only: ClientId | None
) -> bool:
    """Hold the campaign against everybody, uploads in flight too: to complete, cancel or delete it."""
    return await value(conn, """
        SELECT true FROM campaigns
        WHERE workspace_id = $1 AND id = $2 AND ($3::uuid IS NULL OR client_id = $3)
        FOR UPDATE
    """, workspace_id, campaign_id, only) is not None  # fmt: skip


async def lock_alone_if_free(conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId) -> bool:
    """The same without waiting; False while somebody holds it, such as an upload in flight."""
    return await value(conn, """
        SELECT true FROM campaigns WHERE workspace_id = $1 AND id = $2 FOR UPDATE SKIP LOCKED
    """, workspace_id, campaign_id) is not None  # fmt: skip


async def lock_for_upload(
    conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, *, only: ClientId | None
) -> Campaign | None:
    """The campaign, held against completion and cancelling but not against sending."""
    held = await value(conn, """
        SELECT true FROM campaigns
        WHERE workspace_id = $1 AND id = $2 AND ($3::uuid IS NULL OR client_id = $3)
        FOR KEY SHARE
    """, workspace_id, campaign_id, only)  # fmt: skip
    return await by_id(conn, workspace_id, campaign_id, only=only) if held else None


async def change(conn: Connection, campaign: Campaign, *, workspace_id: WorkspaceId) -> None:
    """Store a campaign's fields as they are now; a running one is planned anew at once."""
    await execute(conn, """
        UPDATE campaigns
        SET name = $3, hourly_limit = $4, daily_limit = $5, metadata = $6, sender_ids = $7, routes = $8, schedule = $9,
            missing_variable = $10, updated_at = $11,
            due_at = CASE WHEN state = 'running' THEN clock_timestamp() END
        WHERE workspace_id = $1 AND id = $2
    """, workspace_id, campaign.id, campaign.name, campaign.hourly_limit, campaign.daily_limit, campaign.metadata,
        campaign.sender_ids, campaign.routes, campaign.schedule, campaign.missing_variable,
        campaign.updated_at)  # fmt: skip


async def set_state(
    conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, *, state: CampaignState, at: datetime,
    paused_reason: str | None = None,
) -> None:  # fmt: skip
    """A new state with its moment; running is due at once, everything else never.

    A pause with a reason is the circuit breaker's: it counts anew from there.
    """
    await execute(conn, """
        UPDATE campaigns
        SET state = $3, updated_at = $4, blocked_reason = NULL, paused_reason = $5,
            breaker_from = CASE WHEN $5::text IS NULL THEN breaker_from ELSE $4 END, limited_by = NULL, next_at = NULL,
            due_at = CASE WHEN $3 = 'running' THEN clock_timestamp() END,
            started_at = CASE WHEN $3 = 'running' THEN coalesce(started_at, $4) ELSE started_at END,
            completed_at = CASE $3 WHEN 'completed' THEN $4 WHEN 'running' THEN NULL ELSE completed_at END,
            cancelled_at = CASE WHEN $3 = 'cancelled' THEN $4 ELSE cancelled_at END
        WHERE workspace_id = $1 AND id = $2
    """, workspace_id, campaign_id, state, at, paused_reason)  # fmt: skip


async def wake(conn: Connection, campaign_id: CampaignId) -> None:
    """Have a worker look at a running campaign now; its id is known to be the caller's own.

    Written always, so that it waits for a worker that looks at it now and may be about to write down a later moment.
    One plain UPDATE: two statements that each lock the row in WITH and then change it can deadlock (decision 21).
    """
    await execute(conn, """
        UPDATE campaigns SET due_at = least(due_at, clock_timestamp())
        WHERE id = $1 AND state = 'running'
    """, campaign_id)  # fmt: skip


async def running_in(conn: Connection, workspace_ids: list[WorkspaceId]) -> list[CampaignId]:
    """The running campaigns of these workspaces."""
    found = await conn.fetch("""
        SELECT id FROM campaigns WHERE workspace_id = ANY ($1) AND state = 'running'
    """, [each.uuid for each in workspace_ids])  # fmt: skip
    return [CampaignId(each["id"]) for each in found]


async def archive(conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, *, at: datetime) -> None:
    """Out of lists; everything that was sent stays in the ledger."""
    await execute(
        conn,
        "UPDATE campaigns SET archived_at = $3, updated_at = $3 WHERE workspace_id = $1 AND id = $2",
        workspace_id, campaign_id, at,
    )  # fmt: skip


async def delete(conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId) -> None:
    """A campaign that never wrote to anybody, with its targets."""
    await execute(conn, "DELETE FROM campaigns WHERE workspace_id = $1 AND id = $2", workspace_id, campaign_id)


async def has_messages(conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId) -> bool:
    """Whether the ledger knows this campaign."""
    return await value(conn, """
        SELECT EXISTS (SELECT FROM messages WHERE workspace_id = $1 AND campaign_id = $2)
    """, workspace_id, campaign_id)  # fmt: skip


async def has_anything_due(conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId) -> bool:
    """Whether anybody of this campaign is still to be written to."""
    return await value(conn, """
        SELECT EXISTS (
            SELECT FROM targets WHERE workspace_id = $1 AND campaign_id = $2 AND next_due_at IS NOT NULL)
    """, workspace_id, campaign_id)  # fmt: skip


async def serving(
    conn: Connection, workspace_id: WorkspaceId, *, client_id: ClientId, sender_ids: list[SenderId]
) -> Serving:
    """The senders that may serve a campaign of this client, by state."""
    found = await row(conn, Serving, """
        SELECT count(*) FILTER (WHERE state = 'active') AS active,
               count(*) FILTER (WHERE state = 'challenged') AS challenged,
               count(*) FILTER (WHERE state NOT IN ('active', 'challenged')) AS others
        FROM senders
        WHERE workspace_id = $1 AND archived_at IS NULL
          AND (client_ids = '{}' OR $2 = ANY (client_ids))
          AND (cardinality($3::uuid[]) = 0 OR id = ANY ($3))
    """, workspace_id, client_id, sender_ids)  # fmt: skip
    assert found is not None
    return found


async def missing_senders(
    conn: Connection, workspace_id: WorkspaceId, *, client_id: ClientId, sender_ids: list[SenderId]
) -> list[SenderId]:
    """Which of these are no senders of the workspace that serve the client."""
    found = await value(conn, """
        SELECT array_agg(id) FROM senders
        WHERE workspace_id = $1 AND archived_at IS NULL AND id = ANY ($3)
          AND (client_ids = '{}' OR $2 = ANY (client_ids))
    """, workspace_id, client_id, sender_ids)  # fmt: skip
    known = {SenderId(each) for each in cast("list[UUID]", found or [])}
    return [each for each in sender_ids if each not in known]


async def running_of_client(conn: Connection, workspace_id: WorkspaceId, client_id: ClientId) -> CampaignId | None:
    """A running campaign of this client."""
    found = await value(conn, """
        SELECT id FROM campaigns
        WHERE workspace_id = $1 AND client_id = $2 AND state = 'running'
        LIMIT 1
    """, workspace_id, client_id)  # fmt: skip
    return None if found is None else CampaignId(found)
