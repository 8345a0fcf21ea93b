"""Workers killed without warning, endpoints that hang, a flood of retries: nothing is lost, nobody else waits."""

import asyncio
import os
import random
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from iglayers.accounts import actions as accounts
from iglayers.accounts.model import Caller, Mode
from iglayers.accounts.request import Services
from iglayers.core import db
from iglayers.core.config import Settings
from iglayers.core.crypto import Vault
from iglayers.core.db import Database
from iglayers.core.ids import EventId
from iglayers.events import queries
from iglayers.events.model import EventType, NewEvent
from tests.conftest import caller_of
from tests.databases import PEPPER, SECRET_KEY
from tests.events.receiving import (
    Hit,
    Receiver,
    all_ended,
    deliveries,
    delivering,
    endpoint,
    happen,
    receiving,
    until,
)

EVENTS = 5_000
KILLS = 4
ENDPOINTS = 100
SECONDS = 2.0


async def test_killed_workers_lose_no_event_and_every_attempt_is_in_the_log(
    fresh_database: Callable[[], Awaitable[str]], tmp_path: Path
) -> None:
    url = await fresh_database()
    chance = random.Random(7)
    async with receiving() as receiver, _pool(url) as pool:
        receiver.respond = lambda _hit: web.Response(status=500 if chance.random() < 0.1 else 200)
        services, caller = await _installed(pool, url, tmp_path)
        made = await endpoint(services, caller, receiver.url)
        writing = asyncio.create_task(_write(pool, caller, EVENTS))
        for number in range(KILLS):
            async with _worker(url, tmp_path / str(number)):
                seen = len(receiver.hits)
                await until(lambda seen=seen: len(receiver.hits) > seen + EVENTS // 20, within_s=20)
        happened = await writing
        async with _worker(url, tmp_path / "last"):
            await until(lambda: all_ended(pool), within_s=40)
        rows = await deliveries(pool, made.id)
        async with pool.connection() as conn:
            errors = {each["error"] for each in await conn.fetch("SELECT DISTINCT error FROM delivery_attempts")}
            logged = {
                f"dlv_{each['delivery_id'].hex}": each["count"]
                for each in await conn.fetch("SELECT delivery_id, count(*) FROM delivery_attempts GROUP BY 1")
            }
    assert {row["state"] for row in rows} == {"delivered"}
    assert set(receiver.event_ids) == set(happened)
    hits = Counter(hit.headers["X-IG-Layers-Delivery"] for hit in receiver.hits)
    assert all(logged[delivery] >= times for delivery, times in hits.items())
    assert {row["attempts"] for row in rows if logged[f"dlv_{row['id'].hex}"] != row["attempts"]} == set()
    assert "interrupted" in errors, "no kill came while something was on its way"


@asynccontextmanager
async def _pool(url: str) -> AsyncGenerator[Database]:
    pool = await db.connect(url, size=8)
    yield pool
    await pool.close()


async def _installed(pool: Database, url: str, folder: Path) -> tuple[Services, Caller]:
    settings = Settings(data_dir=folder, database_url=url, secret_key=SECRET_KEY.hex())
    services = Services(settings=settings, db=pool, vault=Vault(SECRET_KEY), pepper=PEPPER)
    async with pool.transaction() as conn:
        workspace = await accounts.find_workspace(conn, Mode.LIVE, None)
    return services, await caller_of(pool, workspace.id, Mode.LIVE)


async def _write(pool: Database, caller: Caller, count: int) -> list[str]:
    """Events while the workers run, some of them many at once."""
    made: list[str] = []
    while len(made) < count:
        ids = [EventId.new() for _ in range(50)]
        first = NewEvent(type=EventType.MESSAGE_SENT, workspace_id=caller.workspace_id, at=caller.now, data={})
        async with pool.transaction() as conn:
            await queries.record_many(
                conn, first, ids=[each.uuid for each in ids], contact_ids=[each.uuid for each in ids],
                data=[b'{"text":"Hi"}'] * len(ids),
            )  # fmt: skip
        made += [*map(str, ids), *await happen(pool, caller, times=2)]
    return made


@asynccontextmanager
async def _worker(url: str, folder: Path) -> AsyncGenerator[None]:
    """A real worker process, killed without warning at the end of the block."""
    settings = {
        "IGLAYERS_DATABASE_URL": url, "IGLAYERS_DATA_DIR": str(folder), "IGLAYERS_SECRET_KEY": SECRET_KEY.hex(),
        "IGLAYERS_WEBHOOK_DEADLINE_S": "1", "IGLAYERS_WEBHOOK_RETRIES_S": "0,0,0,0,1,1,1,1,1,1,1,1",
        "IGLAYERS_WORKER_SLOTS": "1", "IGLAYERS_HOST": "127.0.0.1",
    }  # fmt: skip
    with (folder.with_suffix(".log")).open("w") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "iglayers", "worker", env={**os.environ, **settings}, stderr=log
        )
    try:
        yield
    finally:
        assert process.returncode is None, folder.with_suffix(".log").read_text()[-2_000:]
        process.send_signal(signal.SIGKILL)
        await process.wait()


