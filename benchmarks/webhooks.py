"""Webhook deliveries a second with full durability, to one endpoint and to a hundred.

Events are written first, then one worker's deliverer takes them to a sink in a process of its own. Prints the rate and
its ratio to a bare aiohttp loop that posts the same bytes, headers included, with as many requests on the way, to the
same sink in the same run, and the CPU time that each takes of this process, which a loaded machine changes less. Also
what an event costs the transaction that writes it, without endpoints and with one.

    .venv/bin/python benchmarks/webhooks.py [--events 20000] [--check]
"""

import argparse
import asyncio
import gc
import multiprocessing
import statistics
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from multiprocessing.connection import Connection as Pipe
from uuid import UUID

import aiohttp
import msgspec
import uvloop
from aiohttp import web
from machine import Bench, describe, opened

from iglayers.core import outgoing
from iglayers.core.crypto import new_webhook_secret
from iglayers.core.ids import DeliveryId, EventId, uuid7_block
from iglayers.events import actions_endpoints, deliver, queries
from iglayers.events.model import EventType, NewEvent
from iglayers.events.signing import Signer

WANTED_RATIO = 0.6
ROUNDS = 5
BODY_DATA = {
    "campaign": {"id": "cmp_" + "0" * 32, "name": "Creator Outreach May 2026", "clientId": "cl_" + "0" * 32},
    "target": {"id": "tgt_" + "0" * 32, "instagramUsername": "creatorname", "fullName": "Creator Name",
               "firstName": "Creator", "category": "fitness", "followerCount": 24_000, "profileUrl": None},
    "message": {"step": 0, "status": "sent", "body": "Hi Creator, love your fitness content! Open to a collab?"},
}  # fmt: skip


async def main(event_count: int) -> bool:
    with sink() as port:
        async with opened(sandbox_speed=1.0) as bench:
            await describe(bench)
            await _cost_of_an_event(bench)
            gc.freeze()  # as `iglayers worker` does, for both
            return all([await _compare(bench, port, endpoints, event_count) for endpoints in (1, 100)])


class Pace(msgspec.Struct):
    per_second: float
    cpu_us: float  # of this process, a delivery


