"""How fast targets are uploaded over HTTP, against COPY of the same rows into the same tables.

    python benchmarks/upload.py [--rows 100000] [--rounds 3] [--seed 1]

Uses IGLAYERS_DATABASE_URL (a database of its own is made there and dropped) or an embedded PostgreSQL of its own.
One client, one call of 10,000 rows after the other. COPY gets the rows that the upload wrote (contacts, targets
and events, as text), into the same tables, emptied, with all their indexes and constraints. Exit code 1 below 0.5.
"""

import argparse
import asyncio
import http.client
import io
import json
import os
import platform
import random
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
from granian.constants import Interfaces
from granian.server.embed import Server

from iglayers.accounts import actions as accounts
from iglayers.accounts.model import Caller, Mode, Scope
from iglayers.accounts.request import Services
from iglayers.campaigns import actions as campaigns
from iglayers.clients import actions as clients
from iglayers.core import db
from iglayers.core.clock import Clock, real_now
from iglayers.core.config import Settings
from iglayers.core.crypto import Vault
from iglayers.core.embedded import EmbeddedPostgres
from iglayers.core.migrate import migrate
from iglayers.templates import actions as templates
from iglayers.web import app

SECRET_KEY = bytes(range(32))
PEPPER = bytes(range(32, 64))
CALL_ROWS = 10_000
WANTED_RATIO = 0.5
TABLES = ("contacts", "targets", "events")
CATEGORIES = ("fitness", "food", "travel", "fashion", "gaming", "music")


def main() -> int:
    asked = _arguments()
    if asked.serve is not None:
        asyncio.run(_serve(asked.serve, asked.port))
        return 0
    if asked.rows % CALL_ROWS or asked.rows <= 0:
        raise SystemExit(f"--rows must be a multiple of {CALL_ROWS}")
    with _database() as url, _server(url) as port:
        ratio = asyncio.run(_compare(url, port, asked))
    return 0 if ratio >= WANTED_RATIO else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


# ── what is measured ──


async def _compare(url: str, port: int, asked: argparse.Namespace) -> float:
    conn = await asyncpg.connect(url)
    await _print_conditions(conn, asked)
    uploads: list[float] = []
    copies: list[float] = []
    for number in range(asked.rounds):
        bodies = _bodies(asked.rows, seed=asked.seed + number)
        await _empty(conn)
        key, campaign_id = await _campaign(url)
        await _settle(conn)
        uploads.append(asked.rows / await asyncio.to_thread(_upload, port, key, campaign_id, bodies))
        written = await _read_back(conn)
        await _empty(conn)
        await _settle(conn)
        copies.append(asked.rows / await _copy(conn, written))
        print(
            f"round {number + 1}: upload {uploads[-1]:>9,.0f} rows/s   COPY {copies[-1]:>9,.0f} rows/s"
            f"   ratio {uploads[-1] / copies[-1]:.2f}"
        )
    await conn.close()
    ratio = statistics.median(upload / copy for upload, copy in zip(uploads, copies, strict=True))
    print(
        f"median: upload {statistics.median(uploads):>9,.0f} rows/s   COPY {statistics.median(copies):>9,.0f} rows/s"
        f"   ratio {ratio:.2f} (wanted: {WANTED_RATIO})"
    )
    return ratio


def _bodies(rows: int, *, seed: int) -> list[bytes]:
    chance = random.Random(seed)
    people = [
        {
            "instagramUsername": f"{chance.choice(CATEGORIES)}.{chance.randrange(16**6):06x}_{number}",
            "fullName": f"Creator Number {number}",
            "firstName": f"Creator{number % 997}",
            "category": chance.choice(CATEGORIES),
            "followerCount": chance.randrange(1_000_000),
        }
        for number in range(rows)
    ]
    for each in people:
        each["profileUrl"] = f"https://instagram.com/{each['instagramUsername']}"
    return [json.dumps({"targets": people[start : start + CALL_ROWS]}).encode() for start in range(0, rows, CALL_ROWS)]


