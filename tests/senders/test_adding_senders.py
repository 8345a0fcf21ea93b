"""A sender is added once for each account, in the modes that its transport allows, and comes back with its history."""

import asyncio
from typing import Any

import pytest

from iglayers.accounts.model import Caller
from iglayers.core.db import Database
from tests import make
from tests.senders.orders import a_sender
from tests.serving import Api


async def test_a_live_sender_has_cautious_defaults(api: Api) -> None:
    status, body = await api.post("/senders", {"username": "@Acme.Official", "transport": "assisted"})
    assert status == 201
    assert {name: body[name] for name in ("username", "transport", "routes", "state", "clientIds")} == {
        "username": "acme.official", "transport": "assisted", "routes": ["assisted"], "state": "active",
        "clientIds": [],
    }  # fmt: skip
    assert (body["hourlyLimit"], body["dailyLimit"], body["ramp"], body["minGapSeconds"]) == (10, 50, True, 60)
    assert body["health"] == {"status": "ok", "reasons": []}
    assert body["budget"]["daily"] == {"limit": 10, "sent": 0, "remaining": 10}
    assert (await api.get(f"/senders/{body['id']}")).body["username"] == "acme.official"
    assert [each["id"] for each in (await api.get("/senders")).body["data"]] == [body["id"]]


async def test_a_sandbox_sender_is_in_nobodys_way(test_api: Api) -> None:
    status, body = await test_api.post("/senders", {"username": "acme", "transport": "sandbox"})
    assert status == 201
    assert (body["hourlyLimit"], body["dailyLimit"], body["ramp"], body["minGapSeconds"]) == (10, 50, False, 0)
    assert body["budget"]["daily"] == {"limit": 50, "sent": 0, "remaining": 50}


@pytest.mark.parametrize(
    ("mode", "transport", "says"),
    [
        ("live", "sandbox", "instagram, assisted"),
        ("live", "pigeon", "instagram, assisted"),
        ("test", "instagram", "sandbox, assisted"),
    ],
)
async def test_a_transport_of_another_mode_is_refused(
    mode: str, transport: str, says: str, api: Api, test_api: Api
) -> None:
    calling = api if mode == "live" else test_api
    status, body = await calling.post("/senders", {"username": "acme", "transport": transport})
    assert (status, body["error"]["code"], body["error"]["param"]) == (400, "invalid_field", "transport")
    assert says in body["error"]["message"]
    assert body["error"]["remedy"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"username": "no blanks"}, "username"),
        ({"username": ""}, "username"),
        ({"hourlyLimit": 0}, "hourlyLimit"),
        ({"hourlyLimit": 1_001}, "hourlyLimit"),
        ({"dailyLimit": 10_001}, "dailyLimit"),
        ({"dailyLimit": "50"}, "dailyLimit"),
        ({"minGapSeconds": -1}, "minGapSeconds"),
        ({"ramp": None, "colour": "red"}, "colour"),
        ({"routes": ["sandbox", "teleport"]}, "routes[1]"),
        ({"routes": ["assisted"]}, "routes"),
        ({"clientIds": ["cl_" + "0" * 32]}, "clientIds[0]"),
        ({"clientIds": ["nobody"]}, "clientIds[0]"),
    ],
)
async def test_a_bad_field_is_named(fields: dict[str, Any], param: str, test_api: Api) -> None:
    status, body = await test_api.post("/senders", {"username": "acme", "transport": "sandbox"} | fields)
    assert (status, body["error"]["param"]) == (400, param)


async def test_an_account_is_one_sender(api: Api) -> None:
    first = (await api.post("/senders", {"username": "acme", "transport": "assisted"})).body
    status, body = await api.post("/senders", {"username": "https://instagram.com/Acme/", "transport": "assisted"})
    assert (status, body["error"]["code"], body["existingId"]) == (409, "conflict", first["id"])
    assert first["id"] in body["error"]["message"]


async def test_ten_at_once_add_one(api: Api) -> None:
    wanted = {"username": "acme", "transport": "assisted"}
    answers = await asyncio.gather(*(api.post("/senders", wanted) for _ in range(10)))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 9


