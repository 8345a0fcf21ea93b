"""An event reaches the endpoints that want it, once or again, until one attempt is taken; all of it is written down."""

import asyncio
from datetime import timedelta

import msgspec
import pytest
from aiohttp import web

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.core.clock import Moment, real_now
from iglayers.core.db import Database
from iglayers.core.ids import EventId, uuid7
from iglayers.events import attempts as rules
from iglayers.events import queries, queries_engine
from iglayers.events.model import EventType, NewEvent
from iglayers.events.model_webhooks import RETRY_DELAYS_S
from tests import make
from tests.events.receiving import (
    Hit,
    all_ended,
    attempts,
    deliveries,
    delivering,
    endpoint,
    happen,
    make_due,
    receiving,
    until,
)
from tests.serving import Api


async def test_an_event_arrives_as_the_feed_shows_it(
    services: Services, database: Database, caller: Caller, api: Api
) -> None:
    async with receiving() as receiver, delivering(services):
        made = await endpoint(services, caller, receiver.url)
        [event_id] = await happen(database, caller, data={"text": "Grüße"})
        await until(lambda: all_ended(database))
    [hit] = receiver.hits
    assert hit.body == (await api.get(f"/events/{event_id}")).raw
    [row] = await deliveries(database, made.id)
    assert (row["state"], row["attempts"], row["status"], row["error"]) == ("delivered", 1, 200, None)
    [attempt] = await attempts(database)
    assert (attempt["status"], attempt["response"], attempt["address"]) == (200, "ok", "127.0.0.1")


async def test_an_endpoint_hears_of_what_it_asked_for(
    services: Services, database: Database, caller: Caller, test_caller: Caller
) -> None:
    client = await make.client(database, caller)
    bound = msgspec.structs.replace(caller, client_id=client.id)
    wanted = {
        "sent": (caller, ["message.sent"], [0, 3]),
        "star": (caller, ["*"], [0, 1, 3]),
        "paused": (caller, ["campaign.paused", "message.failed"], []),
        "client": (bound, ["*"], [3]),
        "foreign": (test_caller, ["*"], [2]),
    }
    async with receiving() as receiver, delivering(services):
        for name, (whose, events, _) in wanted.items():
            await endpoint(services, whose, f"{receiver.url}/{name}", events)
        happened = [
            *await happen(database, caller, EventType.MESSAGE_SENT),
            *await happen(database, caller, EventType.CAMPAIGN_STARTED),
            *await happen(database, test_caller, EventType.MESSAGE_SENT),
            *await happen(database, caller, EventType.MESSAGE_SENT, client_id=client.id),
        ]
        await until(lambda: all_ended(database))
    for name, (_, _, which) in wanted.items():
        heard = [hit.headers["webhook-id"] for hit in receiver.hits if hit.path.endswith(f"/{name}")]
        assert sorted(heard) == [happened[each] for each in which], name


async def test_what_did_not_commit_is_not_told(services: Services, database: Database, caller: Caller) -> None:
    await endpoint(services, caller, "https://example.com/")

    async def change_that_fails() -> None:
        async with database.transaction() as conn:
            event = NewEvent(type=EventType.MESSAGE_SENT, workspace_id=caller.workspace_id, at=caller.now, data={})
            await queries.record(conn, event)
            raise LookupError

    with pytest.raises(LookupError):
        await change_that_fails()
    async with database.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM deliveries") == 0


async def test_events_written_together_all_arrive(services: Services, database: Database, caller: Caller) -> None:
    ids = [EventId.new() for _ in range(300)]
    first = NewEvent(type=EventType.TARGET_QUEUED, workspace_id=caller.workspace_id, at=caller.now, data={})
    people = [EventId.new().uuid for _ in ids]
    async with receiving() as receiver, delivering(services):
        for events in (["target.queued"], ["message.sent"]):
            await endpoint(services, caller, f"{receiver.url}/{events[0]}", events)
        async with database.transaction() as conn:
            await queries.record_many(
                conn, first, ids=[each.uuid for each in ids], contact_ids=people, data=[b"{}"] * len(ids)
            )
        await until(lambda: all_ended(database))
    assert sorted(receiver.event_ids) == sorted(map(str, ids))
    assert {hit.path for hit in receiver.hits} == {"/hook/target.queued"}


