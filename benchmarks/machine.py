"""What every benchmark needs: an installation of its own, and a line that says on what it ran."""

import os
import platform
import secrets
import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from iglayers import __version__
from iglayers.accounts import actions as accounts
from iglayers.accounts import queries as account_queries
from iglayers.accounts.model import Caller, Mode, Scope
from iglayers.accounts.request import Services
from iglayers.cli import installation
from iglayers.core import config, log


class Bench(msgspec.Struct):
    services: Services
    caller: Caller  # of the test workspace, with every scope
    url: str


@asynccontextmanager
async def opened(*, sandbox_speed: float) -> AsyncGenerator[Bench, None]:
    """A fresh installation on the embedded PostgreSQL, or on an empty database at IGLAYERS_DATABASE_URL."""
    log.configure("warning")
    folder = _reachable_folder()
    settings = config.load(
        {},
        database_url=os.environ.get("IGLAYERS_DATABASE_URL"),
        data_dir=str(folder / "data"),
        secret_key=secrets.token_hex(32),
        sandbox_speed=sandbox_speed,
        rate_limit_per_minute=1_000_000,
        rate_limit_burst=1_000_000,
    )
    try:
        with installation.database(settings) as server:
            pool_size = settings.worker_slots + 12
            opening = installation.services(
                settings, server.url, pool_size=pool_size, name="iglayers benchmark", must_be_durable=True, by_keys=True
            )
            async with opening as services:
                yield Bench(services, await _caller(services), server.url)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _reachable_folder() -> Path:
    """A folder that the account of the embedded server can enter."""
    folder = Path(tempfile.mkdtemp(prefix="iglayers-bench-", dir="/tmp"))
    folder.chmod(0o711)
    return folder


async def _caller(services: Services) -> Caller:
    async with services.db.connection() as conn:
        workspace = await accounts.find_workspace(conn, Mode.TEST, None)
        clock = await account_queries.clock(conn, workspace.id)
    assert clock is not None
    return Caller(
        workspace_id=workspace.id, mode=workspace.mode, scopes=frozenset(Scope), actor="benchmark", clock=clock
    )


async def describe(bench: Bench) -> None:
    """Machine, versions and durability of this run."""
    async with bench.services.db.connection() as conn:
        version = await conn.fetchval("SELECT current_setting('server_version')")
        fsync = await conn.fetchval("SELECT current_setting('fsync')")
        commit = await conn.fetchval("SELECT current_setting('synchronous_commit')")
    print(f"machine       {os.cpu_count()} cores, {platform.machine()}, {platform.system()} {platform.release()}")
    print(f"versions      iglayers {__version__}, Python {platform.python_version()}, PostgreSQL {version}")
    print(f"durability    fsync {fsync}, synchronous_commit {commit}")