async def test_an_endpoint_that_hangs_slows_nobody_else_down(
    services: Services, database: Database, caller: Caller
) -> None:
    without_s = await _p95_s(services, database, caller, hanging=False)
    with_s = await _p95_s(services, database, caller, hanging=True)
    assert with_s < 2 * without_s


async def _p95_s(services: Services, database: Database, caller: Caller, *, hanging: bool) -> float:
    """From the commit of an event to its arrival, at healthy endpoints, under a steady load."""
    async with database.transaction() as conn:
        await conn.execute("DELETE FROM webhook_endpoints")
    began: dict[str, float] = {}
    waits: list[float] = []
    free = asyncio.Event()

    async def answer(hit: Hit) -> web.Response:
        if hit.path.endswith("/hanging"):
            await free.wait()
        elif (moment := began.get(hit.headers["webhook-id"])) is not None:
            waits.append(time.monotonic() - moment)
        return web.Response()

    async with receiving() as receiver:
        receiver.respond = answer
        for number in range(ENDPOINTS - 1):
            await endpoint(services, caller, f"{receiver.url}/{number}")
        await endpoint(services, caller, f"{receiver.url}/{'hanging' if hanging else 'healthy'}")
        async with delivering(services, deadline_s=15):
            ends = time.monotonic() + SECONDS
            while time.monotonic() < ends:
                [event_id] = await happen(database, caller)
                began[event_id] = time.monotonic()
                await asyncio.sleep(0.25)
            await until(lambda: len(waits) >= len(began) * (ENDPOINTS - 1))
            free.set()
            await until(lambda: all_ended(database))
    return statistics.quantiles(waits, n=20)[-1]


@pytest.mark.parametrize("status", [500, 200])
async def test_a_flood_of_due_retries_does_not_hold_up_a_new_event(
    services: Services, database: Database, caller: Caller, status: int
) -> None:
    async with receiving() as flooded, receiving() as healthy:
        flooded.respond = lambda _: web.Response(status=status)
        made = await endpoint(services, caller, flooded.url)
        ids = [EventId.new().uuid for _ in range(10_000)]
        first = NewEvent(type=EventType.MESSAGE_SENT, workspace_id=caller.workspace_id, at=caller.now, data={})
        async with database.transaction() as conn:
            await queries.record_many(conn, first, ids=ids, contact_ids=ids, data=[b"{}"] * len(ids))
            await conn.execute("UPDATE deliveries SET due_at = now(), tries = 1")
            await conn.execute("UPDATE webhook_endpoints SET due_at = now()")
        await endpoint(services, caller, healthy.url)
        async with delivering(services):
            await until(lambda: len(flooded.hits) > 20)
            [event_id] = await happen(database, caller)
            await until(lambda: _has(healthy, event_id) and _has(flooded, event_id), within_s=5)
            assert len(flooded.hits) < 10_000
        assert made.state == "enabled"


def _has(receiver: Receiver, event_id: str) -> bool:
    return event_id in receiver.event_ids
