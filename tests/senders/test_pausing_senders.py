"""A sender is paused and resumed by people, stopped by trouble, and every change has the plans made anew."""

from datetime import timedelta
from uuid import uuid4

import msgspec
import pytest

from iglayers.accounts import actions as accounts
from iglayers.accounts import queries as account_queries
from iglayers.accounts.model import Caller, Scope
from iglayers.core.db import Database
from iglayers.core.ids import ClientId
from iglayers.senders import actions
from iglayers.senders.model import Sender, Trouble
from tests import make
from tests.senders.orders import a_sender
from tests.serving import Api


@pytest.fixture
async def sender(database: Database, test_caller: Caller) -> Sender:
    return await a_sender(database, test_caller, daily_limit=40, hourly_limit=9)


async def woken(database: Database) -> bool:
    async with database.transaction() as conn:
        noted = await account_queries.wakeups(conn)
        await account_queries.forget_wakeups(conn, noted)
    return bool(noted)


async def told(database: Database) -> list[str]:
    async with database.connection() as conn:
        return [each["type"] for each in await conn.fetch("SELECT type FROM events ORDER BY sequence")]


async def trouble(database: Database, caller: Caller, sender: Sender, what: Trouble) -> None:
    async with database.transaction() as conn:
        await actions.report_trouble(
            conn, workspace_id=caller.workspace_id, sender_id=sender.id, trouble=what, reason="as Instagram put it",
            now=caller.now,
        )  # fmt: skip


async def test_pause_and_resume(test_api: Api, sender: Sender, database: Database) -> None:
    await woken(database)
    for _ in range(2):
        status, body = await test_api.post(f"/senders/{sender.id}/pause")
        assert (status, body["state"], body["health"]["status"]) == (200, "paused", "stopped")
        assert body["budget"]["readyAt"] is None
    assert await woken(database)
    for _ in range(2):
        status, body = await test_api.post(f"/senders/{sender.id}/resume")
        assert (status, body["state"], body["health"]["status"]) == (200, "active", "ok")
    assert await woken(database)
    assert await told(database) == ["sender.active"]


async def test_every_change_of_limits_wakes_the_plans(test_api: Api, sender: Sender, database: Database) -> None:
    await woken(database)
    status, body = await test_api.patch(f"/senders/{sender.id}", {"dailyLimit": 7, "routes": ["sandbox", "assisted"]})
    assert (status, body["dailyLimit"], body["hourlyLimit"], body["routes"]) == (200, 7, 9, ["sandbox", "assisted"])
    assert body["budget"]["daily"]["limit"] == 7
    assert await woken(database)
    assert (await test_api.patch(f"/senders/{sender.id}", {"username": "other"})).status == 400
    entry = (await test_api.get("/audit-log")).body["data"][0]
    assert (entry["action"], entry["before"]["dailyLimit"], entry["after"]["dailyLimit"]) == ("sender.changed", 40, 7)


async def test_a_warning_halves_the_limits_for_a_day(
    test_api: Api, sender: Sender, database: Database, test_caller: Caller
) -> None:
    await woken(database)
    await trouble(database, test_caller, sender, Trouble.WARNING)
    body = (await test_api.get(f"/senders/{sender.id}")).body
    assert (body["state"], body["health"]["status"]) == ("active", "limited")
    assert "as Instagram put it" in body["health"]["reasons"][0]
    assert (body["budget"]["hourly"]["limit"], body["budget"]["daily"]["limit"]) == (4, 20)
    async with database.connection() as conn:
        lasts = await conn.fetchval("SELECT warned_until - updated_at FROM senders")
    assert lasts == timedelta(hours=24)
    assert await told(database) == ["sender.warning"]
    assert await woken(database)


@pytest.mark.parametrize(("what", "state"), [(Trouble.CHALLENGED, "challenged"), (Trouble.DISABLED, "disabled")])
async def test_trouble_stops_a_sender_until_a_person_resumes_it(
    what: Trouble, state: str, test_api: Api, sender: Sender, database: Database, test_caller: Caller
) -> None:
    for _ in range(2):
        await trouble(database, test_caller, sender, what)
    body = (await test_api.post(f"/senders/{sender.id}/check")).body
    assert (body["state"], body["stateReason"], body["health"]["status"]) == (state, "as Instagram put it", "stopped")
    assert await told(database) == [f"sender.{state}"]
    assert (await test_api.post(f"/senders/{sender.id}/pause")).status == 409

    resumed = await test_api.post(f"/senders/{sender.id}/resume", {"reason": "confirmed by SMS"})
    assert resumed.body["state"] == "active"
    entry = (await test_api.get("/audit-log")).body["data"][0]
    assert (entry["action"], entry["reason"], entry["before"]["state"]) == ("sender.resumed", "confirmed by SMS", state)
    async with database.connection() as conn:
        told_of = msgspec.json.decode(await conn.fetchval("SELECT data FROM events WHERE type = 'sender.active'"))
    assert (told_of["sender"]["id"], told_of["sender"]["state"]) == (str(sender.id), "active")