async def test_a_failure_is_tried_again_with_the_same_id_and_a_new_signature(
    services: Services, database: Database, caller: Caller
) -> None:
    async with receiving() as receiver, delivering(services):
        statuses = iter([500, 302, 404, 200])
        receiver.respond = lambda _: web.Response(status=next(statuses), headers={"Location": "/elsewhere"})
        made = await endpoint(services, caller, receiver.url)
        [event_id] = await happen(database, caller)
        for number in range(1, 4):
            await until(lambda number=number: _attempted(database, number))
            await make_due(database)
        await until(lambda: all_ended(database))
    assert receiver.event_ids == [event_id] * 4
    assert {hit.path for hit in receiver.hits} == {"/hook"}
    assert len({hit.headers["X-IG-Layers-Delivery"] for hit in receiver.hits}) == 1
    log = await attempts(database)
    assert [(each["status"], each["error"]) for each in log] == [
        (500, "refused"), (302, "redirected"), (404, "refused"), (200, None),
    ]  # fmt: skip
    assert log[1]["response"].startswith("Location: /elsewhere")
    [row] = await deliveries(database, made.id)
    assert (row["state"], row["attempts"], row["tries"]) == ("delivered", 4, 0)


async def _attempted(database: Database, times: int) -> bool:
    async with database.connection() as conn:
        return await conn.fetchval("SELECT count(*) FROM delivery_attempts") == times


async def test_the_schedule_ends_and_the_delivery_is_failed(
    services: Services, database: Database, caller: Caller, api: Api
) -> None:
    moment = real_now()
    waits: list[timedelta] = []
    async with receiving() as receiver, delivering(services, now=lambda: moment):
        receiver.respond = lambda _: web.Response(status=503)
        made = await endpoint(services, caller, receiver.url)
        await happen(database, caller)
        for number in range(len(RETRY_DELAYS_S) + 1):
            await until(lambda number=number: _attempted(database, number + 1))
            [row] = await deliveries(database, made.id)
            if row["due_at"] is not None:
                waits.append(row["due_at"] - moment)
                moment = Moment.of(row["due_at"] + timedelta(seconds=1))
        await until(lambda: all_ended(database))
    for wait, delay_s in zip(waits, RETRY_DELAYS_S, strict=True):
        assert timedelta(seconds=0.8 * delay_s) <= wait <= timedelta(seconds=1.2 * delay_s)
    [shown] = (await api.get(f"/webhooks/{made.id}/deliveries", state="failed")).body["data"]
    assert (shown["errorCode"], shown["attempts"], shown["status"]) == ("webhook_delivery_failed", 8, 503)


async def test_a_410_disables_at_once_and_tells_the_others(
    services: Services, database: Database, caller: Caller, api: Api
) -> None:
    async with receiving() as gone, receiving() as other, delivering(services):
        gone.respond = lambda _: web.Response(status=410)
        made = await endpoint(services, caller, gone.url, ["message.sent"])
        await endpoint(services, caller, other.url, ["webhook.disabled"])
        await happen(database, caller)
        await until(lambda: bool(other.hits))
        shown = (await api.get(f"/webhooks/{made.id}")).body
        assert (shown["state"], shown["disabledReason"]) == ("disabled", "gone")
        assert other.hits[0].event["data"]["webhook"]["id"] == str(made.id)
        await happen(database, caller)
        [kept] = await deliveries(database, made.id)
        assert kept["state"] == "pending"

        gone.respond = lambda _: web.Response(status=204)
        await api.post(f"/webhooks/{made.id}/enable")
        await until(lambda: all_ended(database))
    assert len(gone.hits) == 2
    assert "webhook.disabled" in [line["action"] for line in (await api.get("/audit-log")).body["data"]]


@pytest.mark.parametrize(
    ("failing_for", "state"), [(timedelta(days=4, hours=23), "enabled"), (timedelta(days=5), "disabled")]
)
async def test_five_days_of_nothing_but_failure_disable(
    services: Services, database: Database, caller: Caller, failing_for: timedelta, state: str
) -> None:
    async with receiving() as receiver, delivering(services):
        receiver.respond = lambda _: web.Response(status=500)
        made = await endpoint(services, caller, receiver.url)
        await happen(database, caller)
        await until(lambda: _attempted(database, 1))
        async with database.transaction() as conn:
            await conn.execute("UPDATE webhook_endpoints SET failing_since = $1", real_now() - failing_for)
            await conn.execute("UPDATE deliveries SET tries = $1", len(RETRY_DELAYS_S))
        await make_due(database)
        await until(lambda: _attempted(database, 2))
        await until(lambda: all_ended(database))
    async with database.connection() as conn:
        found = await conn.fetchrow("SELECT state, disabled_reason FROM webhook_endpoints WHERE id = $1", made.id.uuid)
    assert found is not None
    assert found["state"] == state


async def test_one_success_ends_the_days_of_failure(services: Services, database: Database, caller: Caller) -> None:
    async with receiving() as receiver, delivering(services):
        made = await endpoint(services, caller, receiver.url)
        async with database.connection() as conn:
            await conn.execute("UPDATE webhook_endpoints SET failing_since = now() - interval '9 days'")
        await happen(database, caller)
        await until(lambda: all_ended(database))
    async with database.connection() as conn:
        since = await conn.fetchval("SELECT failing_since FROM webhook_endpoints WHERE id = $1", made.id.uuid)
    assert since is None


