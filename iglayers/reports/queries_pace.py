"""What the pace of one campaign follows from: its senders, its ledger, and who waits. Read only."""

from datetime import datetime

from iglayers.core.db import Connection, row, rows, value
from iglayers.core.ids import CampaignId, ClientId, SenderId, WorkspaceId
from iglayers.reports.model_pace import LaneFacts, SenderFacts, Waiting

# Follow-ups that are listed one by one; the rest is as far away as makes no difference to a projection.
MOST_FOLLOW_UPS = 20_000


async def serving(
    conn: Connection, workspace_id: WorkspaceId, *, client_id: ClientId, sender_ids: list[SenderId], since: datetime
) -> list[SenderFacts]:
    """Every sender that may serve the campaign, in whatever state, with what it began since."""
    return await rows(conn, SenderFacts, """
        SELECT s.id, s.username, s.transport, s.routes, s.state, s.state_reason, s.hourly_limit, s.daily_limit,
               s.min_gap_s, s.ramp, s.sent_days, s.last_sent_on::text AS last_sent_on, s.warned_until,
               ARRAY(
                   SELECT m.begun_at FROM messages m
                   WHERE m.workspace_id = $1 AND m.sender_id = s.id AND m.counts AND m.begun_at > $4
                   ORDER BY m.begun_at) AS begun
        FROM senders s
        WHERE s.workspace_id = $1 AND s.archived_at IS NULL
          AND (s.client_ids = '{}' OR $2 = ANY (s.client_ids))
          AND (cardinality($3::uuid[]) = 0 OR s.id = ANY ($3))
        ORDER BY s.ready_at, s.id
    """, workspace_id, client_id, sender_ids, since)  # fmt: skip


async def campaign_lane(
    conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, *, since: datetime
) -> LaneFacts | None:
    """A campaign's limits and what it began since; no moments where it has no limits."""
    return await row(conn, LaneFacts, """
        SELECT c.id, c.hourly_limit, c.daily_limit,
               ARRAY(
                   SELECT m.begun_at FROM messages m
                   WHERE m.workspace_id = $1 AND m.campaign_id = $2 AND m.counts AND m.begun_at > $3
                     AND (c.hourly_limit IS NOT NULL OR c.daily_limit IS NOT NULL)
                   ORDER BY m.begun_at) AS begun
        FROM campaigns c
        WHERE c.workspace_id = $1 AND c.id = $2
    """, workspace_id, campaign_id, since)  # fmt: skip


async def client_lane(
    conn: Connection, workspace_id: WorkspaceId, client_id: ClientId, *, since: datetime
) -> LaneFacts | None:
    """A client's limits, and what it began since in all its campaigns; no moments where it has no limits."""
    return await row(conn, LaneFacts, """
        SELECT c.id, c.hourly_limit, c.daily_limit,
               ARRAY(
                   SELECT m.begun_at FROM messages m
                   WHERE m.workspace_id = $1 AND m.client_id = $2 AND m.counts AND m.begun_at > $3
                     AND (c.hourly_limit IS NOT NULL OR c.daily_limit IS NOT NULL)
                   ORDER BY m.begun_at) AS begun
        FROM clients c
        WHERE c.workspace_id = $1 AND c.id = $2
    """, workspace_id, client_id, since)  # fmt: skip


async def waiting(conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId) -> Waiting:
    """Who is still to be written to: people without a first message, and follow-ups with their moments."""
    found = await row(conn, Waiting, """
        SELECT (SELECT coalesce(sum(number), 0) FROM target_counts
                WHERE campaign_id = $2 AND state = 'queued')::int AS firsts,
               coalesce(array_agg(f.next_due_at), '{}') AS follow_ups,
               coalesce(array_agg(f.sender_id::text), '{}') AS follow_up_senders,
               coalesce(array_agg(f.next_step::int), '{}') AS follow_up_steps
        FROM (
            SELECT next_due_at, sender_id, next_step
            FROM targets
            WHERE workspace_id = $1 AND campaign_id = $2 AND next_step > 0 AND next_due_at IS NOT NULL
            ORDER BY next_due_at
            LIMIT $3
        ) AS f
    """, workspace_id, campaign_id, MOST_FOLLOW_UPS)  # fmt: skip
    assert found is not None
    return found


async def suppressed(
    conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, *, client_id: ClientId, now: datetime
) -> int:
    """How many people who wait for their first message are suppressed by now."""
    return await value(conn, """
        SELECT count(*)::int FROM targets t
        WHERE t.workspace_id = $1 AND t.campaign_id = $2 AND t.state = 'queued' AND (
            -- No EXISTS, which becomes a join: of a table taken for empty all is read for each.
            SELECT true FROM suppressions s
            WHERE s.workspace_id = $1 AND s.contact_id = t.contact_id
              AND (s.client_id IS NULL OR s.client_id = $3) AND (s.expires_at IS NULL OR s.expires_at > $4)
            LIMIT 1)
    """, workspace_id, campaign_id, client_id, now)  # fmt: skip


async def contacted(
    conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, *, client_id: ClientId
) -> int:
    """How many people who wait for their first message had one by another campaign, in the scope in force."""
    return await value(conn, """
        SELECT count(*)::int
        FROM targets t
        JOIN workspaces w ON w.id = $1
        WHERE t.workspace_id = $1 AND t.campaign_id = $2 AND t.state = 'queued' AND (
            SELECT true FROM first_contacts f
            WHERE f.workspace_id = $1 AND f.contact_id = t.contact_id AND f.target_id <> t.id
              AND (f.scope_id = $3 OR w.first_contact_scope = 'workspace' AND f.scope_id = $1)
            LIMIT 1)
    """, workspace_id, campaign_id, client_id)  # fmt: skip


async def too_long(  # noqa: PLR0913 a text has this many parts
    conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, *, fixed_bytes: int, names: list[str],
    client_name: str, sender_bytes: int, most: int,
) -> int:  # fmt: skip
    """How many people who wait for their first message would get more than `most` bytes.

    A text is its fixed bytes and, for each use of a name, the bytes of the person's value; fallbacks count as none.
    """
    return await value(conn, """
        SELECT count(*)::int
        FROM targets t
        JOIN contacts c ON c.id = t.contact_id
        CROSS JOIN LATERAL (
            SELECT sum(octet_length(coalesce(
                CASE used.name
                    WHEN 'instagramUsername' THEN c.username
                    WHEN 'profileUrl' THEN t.profile_url
                    WHEN 'fullName' THEN t.full_name
                    WHEN 'firstName' THEN t.first_name
                    WHEN 'category' THEN t.category
                    WHEN 'followerCount' THEN t.follower_count::text
                    WHEN 'clientName' THEN $5
                    WHEN 'senderUsername' THEN repeat('x', $6)
                    ELSE t.variables ->> used.name
                END, ''))) AS bytes
            FROM unnest($4::text[]) AS used (name)
        ) AS filled
        WHERE t.workspace_id = $1 AND t.campaign_id = $2 AND t.state = 'queued'
          AND $3 + coalesce(filled.bytes, 0) > $7
    """, workspace_id, campaign_id, fixed_bytes, names, client_name, sender_bytes, most)  # fmt: skip
