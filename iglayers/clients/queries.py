"""The only SQL on clients."""

from collections.abc import Collection
from datetime import datetime

from iglayers.clients.model import Client
from iglayers.core.db import Connection, execute, plain, row, rows, value
from iglayers.core.ids import ClientId, WorkspaceId


async def insert(conn: Connection, client: Client, *, workspace_id: WorkspaceId) -> bool:
    """A new client; False when its external id is taken in the workspace."""
    return bool(await execute(conn, """
        INSERT INTO clients (id, workspace_id, name, external_id, metadata, hourly_limit, daily_limit, created_at,
                             updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (workspace_id, external_id) WHERE external_id IS NOT NULL DO NOTHING
    """, client.id, workspace_id, client.name, client.external_id, client.metadata, client.hourly_limit,
        client.daily_limit, client.created_at, client.updated_at))  # fmt: skip


async def by_id(
    conn: Connection, workspace_id: WorkspaceId, client_id: ClientId, *, only: ClientId | None
) -> Client | None:
    """One client; `only` is the client that the caller's key is bound to."""
    return await row(conn, Client, """
        SELECT id, name, external_id, metadata, hourly_limit, daily_limit, archived_at, created_at, updated_at
        FROM clients
        WHERE workspace_id = $1 AND id = $2 AND ($3::uuid IS NULL OR id = $3)
    """, workspace_id, client_id, only)  # fmt: skip


async def lock(
    conn: Connection, workspace_id: WorkspaceId, client_id: ClientId, *, only: ClientId | None
) -> Client | None:
    """One client, locked: the first lock of every flow that takes it."""
    return await row(conn, Client, """
        SELECT id, name, external_id, metadata, hourly_limit, daily_limit, archived_at, created_at, updated_at
        FROM clients
        WHERE workspace_id = $1 AND id = $2 AND ($3::uuid IS NULL OR id = $3)
        FOR NO KEY UPDATE
    """, workspace_id, client_id, only)  # fmt: skip


async def page(  # noqa: PLR0913 the filters of a list
    conn: Connection, workspace_id: WorkspaceId, *, only: ClientId | None, external_id: str | None,
    before: ClientId | None, limit: int, search: str | None = None, is_archived: bool = False,
) -> list[Client]:  # fmt: skip
    """Clients that are not archived, or those that are, newest first; `search` is a part of the name or external id."""
    return await rows(conn, Client, """
        SELECT id, name, external_id, metadata, hourly_limit, daily_limit, archived_at, created_at, updated_at
        FROM clients
        WHERE workspace_id = $1 AND (archived_at IS NOT NULL) = $7
          AND ($2::uuid IS NULL OR id = $2)
          AND ($3::text IS NULL OR external_id = $3)
          AND ($4::uuid IS NULL OR id < $4)
          AND ($6::text IS NULL OR strpos(lower(name || ' ' || coalesce(external_id, '')), lower($6)) > 0)
        ORDER BY id DESC
        LIMIT $5
    """, workspace_id, only, external_id, before, limit, search, is_archived)  # fmt: skip


async def hold_external_id(conn: Connection, workspace_id: WorkspaceId, external_id: str) -> None:
    """Nobody else gives or takes this external id until the transaction ends."""
    await execute(
        conn, "SELECT pg_advisory_xact_lock(hashtextextended('external_id ' || $1, 0))", f"{workspace_id} {external_id}"
    )


async def with_external_id(conn: Connection, workspace_id: WorkspaceId, external_id: str) -> ClientId | None:
    """Who holds this external id, archived or not."""
    found = await value(
        conn, "SELECT id FROM clients WHERE workspace_id = $1 AND external_id = $2", workspace_id, external_id
    )
    return None if found is None else ClientId(found)


async def change(conn: Connection, client: Client, *, workspace_id: WorkspaceId) -> None:
    """Store a client's fields as they are now."""
    await execute(conn, """
        UPDATE clients
        SET name = $3, external_id = $4, metadata = $5, hourly_limit = $6, daily_limit = $7, updated_at = $8
        WHERE workspace_id = $1 AND id = $2
    """, workspace_id, client.id, client.name, client.external_id, client.metadata, client.hourly_limit,
        client.daily_limit, client.updated_at)  # fmt: skip


async def among(
    conn: Connection, workspace_id: WorkspaceId, client_ids: Collection[ClientId], *, only: ClientId | None
) -> set[ClientId]:
    """Which of these are clients that the caller may see, archived ones too."""
    found = await conn.fetch("""
        SELECT id
        FROM clients
        WHERE workspace_id = $1 AND id = ANY ($2::uuid[]) AND ($3::uuid IS NULL OR id = $3)
    """, *plain([workspace_id, list(client_ids), only]))  # fmt: skip
    return {ClientId(each["id"]) for each in found}


async def archive(conn: Connection, workspace_id: WorkspaceId, client_id: ClientId, *, at: datetime) -> None:
    """Out of lists; its external id stays taken."""
    await execute(
        conn,
        "UPDATE clients SET archived_at = $3, updated_at = $3 WHERE workspace_id = $1 AND id = $2",
        workspace_id, client_id, at,
    )  # fmt: skip
