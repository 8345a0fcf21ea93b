"""The SQL of webhook endpoints: what their owners see and change."""

from datetime import datetime

from iglayers.core.db import Connection, execute, row, rows, value
from iglayers.core.ids import ClientId, EndpointId, WorkspaceId
from iglayers.events.model_webhooks import DisabledReason, Endpoint, Secrets


async def insert(conn: Connection, endpoint: Endpoint, *, workspace_id: WorkspaceId, secret: bytes) -> None:
    """A new endpoint; what happens from its commit on is delivered to it."""
    await execute(conn, """
        INSERT INTO webhook_endpoints (id, workspace_id, client_id, url, description, events, max_per_second, secret,
                                       created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
    """, endpoint.id, workspace_id, endpoint.client_id, endpoint.url, endpoint.description, endpoint.events,
        endpoint.max_per_second, secret, endpoint.created_at)  # fmt: skip


async def count_locked(conn: Connection, workspace_id: WorkspaceId) -> int:
    """How many endpoints the workspace has; until the commit no other transaction counts them."""
    await execute(conn, "SELECT pg_advisory_xact_lock(hashtextextended('webhook_endpoints ' || $1::text, 0))",
                  str(workspace_id))  # fmt: skip
    return await value(conn, "SELECT count(*) FROM webhook_endpoints WHERE workspace_id = $1", workspace_id)


async def by_id(
    conn: Connection, workspace_id: WorkspaceId, endpoint_id: EndpointId, *, only: ClientId | None
) -> Endpoint | None:
    """One endpoint; `only` is the client that the caller's key is bound to."""
    return await row(conn, Endpoint, """
        SELECT id, url, description, events, client_id, max_per_second, state, disabled_reason, disabled_at,
               failing_since, previous_until AS previous_secret_until, created_at, updated_at
        FROM webhook_endpoints
        WHERE workspace_id = $1 AND id = $2 AND ($3::uuid IS NULL OR client_id = $3)
    """, workspace_id, endpoint_id, only)  # fmt: skip


async def lock(
    conn: Connection, workspace_id: WorkspaceId, endpoint_id: EndpointId, *, only: ClientId | None
) -> Endpoint | None:
    """One endpoint, locked before its deliveries."""
    return await row(conn, Endpoint, """
        SELECT id, url, description, events, client_id, max_per_second, state, disabled_reason, disabled_at,
               failing_since, previous_until AS previous_secret_until, created_at, updated_at
        FROM webhook_endpoints
        WHERE workspace_id = $1 AND id = $2 AND ($3::uuid IS NULL OR client_id = $3)
        FOR NO KEY UPDATE
    """, workspace_id, endpoint_id, only)  # fmt: skip


async def page(
    conn: Connection, workspace_id: WorkspaceId, *, only: ClientId | None, before: EndpointId | None, limit: int
) -> list[Endpoint]:
    """Endpoints, newest first."""
    return await rows(conn, Endpoint, """
        SELECT id, url, description, events, client_id, max_per_second, state, disabled_reason, disabled_at,
               failing_since, previous_until AS previous_secret_until, created_at, updated_at
        FROM webhook_endpoints
        WHERE workspace_id = $1
          AND ($2::uuid IS NULL OR client_id = $2)
          AND ($3::uuid IS NULL OR id < $3)
        ORDER BY id DESC
        LIMIT $4
    """, workspace_id, only, before, limit)  # fmt: skip


async def change(conn: Connection, endpoint: Endpoint, *, workspace_id: WorkspaceId) -> None:
    """Store what a person may change."""
    await execute(conn, """
        UPDATE webhook_endpoints
        SET url = $3, description = $4, events = $5, max_per_second = $6, updated_at = $7
        WHERE workspace_id = $1 AND id = $2
    """, workspace_id, endpoint.id, endpoint.url, endpoint.description, endpoint.events, endpoint.max_per_second,
        endpoint.updated_at)  # fmt: skip


