"""Somebody else's object and no object are one 404, on every route with an id; and every route wants its scope."""

from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from iglayers.accounts import actions as accounts
from iglayers.accounts.model import Caller, Mode, Scope
from iglayers.core.db import Database
from iglayers.core.ids import ClientId
from tests.accounts.keys import make_key
from tests.conftest import caller_of
from tests.serving import Answer, Api
from tests.web.routes import CSV_ONLY, Route, bodies, every_route
from tests.web.world import World, everything, populated

ROUTES = every_route()
# A username is no id: nothing about a person tells whose it is.
WITH_ID = [each for each in ROUTES if each.collections and "{username}" not in each.path]
# Texts belong to the whole workspace, and keys to its administrators, which a key of one client cannot be.
OF_NO_CLIENT = ("message-templates", "api-keys")


def nobody(known: str) -> str:
    """An id of the same kind that names nothing."""
    return f"{known.partition('_')[0]}_{uuid4().hex}"


def without_ids(answer: Answer) -> Any:
    body = answer.body
    if "error" in body:
        body["error"].pop("requestId")
    return answer.status, body


async def asked(api: Api, route: Route, path: str, world: World) -> Answer:
    return await api.call(route.method, path, None if route.method == "GET" else bodies(route, world)[0])


def foreign_paths(route: Route, mine: World, theirs: World) -> list[tuple[str, str]]:
    """Paths to somebody else's object, each with the same path to none; the inner one also through one's own."""
    *_, inner = route.collections
    foreign, absent = theirs.path(route.path), theirs.path(route.path, **nobodies(route, theirs))
    through_mine = [mine.path(route.path, **{inner: name}) for name in (theirs.ids[inner], nobody(theirs.ids[inner]))]
    return [(foreign, absent), (through_mine[0], through_mine[1])]


def nobodies(route: Route, world: World) -> dict[str, str]:
    return {collection: nobody(world.ids[collection]) for collection in route.collections}


async def differences(api: Api, routes: list[Route], mine: World, theirs: World) -> list[tuple[str, Any, Any]]:
    """Where the answer about somebody else's object is not the 404 about none."""
    found: list[tuple[str, Any, Any]] = []
    for route in routes:
        for foreign, absent in foreign_paths(route, mine, theirs):
            answers = [without_ids(await asked(api, route, path, mine)) for path in (foreign, absent)]
            if answers[0] != answers[1] or answers[0][0] != 404:
                found.append((f"{route.method} {foreign}", *answers))
    return found


@pytest.fixture
async def other_api(http: aiohttp.ClientSession, api: Api, database: Database) -> Api:
    """A key with every scope of another live workspace."""
    async with database.transaction() as conn:
        workspaces = dict(zip(Mode, await accounts.create_pair(conn, "Other"), strict=True))
    other = await caller_of(database, workspaces[Mode.LIVE], Mode.LIVE)
    return api.with_key((await make_key(database, other)).key)


async def bound_key(api: Api, database: Database, caller: Caller, world: World) -> Api:
    """A key of the world's client with all that such a key may have."""
    scopes = [Scope.READ, Scope.WRITE, Scope.SEND]
    made = await make_key(database, caller, scopes=scopes, client_id=ClientId.parse(world.ids["clients"]))
    return api.with_key(made.key)


def test_every_kind_of_id_is_tried() -> None:
    assert len(WITH_ID) > 30
    assert [each for each in WITH_ID if len(each.collections) > 1]


async def test_another_workspace_is_not_there(api: Api, other_api: Api, database: Database, world: World) -> None:
    theirs = await populated(other_api, database, name="other")
    before = await everything(database)
    assert not await differences(api, WITH_ID, world, theirs)
    assert await everything(database) == before


async def test_the_test_workspace_of_the_same_pair_is_not_there_either(
    api: Api, test_api: Api, database: Database, world: World
) -> None:
    for collection in ("clients", "campaigns", "senders"):
        route = next(each for each in WITH_ID if str(each) == f"GET /{collection}/{{id}}")
        assert (await asked(test_api, route, world.path(route.path), world)).status == 404


async def test_a_key_of_one_client_sees_nothing_of_another(
    api: Api, database: Database, caller: Caller, world: World
) -> None:
    others = await populated(api, database, name="other")
    bound = await bound_key(api, database, caller, world)
    before = await everything(database)
    routes = [each for each in WITH_ID if each.collections[0] not in OF_NO_CLIENT and each.scope is not Scope.ADMIN]
    assert not await differences(bound, routes, world, others)
    assert await everything(database) == before


async def test_a_key_of_one_client_lists_only_its_own(
    api: Api, database: Database, caller: Caller, world: World
) -> None:
    others = await populated(api, database, name="other")
    bound = await bound_key(api, database, caller, world)
    for collection in ("clients", "campaigns", "senders", "messages", "replies"):
        ids = [each["id"] for each in (await bound.get(f"/{collection}")).body["data"]]
        assert ids == [world.ids[collection]], collection
    seen = str((await bound.get("/events", limit=1_000)).body)
    assert world.ids["campaigns"] in seen
    assert others.ids["campaigns"] not in seen
    assert others.ids["clients"] not in seen
    assert [each["clientId"] for each in (await bound.get("/suppressions")).body["data"]] == [world.ids["clients"]]


