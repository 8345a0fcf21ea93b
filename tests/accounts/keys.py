"""Keys made for a test, and the application with settings of the test's own."""

from typing import Any

import asyncpg
import msgspec

from iglayers.accounts import actions
from iglayers.accounts.model import Caller, CreatedKey, Scope
from iglayers.accounts.services import Services
from iglayers.core.db import Database


async def make_key(
    database: Database, caller: Caller, name: str = "Made", scopes: list[Scope] | None = None, **fields: Any
) -> CreatedKey:
    """A key with every scope, unless `scopes` says otherwise."""
    new = actions.NewKey(name=name, scopes=list(Scope) if scopes is None else scopes, **fields)
    async with database.transaction() as conn:
        return await actions.create_key(conn, caller, new)


def with_settings(services: Services, **settings: Any) -> Services:
    return msgspec.structs.replace(services, settings=msgspec.structs.replace(services.settings, **settings))


async def without_database(services: Services, database_url: str) -> Services:
    """Services whose every query fails."""
    pool = await asyncpg.create_pool(database_url, min_size=0, max_size=1)
    await pool.close()
    return msgspec.structs.replace(services, db=Database(pool))


async def expire(database: Database, key: CreatedKey) -> None:
    async with database.connection() as conn:
        await conn.execute("UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE id = $1", key.id.uuid)
