"""The only SQL on the sandbox's tables."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from iglayers.core.db import Connection, execute, row, rows, value
from iglayers.core.ids import SenderId, WorkspaceId
from iglayers.senders.model import Order


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the sandbox will tell: `fact` as the provider would put it."""

    id: UUID
    workspace_id: WorkspaceId
    sender_id: SenderId
    kind: str
    due_at: datetime
    fact: dict[str, Any]


class Handled(msgspec.Struct, frozen=True):
    """What became of one request: whether this is a test workspace, whether a fault struck, whether it was logged."""

    is_simulated: bool
    struck: bool
    logged: bool


async def handle(
    conn: Connection, order: Order, *, log_id: UUID, delivers: bool, strikes_once: bool, plans: list[Plan]
) -> Handled:
    """One request in one statement: log it, and plan what follows, unless a fault strikes.

    A workspace that is not a test workspace gives the statement no row to work on.
    """
    found = await row(conn, Handled, """
        WITH simulated AS (
            SELECT id AS workspace_id FROM workspaces WHERE id = $1 AND mode = 'test'
        ), fault AS (
            INSERT INTO sandbox_faults (workspace_id, recipient)
            SELECT workspace_id, $3 FROM simulated WHERE $8
            ON CONFLICT DO NOTHING
            RETURNING 1
        ), logged AS (
            INSERT INTO sandbox_messages (id, workspace_id, sender_username, recipient, text, reference, delivered_at)
            SELECT $4, workspace_id, $2, $3, $5, $6, $7
            FROM simulated
            WHERE $9 AND NOT EXISTS (SELECT FROM fault)
            RETURNING workspace_id
        ), planned AS (
            INSERT INTO sandbox_plans (id, workspace_id, sender_id, kind, due_at, fact)
            SELECT plan.id, logged.workspace_id, $10, plan.kind, plan.due_at, plan.fact
            FROM logged, unnest($11::uuid[], $12::text[], $13::timestamptz[], $14::jsonb[])
                AS plan (id, kind, due_at, fact)
        )
        SELECT EXISTS (SELECT FROM simulated) AS is_simulated,
               EXISTS (SELECT FROM fault) AS struck,
               EXISTS (SELECT FROM logged) AS logged
    """, order.account.workspace_id, order.account.username, order.recipient.username, log_id, order.text,
        order.reference, order.now, strikes_once, delivers, order.account.id, [each.id for each in plans],
        [each.kind for each in plans], [each.due_at for each in plans], [each.fact for each in plans])  # fmt: skip
    assert found is not None
    return found


async def logged(conn: Connection, *, log_id: UUID | None, reference: UUID) -> UUID | None:
    """The sandbox's id of a message, by that id or by the caller's reference. Rare, so the reference has no index."""
    return await value(
        conn, "SELECT id FROM sandbox_messages WHERE id = $1 OR ($1 IS NULL AND reference = $2)", log_id, reference
    )


async def take_due(conn: Connection, *, limit: int) -> list[Plan]:
    """Plans whose moment has come by their workspace's clock, taken out: each comes once, if this commits."""
    return await rows(conn, Plan, """
        -- The clocks are read once: an index cannot be searched for a moment that moves.
        WITH clocks AS MATERIALIZED (
            SELECT id, clock_at + (clock_timestamp() - clock_real_at) * clock_speed AS shows
            FROM workspaces
            WHERE mode = 'test'
        ), due AS (
            SELECT plan.id
            FROM clocks
            CROSS JOIN LATERAL (
                SELECT p.id
                FROM sandbox_plans p
                WHERE p.workspace_id = clocks.id AND p.due_at <= clocks.shows
                ORDER BY p.due_at
                LIMIT $1
                FOR UPDATE SKIP LOCKED
            ) AS plan
            LIMIT $1
        )
        DELETE FROM sandbox_plans p
        USING due
        WHERE p.id = due.id
        RETURNING p.id, p.workspace_id, p.sender_id, p.kind, p.due_at, p.fact
    """, limit)  # fmt: skip


async def erase(conn: Connection, workspace_id: WorkspaceId, usernames: list[str]) -> None:
    """The simulated provider forgets people too: texts, names, and what they would still have said."""
    await execute(conn, """
        UPDATE sandbox_messages SET recipient = '', text = '' WHERE workspace_id = $1 AND recipient = ANY ($2)
    """, workspace_id, usernames)  # fmt: skip
    await execute(
        conn,
        "DELETE FROM sandbox_plans WHERE workspace_id = $1 AND fact ->> 'username' = ANY ($2)",
        workspace_id, usernames,
    )  # fmt: skip
    await execute(
        conn, "DELETE FROM sandbox_faults WHERE workspace_id = $1 AND recipient = ANY ($2)", workspace_id, usernames
    )
