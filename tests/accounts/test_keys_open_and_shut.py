"""Who is let in: one refusal for every bad key, scopes, revocation on all processes, rotation, last use."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta

import aiohttp
import pytest

from iglayers.accounts import actions
from iglayers.accounts.keyring import Keyring, is_within
from iglayers.accounts.model import Caller, InvalidApiKey, Mode, Scope
from iglayers.accounts.services import Services
from iglayers.core import crypto
from iglayers.core.clock import Moment, real_now
from iglayers.core.db import Database
from iglayers.core.ids import KeyId
from tests import make
from tests.accounts.keys import expire, make_key, with_settings, without_database
from tests.serving import Answer, Api, serving


@pytest.fixture
async def uncached(
    http: aiohttp.ClientSession, services: Services, database: Database, caller: Caller
) -> AsyncIterator[Api]:
    """The application, asking the database at each call who presents the key."""
    async with serving(with_settings(services, key_cache_s=0.0)) as url:
        yield Api(http, url, (await make_key(database, caller)).key)


def without_request_id(refused: Answer) -> dict[str, object]:
    assert refused.body["error"].pop("requestId") == refused.headers["X-Request-Id"]
    return refused.body


async def test_missing_malformed_unknown_revoked_and_expired_are_one_answer(
    api: Api, database: Database, caller: Caller
) -> None:
    revoked, expired = await make_key(database, caller), await make_key(database, caller)
    await api.delete(f"/api-keys/{revoked.id}")
    await expire(database, expired)
    good = api.key
    headers = [
        {"Authorization": f"Bearer {revoked.key}"},
        {"Authorization": f"Bearer {expired.key}"},
        {"Authorization": f"Bearer {crypto.new_api_key('live')}"},
        {"Authorization": f"Bearer {good[:-1]}"},
        {"Authorization": f"Bearer {good} x"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer"},
        {"Authorization": good},
        {"Authorization": f"Basic {good}"},
        {"Authorization": ""},
        {"Authorization": "Bearer sk_live_" + "é" * 38},
        {"Authorization": f"Bearer {good.swapcase()}"},
        {"Authorization": "Bearer " + "x" * 5_000},
    ]
    answers = [await api.call("GET", "/clients", headers=each) for each in headers]
    bodies = [without_request_id(each) for each in answers]
    assert {each.status for each in answers} == {401}
    assert all(body == bodies[0] for body in bodies)
    assert bodies[0]["error"] == {
        "code": "invalid_api_key", "message": "Invalid or revoked API key.", "docUrl": "/docs#error-invalid_api_key",
        "remedy": InvalidApiKey.remedy,
    }  # fmt: skip
    assert all("RateLimit" not in each.headers for each in answers)
    assert {each.headers["WWW-Authenticate"] for each in answers} == {"Bearer"}


async def test_no_header_at_all_is_the_same_answer(http: aiohttp.ClientSession, api: Api) -> None:
    async with http.get(f"{api.base}/api/v1/clients") as answer:
        assert answer.status == 401
        assert (await answer.json())["error"]["code"] == "invalid_api_key"


async def test_the_scheme_is_read_in_any_case(api: Api) -> None:
    for scheme in ("bearer", "BEARER", "Bearer "):
        assert (await api.call("GET", "/me", headers={"Authorization": f"{scheme} {api.key}"})).status == 200


async def test_a_bad_checksum_asks_no_database(
    http: aiohttp.ClientSession, services: Services, database_url: str, database: Database
) -> None:
    cut_off = await without_database(services, database_url)
    good = crypto.new_api_key("live")
    with pytest.raises(InvalidApiKey):
        await Keyring(cut_off.db, cut_off.settings).caller(good[:-1] + "!", address="", request_id="")
    async with serving(cut_off) as url:
        api = Api(http, url, good[:-1] + ("0" if good[-1] != "0" else "1"))
        assert (await api.get("/me")).status == 401
        # The same with a good checksum does ask.
        assert (await api.with_key(good).get("/me")).status == 503


async def test_the_key_is_nowhere_in_the_database(api: Api, database: Database, caller: Caller) -> None:
    made = await api.post("/api-keys", {"name": "Once"}, idempotency_key="once")
    key = made.body["key"]
    assert key.endswith(made.body["last4"])
    assert "key" not in (await api.get("/api-keys")).body["data"][0]
    async with database.connection() as conn:
        tables = await conn.fetch(
            "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'"
        )
        for table in tables:
            rows = await conn.fetch(f'SELECT * FROM "{table["name"]}"')
            assert not [row for row in rows if key[8:40] in str(row) or key[8:40].encode() in b"".join(
                item for item in row.values() if isinstance(item, bytes))], table["name"]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/clients", Scope.READ),
        ("GET", "/me", Scope.READ),
        ("POST", "/clients", Scope.WRITE),
        ("PATCH", "/clients/{client}", Scope.WRITE),
        ("DELETE", "/clients/{client}", Scope.WRITE),
        ("POST", "/campaigns/{campaign}/start", Scope.SEND),
        ("POST", "/campaigns/{campaign}/resume", Scope.SEND),
        ("POST", "/senders/{sender}/resume", Scope.SEND),
        ("GET", "/workspace", Scope.ADMIN),
        ("GET", "/api-keys", Scope.ADMIN),
        ("POST", "/api-keys", Scope.ADMIN),
        ("POST", "/api-keys/{key}/rotate", Scope.ADMIN),
        ("DELETE", "/api-keys/{key}", Scope.ADMIN),
        ("GET", "/audit-log", Scope.ADMIN),
    ],
)
async def test_each_call_needs_its_scope(
    api: Api, database: Database, caller: Caller, method: str, path: str, scope: Scope
) -> None:
    nobody = {"client": "cl_" + "0" * 32, "campaign": "cmp_" + "0" * 32, "sender": "snd_" + "0" * 32}
    path = path.format(**nobody, key=KeyId.new())
    others = await make_key(database, caller, scopes=[each for each in Scope if each is not scope])
    refused = await api.with_key(others.key).call(method, path)
    assert (refused.status, refused.body["error"]["code"]) == (403, "insufficient_scope")
    assert scope.value in refused.body["error"]["message"]
    alone = await make_key(database, caller, scopes=[scope])
    assert (await api.with_key(alone.key).call(method, path)).status not in (401, 403)


async def test_a_revoked_key_ends_on_every_process(
    http: aiohttp.ClientSession, services: Services, database: Database, caller: Caller
) -> None:
    """One process revokes; the other, which has the key in its cache, forgets it within `key_cache_s`."""
    cache_s = 0.4
    quick = with_settings(services, key_cache_s=cache_s)
    made, owner = await make_key(database, caller), await make_key(database, caller)
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(serving(quick)) for _ in range(2)]
        first, second = (Api(http, url, made.key) for url in urls)
        assert [(await each.get("/me")).status for each in (first, second)] == [200, 200]
        assert (await first.with_key(owner.key).delete(f"/api-keys/{made.id}")).status == 200
        revoked_at = time.monotonic()
        for each in (first, second):
            while (answered_at := time.monotonic()) and (await each.get("/me")).status != 401:
                assert answered_at - revoked_at <= cache_s
                await asyncio.sleep(0.02)
    assert services.settings.key_cache_s <= 1


@pytest.mark.parametrize("rotated", [False, True])
async def test_the_process_that_ends_a_key_refuses_its_next_call(
    http: aiohttp.ClientSession, services: Services, database: Database, caller: Caller, rotated: bool
) -> None:
    made, owner = await make_key(database, caller), await make_key(database, caller)
    async with serving(with_settings(services, key_cache_s=3_600.0)) as url:
        api = Api(http, url, made.key)
        assert (await api.get("/me")).status == 200
        by_owner = api.with_key(owner.key)
        if rotated:
            assert (await by_owner.post(f"/api-keys/{made.id}/rotate", {"overlapHours": 0})).status == 201
        else:
            assert (await by_owner.delete(f"/api-keys/{made.id}")).status == 200
        assert (await api.get("/me")).status == 401


async def test_a_key_is_good_only_from_its_addresses(api: Api, database: Database, caller: Caller) -> None:
    here = await make_key(database, caller, addresses=["192.0.2.7", "127.0.0.0/8"])
    elsewhere = await make_key(database, caller, addresses=["192.0.2.0/24", "2001:db8::/32"])
    assert (await api.with_key(here.key).get("/me")).status == 200
    refused = await api.with_key(elsewhere.key).get("/me")
    assert (refused.status, refused.body["error"]["code"]) == (401, "invalid_api_key")
    rotated = (await api.post(f"/api-keys/{here.id}/rotate")).body
    assert rotated["addresses"] == ["192.0.2.7/32", "127.0.0.0/8"]
    for wrong in ("localhost", "192.0.2.1/24", "", "１.1.1.1"):
        answer = await api.post("/api-keys", {"name": "x", "addresses": ["10.0.0.0/8", wrong]})
        assert (answer.status, answer.body["error"]["param"]) == (400, "addresses[1]")


def test_an_address_is_compared_as_what_it_is() -> None:
    assert is_within("::ffff:192.0.2.9", ("192.0.2.0/24",))
    assert is_within("2001:db8::1", ("192.0.2.0/24", "2001:db8::/32"))
    assert not is_within("192.0.3.1", ("192.0.2.0/24", "2001:db8::/32"))
    assert not is_within("", ("0.0.0.0/0",))


async def test_revoking_twice_changes_nothing(api: Api, database: Database, caller: Caller) -> None:
    made = await make_key(database, caller)
    first, second = [await api.delete(f"/api-keys/{made.id}") for _ in range(2)]
    assert (first.status, second.status) == (200, 200)
    assert first.body["revokedAt"] == second.body["revokedAt"] is not None
    assert (await api.delete(f"/api-keys/{KeyId.new()}")).body["error"]["code"] == "not_found"


async def test_last_used_is_accurate_to_the_minute(uncached: Api, database: Database, caller: Caller) -> None:
    made = await make_key(database, caller)

    async def used() -> str | None:
        listed = (await uncached.get("/api-keys")).body["data"]
        return next(each["lastUsedAt"] for each in listed if each["id"] == str(made.id))

    async def aged(by: str) -> None:
        async with database.connection() as conn:
            await conn.execute(
                "UPDATE api_keys SET last_used_at = now() - $2::text::interval WHERE id = $1", made.id, by
            )

    assert await used() is None
    await uncached.with_key(made.key).get("/me")
    first = await used()
    assert first
    await uncached.with_key(made.key).get("/me")
    assert await used() == first
    await aged("61 seconds")
    await uncached.with_key(made.key).get("/me")
    assert (await used() or "") >= first
    # Only forward: a machine whose clock was ahead does not make the moment fall back.
    await aged("-1 hour")
    ahead = await used()
    await uncached.with_key(made.key).get("/me")
    assert await used() == ahead


async def test_rotation_with_overlap(uncached: Api, database: Database, caller: Caller) -> None:
    client = await make.client(database, caller)
    old = await make_key(database, caller, name="App", scopes=[Scope.READ, Scope.SEND], client_id=client.id)
    rotated = await uncached.post(f"/api-keys/{old.id}/rotate", {"overlapHours": 0.5})
    assert rotated.status == 201
    new = rotated.body
    assert (new["name"], new["scopes"], new["clientId"]) == ("App", ["read", "send"], str(client.id))
    assert new["key"] != old.key
    for key in (old.key, new["key"]):
        assert (await uncached.with_key(key).get("/me")).body["clientId"] == str(client.id)
    listed = {each["id"]: each for each in (await uncached.get("/api-keys")).body["data"]}
    ends_at = Moment.fromisoformat(listed[str(old.id)]["expiresAt"])
    assert abs(ends_at - real_now() - timedelta(minutes=30)) < timedelta(minutes=1)
    assert new["expiresAt"] is None
    await expire(database, old)
    assert (await uncached.with_key(old.key).get("/me")).status == 401
    assert (await uncached.with_key(new["key"]).get("/me")).status == 200


async def test_rotation_lasts_a_day_unless_told_and_never_lengthens(
    uncached: Api, database: Database, caller: Caller
) -> None:
    old, short = await make_key(database, caller), await make_key(
        database, caller, expires_at=Moment.of(real_now() + timedelta(hours=1))
    )  # fmt: skip
    for each in (old, short):
        assert (await uncached.post(f"/api-keys/{each.id}/rotate")).status == 201
    listed = {each["id"]: each for each in (await uncached.get("/api-keys")).body["data"]}
    lasts = Moment.fromisoformat(listed[str(old.id)]["expiresAt"]) - real_now()
    assert timedelta(hours=23, minutes=59) < lasts <= timedelta(hours=24)
    assert short.expires_at
    assert listed[str(short.id)]["expiresAt"] == Moment.of(short.expires_at).rfc3339()


async def test_rotation_without_overlap_ends_the_old_key(uncached: Api, database: Database, caller: Caller) -> None:
    old = await make_key(database, caller)
    assert (await uncached.post(f"/api-keys/{old.id}/rotate", {"overlapHours": 0})).status == 201
    assert (await uncached.with_key(old.key).get("/me")).status == 401


@pytest.mark.parametrize("hours", ["-0.1", "24.001", "1e308", "-1e308", "9" * 40, "null", '"1"', "true"])
async def test_an_overlap_that_cannot_be_is_refused(api: Api, database: Database, caller: Caller, hours: str) -> None:
    old = await make_key(database, caller)
    refused = await api.post(f"/api-keys/{old.id}/rotate", data=b'{"overlapHours": %s}' % hours.encode())
    assert (refused.status, refused.body["error"]["param"]) == (400, "overlapHours")


async def test_an_ended_key_is_not_rotated(api: Api, database: Database, caller: Caller) -> None:
    revoked, expired = await make_key(database, caller), await make_key(database, caller)
    await api.delete(f"/api-keys/{revoked.id}")
    await expire(database, expired)
    for each in (revoked, expired):
        refused = await api.post(f"/api-keys/{each.id}/rotate")
        assert (refused.status, refused.body["error"]["code"]) == (409, "invalid_state")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
        ({"expiresAt": "2030-01-01T00:00:00"}, "expiresAt"),
        ({"expiresAt": "soon"}, "expiresAt"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["root"]}, "scopes[0]"),
        ({"name": " \u200b "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"clientId": "cl_" + "0" * 32}, "clientId"),
        ({"mode": "live"}, "mode"),
    ],
)
async def test_a_key_that_could_not_be_used_is_refused(api: Api, fields: dict[str, object], param: str) -> None:
    refused = await api.post("/api-keys", {"name": "App"} | fields)
    assert (refused.status, refused.body["error"]["param"]) == (400, param)


async def test_a_bound_key_has_no_admin(api: Api, database: Database, caller: Caller) -> None:
    client = await make.client(database, caller)
    refused = await api.post("/api-keys", {"name": "App", "clientId": str(client.id), "scopes": ["read", "admin"]})
    assert (refused.status, refused.body["error"]["param"]) == (400, "scopes")


async def test_a_key_opens_the_workspace_of_its_mode(
    api: Api, test_api: Api, database: Database, caller: Caller, test_caller: Caller
) -> None:
    assert api.key.startswith("sk_live_")
    assert test_api.key.startswith("sk_test_")
    seen = [(await each.get("/me")).body for each in (api, test_api)]
    assert [each["mode"] for each in seen] == [Mode.LIVE, Mode.TEST]
    assert [each["workspaceId"] for each in seen] == [str(caller.workspace_id), str(test_caller.workspace_id)]


async def test_keys_are_listed_page_by_page_newest_first(api: Api, database: Database, caller: Caller) -> None:
    made = [await make_key(database, caller, name=f"Key {number}") for number in range(5)]
    first = (await api.get("/api-keys", limit=3)).body
    rest = (await api.get("/api-keys", limit=1_000, cursor=first["nextCursor"])).body
    assert first["hasMore"]
    assert not rest["hasMore"]
    ids = [each["id"] for each in first["data"] + rest["data"]]
    assert ids[:5] == [str(each.id) for each in reversed(made)]
    assert len(ids) == len(set(ids)) == 6


async def test_the_last_characters_tell_keys_apart(database: Database, caller: Caller) -> None:
    made = await make_key(database, caller)
    async with database.connection() as conn:
        stored = await conn.fetchrow("SELECT key_hash, last4 FROM api_keys WHERE id = $1", made.id.uuid)
    assert stored is not None
    assert stored["key_hash"] == crypto.token_hash(made.key)
    assert stored["last4"] == made.key[-4:]
    assert isinstance(actions.NewKey(name="x").scopes, list)