def _upload(port: int, key: str, campaign_id: str, bodies: list[bytes]) -> float:
    """Seconds that the calls took, answers read."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    started = time.perf_counter()
    answers: list[bytes] = []
    for body in bodies:
        connection.request("POST", f"/api/v1/campaigns/{campaign_id}/targets", body, headers)
        answer = connection.getresponse()
        answers.append(answer.read())
        if answer.status != 201:
            raise SystemExit(f"{answer.status} {answers[-1][:500]!r}")
    took = time.perf_counter() - started
    connection.close()
    if any(json.loads(answer)["accepted"] != CALL_ROWS for answer in answers):
        raise SystemExit("not all rows were accepted")
    return took


async def _read_back(conn: asyncpg.Connection) -> dict[str, io.BytesIO]:
    written: dict[str, io.BytesIO] = {}
    for table in TABLES:
        written[table] = io.BytesIO()
        await conn.copy_from_query(f"SELECT * FROM {table}", output=written[table])
        written[table].seek(0)
    return written


async def _copy(conn: asyncpg.Connection, written: dict[str, io.BytesIO]) -> float:
    started = time.perf_counter()
    async with conn.transaction():
        for table, data in written.items():
            await conn.copy_to_table(table, source=data)
    return time.perf_counter() - started


async def _empty(conn: asyncpg.Connection) -> None:
    await conn.execute(f"TRUNCATE {', '.join(TABLES)} CASCADE")


async def _settle(conn: asyncpg.Connection) -> None:
    """Both begin with clean buffers; the role of an embedded server may not ask for it, and then neither gets it."""
    with suppress(asyncpg.InsufficientPrivilegeError):
        await conn.execute("CHECKPOINT")


# ── what it is measured on ──


async def _campaign(url: str) -> tuple[str, str]:
    """A key and a draft campaign, each round its own."""
    pool = await db.connect(url, size=1)
    async with pool.transaction() as conn:
        workspace_id = (await accounts.create_pair(conn, f"Benchmark {secrets.token_hex(4)}"))[0]
        now = real_now()
        caller = Caller(
            workspace_id=workspace_id, mode=Mode.LIVE, scopes=frozenset(Scope), actor="benchmark",
            clock=Clock(real_at=now, at=now, speed=1),
        )  # fmt: skip
        key = await accounts.create_key(conn, caller, accounts.NewKey(name="benchmark"))
        client = await clients.create(conn, caller, clients.NewClient(name="Acme"))
        template = await templates.create(
            conn, caller, templates.NewTemplate(name="Intro", body="Hi {{firstName|there}}")
        )
        campaign = await campaigns.create(
            conn, caller, campaigns.NewCampaign(client_id=client.id, name="Upload", message_template_id=template.id)
        )
    await pool.close()
    return key.key, str(campaign.id)


@contextmanager
def _database() -> Iterator[str]:
    if given := os.environ.get("IGLAYERS_DATABASE_URL"):
        name = f"igl_bench_{secrets.token_hex(6)}"
        asyncio.run(_administer(given, f"CREATE DATABASE {name}"))
        try:
            yield urlsplit(given)._replace(path=f"/{name}").geturl()
        finally:
            asyncio.run(_administer(given, f"DROP DATABASE {name} WITH (FORCE)"))
        return
    folder = Path(tempfile.mkdtemp(prefix="igl-bench-", dir="/tmp"))
    folder.chmod(0o711)
    embedded = EmbeddedPostgres(folder / "data")
    try:
        yield embedded.start()
    finally:
        embedded.release()
        shutil.rmtree(folder, ignore_errors=True)


async def _administer(url: str, statement: str) -> None:
    conn = await asyncpg.connect(url)
    await conn.execute(statement)
    await conn.close()


@contextmanager
def _server(url: str) -> Iterator[int]:
    """The application on a loopback port, in a process of its own."""
    asyncio.run(migrate(url))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, __file__, "--serve", url, "--port", str(port)])
    try:
        _wait_for(port, process)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        if process.poll() is not None:
            raise SystemExit("the server did not start")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("the server did not come up within 15 s")


async def _serve(url: str, port: int) -> None:
    settings = Settings(data_dir=Path(tempfile.gettempdir()), database_url=url)
    pool = await db.connect(url, size=4)
    vault = Vault(SECRET_KEY)
    async with pool.transaction() as conn:
        pepper = await accounts.found_installation(conn, vault, new_pepper=PEPPER)
    services = Services(settings=settings, db=pool, vault=vault, pepper=pepper)
    server = Server(
        app.create(services), address="127.0.0.1", port=port, interface=Interfaces.ASGI, websockets=False,
        log_enabled=False,
    )  # fmt: skip
    await server.serve()


async def _print_conditions(conn: asyncpg.Connection, asked: argparse.Namespace) -> None:
    settings = [f"{name}={await conn.fetchval(f'SHOW {name}')}" for name in ("fsync", "synchronous_commit")]
    version = await conn.fetchval("SHOW server_version")
    print(
        f"{platform.machine()} {os.cpu_count()} cores, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, PostgreSQL {version}, {', '.join(settings)}"
    )
    print(f"{asked.rows:,} rows in calls of {CALL_ROWS:,}, {asked.rounds} rounds, seed {asked.seed}")


if __name__ == "__main__":
    sys.exit(main())
