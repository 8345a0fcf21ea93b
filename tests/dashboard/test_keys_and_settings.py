"""API keys and settings, for owners: shown once, rotated, revoked; limits and zones changed or refused."""

import re

from iglayers.accounts.model import Caller
from iglayers.core.db import Database
from tests import make
from tests.dashboard.visiting import Visit
from tests.serving import Api

_KEY = re.compile(r'id="secret" class="mono" readonly value="(sk_live_\w+)"')


async def _made(owner: Visit, **fields: str) -> tuple[str, str]:
    _, page, _ = await owner.submit("/api-keys/new", "/api-keys", name="Shop", scopes="read", **fields)
    found = _KEY.search(page)
    assert found, page
    return found[1], page


async def test_key_is_shown_once_and_works(owner: Visit, api: Api, database: Database, caller: Caller) -> None:
    client = await make.client(database, caller, "Acme")
    key, page = await _made(owner, clientId=str(client.id))
    assert f"Authorization: Bearer {key}" in page.replace("&#34;", '"')
    me = (await api.with_key(key).get("/me")).body
    assert (me["scopes"], me["clientId"]) == (["read"], str(client.id))
    page = (await owner.get("/api-keys"))[1]
    assert key not in page
    assert f"\u2026{key[-4:]}" in page


async def test_several_scopes_and_the_end_of_a_day_in_the_workspaces_zone(owner: Visit, api: Api) -> None:
    await owner.submit("/settings", "/settings", name="Main", monthlyLimit="", timezone="Europe/Madrid",
                       firstContactScope="client", retentionDays="365")  # fmt: skip
    found = re.search(r'name="form_token" value="(\w+)"', (await owner.get("/api-keys/new"))[1])
    assert found
    fields = [("form_token", found[1]), ("name", "Shop"), ("scopes", "read"), ("scopes", "write"),
              ("expiresAt", "2040-07-01"), ("addresses", "192.0.2.7, 2001:db8::/32")]  # fmt: skip
    assert (await owner.post("/api-keys", fields))[0] == 200
    key = next(each for each in (await api.get("/api-keys")).body["data"] if each["name"] == "Shop")
    assert (key["scopes"], key["expiresAt"]) == (["read", "write"], "2040-07-01T21:59:59.000Z")
    assert key["addresses"] == ["192.0.2.7/32", "2001:db8::/32"]


async def test_refusals_stand_at_their_fields(owner: Visit) -> None:
    for fields, at in (
        ({"name": "", "scopes": "read"}, "name"),
        ({"name": "x"}, "scopes"),
        ({"name": "x", "scopes": "read", "expiresAt": "2001-01-01"}, "expiresAt"),
        ({"name": "x", "scopes": "read", "expiresAt": "soon"}, "expiresAt"),
        ({"name": "x", "scopes": "read", "addresses": "192.0.2.7, home"}, "addresses"),
    ):
        status, page, _ = await owner.submit("/api-keys/new", "/api-keys", **fields)
        assert (status, f'id="{at}-error"' in page) == (422, True), fields


async def test_rotating_lets_both_work_and_revoking_ends_at_once(owner: Visit, api: Api) -> None:
    old, _ = await _made(owner)
    key_id = next(each["id"] for each in (await api.get("/api-keys")).body["data"] if each["name"] == "Shop")
    status, page, _ = await owner.submit("/api-keys", f"/api-keys/{key_id}/rotate", overlapHours="24")
    found = _KEY.search(page)
    assert (status, bool(found)) == (200, True)
    assert found
    assert "goes on for 24 hours" in page
    for each in (old, found[1]):
        assert (await api.with_key(each).get("/me")).status == 200
    new_id = next(each["id"] for each in (await api.get("/api-keys")).body["data"] if each["last4"] == found[1][-4:])
    assert (await owner.submit("/api-keys", f"/api-keys/{new_id}/revoke"))[0] == 303
    status, page, _ = await owner.submit("/api-keys", f"/api-keys/{new_id}/rotate", overlapHours="1")
    assert (status, "cannot be rotated" in page) == (409, True)


async def test_settings_are_changed_or_refused_at_their_fields(owner: Visit, api: Api) -> None:
    fields = {"name": "Brand", "monthlyLimit": "5,000", "timezone": "Asia/Tokyo", "firstContactScope": "workspace",
              "retentionDays": "90"}  # fmt: skip
    assert (await owner.submit("/settings", "/settings", **fields))[0] == 303
    stored = (await api.get("/workspace")).body
    assert {name: str(stored[name]) for name in fields} == fields | {"monthlyLimit": "5000"}
    for name, bad in (("name", ""), ("monthlyLimit", "many"), ("timezone", "Mars"), ("retentionDays", "0")):
        status, page, _ = await owner.submit("/settings", "/settings", **fields | {name: bad})
        assert (status, f'id="{name}-error"' in page) == (422, True), name
    assert "iglayers workspaces create" in (await owner.get("/settings"))[1]


async def test_only_owners_come_in(operator: Visit) -> None:
    for path in ("/api-keys", "/api-keys/new", "/settings", "/webhooks", "/webhooks/new"):
        assert (await operator.get(path))[0] == 403, path
    for path in ("/api-keys", "/settings", "/webhooks"):
        assert (await operator.submit("/clients", path, name="x"))[0] == 403, path
