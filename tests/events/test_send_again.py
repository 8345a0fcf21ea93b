"""What a person can ask for: a test, one delivery once more, everything since a moment; each keeps the event's id."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.core.clock import real_now
from iglayers.core.db import Database
from iglayers.core.ids import WorkspaceId, uuid7
from iglayers.events import actions_deliveries, queries_deliveries
from iglayers.events.model import EventType
from tests.events.receiving import all_ended, attempts, deliveries, delivering, endpoint, happen, receiving, until
from tests.serving import Api

LONG_AGO = timedelta(days=13)


async def test_a_test_is_signed_sent_and_logged(api: Api, services: Services, caller: Caller) -> None:
    async with receiving() as receiver:
        made = await endpoint(services, caller, receiver.url, ["message.sent"])
        status, sent = await api.post(f"/webhooks/{made.id}/test")
    assert (status, sent["state"], sent["type"], sent["cause"], sent["status"]) == (
        200, "delivered", "webhook.test", "test", 200,
    )  # fmt: skip
    [hit] = receiver.hits
    assert (hit.headers["X-IG-Layers-Event"], hit.event["type"]) == ("webhook.test", "webhook.test")
    assert hit.headers["X-IG-Layers-Delivery"] == sent["id"]
    shown = (await api.get(f"/deliveries/{sent['id']}")).body
    assert shown == sent
    assert [each["status"] for each in shown["log"]] == [200]


async def test_a_test_that_fails_says_so_and_shows_why(api: Api, services: Services, caller: Caller) -> None:
    async with receiving() as receiver:
        receiver.respond = lambda _: web.Response(status=418, text="short and stout")
        made = await endpoint(services, caller, receiver.url)
        status, body = await api.post(f"/webhooks/{made.id}/test")
    assert (status, body["error"]["code"]) == (502, "webhook_delivery_failed")
    assert body["delivery"]["log"][0]["response"] == "short and stout"
    status, body = await api.post(f"/webhooks/{made.id}/test")
    assert (status, body["delivery"]["error"]) == (502, "connection_failed")


async def test_no_connection_is_held_while_an_endpoint_is_waited_for(
    api: Api, services: Services, caller: Caller
) -> None:
    free = asyncio.Event()

    async def wait(_hit: object) -> web.Response:
        await free.wait()
        return web.Response()

    async with receiving() as receiver:
        receiver.respond = wait
        made = await endpoint(services, caller, receiver.url)
        # More than the database has connections.
        tests = [asyncio.create_task(api.post(f"/webhooks/{made.id}/test")) for _ in range(80)]
        await until(lambda: len(receiver.hits) == 80)
        assert (await api.get("/webhooks")).status == 200
        free.set()
        assert {each.status for each in await asyncio.gather(*tests)} == {200}


async def test_a_delivery_is_sent_once_more_with_its_event_id(
    api: Api, services: Services, database: Database, caller: Caller
) -> None:
    async with receiving() as receiver, delivering(services):
        made = await endpoint(services, caller, receiver.url)
        [event_id] = await happen(database, caller)
        await until(lambda: all_ended(database))
        [listed] = (await api.get(f"/webhooks/{made.id}/deliveries")).body["data"]
        status, again = await api.post(f"/deliveries/{listed['id']}/redeliver")
        assert (status, again["state"], again["cause"]) == (200, "pending", "manual")
        await until(lambda: all_ended(database))
    assert receiver.event_ids == [event_id, event_id]
    assert [each["cause"] for each in await attempts(database)] == ["automatic", "manual"]


async def test_what_cannot_be_sent_again_is_refused(
    api: Api, test_api: Api, services: Services, database: Database, caller: Caller
) -> None:
    async with receiving() as receiver:
        made = await endpoint(services, caller, receiver.url)
        tested = (await api.post(f"/webhooks/{made.id}/test")).body["id"]
    await happen(database, caller)
    listed = (await api.get(f"/webhooks/{made.id}/deliveries")).body["data"]
    pending = next(each["id"] for each in listed if each["state"] == "pending")
    assert (await api.post(f"/deliveries/{tested}/redeliver")).body["error"]["code"] == "invalid_state"
    assert (await test_api.post(f"/deliveries/{pending}/redeliver")).status == 404
    assert (await test_api.get(f"/deliveries/{pending}")).status == 404
    assert (await test_api.get(f"/webhooks/{made.id}/deliveries")).status == 404
    await api.patch(f"/webhooks/{made.id}", {"state": "disabled"})
    assert (await api.post(f"/deliveries/{pending}/redeliver")).body["error"]["code"] == "invalid_state"
    since = {"since": real_now().rfc3339()}
    assert (await api.post(f"/webhooks/{made.id}/replay", since)).body["error"]["code"] == "invalid_state"


async def test_deliveries_are_listed_by_state_and_event(
    api: Api, services: Services, database: Database, caller: Caller
) -> None:
    made = await endpoint(services, caller, "https://example.com/")
    happened = await happen(database, caller, times=3)
    path = f"/webhooks/{made.id}/deliveries"
    first = (await api.get(path, limit=2)).body
    second = (await api.get(path, limit=2, cursor=first["nextCursor"])).body
    assert [each["eventId"] for each in first["data"] + second["data"]] == happened[::-1]
    assert [each["eventId"] for each in (await api.get(path, eventId=happened[1])).body["data"]] == [happened[1]]
    assert (await api.get(path, state="delivered")).body["data"] == []
    assert (await api.get(path, state="sent")).body["error"]["param"] == "state"


async def test_a_replay_brings_everything_since_a_moment(
    api: Api, services: Services, database: Database, caller: Caller
) -> None:
    async with receiving() as receiver, delivering(services):
        earlier = await happen(database, caller, times=3)
        await happen(database, caller, EventType.CAMPAIGN_STARTED, times=2)
        made = await endpoint(services, caller, receiver.url)
        later = await happen(database, caller, times=2)
        await until(lambda: all_ended(database))
        receiver.hits.clear()

        wanted = {"since": (real_now() - LONG_AGO).isoformat(), "types": ["message.sent"]}
        status, begun = await api.post(f"/webhooks/{made.id}/replay", wanted)
        assert (status, begun["state"], begun["total"], begun["queued"]) == (201, "running", 5, 0)
        ended = await _ended(api, f"/webhooks/{made.id}/replays/{begun['id']}", database)
    assert sorted(receiver.event_ids) == sorted(earlier + later)
    assert (ended["state"], ended["queued"], ended["pending"]) == ("completed", 5, 0)
    assert (await api.get(f"/webhooks/{made.id}/replays")).body["data"] == [ended]
    assert {each["cause"] for each in await deliveries(database, made.id)} == {"automatic", "replay"}


async def _ended(api: Api, path: str, database: Database) -> dict[str, Any]:
    shown: dict[str, Any] = {}

    async def ended() -> bool:
        shown.update((await api.get(path)).body)
        return shown["state"] != "running" and await all_ended(database)

    await until(ended)
    return (await api.get(path)).body


async def test_a_replay_begins_at_its_moment(api: Api, services: Services, database: Database, caller: Caller) -> None:
    await happen(database, caller)
    moment = real_now() + timedelta(milliseconds=1)
    await until(lambda: real_now() > moment)
    later = await happen(database, caller, times=2)
    async with receiving() as receiver, delivering(services):
        made = await endpoint(services, caller, receiver.url)
        begun = (await api.post(f"/webhooks/{made.id}/replay", {"since": moment.rfc3339()})).body
        await _ended(api, f"/webhooks/{made.id}/replays/{begun['id']}", database)
    assert sorted(receiver.event_ids) == sorted(later)


@pytest.mark.parametrize("since", ["2001-01-01T00:00:00Z", "2199-01-01T00:00:00Z", "yesterday", None])
async def test_a_replay_reaches_back_two_weeks(api: Api, services: Services, caller: Caller, since: str | None) -> None:
    made = await endpoint(services, caller, "https://example.com/")
    status, body = await api.post(f"/webhooks/{made.id}/replay", {"since": since} if since else {})
    assert (status, body["error"]["param"]) == (400, "since")


async def test_a_replay_brings_what_the_endpoint_hears_of_or_the_types_that_are_named(
    api: Api, services: Services, database: Database, caller: Caller
) -> None:
    made = await endpoint(services, caller, "https://example.com/", ["message.sent"])
    await happen(database, caller)
    await happen(database, caller, EventType.CAMPAIGN_STARTED, times=2)
    path, since = f"/webhooks/{made.id}/replay", (real_now() - LONG_AGO).rfc3339()
    status, body = await api.post(path, {"since": since, "types": []})
    assert (status, body["error"]["param"]) == (400, "types")
    for types, shown, total in (
        ({}, ["message.sent"], 1),
        ({"types": ["campaign.started"]}, ["campaign.started"], 2),
    ):
        begun = (await api.post(path, {"since": since} | types)).body
        assert (begun["types"], begun["total"]) == (shown, total)
        await api.post(f"{path}s/{begun['id']}/cancel")


async def test_a_replay_killed_half_way_goes_on_without_gap_or_double(
    services: Services, database: Database, caller: Caller, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries_deliveries, "REPLAY_AHEAD", 7)
    happened = await happen(database, caller, times=30)
    made = await endpoint(services, caller, "https://example.com/")
    begun = (await api.post(f"/webhooks/{made.id}/replay", {"since": (real_now() - LONG_AGO).rfc3339()})).body
    queued: list[str] = []
    shown = begun
    while shown["state"] == "running":
        with pytest.raises(ConnectionError):
            await _killed_in_the_middle(database)
        await actions_deliveries.go_on_with_replays(database)
        part = await deliveries(database, made.id)
        assert len(part) <= 7
        queued += [f"evt_{each['event_id'].hex}" for each in part]
        await _clear(database)
        shown = (await api.get(f"/webhooks/{made.id}/replays/{begun['id']}")).body
    assert sorted(queued) == sorted(happened)
    assert (shown["state"], shown["queued"], shown["total"]) == ("completed", 30, 30)


async def _killed_in_the_middle(database: Database) -> None:
    async with database.transaction() as conn:
        running = await queries_deliveries.next_replay(conn)
        assert running is not None
        await queries_deliveries.queue_replay(conn, running, now=real_now())
        raise ConnectionError


async def _clear(database: Database) -> None:
    async with database.connection() as conn:
        await conn.execute("DELETE FROM deliveries")


async def test_an_event_that_commits_late_is_not_passed_over(
    services: Services, database: Database, caller: Caller, api: Api
) -> None:
    made = await endpoint(services, caller, "https://example.com/", ["campaign.paused"])
    async with database.transaction() as slow:
        late = uuid7()
        # Endpoints made after this event began do not hear of it by themselves.
        await slow.execute(
            "INSERT INTO events (id, workspace_id, type, created_at, sequence, data) VALUES ($1, $2, $3, now(), 1, $4)",
            late, caller.workspace_id.uuid, "message.sent", b"{}",
        )  # fmt: skip
        [newer] = await happen(database, caller, EventType.CAMPAIGN_STARTED)
        wanted = {"since": (real_now() - LONG_AGO).rfc3339(), "types": ["message.sent", "campaign.started"]}
        begun = (await api.post(f"/webhooks/{made.id}/replay", wanted)).body
        await actions_deliveries.go_on_with_replays(database)
        assert (await api.get(f"/webhooks/{made.id}/replays/{begun['id']}")).body["state"] == "running"
    await actions_deliveries.go_on_with_replays(database)
    shown = (await api.get(f"/webhooks/{made.id}/replays/{begun['id']}")).body
    assert (shown["state"], shown["queued"]) == ("completed", 2)
    queued = [f"evt_{each['event_id'].hex}" for each in await deliveries(database, made.id)]
    assert sorted(queued) == sorted([f"evt_{late.hex}", newer])


async def test_a_cancelled_replay_ends_what_it_queued(
    services: Services, database: Database, caller: Caller, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries_deliveries, "REPLAY_AHEAD", 2)
    made = await endpoint(services, caller, "https://example.com/", ["campaign.paused"])
    await happen(database, caller, times=3)
    path = f"/webhooks/{made.id}/replay"
    since = {"since": (real_now() - LONG_AGO).rfc3339(), "types": ["message.sent"]}
    begun = (await api.post(path, since)).body
    assert (await api.post(path, since)).body["error"]["code"] == "invalid_state"
    await actions_deliveries.go_on_with_replays(database)
    for _ in range(2):
        cancelled = (await api.post(f"{path}s/{begun['id']}/cancel")).body
        assert (cancelled["state"], cancelled["queued"], cancelled["pending"]) == ("cancelled", 2, 0)
    assert not await actions_deliveries.go_on_with_replays(database)
    assert [each["state"] for each in await deliveries(database, made.id)] == ["cancelled"] * 2
    assert (await api.post(f"{path}s/rpy_{'0' * 32}/cancel")).status == 404
    assert (await api.post(path, since)).status == 201


async def test_in_a_test_workspace_since_is_its_own_time(
    services: Services, database: Database, test_caller: Caller, test_api: Api
) -> None:
    async with database.transaction() as conn:
        await _shift(conn, test_caller.workspace_id)
    made = await endpoint(services, test_caller, "https://example.com/", ["campaign.paused"])
    await happen(database, test_caller, times=2)
    shown = (await test_api.get("/me")).body["now"]
    assert shown > "2100"
    since = shown.replace(shown[:4], str(int(shown[:4]) - 1), 1)
    status, begun = await test_api.post(f"/webhooks/{made.id}/replay", {"since": since, "types": ["message.sent"]})
    assert (status, begun["total"]) == (201, 2)


async def _shift(conn: Any, workspace_id: WorkspaceId) -> None:
    """A clock that is far ahead and fast: a year of it is three minutes."""
    await conn.execute(
        "UPDATE workspaces SET clock_at = '2150-06-01', clock_real_at = now(), clock_speed = 200000 WHERE id = $1",
        workspace_id.uuid,
    )


@pytest.mark.parametrize("by_change", [False, True])
async def test_enabling_says_what_was_missed_and_since_when_to_replay_it(
    api: Api, services: Services, database: Database, caller: Caller, *, by_change: bool
) -> None:
    async with receiving() as receiver:
        made = await endpoint(services, caller, receiver.url, ["message.sent"])
        path = f"/webhooks/{made.id}"
        await happen(database, caller)
        await api.patch(path, {"state": "disabled"})
        missed = await happen(database, caller, times=3)
        await happen(database, caller, EventType.MESSAGE_FAILED)
        enabled = (await (api.patch(path, {"state": "enabled"}) if by_change else api.post(f"{path}/enable"))).body
        await happen(database, caller)
        assert (enabled["state"], enabled["missed"]["events"]) == ("enabled", 3)
        begun = (await api.post(f"{path}/replay", {"since": enabled["missed"]["since"]})).body
        assert begun["types"] == ["message.sent"]
        async with delivering(services):
            await _ended(api, f"{path}/replays/{begun['id']}", database)
    assert set(missed) <= set(receiver.event_ids)
    assert len(set(receiver.event_ids)) == 5


async def test_what_was_missed_in_a_long_time_can_be_replayed_as_far_back_as_replays_go(
    test_api: Api, database: Database
) -> None:
    made = (await test_api.post("/webhooks", {"url": "https://example.com/", "events": ["*"]})).body
    await test_api.patch(f"/webhooks/{made['id']}", {"state": "disabled"})
    async with database.transaction() as conn:
        await conn.execute("UPDATE webhook_endpoints SET disabled_at = now() - interval '20 days'")
    missed = (await test_api.post(f"/webhooks/{made['id']}/enable")).body["missed"]
    # Its own webhook.disabled is among them.
    assert missed["events"] == 1
    assert (await test_api.post(f"/webhooks/{made['id']}/replay", {"since": missed["since"]})).status == 201
