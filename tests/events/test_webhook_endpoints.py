"""Endpoints are made, shown without their secret, changed, rotated and deleted, each in its workspace alone."""

import asyncio
import json
from typing import Any

import msgspec
import pytest

from iglayers.accounts import actions as accounts
from iglayers.accounts.model import Caller, Scope
from iglayers.accounts.services import Services
from iglayers.core.crypto import SecretKeyError
from iglayers.core.db import Database
from iglayers.core.ids import EndpointId
from iglayers.events import actions_endpoints, queries_endpoints
from iglayers.events.model_webhooks import MAX_ENDPOINTS
from tests import make
from tests.serving import Api, serving

PUBLISHED: dict[str, Any] = {
    "url": "https://your-app.com/webhooks/iglayers",
    "events": ["message.sent", "reply.received", "campaign.completed"],
}


async def test_the_published_request_makes_an_endpoint(api: Api) -> None:
    status, made = await api.post("/webhooks", PUBLISHED)
    assert status == 201
    assert made["id"].startswith("whe_")
    assert made["secret"].startswith("whsec_")
    assert {name: made[name] for name in PUBLISHED} == PUBLISHED
    assert (made["state"], made["description"], made["disabledReason"]) == ("enabled", "", None)

    shown = {name: item for name, item in made.items() if name != "secret"}
    assert (await api.get(f"/webhooks/{made['id']}")).body == shown
    assert (await api.get("/webhooks")).body == {"data": [shown], "hasMore": False, "nextCursor": None}


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("url", None, "missing_required_field"),
        ("events", None, "missing_required_field"),
        ("events", [], "invalid_field"),
        ("events", ["message.read"], "invalid_field"),
        ("events", "*", "invalid_field"),
        ("maxPerSecond", 0, "invalid_field"),
        ("secret", "whsec_mine", "invalid_field"),
        ("url", "ftp://example.com/", "invalid_field"),
        ("url", "//example.com/", "invalid_field"),
        ("url", "https:///path", "invalid_field"),
        ("url", "https://name:word@example.com/", "invalid_field"),
        ("url", "https://name@example.com/", "invalid_field"),
        ("url", "https://example.com:22/", "invalid_field"),
        ("url", "https://example.com:6379/", "invalid_field"),
        ("url", "https://example.com:99999/", "invalid_field"),
        ("url", "https://example.com/a b", "invalid_field"),
        ("url", "https://example.com\\@127.0.0.1/", "invalid_field"),
        ("url", "https://example.com/\r\nX: y", "invalid_field"),
        ("url", "https://example.com/" + "a" * 2_029, "invalid_field"),
    ],
)
async def test_what_cannot_be_an_endpoint_is_refused(api: Api, field: str, value: Any, code: str) -> None:
    wanted = {name: item for name, item in (PUBLISHED | {field: value}).items() if item is not None}
    status, body = await api.post("/webhooks", wanted)
    assert (status, body["error"]["code"]) == (400, code)
    assert body["error"]["param"].startswith(field)


@pytest.mark.parametrize(
    "url", ["https://example.com/" + "a" * 2_028, "https://example.com:8443/", "https://bücher.example/"]
)
async def test_an_unusual_url_is_taken_as_it_is(api: Api, url: str) -> None:
    status, made = await api.post("/webhooks", PUBLISHED | {"url": url})
    assert (status, made["url"]) == (201, url)


@pytest.mark.parametrize(
    ("host", "allowed", "status"),
    [
        ("127.0.0.1", False, 201),
        ("::1", False, 201),
        ("0.0.0.0", False, 400),
        ("10.1.2.3", False, 400),
        ("0.0.0.0", True, 201),
    ],
)
async def test_http_is_for_loopback_or_where_it_is_allowed(
    api: Api,
    services: Services,
    host: str,
    allowed: bool,
    status: int,
    http: Any,
) -> None:
    settings = msgspec.structs.replace(services.settings, host=host, allow_http_webhooks=allowed)
    async with serving(msgspec.structs.replace(services, settings=settings)) as url:
        made = await Api(http, url, api.key).post("/webhooks", PUBLISHED | {"url": "http://example.com/"})
    assert made.status == status


async def test_a_star_and_repeated_names_are_kept_once(api: Api) -> None:
    star = (await api.post("/webhooks", PUBLISHED | {"events": ["message.sent", "*"]})).body
    twice = (await api.post("/webhooks", PUBLISHED | {"events": ["message.sent", "message.sent"]})).body
    assert (star["events"], twice["events"]) == (["*"], ["message.sent"])


async def test_a_change_touches_what_it_names_and_is_audited(api: Api) -> None:
    made = (await api.post("/webhooks", PUBLISHED | {"description": "Shop"})).body
    status, changed = await api.patch(f"/webhooks/{made['id']}", {"events": ["*"], "maxPerSecond": 5})
    assert status == 200
    assert changed | {"updatedAt": made["updatedAt"]} == {
        name: item
        for name, item in (made | {"events": ["*"], "maxPerSecond": 5, "missed": None}).items()
        if name != "secret"
    }
    audited = (await api.get("/audit-log")).body["data"]
    line = next(each for each in audited if each["action"] == "webhook.changed")
    assert (line["before"]["events"], line["after"]["events"]) == (PUBLISHED["events"], ["*"])
    assert "whsec_" not in json.dumps(audited)


