"""Counts of what went wrong lately: of running campaigns and of active senders, in all workspaces."""

from uuid import UUID

import msgspec

from iglayers.accounts.model import Mode
from iglayers.core.db import Connection, rows
from iglayers.core.ids import WorkspaceId


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """The messages of seven days, or since the breaker tripped last."""

    id: UUID
    workspace_id: WorkspaceId
    mode: Mode
    ended: int
    failed: int
    unknown: int
    opted_out: int


async def campaigns(conn: Connection, *, least_bad: int) -> list[Tally]:
    """Running campaigns in which at least so much went wrong that a share can be reached."""
    return await rows(conn, Tally, """
        SELECT c.id, c.workspace_id, w.mode, bad.failed, bad.unknown, bad.opted_out,
               (SELECT count(*) FROM messages m
                WHERE m.workspace_id = c.workspace_id AND m.campaign_id = c.id AND m.begun_at > span.since
                  AND m.state IN ('sent', 'failed', 'unknown'))::int AS ended
        FROM campaigns c
        JOIN workspaces w ON w.id = c.workspace_id
        CROSS JOIN LATERAL (
            SELECT greatest(c.breaker_from, w.clock_at + (clock_timestamp() - w.clock_real_at) * w.clock_speed
                                            - interval '7 days') AS since
        ) AS span
        CROSS JOIN LATERAL (
            SELECT (SELECT count(*) FROM messages m
                    WHERE m.campaign_id = c.id AND m.state IN ('failed', 'unknown') AND m.state = 'failed'
                      AND m.begun_at > span.since)::int AS failed,
                   (SELECT count(*) FROM messages m
                    WHERE m.campaign_id = c.id AND m.state IN ('failed', 'unknown') AND m.state = 'unknown'
                      AND m.begun_at > span.since)::int AS unknown,
                   (SELECT count(*) FROM replies r
                    WHERE r.campaign_id = c.id AND r.opted_out AND r.received_at > span.since)::int AS opted_out
            OFFSET 0
        ) AS bad
        WHERE c.state = 'running' AND greatest(bad.failed, bad.unknown, bad.opted_out) >= $1
    """, least_bad)  # fmt: skip


async def senders(conn: Connection, *, least_bad: int) -> list[Tally]:
    """Active senders with which at least so much went wrong that a share can be reached."""
    return await rows(conn, Tally, """
        SELECT s.id, s.workspace_id, w.mode, bad.failed, bad.unknown, bad.opted_out,
               (SELECT count(*) FROM messages m
                WHERE m.workspace_id = s.workspace_id AND m.sender_id = s.id AND m.begun_at > span.since
                  AND m.state IN ('sent', 'failed', 'unknown'))::int AS ended
        FROM senders s
        JOIN workspaces w ON w.id = s.workspace_id
        CROSS JOIN LATERAL (
            SELECT greatest(s.breaker_from, w.clock_at + (clock_timestamp() - w.clock_real_at) * w.clock_speed
                                            - interval '7 days') AS since
        ) AS span
        CROSS JOIN LATERAL (
            SELECT (SELECT count(*) FROM messages m
                    WHERE m.sender_id = s.id AND m.state IN ('failed', 'unknown') AND m.state = 'failed'
                      AND m.begun_at > span.since)::int AS failed,
                   (SELECT count(*) FROM messages m
                    WHERE m.sender_id = s.id AND m.state IN ('failed', 'unknown') AND m.state = 'unknown'
                      AND m.begun_at > span.since)::int AS unknown,
                   (SELECT count(*) FROM replies r
                    WHERE r.sender_id = s.id AND r.opted_out AND r.received_at > span.since)::int AS opted_out
            OFFSET 0
        ) AS bad
        WHERE s.state = 'active' AND s.archived_at IS NULL
          AND greatest(bad.failed, bad.unknown, bad.opted_out) >= $1
    """, least_bad)  # fmt: skip
