"""Endpoints that hang, a flood of retries: nobody else waits."""

import asyncio
import statistics
import time

import pytest
from aiohttp import web

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.core.db import Database
from iglayers.core.ids import EventId
from iglayers.events import queries
from iglayers.events.deliver import PER_ENDPOINT
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

HEALTHY = 99
ROUNDS = 9
# Events for the one endpoint alone: more than may be on the way to it.
MORE = 8


async def test_an_endpoint_that_hangs_slows_nobody_else_down(
    services: Services, database: Database, caller: Caller
) -> None:
    """Rounds in which it hangs and in which it answers take turns, so that what else the machine does meets both."""
    p95_s: dict[bool, list[float]] = {False: [], True: []}
    async with receiving() as receiver, delivering(services, deadline_s=15):
        fire = Fire(receiver)
        await endpoint(services, caller, f"{receiver.url}/one", ["message.sent", "campaign.started"])
        for number in range(HEALTHY):
            await endpoint(services, caller, f"{receiver.url}/{number}", ["message.sent"])
        for hangs in [False, True] * ROUNDS:
            fire.begin(hangs=hangs)
            await happen(database, caller, EventType.CAMPAIGN_STARTED, times=MORE)
            await until(lambda: fire.held == PER_ENDPOINT if fire.hangs else all_ended(database))
            fire.began = time.monotonic()
            await happen(database, caller)
            await until(lambda: len(fire.waits_s) == HEALTHY)
            p95_s[hangs].append(statistics.quantiles(fire.waits_s, n=20)[-1])
            assert fire.held == (PER_ENDPOINT if hangs else 0)
            fire.free.set()
            await until(lambda: all_ended(database))
    assert statistics.median(p95_s[True]) < 2 * statistics.median(p95_s[False])


class Fire:
    """A round: how long an event took to each healthy endpoint, and how many requests the one endpoint holds."""

    def __init__(self, receiver: Receiver) -> None:
        receiver.respond = self._answer
        self.free = asyncio.Event()
        self.began = 0.0
        self.hangs = False
        self.held = 0
        self.waits_s: list[float] = []

    def begin(self, *, hangs: bool) -> None:
        self.hangs = hangs
        self.waits_s.clear()
        if hangs:
            self.free.clear()
        else:
            self.free.set()

    async def _answer(self, hit: Hit) -> web.Response:
        if hit.path.endswith("/one"):
            self.held += 1
            await self.free.wait()
            self.held -= 1
        else:
            self.waits_s.append(time.monotonic() - self.began)
        return web.Response()


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
