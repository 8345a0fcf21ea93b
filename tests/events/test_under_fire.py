"""Endpoints that hang, a flood of retries: nobody else waits."""

import asyncio
import statistics
import time

import pytest
from aiohttp import web

from iglayers.accounts.model import Caller
from iglayers.accounts.request import Services
from iglayers.core.db import Database
from iglayers.core.ids import EventId
from iglayers.events import queries
from iglayers.events.model import EventType, NewEvent
from tests.events.receiving import (
    Hit,
    Receiver,
    all_ended,
    delivering,
    endpoint,
    happen,
    receiving,
    until,
)

ENDPOINTS = 100
SECONDS = 2.0


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
