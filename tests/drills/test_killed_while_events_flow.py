"""The API and the worker are killed at random while events flow to a receiver that fails: none is lost, none is new."""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import msgspec
from aiohttp import web

from iglayers.accounts import actions as accounts
from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.campaigns.model import Campaign
from iglayers.core.db import Database
from tests.drills.processes import Process
from tests.events.receiving import Receiver, all_ended, attempts, deliveries, endpoint, receiving, until
from tests.serving import free_port
from tests.targets.uploads import campaign, people

# DRILL_EVENTS=20000 for a longer drill.
EVENTS = int(os.environ.get("DRILL_EVENTS", "4000"))
KILLS = max(6, EVENTS // 1_000)
ROWS = 50
# So far do the uploads run ahead of the receiver: events flow until the last kill.
AHEAD = EVENTS // KILLS
FAILS = 0.1
SETTINGS = {
    "host": "127.0.0.1", "webhook_deadline_s": 1, "webhook_retries_s": "0,0,0,0,1,1,1,1,1,1,1,1", "worker_slots": 1,
    "rate_limit_per_minute": 1_000_000, "rate_limit_burst": 1_000_000,
}  # fmt: skip


async def test_kills_while_events_flow_lose_none_and_every_attempt_is_in_the_log(
    services: Services, database: Database, database_url: str, caller: Caller, tmp_path: Path
) -> None:
    chance = random.Random(EVENTS)
    spring = await campaign(database, caller)
    async with receiving() as receiver:
        receiver.respond = lambda _: web.Response(status=500 if chance.random() < FAILS else 200)
        made = await endpoint(services, caller, receiver.url, ["target.queued"])
        with _installation(database_url, tmp_path) as (machines, port):
            uploading = asyncio.create_task(_upload(port, await _key(database, caller), spring, receiver))
            for each in chance.sample(machines * (KILLS // 2), k=KILLS // 2 * 2):
                reached = len(receiver.hits) + chance.randrange(1, AHEAD)
                await until(lambda reached=reached: _has_heard(receiver, reached, machines), within_s=60)
                assert not uploading.done(), "every event was there before the last kill"
                each.kill()
                each.start()
            await uploading
            await until(lambda: all_ended(database), within_s=60)
        rows, log = await deliveries(database, made.id), await attempts(database)
    await _assert_all_are_there(database, receiver)
    assert Counter(row["state"] for row in rows) == {"delivered": EVENTS}
    logged = Counter(f"dlv_{each['delivery_id'].hex}" for each in log)
    assert {f"dlv_{row['id'].hex}": row["attempts"] for row in rows} == logged
    # What was cut off is in the log too, whether it had reached the receiver or not.
    heard = Counter(hit.headers["X-IG-Layers-Delivery"] for hit in receiver.hits)
    assert heard <= logged
    assert "interrupted" in {each["error"] for each in log}, "no kill came while something was on its way"


async def _assert_all_are_there(database: Database, receiver: Receiver) -> None:
    """Each person's event arrived at least once, and always as the same event."""
    async with database.connection() as conn:
        found = await conn.fetch("SELECT id, contact_id FROM events WHERE type = 'target.queued'")
    assert len(found) == len({each["contact_id"] for each in found}) == EVENTS
    told = {(hit.event["data"]["target"]["instagramUsername"], hit.event["id"]) for hit in receiver.hits}
    assert {event_id for _, event_id in told} == {f"evt_{each['id'].hex}" for each in found}
    assert sorted(name for name, _ in told) == sorted(f"creator.{number}" for number in range(EVENTS))


def _has_heard(receiver: Receiver, count: int, machines: list[Process]) -> bool:
    for each in machines:
        each.must_run()
    return len(receiver.hits) >= count


@contextmanager
def _installation(url: str, folder: Path) -> Generator[tuple[list[Process], int]]:
    """An API and a worker, started, and the API's port; neither is left behind."""
    port = free_port()
    machines = [
        Process(url, folder / "api", "api", port=port, **SETTINGS),
        Process(url, folder / "worker", **SETTINGS),
    ]
    try:
        for each in machines:
            each.start()
        yield machines, port
    finally:
        for each in machines:
            each.make_sure_it_is_gone()


async def _key(database: Database, caller: Caller) -> str:
    async with database.transaction() as conn:
        return (await accounts.create_key(conn, caller, accounts.NewKey(name="drill"))).key


async def _upload(port: int, key: str, to: Campaign, receiver: Receiver) -> None:
    """Everybody, in parts, each sent with the same key until the API has answered."""
    url, headers = f"http://127.0.0.1:{port}/api/v1/campaigns/{to.id}/targets", {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        for first in range(0, EVENTS, ROWS):
            await until(lambda first=first: len(receiver.hits) >= first - AHEAD, within_s=60)
            rows = people(*(f"creator.{number}" for number in range(first, first + ROWS)))
            body = msgspec.json.encode({"targets": rows})
            await until(lambda first=first, body=body: _is_taken(session, url, f"part-{first}", body), within_s=60)


async def _is_taken(session: aiohttp.ClientSession, url: str, part: str, body: bytes) -> bool:
    headers = {"Idempotency-Key": part, "Content-Type": "application/json"}
    try:
        async with session.post(url, data=body, headers=headers) as answer:
            # 409 while the server has not noticed yet that the call before it is gone.
            assert answer.status in (201, 409, 503), await answer.text()
            return answer.status == 201 and (await answer.json())["accepted"] == ROWS
    except aiohttp.ClientError:
        return False
