"""The only SQL of reports: it reads, across slices, and writes nothing."""

from collections.abc import AsyncGenerator
from typing import LiteralString

from iglayers.core.db import Connection, execute, rows, stream
from iglayers.core.ids import CampaignId, TargetId, WorkspaceId
from iglayers.reports.model import Filters, Result


async def page(
    conn: Connection,
    workspace_id: WorkspaceId,
    campaign_id: CampaignId,
    *,
    filters: Filters,
    before: TargetId | None,
    limit: int,
) -> list[Result]:
    """Results of a campaign, newest target first, by one short walk down the index for each state."""
    return await rows(conn, Result, """
        SELECT t.id AS target_id, c.username AS instagram_username, t.profile_url, t.full_name, t.first_name,
               t.category, t.follower_count, t.variables, t.state AS status, t.error_code, t.reason,
               s.username AS sender_username, m.route, m.body AS message, t.sent_at, t.replied_at,
               r.text AS last_reply, t.updated_at
        FROM (
            SELECT newest.id
            FROM unnest($3::text[]) AS wanted (state)
            CROSS JOIN LATERAL (
                SELECT id
                FROM targets
                WHERE workspace_id = $1 AND campaign_id = $2 AND state = wanted.state
                  AND ($4::timestamptz IS NULL OR updated_at >= $4)
                  AND ($5::uuid IS NULL OR id < $5)
                ORDER BY id DESC
                LIMIT $6
            ) AS newest
            ORDER BY newest.id DESC
            LIMIT $6
        ) AS listed
        JOIN targets t ON t.id = listed.id
        JOIN contacts c ON c.id = t.contact_id
        LEFT JOIN LATERAL (
            SELECT sender_id, route, body
            FROM messages
            -- `counts` says as much; only so is the index of what may have reached the person found.
            WHERE workspace_id = $1 AND target_id = t.id AND kind = 'step' AND counts
              AND state NOT IN ('not_sent', 'skipped')
            ORDER BY step DESC
            LIMIT 1
        ) AS m ON true
        LEFT JOIN LATERAL (
            SELECT text
            FROM replies
            WHERE workspace_id = $1 AND target_id = t.id
            ORDER BY received_at DESC, id DESC
            LIMIT 1
        ) AS r ON true
        LEFT JOIN senders s ON s.workspace_id = $1 AND s.id = coalesce(m.sender_id, t.sender_id)
        ORDER BY t.id DESC
    """, workspace_id, campaign_id, filters.states, filters.updated_since, before, limit)  # fmt: skip


async def prefer_first_row(conn: Connection) -> None:
    """For the rest of this transaction: plans that begin to answer at once, though all takes a little longer.

    Joined in the order in which it is written, by keys: what is guessed about young tables takes minutes.
    """
    await execute(conn, """
        SELECT set_config('enable_sort', 'off', true), set_config('enable_hashjoin', 'off', true),
               set_config('enable_mergejoin', 'off', true), set_config('enable_bitmapscan', 'off', true),
               set_config('enable_seqscan', 'off', true), set_config('join_collapse_limit', '1', true),
               -- Helpers sort everything first, and a cursor starts none of them.
               set_config('max_parallel_workers_per_gather', '0', true), set_config('jit', 'off', true)
    """)  # fmt: skip


def every(
    conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, *, filters: Filters
) -> AsyncGenerator[Result, None]:
    """All results of a campaign in the order of upload, one by one as of one moment; needs a transaction.

    There is no index by id alone: the states' branches, each in its order, are walked side by side and merged, so that
    nothing is sorted. The workspace is asked of each target at the end.
    """
    return stream(conn, Result, EVERY, workspace_id, campaign_id, filters.states, filters.updated_since)


EVERY: LiteralString = """
    SELECT t.id AS target_id, c.username AS instagram_username, t.profile_url, t.full_name, t.first_name,
           t.category, t.follower_count, t.variables, t.state AS status, t.error_code, t.reason,
           s.username AS sender_username, m.route, m.body AS message, t.sent_at, t.replied_at,
           r.text AS last_reply, t.updated_at
    FROM (
        (SELECT id FROM targets
         WHERE campaign_id = $2 AND state = 'queued' AND 'queued' = ANY ($3::text[]) ORDER BY id)
        UNION ALL
        (SELECT id FROM targets
         WHERE campaign_id = $2 AND state = 'sending' AND 'sending' = ANY ($3::text[]) ORDER BY id)
        UNION ALL
        (SELECT id FROM targets
         WHERE campaign_id = $2 AND state = 'awaiting_operator' AND 'awaiting_operator' = ANY ($3::text[]) ORDER BY id)
        UNION ALL
        (SELECT id FROM targets
         WHERE campaign_id = $2 AND state = 'sent' AND 'sent' = ANY ($3::text[]) ORDER BY id)
        UNION ALL
        (SELECT id FROM targets
         WHERE campaign_id = $2 AND state = 'replied' AND 'replied' = ANY ($3::text[]) ORDER BY id)
        UNION ALL
        (SELECT id FROM targets
         WHERE campaign_id = $2 AND state = 'failed' AND 'failed' = ANY ($3::text[]) ORDER BY id)
        UNION ALL
        (SELECT id FROM targets
         WHERE campaign_id = $2 AND state = 'skipped' AND 'skipped' = ANY ($3::text[]) ORDER BY id)
        UNION ALL
        (SELECT id FROM targets
         WHERE campaign_id = $2 AND state = 'cancelled' AND 'cancelled' = ANY ($3::text[]) ORDER BY id)
        UNION ALL
        (SELECT id FROM targets
         WHERE campaign_id = $2 AND state = 'unknown' AND 'unknown' = ANY ($3::text[]) ORDER BY id)
    ) AS listed
    -- OFFSET 0, and the workspace asked of what was found: looked up one by one, by id. Left a choice, the planner may
    -- walk everything of the workspace for each of them, while the tables are young.
    CROSS JOIN LATERAL (
        SELECT id, workspace_id, contact_id, sender_id, profile_url, full_name, first_name, category, follower_count,
               variables, state, error_code, reason, sent_at, replied_at, updated_at
        FROM targets
        WHERE id = listed.id
        OFFSET 0
    ) AS t
    CROSS JOIN LATERAL (
        SELECT workspace_id, username FROM contacts WHERE id = t.contact_id OFFSET 0
    ) AS c
    LEFT JOIN LATERAL (
        SELECT sender_id, route, body
        FROM messages
        -- `counts` says as much; only so is the index of what may have reached the person found.
        WHERE workspace_id = $1 AND target_id = t.id AND kind = 'step' AND counts
          AND state NOT IN ('not_sent', 'skipped')
        ORDER BY step DESC
        LIMIT 1
    ) AS m ON true
    LEFT JOIN LATERAL (
        SELECT text
        FROM replies
        WHERE target_id = t.id
        ORDER BY received_at DESC, id DESC
        LIMIT 1
    ) AS r ON true
    LEFT JOIN senders s ON s.workspace_id = $1 AND s.id = coalesce(m.sender_id, t.sender_id)
    WHERE t.workspace_id = $1 AND c.workspace_id = $1 AND ($4::timestamptz IS NULL OR t.updated_at >= $4)
    ORDER BY listed.id
"""
