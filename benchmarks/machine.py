"""What every benchmark needs: an installation of its own, and a line that says on what it ran."""

import os
import platform
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
from iglayers.core import config, db, log
from iglayers.core.crypto import Vault
from iglayers.core.embedded import EmbeddedPostgres
from iglayers.core.migrate import migrate


class Bench(msgspec.Struct):
    services: Services
    caller: Caller  # of the test workspace, with every scope


@asynccontextmanager
async def opened(*, sandbox_speed: float) -> AsyncGenerator[Bench, None]:
    """A fresh installation on the embedded PostgreSQL, or on an empty database at IGLAYERS_DATABASE_URL."""
    log.configure("warning")
    data_dir = _reachable_folder()
    url = os.environ.get("IGLAYERS_DATABASE_URL")
    embedded = None if url else EmbeddedPostgres(data_dir / "data")
    try:
        url = url or (embedded.start() if embedded else "")
        await migrate(url)
        settings = config.load({}, database_url=url, data_dir=str(data_dir), rate_limit_per_minute=1_000_000,
                               rate_limit_burst=1_000_000)  # fmt: skip
        pool = await db.connect(url, size=settings.worker_slots + 12, name="iglayers benchmark", by_keys=True)
        yield await _founded(settings, pool, sandbox_speed)
        await pool.close()
    finally:
        if embedded:
            embedded.release()
        shutil.rmtree(data_dir, ignore_errors=True)


def _reachable_folder() -> Path:
    """A folder that the account of the embedded server can enter."""
    folder = Path(tempfile.mkdtemp(prefix="iglayers-bench-", dir="/tmp"))
    folder.chmod(0o711)
    return folder


async def _founded(settings: config.Settings, pool: db.Database, sandbox_speed: float) -> Bench:
    vault = Vault(os.urandom(32))
    async with pool.transaction() as conn:
        pepper = await accounts.found_installation(conn, vault, new_pepper=os.urandom(32))
        workspace = await accounts.find_workspace(conn, Mode.TEST, None)
        await accounts.set_speed(conn, workspace.id, sandbox_speed)
    async with pool.connection() as conn:
        clock = await account_queries.clock(conn, workspace.id)
    assert clock is not None
    caller = Caller(
        workspace_id=workspace.id, mode=workspace.mode, scopes=frozenset(Scope), actor="benchmark", clock=clock
    )
    return Bench(Services(settings, pool, vault, pepper), caller)


async def describe(bench: Bench) -> None:
    """Machine, versions and durability of this run."""
    async with bench.services.db.connection() as conn:
        version = await conn.fetchval("SELECT current_setting('server_version')")
        fsync = await conn.fetchval("SELECT current_setting('fsync')")
        commit = await conn.fetchval("SELECT current_setting('synchronous_commit')")
    print(f"machine       {os.cpu_count()} cores, {platform.machine()}, {platform.system()} {platform.release()}")
    print(f"versions      iglayers {__version__}, Python {platform.python_version()}, PostgreSQL {version}")
    print(f"durability    fsync {fsync}, synchronous_commit {commit}")
