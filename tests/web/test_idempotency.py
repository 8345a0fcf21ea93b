"""Idempotency-Key: the first answer again, byte for byte; one effect, whatever happens to the first request."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from iglayers.accounts.model import Caller, Scope
from iglayers.accounts.services import Services
from iglayers.core.db import Database
from iglayers.core.ids import ClientId
from tests import make
from tests.accounts.keys import make_key, with_settings
from tests.serving import Answer, Api, serving
from tests.web.test_bad_input import refused
from tests.web.world import World

REPLAYED = "Idempotency-Replayed"


async def count(database: Database, table: str) -> int:
    async with database.connection() as conn:
        return await conn.fetchval(f"SELECT count(*) FROM {table}")


async def until(database: Database, condition: str, *args: object) -> Any:
    """The value of the condition, once it holds."""
    async with asyncio.timeout(10), database.connection() as conn:
        while not (found := await conn.fetchval(condition, *args)):  # noqa: ASYNC110 a lock rings no bell
            await asyncio.sleep(0.005)
    return found


@asynccontextmanager
async def held(database: Database, client_id: ClientId) -> AsyncGenerator[None]:
    """A client that no other transaction can change meanwhile."""
    async with database.transaction() as conn:
        await conn.execute("SELECT FROM clients WHERE id = $1 FOR UPDATE", client_id.uuid)
        yield


# Which backend waits for the row of a client that another transaction holds.
WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database() LIMIT 1"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/clients", {"name": "Acme", "externalId": "acme_001"}),
        ("POST", "/api-keys", {"name": "App"}),
        ("POST", "/campaigns/{campaigns}/targets", {"targets": [{"instagramUsername": "some.body"}]}),
        ("POST", "/campaigns/{campaigns}/cancel", None),
        ("POST", "/webhooks", {"url": "https://example.com/two", "events": ["*"]}),
        ("PATCH", "/clients/{clients}", {"name": "Renamed"}),
        ("DELETE", "/message-templates/{message-templates}", None),
        ("DELETE", "/api-keys/{api-keys}", None),
    ],
)
async def test_the_first_answer_comes_again_byte_for_byte(
    api: Api, database: Database, world: World, method: str, path: str, body: Any
) -> None:
    path = path.format(**world.ids)
    if path.startswith("/message-templates"):
        await api.delete(f"/campaigns/{world.ids['campaigns']}")
        path = f"/message-templates/{(await api.post('/message-templates', {'name': 'Two', 'body': 'Hi'})).body['id']}"
    first = await api.call(method, path, body, idempotency_key="order-1")
    assert first.status in (200, 201), first
    audited = await count(database, "audit_log")
    again = [await api.call(method, path, body, idempotency_key="order-1") for _ in range(2)]
    assert {(each.status, each.raw) for each in again} == {(first.status, first.raw)}
    assert REPLAYED not in first.headers
    assert [each.headers[REPLAYED] for each in again] == ["true", "true"]
    assert {each.headers["Content-Type"] for each in again} == {first.headers["Content-Type"]}
    assert await count(database, "audit_log") == audited


async def test_without_a_key_each_call_has_its_effect(api: Api, database: Database) -> None:
    assert [(await api.post("/clients", {"name": "Acme"})).status for _ in range(2)] == [201, 201]
    assert await count(database, "clients") == 2


async def test_a_different_request_with_the_key_is_refused(api: Api, database: Database, world: World) -> None:
    assert (await api.post("/clients", {"name": "Acme"}, idempotency_key="order-1")).status == 201
    clients = await count(database, "clients")
    campaign = f"/campaigns/{world.ids['campaigns']}/targets"
    for method, path, body, query in [
        ("POST", "/clients", {"name": "Other"}, None),
        ("POST", "/message-templates", {"name": "Acme", "body": "Hi"}, None),
        ("PATCH", f"/clients/{world.ids['clients']}", {"name": "Acme"}, None),
        ("DELETE", f"/clients/{world.ids['clients']}", None, None),
    ]:
        answer = await api.call(method, path, body, query=query, idempotency_key="order-1")
        assert refused(answer, 422, "idempotency_key_reused")["param"] == "Idempotency-Key"
    body = {"targets": [{"instagramUsername": "some.body"}]}
    tried = await api.post(campaign, body, query={"dryRun": "true"}, idempotency_key="order-2")
    assert tried.status == 201
    refused(await api.post(campaign, body, idempotency_key="order-2"), 422, "idempotency_key_reused")
    assert await count(database, "clients") == clients


async def test_the_key_of_a_request_that_still_runs_is_refused(api: Api, database: Database, caller: Caller) -> None:
    client = await make.client(database, caller)
    change = {"name": "Renamed"}
    async with held(database, client.id):
        first = asyncio.create_task(api.patch(f"/clients/{client.id}", change, idempotency_key="order-1"))
        await until(database, WAITING)
        async with asyncio.timeout(5):
            second = await api.patch(f"/clients/{client.id}", change, idempotency_key="order-1")
        refused(second, 409, "idempotency_in_progress")
        assert second.headers["Retry-After"] == "1"
    assert (await first).status == 200
    assert (await api.patch(f"/clients/{client.id}", change, idempotency_key="order-1")).raw == (await first).raw


async def test_fifty_at_once_have_one_effect(api: Api, database: Database) -> None:
    async def once() -> Answer:
        return await api.post("/clients", {"name": "Acme"}, idempotency_key="order-1")

    answers = await asyncio.gather(*(once() for _ in range(50)))
    assert {each.status for each in answers} <= {201, 409}
    assert len({each.raw for each in answers if each.status == 201}) == 1
    assert await count(database, "clients") == 1


@pytest.mark.parametrize(
    ("method", "path", "bad"),
    [
        ("POST", "/clients", b'{"name": ""}'),
        ("POST", "/clients", b'{"name": 5}'),
        ("POST", "/clients", b"{"),
        ("POST", "/clients", b'{"name": "Acme", "externalId": "taken"}'),
        ("PATCH", "/clients/cl_00000000000000000000000000000000", b'{"name": "Acme"}'),
    ],
)
async def test_a_refused_request_does_not_use_the_key_up(
    api: Api, database: Database, caller: Caller, method: str, path: str, bad: bytes
) -> None:
    await make.client(database, caller, external_id="taken")
    answer = await api.call(method, path, data=bad, idempotency_key="order-1")
    assert 400 <= answer.status < 410
    assert (await api.post("/clients", {"name": "Acme"}, idempotency_key="order-1")).status == 201


async def test_a_call_without_scope_or_allowance_does_not_use_the_key_up(
    http: aiohttp.ClientSession, api: Api, services: Services, database: Database, caller: Caller
) -> None:
    reader = await make_key(database, caller, scopes=[Scope.READ])
    body = {"name": "Acme"}
    assert (await api.with_key(reader.key).post("/clients", body, idempotency_key="order-1")).status == 403
    assert (await api.with_key("nonsense").post("/clients", body, idempotency_key="order-1")).status == 401
    hurried = await make_key(database, caller)
    async with serving(with_settings(services, rate_limit_per_minute=1, rate_limit_burst=1)) as url:
        limited = Api(http, url, hurried.key)
        await limited.get("/me")
        assert (await limited.post("/clients", body, idempotency_key="order-1")).status == 429
    assert (await api.post("/clients", body, idempotency_key="order-1")).status == 201
    assert await count(database, "clients") == 1


async def test_a_crash_frees_the_key(api: Api, database: Database, caller: Caller) -> None:
    client = await make.client(database, caller)
    change = {"name": "Renamed"}
    async with held(database, client.id):
        first = asyncio.create_task(api.patch(f"/clients/{client.id}", change, idempotency_key="order-1"))
        pid = await until(database, WAITING)
        async with database.connection() as conn:
            await conn.execute("SELECT pg_terminate_backend($1)", pid)
        refused(await first, 503, "unavailable")
    again = await api.patch(f"/clients/{client.id}", change, idempotency_key="order-1")
    assert (again.status, REPLAYED in again.headers) == (200, False)


async def test_workspaces_do_not_share_keys(api: Api, test_api: Api, database: Database) -> None:
    answers = [await each.post("/clients", {"name": "Acme"}, idempotency_key="order-1") for each in (api, test_api)]
    assert [each.status for each in answers] == [201, 201]
    assert answers[0].body["id"] != answers[1].body["id"]


async def test_a_key_of_one_client_is_not_shown_the_answer_of_another(
    api: Api, database: Database, caller: Caller, world: World
) -> None:
    other = await make.client(database, caller)
    scopes = [Scope.READ, Scope.WRITE]
    keys = [
        await make_key(database, caller, scopes=scopes, client_id=each)
        for each in (ClientId.parse(world.ids["clients"]), other.id)
    ]
    body = {"instagramUsername": "no.body"}
    first, second = [await api.with_key(key.key).post("/suppressions", body, idempotency_key="one") for key in keys]
    assert first.status == 201
    refused(second, 422, "idempotency_key_reused")


async def test_after_a_day_the_key_is_new(api: Api, database: Database) -> None:
    first = await api.post("/clients", {"name": "Acme"}, idempotency_key="order-1")
    for age, replayed in (("23 hours 59 minutes", True), ("24 hours 1 second", False)):
        async with database.connection() as conn:
            await conn.execute("UPDATE idempotency_keys SET created_at = now() - $1::text::interval", age)
        again = await api.post("/clients", {"name": "Acme"}, idempotency_key="order-1")
        assert again.status == 201
        assert (again.raw == first.raw, REPLAYED in again.headers) == (replayed, replayed)


@pytest.mark.parametrize("name", ["", "x" * 256, "caf\u00e9", "tab\there"])
async def test_what_is_no_key_is_refused(api: Api, database: Database, name: str) -> None:
    answer = await api.post("/clients", {"name": "Acme"}, idempotency_key=name)
    assert refused(answer, 400, "invalid_field")["param"] == "Idempotency-Key"
    assert await count(database, "clients") == 0


async def test_a_key_of_255_characters_is_taken(api: Api) -> None:
    name = "".join(chr(33 + number % 90) for number in range(255))
    answers = [await api.post("/clients", {"name": "Acme"}, idempotency_key=name) for _ in range(2)]
    assert answers[0].raw == answers[1].raw


async def test_reading_and_checking_take_no_notice_of_it(api: Api, database: Database, world: World) -> None:
    for method, path in [("GET", "/clients"), ("POST", f"/senders/{world.ids['senders']}/check")]:
        answers = [await api.call(method, path, idempotency_key="order-1") for _ in range(2)]
        assert [REPLAYED in each.headers for each in answers] == [False, False]
    assert await count(database, "idempotency_keys") == 0