async def test_new_events_go_ahead_of_retries(services: Services, database: Database, caller: Caller) -> None:
    order: list[str] = []
    async with receiving() as receiver:
        made = await endpoint(services, caller, receiver.url)
        old = await happen(database, caller, times=20)
        async with database.connection() as conn:
            await conn.execute("UPDATE deliveries SET due_at = now(), tries = 1, attempts = 1")
            await conn.execute("UPDATE webhook_endpoints SET due_at = now()")
        new = await happen(database, caller, times=20)
        async with delivering(services):
            await until(lambda: all_ended(database))
        order = receiver.event_ids
    assert made.state == "enabled"
    assert set(order[:16]) <= set(new)
    assert sorted(order) == sorted(old + new)


async def test_what_is_picked_has_its_order_whatever_plan_the_database_chooses(
    services: Services, database: Database, caller: Caller
) -> None:
    made, worker, now = await endpoint(services, caller, "https://example.com/"), uuid7(), real_now()
    until = now + timedelta(seconds=30)
    old = await happen(database, caller, times=3)
    async with database.connection() as conn:
        await conn.execute("UPDATE deliveries SET due_at = $1, tries = 1, attempts = 1", now)
    new = await happen(database, caller, times=3)
    async with database.transaction() as conn:
        # A merge join, which sorts by event.
        await conn.execute("SET LOCAL enable_nestloop = off")
        await conn.execute("SET LOCAL enable_hashjoin = off")
        await queries_engine.take(conn, worker, [made.id.uuid], now=now, lease_until=until)
        rooms = [queries_engine.Room(made.id.uuid, 6, [], [])]
        picked = await queries_engine.pick(conn, worker, rooms, now=now, lease_until=until)
    assert [f"evt_{each.event_id.hex}" for each in picked[:3]] == new
    assert sorted(f"evt_{each.event_id.hex}" for each in picked[3:]) == old


async def test_at_most_four_requests_are_on_the_way_to_one_endpoint(
    services: Services, database: Database, caller: Caller
) -> None:
    now, most = 0, 0

    async def slowly(_hit: Hit) -> web.Response:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1
        return web.Response()

    async with receiving() as receiver:
        receiver.respond = slowly
        await endpoint(services, caller, receiver.url)
        await happen(database, caller, times=40)
        async with delivering(services), delivering(services):
            await until(lambda: all_ended(database))
    assert most == 4


async def test_an_endpoint_is_not_called_faster_than_it_asked_for(
    services: Services, database: Database, caller: Caller
) -> None:
    moments: list[float] = []
    loop = asyncio.get_running_loop()

    def note(_hit: Hit) -> web.Response:
        moments.append(loop.time())
        return web.Response()

    async with receiving() as receiver:
        receiver.respond = note
        await endpoint(services, caller, receiver.url, max_per_second=20)
        await happen(database, caller, times=21)
        async with delivering(services), delivering(services):
            await until(lambda: all_ended(database))
    assert moments[-1] - moments[0] >= 0.95


async def test_what_is_too_large_goes_out_as_a_reference(
    services: Services, database: Database, caller: Caller, api: Api
) -> None:
    async with receiving() as receiver, delivering(services):
        await endpoint(services, caller, receiver.url)
        [event_id] = await happen(database, caller, data={"text": "x" * rules.MAX_BODY_BYTES})
        await until(lambda: all_ended(database))
    [hit] = receiver.hits
    assert hit.event["data"]["tooLarge"] is True
    assert len((await api.get(hit.event["data"]["path"])).raw) == hit.event["data"]["bytes"]
    assert hit.event["id"] == event_id


async def test_a_deleted_endpoint_gets_nothing_more(
    services: Services, database: Database, caller: Caller, api: Api
) -> None:
    async with receiving() as receiver:
        made = await endpoint(services, caller, receiver.url)
        await happen(database, caller)
        await api.delete(f"/webhooks/{made.id}")
        [row] = await deliveries(database, made.id)
        assert row["state"] == "cancelled"
        await endpoint(services, caller, f"{receiver.url}/other")
        await happen(database, caller)
        async with delivering(services):
            await until(lambda: bool(receiver.hits))
    assert [hit.path for hit in receiver.hits] == ["/hook/other"]


async def test_an_expired_event_ends_its_delivery(services: Services, database: Database, caller: Caller) -> None:
    async with receiving() as receiver:
        made = await endpoint(services, caller, receiver.url)
        await happen(database, caller)
        async with database.connection() as conn:
            await conn.execute("DELETE FROM events")
        async with delivering(services):
            await until(lambda: all_ended(database))
    [row] = await deliveries(database, made.id)
    assert (row["state"], row["error"], receiver.hits) == ("cancelled", "event_expired", [])