async def _compare(bench: Bench, port: int, endpoints: int, count: int) -> bool:
    """Rounds of ours and of the bare loop in turn, so that what else the machine does meets both; their medians."""
    ours: list[Pace] = []
    bare: list[Pace] = []
    for _ in range(ROUNDS):
        ours.append(await _deliver(bench, port, endpoints=endpoints, events=count // endpoints))
        bare.append(await _bare(port, lanes=endpoints * deliver.PER_ENDPOINT, total=count))
    ratio = statistics.median(mine.per_second / theirs.per_second for mine, theirs in zip(ours, bare, strict=True))
    print(
        f"{endpoints:3} endpoints {_median(ours, 'per_second'):8.0f} deliveries/s"
        f"   bare loop {_median(bare, 'per_second'):8.0f}   ratio {ratio:5.2f}"
        f"   CPU {_median(ours, 'cpu_us'):4.0f} us a delivery, {_median(bare, 'cpu_us'):4.0f} bare"
    )
    return ratio >= WANTED_RATIO


def _median(paces: list[Pace], name: str) -> float:
    return statistics.median(getattr(each, name) for each in paces)


async def _deliver(bench: Bench, port: int, *, endpoints: int, events: int) -> Pace:
    """From the first look to the last line of the log."""
    db, caller, services = bench.services.db, bench.caller, bench.services
    async with db.transaction() as conn:
        await conn.execute("DELETE FROM webhook_endpoints")
        for number in range(endpoints):
            new = actions_endpoints.NewEndpoint(url=f"http://127.0.0.1:{port}/{number}", events=["message.sent"])
            await actions_endpoints.create(conn, caller, new, vault=services.vault, settings=services.settings)
    await _write_events(bench, events)
    async with outgoing.client(services.settings) as client:
        deliverer = deliver.Deliverer(db, client, vault=services.vault, settings=services.settings)
        stopping = asyncio.Event()
        began, cpu_began_s = time.monotonic(), time.process_time()
        running = asyncio.create_task(deliverer.run(stopping))
        while await _pending(bench):  # noqa: ASYNC110 rows, not an event of this process
            await asyncio.sleep(0.05)
        took_s, cpu_s = time.monotonic() - began, time.process_time() - cpu_began_s
        stopping.set()
        await running
    return Pace(endpoints * events / took_s, cpu_s / (endpoints * events) * 1e6)


async def _pending(bench: Bench) -> bool:
    async with bench.services.db.connection() as conn:
        return await conn.fetchval("SELECT EXISTS (SELECT FROM deliveries WHERE state = 'pending' AND due_at IS NULL)")


async def _write_events(bench: Bench, count: int) -> None:
    caller = bench.caller
    first = NewEvent(type=EventType.MESSAGE_SENT, workspace_id=caller.workspace_id, at=caller.now, data={})
    data = msgspec.json.encode(BODY_DATA)
    ids: list[UUID] = uuid7_block(count)
    async with bench.services.db.transaction() as conn:
        await queries.record_many(conn, first, ids=ids, contact_ids=ids, data=[data] * count)
    async with bench.services.db.connection() as conn:
        await conn.execute("ANALYZE")


async def _bare(port: int, *, lanes: int, total: int) -> Pace:
    """The same posts with nothing behind them."""
    event_id, left = EventId.new(), iter(range(total))
    shown = {"id": str(event_id), "type": "message.sent", "createdAt": "2026-05-04T09:30:00.000Z", "sequence": 1}
    body = msgspec.json.encode(shown | {"workspaceId": "ws_" + "0" * 32, "data": BODY_DATA})
    headers = Signer([new_webhook_secret()]).headers(
        body, event_id=str(event_id), kind="message.sent", delivery_id=str(DeliveryId.new()), timestamp=1_000_000_000
    )
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:

        async def lane() -> None:
            for _ in left:
                async with session.post(f"http://127.0.0.1:{port}/0", data=body, headers=headers) as answer:
                    await answer.read()

        began, cpu_began_s = time.monotonic(), time.process_time()
        await asyncio.gather(*(lane() for _ in range(lanes)))
        return Pace(total / (time.monotonic() - began), (time.process_time() - cpu_began_s) / total * 1e6)


async def _cost_of_an_event(bench: Bench) -> None:
    """Microseconds that `record_event` takes, without endpoints and with one that hears of it."""
    caller, services = bench.caller, bench.services
    event = NewEvent(type=EventType.MESSAGE_SENT, workspace_id=caller.workspace_id, at=caller.now, data=BODY_DATA)
    for endpoints in (0, 1):
        async with services.db.transaction() as conn:
            if endpoints:
                new = actions_endpoints.NewEndpoint(url="https://example.com/", events=["*"])
                await actions_endpoints.create(conn, caller, new, vault=services.vault, settings=services.settings)
            began = time.monotonic()
            for _ in range(2_000):
                await queries.record(conn, event)
            took_us = (time.monotonic() - began) / 2_000 * 1e6
        print(f"an event      {took_us:8.0f} us with {endpoints} endpoints, round trip included")


@contextmanager
def sink() -> Generator[int]:
    """A receiver in a process of its own; its port."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Pipe) -> None:
    async def answer(request: web.BaseRequest) -> web.Response:
        await request.read()
        return web.Response()

    async def serve() -> None:
        runner = web.ServerRunner(web.Server(answer))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1_024)
        await site.start()
        pipe.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    uvloop.run(serve())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000, help="deliveries of each round")
    parser.add_argument("--check", action="store_true", help=f"fail below {WANTED_RATIO} of the bare loop")
    options = parser.parse_args()
    if not uvloop.run(main(options.events)) and options.check:
        sys.exit(f"below {WANTED_RATIO} of the bare loop")