async def test_filters_by_a_foreign_id_find_nothing(api: Api, database: Database, caller: Caller, world: World) -> None:
    others = await populated(api, database, name="other")
    bound = await bound_key(api, database, caller, world)
    for path, filter_name, collection in [
        ("/campaigns", "clientId", "clients"),
        ("/messages", "campaignId", "campaigns"),
        ("/replies", "campaignId", "campaigns"),
        ("/replies", "targetId", "targets"),
        ("/replies", "senderId", "senders"),
        ("/senders", "clientId", "clients"),
    ]:
        found = await bound.get(path, **{filter_name: others.ids[collection]})
        assert (found.status, found.body["data"]) == (200, []), path


@pytest.mark.parametrize("field", ["clientId", "messageTemplateId", "senderIds", "followUps"])
async def test_a_foreign_id_in_a_body_is_the_same_as_none(
    api: Api, other_api: Api, database: Database, world: World, field: str
) -> None:
    theirs = await populated(other_api, database, name="other")

    def body(client: str, template: str, sender: str, second: str) -> dict[str, Any]:
        return {
            "clientId": client, "name": "May", "messageTemplateId": template, "senderIds": [sender],
            "followUps": [{"messageTemplateId": second, "delayHours": 1}],
        }  # fmt: skip

    kinds = ["clients", "message-templates", "senders", "message-templates"]
    at = ["clientId", "messageTemplateId", "senderIds", "followUps"].index(field)
    answers: list[Answer] = []
    for foreign in (theirs.ids[kinds[at]], nobody(theirs.ids[kinds[at]])):
        ids = [world.ids[kind] for kind in kinds]
        ids[at] = foreign
        answers.append(await api.post("/campaigns", body(*ids)))
    shown = [without_ids(each) for each in answers]
    assert shown[0] == shown[1]
    assert shown[0][0] == 404
    assert shown[0][1]["error"]["param"].startswith(field)


async def test_a_foreign_person_is_not_known(api: Api, other_api: Api, database: Database, world: World) -> None:
    await populated(other_api, database, name="other")
    await other_api.post("/suppressions", {"instagramUsername": "their.secret"})
    answers = [await api.delete(f"/suppressions/{name}") for name in ("their.secret", "never.seen")]
    assert [each.status for each in answers] == [404, 404]
    assert without_ids(answers[0]) == without_ids(answers[1])
    assert (await api.get("/suppressions", instagramUsername="their.secret")).body["data"] == []


WRONG_IDS = [
    "nope", "{prefix}_", "{prefix}_12", "{prefix}_" + "g" * 32, "wrong_" + "0" * 32, "0" * 32, "{prefix}_" + "1" * 33,
    "cmp_" + "0" * 32, "cl_" + "0" * 32, "ws_" + "0" * 32, "%00", "{prefix}_%F0%9F%98%80", "{prefix}_" + "１" * 32,
]  # fmt: skip


async def test_what_is_no_id_is_the_same_code_as_an_id_of_nothing(api: Api, database: Database, world: World) -> None:
    before = await everything(database)
    wrong: list[Any] = []
    for route in WITH_ID:
        *_, inner = route.collections
        known = world.ids[inner]
        unknown = await asked(api, route, world.path(route.path, **{inner: nobody(known)}), world)
        for text in WRONG_IDS:
            path = world.path(route.path, **{inner: text.format(prefix=known.partition("_")[0])})
            answer = await asked(api, route, path, world)
            if (answer.status, answer.body.get("error", {}).get("code")) != (404, unknown.body["error"]["code"]):
                wrong.append((route, text, answer))
    assert not wrong
    assert await everything(database) == before


async def test_every_route_refuses_a_key_without_its_scope(
    api: Api, database: Database, caller: Caller, world: World
) -> None:
    keys = {
        scope: api.with_key((await make_key(database, caller, scopes=[s for s in Scope if s is not scope])).key)
        for scope in Scope
    }
    before = await everything(database)
    for route in ROUTES:
        # Refused before the body is looked at.
        answer = await keys[route.scope].call(route.method, world.path(route.path))
        assert (answer.status, answer.body["error"]["code"]) == (403, "insufficient_scope"), (route, answer)
        assert route.scope.value in answer.body["error"]["message"]
    assert await everything(database) == before


async def test_one_scope_alone_lets_in(api: Api, database: Database, caller: Caller, world: World) -> None:
    keys = {scope: api.with_key((await make_key(database, caller, scopes=[scope])).key) for scope in Scope}
    for route in ROUTES:
        if str(route) in CSV_ONLY:
            continue
        nowhere = dict.fromkeys(route.collections, "nope")
        answer = await keys[route.scope].call(route.method, world.path(route.path, **nowhere))
        assert answer.status not in (401, 403), (route, answer)


async def test_nothing_is_open_without_a_key(http: aiohttp.ClientSession, api: Api, world: World) -> None:
    for route in ROUTES:
        async with http.request(route.method, f"{api.base}/api/v1{world.path(route.path)}") as answer:
            assert answer.status == 401, route