async def test_disabling_and_enabling_by_hand(api: Api) -> None:
    path = f"/webhooks/{(await api.post('/webhooks', PUBLISHED)).body['id']}"
    disabled = (await api.patch(path, {"state": "disabled"})).body
    assert (disabled["state"], disabled["disabledReason"]) == ("disabled", "by_person")
    assert disabled["disabledAt"] is not None
    again = (await api.patch(path, {"state": "disabled"})).body
    assert again["disabledAt"] == disabled["disabledAt"]
    enabled = (await api.post(f"{path}/enable")).body
    assert (enabled["state"], enabled["disabledReason"], enabled["disabledAt"]) == ("enabled", None, None)
    assert (await api.post(f"{path}/enable")).body == enabled | {"missed": None}
    told = [each["type"] for each in (await api.get("/events")).body["data"]]
    assert told == ["webhook.disabled"]


async def test_deleting_answers_with_what_was_there(api: Api) -> None:
    made = (await api.post("/webhooks", PUBLISHED)).body
    status, gone = await api.delete(f"/webhooks/{made['id']}")
    assert (status, gone["url"]) == (200, PUBLISHED["url"])
    status, body = await api.get(f"/webhooks/{made['id']}")
    assert (status, body["error"]["code"]) == (404, "webhook_not_found")
    assert (await api.delete(f"/webhooks/{made['id']}")).status == 404


async def test_another_workspace_and_no_endpoint_look_alike(api: Api, test_api: Api) -> None:
    made = (await api.post("/webhooks", PUBLISHED)).body
    missing = f"whe_{'0' * 32}"
    calls = [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/enable"), ("POST", "/rotate-secret")]
    for method, end in calls:
        foreign, none = [
            await test_api.call(method, f"/webhooks/{name}{end}", {} if method != "GET" else None)
            for name in (made["id"], missing)
        ]
        assert foreign.status == none.status == 404, (method, end)
        assert foreign.body["error"]["message"] == none.body["error"]["message"]
    assert (await test_api.get("/webhooks")).body["data"] == []
    assert (await api.get(f"/webhooks/{made['id']}")).body["state"] == "enabled"


async def test_a_key_of_one_client_sees_and_hears_that_client_alone(
    api: Api, database: Database, caller: Caller
) -> None:
    whole = (await api.post("/webhooks", PUBLISHED)).body
    client = await make.client(database, caller)
    new = accounts.NewKey(name="Acme", scopes=[Scope.READ, Scope.WRITE], client_id=client.id)
    async with database.transaction() as conn:
        theirs = api.with_key((await accounts.create_key(conn, caller, new)).key)
    made = (await theirs.post("/webhooks", PUBLISHED)).body
    assert made["clientId"] == str(client.id)
    assert [each["id"] for each in (await theirs.get("/webhooks")).body["data"]] == [made["id"]]
    assert (await theirs.get(f"/webhooks/{whole['id']}")).status == 404


async def test_rotation_shows_the_new_secret_and_the_end_of_the_old(api: Api) -> None:
    made = (await api.post("/webhooks", PUBLISHED)).body
    path = f"/webhooks/{made['id']}/rotate-secret"
    rotated = (await api.post(path, {"overlapHours": 168})).body
    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != made["secret"]
    assert rotated["previousSecretUntil"] is not None
    revoked = (await api.post(path, {"overlapHours": 0})).body
    assert revoked["previousSecretUntil"] is None
    for overlap in (-1, 168.1):
        status, body = await api.post(path, {"overlapHours": overlap})
        assert (status, body["error"]["param"]) == (400, "overlapHours")


async def test_secrets_are_encrypted_and_open_in_their_own_row_only(
    api: Api, database: Database, caller: Caller, services: Services
) -> None:
    made = [(await api.post("/webhooks", PUBLISHED)).body for _ in range(2)]
    ids = [EndpointId.parse(each["id"]) for each in made]
    async with database.connection() as conn:
        stored = [await queries_endpoints.secrets(conn, caller.workspace_id, each) for each in ids]
        dumped = str(await conn.fetch("SELECT * FROM webhook_endpoints"))
    assert "whsec_" not in dumped
    assert stored[0] is not None
    opened = services.vault.open(stored[0].secret, bound_to=actions_endpoints.bound_to(ids[0]))
    assert opened.decode() == made[0]["secret"]
    with pytest.raises(SecretKeyError):
        services.vault.open(stored[0].secret, bound_to=actions_endpoints.bound_to(ids[1]))


async def test_a_workspace_has_a_bounded_number_of_endpoints(
    api: Api, database: Database, caller: Caller, services: Services
) -> None:
    new = actions_endpoints.NewEndpoint(url=PUBLISHED["url"], events=["*"])
    async with database.transaction() as conn:
        for _ in range(MAX_ENDPOINTS - 1):
            await actions_endpoints.create(conn, caller, new, vault=services.vault, settings=services.settings)
    answers = await asyncio.gather(*(api.post("/webhooks", PUBLISHED) for _ in range(4)))
    assert sorted(each.status for each in answers) == [201, 409, 409, 409]
