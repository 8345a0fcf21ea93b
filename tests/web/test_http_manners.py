"""Methods, paths, media types, request ids, and bodies that are too large, on the real server."""

import json
import re

import aiohttp
import pytest

from iglayers.accounts.model import Caller, Scope
from iglayers.core.crypto import new_api_key
from iglayers.core.db import Database
from tests.accounts.keys import make_key
from tests.serving import Answer, Api
from tests.web.routes import CSV_ONLY, bodies, every_route, writing_routes
from tests.web.test_bad_input import refused
from tests.web.world import World, everything

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE")


async def test_a_method_that_a_path_lacks_is_refused_with_those_it_has(api: Api, world: World) -> None:
    known: dict[str, set[str]] = {}
    for route in every_route():
        known.setdefault(route.path, set()).add(route.method)
    for path, methods in known.items():
        for method in set(METHODS) - methods:
            answer = await api.call(method, world.path(path))
            refused(answer, 405, "method_not_allowed")
            assert {each.strip() for each in answer.headers["Allow"].split(",")} - {"OPTIONS"} == methods


async def test_head_answers_what_get_answers_without_the_body(
    api: Api, world: World, http: aiohttp.ClientSession
) -> None:
    paths = [world.path(route.path) for route in every_route() if route.method == "GET"]
    for path in [*paths, "/nothing", f"/campaigns/{world.ids['campaigns']}/results?format=csv"]:
        got, headed = await api.get(path), await api.call("HEAD", path)
        assert (headed.status, headed.raw) == (got.status, b""), path
        assert headed.headers.get("Content-Type") == got.headers.get("Content-Type"), path
    async with http.head(f"{api.base}/api/v1/me") as answer:
        assert answer.status == 401
    assert (await api.call("HEAD", f"/campaigns/{world.ids['campaigns']}/start")).status == 405


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/clients/a/b/c",
        "/api/v1",
        "/api/v2/clients",
        "/api/v1/../v1/clients/x/y",
        "/api/v1/%00",
        "/api/",
        "/clients/..%2F..%2Fetc",
    ],
)
async def test_an_unknown_path_is_not_found(api: Api, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        refused(await api.call(method, path), 404, "not_found")


async def test_a_body_that_is_not_json_by_its_type_is_refused(api: Api, database: Database, world: World) -> None:
    before = await everything(database)
    kinds = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml",
             "application/jsonp", "json", "application/json-patch+json", "application/octet-stream"]  # fmt: skip
    for route in writing_routes():
        if str(route) in CSV_ONLY:
            answer = await api.call(route.method, world.path(route.path), data=b"{}")
            refused(answer, 415, "unsupported_media_type")
            continue
        data = json.dumps(bodies(route, world)[0]).encode()
        for kind in kinds:
            answer = await api.call(route.method, world.path(route.path), data=data, content_type=kind)
            refused(answer, 415, "unsupported_media_type")
    assert await everything(database) == before


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON", "application/json; charset=utf-8"])
async def test_json_is_taken_in_each_spelling_of_its_type(api: Api, kind: str) -> None:
    assert (await api.post("/clients", data=b'{"name": "Acme"}', content_type=kind)).status == 201


async def test_every_answer_has_a_request_id_of_its_own(
    api: Api, database: Database, caller: Caller, world: World, http: aiohttp.ClientSession
) -> None:
    reader = await make_key(database, caller, scopes=[Scope.READ])
    answers: list[Answer] = [
        await api.get("/me"),
        await api.post("/clients", {"name": "Acme"}),
        await api.get(f"/campaigns/{world.ids['campaigns']}/results", format="csv"),
        await api.get("/clients/nope"),
        await api.get("/nothing"),
        await api.call("PUT", "/clients"),
        await api.post("/clients", data=b"{"),
        await api.post("/clients", data=b"a=b", content_type="text/plain"),
        await api.with_key(new_api_key("live")).get("/me"),
        await api.with_key(reader.key).post("/clients"),
        await api.get("/healthz"),
        await api.get("/readyz"),
        *[await api.post("/clients", {"name": "Acme"}, idempotency_key="order-1") for _ in range(2)],
    ]
    ids = [each.headers["X-Request-Id"] for each in answers]
    assert all(re.fullmatch(r"req_[0-9a-f]{24}", each) for each in ids)
    assert len(set(ids)) == len(ids)
    for each, request_id in zip(answers, ids, strict=True):
        if each.status >= 400:
            assert each.body["error"]["requestId"] == request_id


async def test_the_audit_log_names_the_request(api: Api) -> None:
    made = await api.post("/clients", {"name": "Acme"})
    [entry, *_] = (await api.get("/audit-log")).body["data"]
    assert (entry["action"], entry["requestId"]) == ("client.created", made.headers["X-Request-Id"])
