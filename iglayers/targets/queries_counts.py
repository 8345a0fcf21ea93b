"""The SQL on how many targets stand in each state, kept by the triggers of targets: nothing here counts people."""

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from iglayers.core.db import Connection, plain, rows, value
from iglayers.core.ids import CampaignId, WorkspaceId
from iglayers.targets.model import TargetState

Counts = dict[TargetState, int]


class Ended(msgspec.Struct, frozen=True):
    """How many people were skipped, or failed, for one code."""

    state: TargetState
    code: str | None
    number: int


async def counts(conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId) -> Counts:
    """How many targets stand in each state, all states named; they add up to the number of targets."""
    return (await counts_of(conn, workspace_id, [campaign_id]))[campaign_id]


async def counts_of(
    conn: Connection, workspace_id: WorkspaceId, campaign_ids: Sequence[CampaignId]
) -> dict[CampaignId, Counts]:
    """The same for each of these campaigns, whoever has no targets among them."""
    found = await conn.fetch("""
        SELECT c.id, t.state, t.number
        FROM campaigns c
        CROSS JOIN LATERAL (
            SELECT state, sum(number)::bigint AS number FROM target_counts WHERE campaign_id = c.id GROUP BY state
        ) AS t
        WHERE c.workspace_id = $1 AND c.id = ANY ($2)
    """, *plain([workspace_id, list(campaign_ids)]))  # fmt: skip
    by_campaign: dict[CampaignId, Counts] = defaultdict(lambda: dict.fromkeys(TargetState, 0))
    for each in found:
        by_campaign[CampaignId(each["id"])][TargetState(each["state"])] = each["number"]
    return by_campaign


async def ended(conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId) -> list[Ended]:
    """Why people were skipped, or why it failed, the most first."""
    return await rows(conn, Ended, """
        SELECT state, code, sum(number)::bigint AS number
        FROM target_counts
        WHERE campaign_id = (SELECT id FROM campaigns WHERE workspace_id = $1 AND id = $2)
          AND state IN ('skipped', 'failed')
        GROUP BY state, code
        HAVING sum(number) <> 0
        ORDER BY number DESC, code
    """, workspace_id, campaign_id)  # fmt: skip


async def fold_counts(conn: Connection, *, above: int) -> int:
    """Make few rows of many for campaigns with more than `above`; how many rows went.

    What is deleted is what is added up again, in one statement: a reader sees all of it or none, and whatever is
    written meanwhile is not touched. One worker at a time, since two could wait for each other.
    """
    return await value(conn, """
        WITH gate AS MATERIALIZED (
            SELECT pg_try_advisory_xact_lock(7301970217) AS is_open
        ), long AS MATERIALIZED (
            SELECT c.campaign_id
            FROM target_counts c
            WHERE (SELECT is_open FROM gate)
            GROUP BY c.campaign_id
            HAVING count(*) > $1
        ), gone AS (
            DELETE FROM target_counts c
            USING long
            WHERE c.campaign_id = long.campaign_id
            RETURNING c.campaign_id, c.state, c.code, c.number
        ), sums AS (
            INSERT INTO target_counts (campaign_id, state, code, number)
            SELECT campaign_id, state, code, sum(number)
            FROM gone
            GROUP BY campaign_id, state, code
            HAVING sum(number) <> 0
        )
        SELECT count(*) FROM gone
    """, above)  # fmt: skip
