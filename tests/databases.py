"""PostgreSQL for the tests: one server, one migrated template, copies of it, and how a copy is emptied."""

import os
import shutil
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from urllib.parse import urlsplit

import asyncpg

from iglayers.core.db import Connection
from iglayers.core.embedded import EmbeddedPostgres

# Of every test installation.
SECRET_KEY = bytes(range(32))
PEPPER = bytes(range(32, 64))
# For a connection to end that somebody left open.
_MOST_END_MS = 10_000


@contextmanager
def server() -> Generator[str]:
    """The server of IGLAYERS_TEST_DATABASE_URL, or an embedded one that lives as long as the run."""
    if url := os.environ.get("IGLAYERS_TEST_DATABASE_URL"):
        yield url
        return
    # In /tmp and open to pass through: under root the server runs as another account.
    folder = Path(tempfile.mkdtemp(prefix="igl-tests-", dir="/tmp"))
    folder.chmod(0o711)
    embedded = EmbeddedPostgres(folder / "data")
    try:
        yield embedded.start()
    finally:
        embedded.release()
        shutil.rmtree(folder, ignore_errors=True)


def named(url: str, database: str) -> str:
    """The same server, another database."""
    return urlsplit(url)._replace(path=f"/{database}").geturl()


async def create(admin_url: str, *, template: str = "template1") -> str:
    """The name of a new database made from `template`."""
    name = f"igl_test_{token_hex(6)}"
    await _administer(admin_url, f"CREATE DATABASE {name} TEMPLATE {template}")
    return name


async def drop(admin_url: str, name: str) -> None:
    """Not with FORCE, which may not end an autovacuum worker, a superuser's: a plain DROP sends that away itself."""
    users = f"SELECT pid FROM pg_stat_activity WHERE datname = '{name}' AND backend_type = 'client backend'"
    await _administer(admin_url, f"SELECT pg_terminate_backend(pid, {_MOST_END_MS}) FROM ({users}) AS client")
    await _administer(admin_url, f"DROP DATABASE IF EXISTS {name}")


async def _administer(admin_url: str, statement: str) -> None:
    conn = await asyncpg.connect(admin_url)
    try:
        await conn.execute(statement)
    finally:
        await conn.close()


async def empty(conn: Connection, tables: Sequence[str]) -> None:
    """Empty the tables, which stand children before parents, and set the installation back."""
    # Each row deleted is looked for in its children, some of which have no index for that: from a few hundred
    # people on TRUNCATE is faster, below it is fifty times as slow.
    many = await conn.fetchval("SELECT EXISTS (SELECT FROM contacts OFFSET 300)")
    clearing = [f"TRUNCATE {', '.join(tables)}"] if many else [f"DELETE FROM {name}" for name in tables]
    reset = "UPDATE installation SET dispatch = 'running', dispatch_reason = NULL, epoch = 1, setup_token_hash = NULL"
    await conn.execute(";\n".join([*clearing, reset]))


async def children_first(url: str) -> list[str]:
    """Every table but the installation's, children before parents."""
    conn = await asyncpg.connect(url)
    try:
        tables = await conn.fetch("""
            SELECT c.oid, c.relname AS name,
                   ARRAY(SELECT confrelid FROM pg_constraint
                         WHERE conrelid = c.oid AND contype = 'f' AND confrelid <> c.oid) AS parents
            FROM pg_class c
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
              AND c.relname NOT IN ('migrations', 'installation')
        """)
    finally:
        await conn.close()
    left = {table["oid"]: table for table in tables}
    order: list[str] = []
    while left:
        parents = {parent for table in left.values() for parent in table["parents"]}
        children = [oid for oid in left if oid not in parents]
        assert children, "foreign keys go round in a circle"
        order += [left.pop(oid)["name"] for oid in children]
    # It has no parent, but the triggers of `targets` write it whenever targets go.
    return sorted(order, key=lambda name: name == "target_counts")
