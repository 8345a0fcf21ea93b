"""Counts over the ledger and the replies: of a campaign, and of a month. Read only."""

from datetime import datetime

from iglayers.core.db import Connection, rows, value
from iglayers.core.ids import CampaignId, ClientId, WorkspaceId
from iglayers.reports.model_stats import Bucket, ClientUsage, SenderNumbers, SenderUsage, StepNumbers


async def opted_out(conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId) -> int:
    """How many people answered with an opt-out."""
    return await value(conn, """
        SELECT count(DISTINCT target_id)::int FROM replies
        WHERE workspace_id = $1 AND campaign_id = $2 AND opted_out
    """, workspace_id, campaign_id)  # fmt: skip


async def series(
    conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, *, by: str, zone: str, since: datetime
) -> list[Bucket]:
    """Attempts by when they began, replies by when they came, an hour or a day each."""
    return await rows(conn, Bucket, """
        WITH counted AS (
            SELECT date_trunc($3, begun_at, $4) AS at, state = 'sent' AS sent, state = 'failed' AS failed,
                   state = 'unknown' AS unknown, false AS replied
            FROM messages
            -- The workspace is asked of the campaign, so that the index alone answers.
            WHERE campaign_id = (SELECT id FROM campaigns WHERE workspace_id = $1 AND id = $2)
              AND kind = 'step' AND counts AND begun_at >= $5
            UNION ALL
            SELECT date_trunc($3, received_at, $4), false, false, false, true
            FROM replies
            WHERE workspace_id = $1 AND campaign_id = $2 AND received_at >= $5 AND label <> 'automatic'
        )
        SELECT at, count(*) FILTER (WHERE sent)::int AS sent, count(*) FILTER (WHERE failed)::int AS failed,
               count(*) FILTER (WHERE unknown)::int AS unknown, count(*) FILTER (WHERE replied)::int AS replied
        FROM counted
        GROUP BY at
        ORDER BY at
    """, workspace_id, campaign_id, by, zone, since)  # fmt: skip


async def senders(conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId) -> list[SenderNumbers]:
    """What each account did."""
    return await rows(conn, SenderNumbers, """
        SELECT s.id AS sender_id, s.username AS sender_username, m.sent, m.failed, m.unknown,
               (SELECT count(DISTINCT r.target_id)::int FROM replies r
                WHERE r.workspace_id = $1 AND r.campaign_id = $2 AND r.sender_id = s.id
                  AND r.label <> 'automatic') AS replied
        FROM (
            SELECT sender_id,
                   count(*) FILTER (WHERE state = 'sent')::int AS sent,
                   count(*) FILTER (WHERE state = 'failed')::int AS failed,
                   count(*) FILTER (WHERE state = 'unknown')::int AS unknown
            FROM messages
            WHERE campaign_id = (SELECT id FROM campaigns WHERE workspace_id = $1 AND id = $2)
              AND kind = 'step' AND counts
            GROUP BY sender_id
        ) AS m
        JOIN senders s ON s.id = m.sender_id
        ORDER BY m.sent DESC, s.username
    """, workspace_id, campaign_id)  # fmt: skip


async def steps(conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId) -> list[StepNumbers]:
    """Each variant of each step that was used."""
    return await rows(conn, StepNumbers, """
        WITH attempted AS (
            SELECT step, variant,
                   count(*) FILTER (WHERE state = 'sent')::int AS sent,
                   count(*) FILTER (WHERE state = 'failed')::int AS failed,
                   count(*) FILTER (WHERE state = 'unknown')::int AS unknown
            FROM messages
            WHERE campaign_id = (SELECT id FROM campaigns WHERE workspace_id = $1 AND id = $2)
              AND kind = 'step' AND counts
            GROUP BY step, variant
        ), answered AS (
            SELECT m.step, m.variant, count(*)::int AS replied, count(*) FILTER (WHERE r.opted_out)::int AS opted_out
            FROM (
                SELECT message_id, bool_or(opted_out) AS opted_out
                FROM replies
                WHERE workspace_id = $1 AND campaign_id = $2 AND message_id IS NOT NULL AND label <> 'automatic'
                GROUP BY message_id
            ) AS r
            JOIN messages m ON m.id = r.message_id
            WHERE m.campaign_id = $2 AND m.kind = 'step' AND m.counts
            GROUP BY m.step, m.variant
        )
        SELECT step, variant, sent, failed, unknown, coalesce(replied, 0) AS replied,
               coalesce(opted_out, 0) AS opted_out
        FROM attempted
        LEFT JOIN answered USING (step, variant)
        ORDER BY step, variant
    """, workspace_id, campaign_id)  # fmt: skip


async def clients_between(
    conn: Connection, workspace_id: WorkspaceId, *, only: ClientId | None, since: datetime, until: datetime
) -> list[ClientUsage]:
    """What counts for a month, by client; of one client alone for a key that is bound to it."""
    return await rows(conn, ClientUsage, """
        SELECT c.id AS client_id, c.name AS client_name, m.sent
        FROM clients c
        CROSS JOIN LATERAL (
            SELECT count(*)::int AS sent
            FROM messages m
            WHERE m.client_id = c.id AND m.kind = 'step' AND m.counts
              AND m.begun_at >= $3 AND m.begun_at < $4
              AND m.state IN ('sending', 'claimed', 'sent', 'unknown')
        ) AS m
        WHERE c.workspace_id = $1 AND ($2::uuid IS NULL OR c.id = $2) AND m.sent > 0
        ORDER BY m.sent DESC, c.name
    """, workspace_id, only, since, until)  # fmt: skip


async def senders_between(
    conn: Connection, workspace_id: WorkspaceId, *, only: ClientId | None, since: datetime, until: datetime
) -> list[SenderUsage]:
    """What counts for a month, by sender."""
    return await rows(conn, SenderUsage, """
        SELECT s.id AS sender_id, s.username AS sender_username, m.sent
        FROM senders s
        CROSS JOIN LATERAL (
            SELECT count(*)::int AS sent
            FROM messages m
            WHERE m.sender_id = s.id AND m.kind = 'step' AND m.counts
              AND m.begun_at >= $3 AND m.begun_at < $4
              AND m.state IN ('sending', 'claimed', 'sent', 'unknown') AND ($2::uuid IS NULL OR m.client_id = $2)
        ) AS m
        WHERE s.workspace_id = $1 AND m.sent > 0
        ORDER BY m.sent DESC, s.username
    """, workspace_id, only, since, until)  # fmt: skip