async def test_a_disabled_sender_is_not_made_better_by_a_challenge(
    test_api: Api, sender: Sender, database: Database, test_caller: Caller
) -> None:
    for what in (Trouble.DISABLED, Trouble.CHALLENGED, Trouble.WARNING):
        await trouble(database, test_caller, sender, what)
    assert (await test_api.get(f"/senders/{sender.id}")).body["state"] == "disabled"


async def test_a_sender_with_a_message_on_its_way_stays(
    test_api: Api, sender: Sender, database: Database, test_caller: Caller
) -> None:
    await write(database, test_caller, sender, "sending")
    status, body = await test_api.delete(f"/senders/{sender.id}")
    assert (status, body["error"]["code"]) == (409, "invalid_state")
    async with database.connection() as conn:
        await conn.execute("UPDATE messages SET state = 'sent'")
    assert (await test_api.delete(f"/senders/{sender.id}")).status == 200


async def test_the_budget_counts_what_was_begun(
    test_api: Api, sender: Sender, database: Database, test_caller: Caller
) -> None:
    minutes = {"sent": 5, "unknown": 30, "failed": 59, "not_sent": 10}
    for state, ago in minutes.items():
        await write(database, test_caller, sender, state, minutes_ago=ago)
    for hours in (2, 23, 25):
        await write(database, test_caller, sender, "sent", minutes_ago=60 * hours)
    body = (await test_api.get(f"/senders/{sender.id}")).body["budget"]
    assert body["hourly"] == {"limit": 9, "sent": 3, "remaining": 6}
    assert body["daily"] == {"limit": 40, "sent": 5, "remaining": 35}

    await test_api.patch(f"/senders/{sender.id}", {"hourlyLimit": 3})
    body = (await test_api.get(f"/senders/{sender.id}")).body["budget"]
    assert (body["hourly"]["remaining"], body["limitedBy"]) == (0, "sender.hourly")
    assert body["readyAt"] > test_caller.now.rfc3339()


async def test_a_key_of_one_client_sees_its_senders_and_changes_none(
    test_api: Api, database: Database, test_caller: Caller
) -> None:
    mine, theirs = await make.client(database, test_caller), await make.client(database, test_caller, "Other")
    serving = await a_sender(database, test_caller, "serving", client_ids=[mine.id, theirs.id])
    other = await a_sender(database, test_caller, "other", client_ids=[theirs.id])
    everybody = await a_sender(database, test_caller, "everybody")
    bound = test_api.with_key(await bound_key(database, test_caller, mine.id))

    listed = (await bound.get("/senders")).body["data"]
    assert [each["username"] for each in listed] == ["everybody", "serving"]
    assert listed[1]["clientIds"] == [str(mine.id)]
    assert (await bound.get(f"/senders/{other.id}")).status == 404
    assert (await bound.get("/senders", clientId=theirs.id)).body["data"] == []
    for sender, status in ((serving, 403), (everybody, 403), (other, 404)):
        for method, path in (("PATCH", ""), ("DELETE", ""), ("POST", "/pause"), ("POST", "/resume")):
            assert (await bound.call(method, f"/senders/{sender.id}{path}", {})).status == status
    status, body = await bound.post("/senders", {"username": "new", "transport": "sandbox"})
    assert (status, body["error"]["code"]) == (403, "insufficient_scope")


async def test_resuming_needs_the_scope_to_send(
    test_api: Api, sender: Sender, database: Database, test_caller: Caller
) -> None:
    new = accounts.NewKey(name="Editor", scopes=[Scope.READ, Scope.WRITE])
    async with database.transaction() as conn:
        key = (await accounts.create_key(conn, test_caller, new)).key
    editor = test_api.with_key(key)
    assert (await editor.post(f"/senders/{sender.id}/pause")).status == 200
    assert (await editor.post(f"/senders/{sender.id}/resume")).status == 403


async def bound_key(database: Database, caller: Caller, client_id: ClientId) -> str:
    new = accounts.NewKey(name="Bound", client_id=client_id)
    async with database.transaction() as conn:
        return (await accounts.create_key(conn, caller, new)).key


async def write(database: Database, caller: Caller, sender: Sender, state: str, *, minutes_ago: int = 0) -> None:
    """A row of the ledger, as the engine would have left it."""
    async with database.transaction() as conn:
        contact = await conn.fetchval(
            """
            INSERT INTO contacts (id, workspace_id, handle_hash, username, created_at)
            VALUES ($1, $2, $3, $4, now())
            RETURNING id
            """,
            uuid4(), caller.workspace_id.uuid, uuid4().bytes, "somebody",
        )  # fmt: skip
        await conn.execute(
            """
            INSERT INTO messages (id, workspace_id, kind, contact_id, sender_id, route, state, attempt_id, lease_until,
                                  begun_at)
            VALUES ($1, $2, 'answer', $3, $4, 'sandbox', $5, $1, now(), $6)
            """,
            uuid4(), caller.workspace_id.uuid, contact, sender.id.uuid, state,
            caller.now - timedelta(minutes=minutes_ago),
        )  # fmt: skip