async def test_a_deleted_sender_comes_back_with_its_history(api: Api, database: Database) -> None:
    first = (await api.post("/senders", {"username": "acme", "transport": "assisted", "dailyLimit": 30})).body
    async with database.connection() as conn:
        await conn.execute("UPDATE senders SET sent_days = 3, last_sent_on = '2026-05-01'")
    status, gone = await api.delete(f"/senders/{first['id']}")
    assert (status, gone["health"]["status"], gone["budget"]["readyAt"]) == (200, "stopped", None)
    assert gone["archivedAt"]
    assert (await api.get("/senders")).body["data"] == []
    assert (await api.patch(f"/senders/{first['id']}", {"dailyLimit": 5})).status == 409

    status, back = await api.post("/senders", {"username": "acme", "transport": "assisted", "dailyLimit": 40})
    assert (status, back["id"], back["dailyLimit"], back["sentDays"]) == (201, first["id"], 40, 3)
    assert back["archivedAt"] is None
    assert back["budget"]["daily"]["limit"] == 25


async def test_deletion_is_no_way_round_a_challenge(api: Api, database: Database) -> None:
    first = (await api.post("/senders", {"username": "acme", "transport": "assisted"})).body
    async with database.connection() as conn:
        await conn.execute("UPDATE senders SET state = 'challenged', state_reason = 'code asked for'")
    await api.delete(f"/senders/{first['id']}")
    assert (await api.post("/senders", {"username": "acme", "transport": "assisted"})).body["state"] == "challenged"


async def test_clients_that_a_sender_serves_exist(
    test_api: Api, database: Database, test_caller: Caller, caller: Caller
) -> None:
    mine, theirs = await make.client(database, test_caller), await make.client(database, caller)
    wanted = {"username": "acme", "transport": "sandbox"}
    status, body = await test_api.post("/senders", wanted | {"clientIds": [mine.id, theirs.id]})
    assert (status, body["error"]["param"]) == (400, "clientIds[1]")
    status, body = await test_api.post("/senders", wanted | {"clientIds": [mine.id, mine.id]})
    assert (status, body["clientIds"]) == (201, [str(mine.id)])


async def test_a_sender_of_another_workspace_is_not_found(
    test_api: Api, api: Api, database: Database, caller: Caller
) -> None:
    theirs = await a_sender(database, caller)
    assert (await api.get(f"/senders/{theirs.id}")).status == 200
    calls = [("GET", ""), ("PATCH", ""), ("DELETE", ""), *(("POST", path) for path in ("/pause", "/resume", "/check"))]
    for method, path in calls:
        status, body = await test_api.call(method, f"/senders/{theirs.id}{path}", {})
        assert (status, body["error"]["code"]) == (404, "sender_not_found")


async def test_lists_are_narrowed_and_paged(test_api: Api, database: Database, test_caller: Caller) -> None:
    client = await make.client(database, test_caller)
    other = await make.client(database, test_caller, "Other")
    made = [
        await a_sender(database, test_caller, "one"),
        await a_sender(database, test_caller, "two", client_ids=[client.id]),
        await a_sender(database, test_caller, "three", client_ids=[other.id]),
    ]
    await test_api.post(f"/senders/{made[0].id}/pause")

    async def found(**query: Any) -> list[str]:
        return [each["username"] for each in (await test_api.get("/senders", **query)).body["data"]]

    assert await found() == ["three", "two", "one"]
    assert await found(clientId=client.id) == ["two", "one"]
    assert await found(state="paused") == ["one"]
    assert await found(username="@Two") == ["two"]
    first = (await test_api.get("/senders", limit=2)).body
    for each in first["data"]:
        alone = (await test_api.get(f"/senders/{each['id']}")).body
        assert [each[name] for name in ("health", "hourlyLimit")] == [alone[name] for name in ("health", "hourlyLimit")]
        assert each["budget"]["daily"] == alone["budget"]["daily"]
    assert first["hasMore"]
    assert await found(limit=2, cursor=first["nextCursor"]) == ["one"]
    assert (await test_api.get("/senders", state="asleep")).status == 400
    assert (await test_api.get("/senders", colour="red")).status == 400
