"""Bring a database to the newest schema: forward only, one transaction a file, under an advisory lock.

Any number of processes may call it at once; one does the work and the others wait for it.
"""

# asyncpg ships without types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import LiteralString, cast

import asyncpg

from iglayers.core.db import Connection

_LOCK = 7_301_970_215


class MigrationError(RuntimeError):
    """The database cannot be brought to this version."""


async def migrate(url: str) -> Sequence[str]:
    """Apply what is missing; the names of the files applied."""
    conn: asyncpg.Connection = await asyncpg.connect(url, server_settings={"application_name": "iglayers migrate"})
    try:
        await _refuse_unsuitable(conn)
        await conn.execute("SELECT pg_advisory_lock($1)", _LOCK)
        try:
            return await _apply(conn)
        finally:
            await conn.execute("SELECT pg_advisory_unlock($1)", _LOCK)
    finally:
        await conn.close()


def files() -> list[tuple[str, str]]:
    """Name and text of every migration, in order."""
    folder = resources.files("iglayers") / "migrations"
    found = sorted(entry.name for entry in folder.iterdir() if entry.name[:4].isdigit())
    return [(name, (folder / name).read_text()) for name in found]


async def pending(conn: Connection) -> list[str]:
    """The files that have not been applied; all of them on a database that was never migrated."""
    names = [name for name, _ in files()]
    if await conn.fetchval("SELECT to_regclass('migrations') IS NULL"):
        return names
    done = {entry["name"] for entry in await conn.fetch("SELECT name FROM migrations")}
    return [name for name in names if name not in done]


async def _refuse_unsuitable(conn: asyncpg.Connection) -> None:
    if conn.get_server_version().major < 15:
        raise MigrationError(f"PostgreSQL 15 or newer is needed, this is {conn.get_server_version().major}")


async def _apply(conn: asyncpg.Connection) -> list[str]:
    await conn.execute("""
        CREATE TABLE IF NOT EXISTS migrations (
            name text PRIMARY KEY,
            sha256 text NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now()
        )
    """)
    done = {entry["name"]: entry["sha256"] for entry in await conn.fetch("SELECT name, sha256 FROM migrations")}
    known = files()
    if unknown := sorted(set(done) - {name for name, _ in known}):
        raise MigrationError(f"the database is newer than this program: it has {', '.join(unknown)}")
    applied: list[str] = []
    for name, text in known:
        digest = hashlib.sha256(text.encode()).hexdigest()
        if name in done:
            if done[name] != digest:
                raise MigrationError(f"{name} was changed after it had been applied")
            continue
        async with conn.transaction():
            await conn.execute(cast("LiteralString", text))
            await conn.execute("INSERT INTO migrations (name, sha256) VALUES ($1, $2)", name, digest)
        applied.append(name)
    return applied