async def disable(
    conn: Connection, workspace_id: WorkspaceId, endpoint_id: EndpointId, *, reason: DisabledReason, at: datetime
) -> bool:
    """Deliver nothing more; what waits goes on waiting. False when it is disabled already, or gone."""
    return bool(await execute(conn, """
        UPDATE webhook_endpoints
        SET state = 'disabled', disabled_reason = $3, disabled_at = $4, updated_at = $4
        WHERE workspace_id = $1 AND id = $2 AND state = 'enabled'
    """, workspace_id, endpoint_id, reason, at))  # fmt: skip


async def count_missed(conn: Connection, workspace_id: WorkspaceId, endpoint_id: EndpointId, *, since: datetime) -> int:
    """Events since a moment that an endpoint asks for and that were never queued for it."""
    return await value(conn, """
        SELECT count(*)
        FROM webhook_endpoints e
        JOIN events v ON v.workspace_id = $1 AND v.id >= uuid7_floor($3)
             AND (e.client_id IS NULL OR v.client_id = e.client_id)
             AND (e.events = '{*}' OR v.type = ANY (e.events))
        WHERE e.workspace_id = $1 AND e.id = $2
          AND NOT EXISTS (
              -- A delivery's id has the moment of its event.
              SELECT FROM deliveries d
              WHERE d.workspace_id = $1 AND d.endpoint_id = $2 AND d.id >= uuid7_floor($3) AND d.event_id = v.id)
    """, workspace_id, endpoint_id, since)  # fmt: skip


async def enable(conn: Connection, workspace_id: WorkspaceId, endpoint_id: EndpointId, *, at: datetime) -> None:
    """Go on at once with everything that waits."""
    await execute(conn, """
        UPDATE deliveries SET due_at = $3
        WHERE workspace_id = $1 AND endpoint_id = $2 AND state = 'pending' AND due_at > $3
    """, workspace_id, endpoint_id, at)  # fmt: skip
    await execute(conn, """
        UPDATE webhook_endpoints
        SET state = 'enabled', disabled_reason = NULL, disabled_at = NULL, failing_since = NULL, due_at = $3,
            updated_at = $3
        WHERE workspace_id = $1 AND id = $2
    """, workspace_id, endpoint_id, at)  # fmt: skip


async def delete(conn: Connection, workspace_id: WorkspaceId, endpoint_id: EndpointId, *, at: datetime) -> None:
    """Away with the endpoint; what waited for it is cancelled, its log stays until it expires."""
    await execute(conn, """
        UPDATE deliveries SET state = 'cancelled', ended_at = $3
        WHERE workspace_id = $1 AND endpoint_id = $2 AND state = 'pending'
    """, workspace_id, endpoint_id, at)  # fmt: skip
    await execute(conn, "DELETE FROM webhook_endpoints WHERE workspace_id = $1 AND id = $2", workspace_id, endpoint_id)


async def secrets(conn: Connection, workspace_id: WorkspaceId, endpoint_id: EndpointId) -> Secrets | None:
    """What signs for an endpoint, as it is stored."""
    return await row(conn, Secrets, """
        SELECT secret, previous_secret, previous_until
        FROM webhook_endpoints
        WHERE workspace_id = $1 AND id = $2
    """, workspace_id, endpoint_id)  # fmt: skip


async def change_secret(
    conn: Connection, workspace_id: WorkspaceId, endpoint_id: EndpointId, new: Secrets, *, at: datetime
) -> None:
    """A new secret; the one before signs beside it until its end."""
    await execute(conn, """
        UPDATE webhook_endpoints
        SET secret = $3, previous_secret = $4, previous_until = $5, updated_at = $6
        WHERE workspace_id = $1 AND id = $2
    """, workspace_id, endpoint_id, new.secret, new.previous_secret, new.previous_until, at)  # fmt: skip
