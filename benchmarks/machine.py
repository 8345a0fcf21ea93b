"""What every benchmark needs: an installation of its own, and a line that says on what it ran."""

import io
import os
import platform
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import cast

import msgspec

from iglayers import __version__
from iglayers.accounts import actions as accounts
from iglayers.accounts import queries as account_queries
from iglayers.accounts.model import Caller, Mode, Scope
from iglayers.accounts.services import Services
from iglayers.campaigns import actions as campaigns
from iglayers.cli import installation
from iglayers.cli.parts_worker import WORKER_POOL
from iglayers.clients import actions as clients
from iglayers.core import config, log
from iglayers.core.db import Database
from iglayers.templates import actions as templates


class Bench(msgspec.Struct):
    services: Services
    caller: Caller  # of the test workspace, with every scope
    url: str


@asynccontextmanager
async def opened(*, sandbox_speed: float) -> AsyncGenerator[Bench, None]:
    """A fresh installation on the embedded PostgreSQL, or on an empty database at IGLAYERS_DATABASE_URL."""
    log.configure("warning")
    # A run that is killed has said how far it was.
    cast("io.TextIOWrapper", sys.stdout).reconfigure(line_buffering=True)
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
            opening = installation.services(
                settings,
                server.url,
                pool_size=WORKER_POOL + 4,
                name="iglayers benchmark",
                must_be_durable=True,
                by_keys=True,
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


async def campaign(bench: Bench) -> tuple[str, str]:
    """A key and a draft campaign."""
    caller = bench.caller
    async with bench.services.db.transaction() as conn:
        key = await accounts.create_key(conn, caller, accounts.NewKey(name="benchmark"))
        client = await clients.create(conn, caller, clients.NewClient(name="Acme"))
        template = await templates.create(
            conn, caller, templates.NewTemplate(name="Intro", body="Hi {{firstName|there}}")
        )
        campaign = await campaigns.create(
            conn, caller, campaigns.NewCampaign(client_id=client.id, name="Benchmark", message_template_id=template.id)
        )
    return key.key, str(campaign.id)


async def server(db: Database) -> int:
    """The process that all of the database's are children of."""
    async with db.connection() as conn:
        backend = await conn.fetchval("SELECT pg_backend_pid()")
    return _stat(backend)[1]


def cpu_s(parent: int) -> float:
    """What a process and its children took of the processors."""
    ticks = sum(_stat(parent)[11:13])
    for each in Path("/proc").glob("[0-9]*"):
        # Processes end while they are looked at.
        with suppress(OSError):
            found = _stat(int(each.name))
            if found[1] == parent and b"autovacuum" not in (each / "cmdline").read_bytes():
                ticks += sum(found[11:13])
    return ticks / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[int]:
    """The numbers of /proc/PID/stat behind the name and the state: 1 is the parent, 11 and 12 are clock ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return [0, *map(int, fields[1:])]


@contextmanager
def process(bench: Bench, name: str) -> Generator[tuple[subprocess.Popen[bytes], int]]:
    """`iglayers api` or `iglayers worker`; the port that an API listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    settings = bench.services.settings
    environment = os.environ | {
        "IGLAYERS_DATABASE_URL": bench.url,
        "IGLAYERS_DATA_DIR": str(settings.data_dir),
        "IGLAYERS_SECRET_KEY": settings.secret_key or "",
        "IGLAYERS_LOG_LEVEL": "warning",
        "IGLAYERS_RATE_LIMIT_PER_MINUTE": "1000000",
        "IGLAYERS_RATE_LIMIT_BURST": "1000000",
        "IGLAYERS_PORT": str(port),
    }
    process = subprocess.Popen([sys.executable, "-m", "iglayers", name], env=environment)
    try:
        if name == "api":
            _wait_for(port, process)
        yield process, port
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        if process.poll() is not None:
            raise SystemExit("the API did not start")
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise SystemExit("the API did not come up within 15 s")
