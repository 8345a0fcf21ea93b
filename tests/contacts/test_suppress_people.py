"""Suppressing a person: one, many, or a file; for a client or for all; and lifting it again."""

from datetime import timedelta

import pytest

from iglayers.accounts import actions as accounts
from iglayers.accounts import queries as account_queries
from iglayers.accounts.model import Caller, Scope
from iglayers.contacts import actions, queries
from iglayers.contacts.usernames import handle_hash
from iglayers.core.clock import Clock
from iglayers.core.db import Database
from iglayers.core.ids import ClientId, ContactId, uuid7
from tests import make
from tests.databases import PEPPER
from tests.serving import Api


async def contact_of(database: Database, caller: Caller, username: str) -> ContactId:
    async with database.connection() as conn:
        found = await queries.by_username(conn, caller.workspace_id, username, pepper=PEPPER)
    assert found is not None
    return found.id


async def is_suppressed(database: Database, caller: Caller, username: str, client_id: ClientId | None = None) -> bool:
    contact_id = await contact_of(database, caller, username)
    async with database.connection() as conn:
        return contact_id.uuid in await queries.suppressed_among(
            conn, caller.workspace_id, [contact_id], client_id, caller.now
        )


async def bound_api(database: Database, api: Api, caller: Caller, client_id: ClientId) -> Api:
    new = accounts.NewKey(name="Bound", scopes=[Scope.READ, Scope.WRITE], client_id=client_id)
    async with database.transaction() as conn:
        return api.with_key((await accounts.create_key(conn, caller, new)).key)


async def test_one_person_is_suppressed_and_listed(api: Api, database: Database, caller: Caller) -> None:
    status, made = await api.post("/suppressions", {"instagramUsername": "@Jane.Doe", "reason": "asked us"})
    assert status == 201
    assert made["id"].startswith("sup_")
    assert made["instagramUsername"] == "jane.doe"
    assert (made["reason"], made["source"]) == ("asked us", "manual")
    assert (made["clientId"], made["expiresAt"]) == (None, None)
    assert (await api.get("/suppressions")).body == {"data": [made], "hasMore": False, "nextCursor": None}
    assert await is_suppressed(database, caller, "jane.doe")


async def test_a_repeat_changes_reason_and_expiry_and_keeps_the_id(api: Api) -> None:
    first = (await api.post("/suppressions", {"instagramUsername": "jane", "reason": "a"})).body
    second = (
        await api.post(
            "/suppressions", {"instagramUsername": "JANE", "reason": "b", "expiresAt": "2199-01-01T00:00:00Z"}
        )
    ).body
    assert second == first | {"reason": "b", "expiresAt": "2199-01-01T00:00:00.000Z"}
    assert [each["action"] for each in (await api.get("/audit-log")).body["data"]][:2] == [
        "suppression.changed",
        "suppression.created",
    ]


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"instagramUsername": "jаne"}, "instagramUsername", "invalid_field"),
        ({"instagramUsername": "https://example.com/jane"}, "instagramUsername", "invalid_field"),
        ({}, "instagramUsername", "missing_required_field"),
        ({"instagramUsername": "jane", "expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt", "invalid_field"),
        ({"instagramUsername": "jane", "reason": "x" * 501}, "reason", "invalid_field"),
        ({"instagramUsername": "jane", "source": "x" * 51}, "source", "invalid_field"),
        ({"instagramUsername": "jane", "source": "erasure"}, "source", "invalid_field"),
        ({"instagramUsername": " "}, "instagramUsername", "missing_required_field"),
        ({"suppressions": [{"instagramUsername": ""}]}, "suppressions[0].instagramUsername", "missing_required_field"),
        ({"instagramUsername": "jane", "reasn": "x"}, "reasn", "invalid_field"),
        ({"suppressions": []}, "suppressions", "invalid_field"),
    ],
)
async def test_what_cannot_be_suppressed_is_refused(api: Api, body: object, param: str, code: str) -> None:
    status, answer = await api.post("/suppressions", body)
    assert status == 400
    assert (answer["error"]["param"], answer["error"]["code"]) == (param, code)


async def test_a_suppression_for_one_client_holds_for_that_client_only(
    api: Api, database: Database, caller: Caller
) -> None:
    acme, other = await make.client(database, caller, "Acme"), await make.client(database, caller, "Other")
    made = (await api.post("/suppressions", {"instagramUsername": "jane", "clientId": acme.id})).body
    assert made["clientId"] == str(acme.id)
    assert await is_suppressed(database, caller, "jane", acme.id)
    assert not await is_suppressed(database, caller, "jane", other.id)
    assert not await is_suppressed(database, caller, "jane")
    assert (await api.get("/suppressions", clientId=other.id)).body["data"] == []
    assert (await api.get("/suppressions", clientId=acme.id)).body["data"] == [made]


async def test_a_client_that_does_not_exist_is_refused(api: Api) -> None:
    status, answer = await api.post("/suppressions", {"instagramUsername": "jane", "clientId": ClientId.new()})
    assert (status, answer["error"]["code"]) == (404, "client_not_found")


async def test_a_suppression_ends_when_it_expires(database: Database, test_caller: Caller) -> None:
    ends = test_caller.now + timedelta(hours=1)
    await make.suppression(database, test_caller, "jane", expires_at=ends)
    assert await is_suppressed(database, test_caller, "jane")
    contact_id = await contact_of(database, test_caller, "jane")
    async with database.connection() as conn:
        for now, expected in ((ends, set()), (ends - timedelta(milliseconds=1), {contact_id.uuid})):
            assert expected == await queries.suppressed_among(conn, test_caller.workspace_id, [contact_id], None, now)
        listed = await queries.page(
            conn, test_caller.workspace_id, client_id=None, contact_id=None, now=ends, before=None, limit=10
        )
    assert listed == []


async def test_expiry_follows_the_test_workspaces_own_clock(
    test_api: Api, database: Database, test_caller: Caller
) -> None:
    await make.suppression(database, test_caller, "jane", expires_at=test_caller.now + timedelta(days=3))
    assert len((await test_api.get("/suppressions")).body["data"]) == 1
    now = test_caller.now
    async with database.transaction() as conn:
        later = Clock(real_at=now, at=now + timedelta(days=4), speed=1)
        await account_queries.set_clock(conn, test_caller.workspace_id, later)
        fresh = await accounts.create_key(conn, test_caller, accounts.NewKey(name="Later"))
    assert (await test_api.with_key(fresh.key).get("/suppressions")).body["data"] == []


async def test_many_are_suppressed_and_bad_names_are_reported_in_order(api: Api) -> None:
    names = ["@Jane", "jаne", "jane", "https://instagram.com/tom/"]
    status, answer = await api.post("/suppressions", {"suppressions": [{"instagramUsername": name} for name in names]})
    assert status == 201
    assert (answer["accepted"], answer["rejected"]) == (3, 1)
    assert [(each["index"], each["status"]) for each in answer["results"]] == [
        (0, "accepted"), (1, "rejected"), (2, "accepted"), (3, "accepted"),
    ]  # fmt: skip
    assert answer["results"][0]["id"] == answer["results"][2]["id"]
    assert answer["results"][1]["error"]["code"] == "invalid_field"
    listed = (await api.get("/suppressions")).body["data"]
    assert sorted(each["instagramUsername"] for each in listed) == ["jane", "tom"]


async def test_where_no_row_can_be_used_the_first_reason_is_the_answer(api: Api) -> None:
    status, answer = await api.post(
        "/suppressions", {"suppressions": [{"instagramUsername": "a b"}, {"instagramUsername": ""}]}
    )
    assert (status, answer["error"]["code"]) == (400, "invalid_field")
    assert (answer["accepted"], answer["rejected"], len(answer["results"])) == (0, 2, 2)


async def test_ten_thousand_are_taken_and_one_more_is_refused(api: Api) -> None:
    people = [{"instagramUsername": f"creator.number_{n:05}", "reason": "bought list " * 8} for n in range(10_001)]
    status, answer = await api.post("/suppressions", {"suppressions": people})
    assert (status, answer["error"]["param"]) == (400, "suppressions")
    status, answer = await api.post("/suppressions", {"suppressions": people[:-1]})
    assert (status, answer["accepted"]) == (201, 10_000)


async def test_lifting_ends_the_suppression(api: Api, database: Database, caller: Caller) -> None:
    made = (await api.post("/suppressions", {"instagramUsername": "jane"})).body
    status, lifted = await api.delete("/suppressions/@Jane")
    assert (status, lifted) == (200, made)
    assert not await is_suppressed(database, caller, "jane")
    for username in ("jane", "nobody"):
        status, answer = await api.delete(f"/suppressions/{username}")
        assert (status, answer["error"]["code"]) == (404, "not_found")
    assert (await api.get("/audit-log")).body["data"][0]["action"] == "suppression.lifted"


async def test_lifting_says_when_the_suppression_is_another_clients(
    api: Api, database: Database, caller: Caller
) -> None:
    acme = await make.client(database, caller)
    await make.suppression(database, caller, "jane", client_id=acme.id)
    status, answer = await api.delete("/suppressions/jane")
    assert (status, answer["error"]["param"]) == (404, "clientId")
    assert str(acme.id) in answer["error"]["message"]
    assert (await api.delete("/suppressions/jane", clientId=acme.id)).status == 200


async def test_a_key_of_one_client_sees_and_suppresses_only_for_it(
    api: Api, database: Database, caller: Caller
) -> None:
    acme, other = await make.client(database, caller, "Acme"), await make.client(database, caller, "Other")
    await make.suppression(database, caller, "tom")
    await make.suppression(database, caller, "ann", client_id=other.id)
    bound = await bound_api(database, api, caller, acme.id)

    assert (await bound.get("/suppressions")).body["data"] == []
    assert (await bound.get("/suppressions", clientId=other.id)).status == 404
    refused = await bound.post("/suppressions", {"instagramUsername": "jane", "clientId": other.id})
    assert (refused.status, refused.body["error"]["code"]) == (403, "insufficient_scope")
    made = (await bound.post("/suppressions", {"instagramUsername": "jane"})).body
    assert made["clientId"] == str(acme.id)
    status, answer = await bound.delete("/suppressions/tom")
    assert (status, answer["error"]["message"]) == (404, "This person is not suppressed.")
    assert (await bound.delete("/suppressions/ann", clientId=other.id)).status == 403


async def test_workspaces_do_not_see_each_other(api: Api, test_api: Api) -> None:
    await api.post("/suppressions", {"instagramUsername": "jane"})
    assert (await test_api.get("/suppressions")).body["data"] == []
    assert (await test_api.delete("/suppressions/jane")).status == 404


async def test_the_list_is_paged_and_filtered(api: Api) -> None:
    names = [f"creator{n}" for n in range(7)]
    for name in names:
        await api.post("/suppressions", {"instagramUsername": name})
    seen: list[str] = []
    cursor = None
    while True:
        body = (await api.get("/suppressions", limit=3, cursor=cursor)).body
        seen += [each["instagramUsername"] for each in body["data"]]
        if not (cursor := body["nextCursor"]):
            break
    assert sorted(seen) == names
    found = (await api.get("/suppressions", instagramUsername="@Creator3")).body["data"]
    assert [each["instagramUsername"] for each in found] == ["creator3"]
    assert (await api.get("/suppressions", instagramUsername="nobody")).body["data"] == []
    assert (await api.get("/suppressions", instagramUsernam="x")).status == 400
    assert (await api.get("/suppressions", format="xml")).status == 400


async def test_a_repeated_request_is_replayed_byte_for_byte(api: Api) -> None:
    body = {"suppressions": [{"instagramUsername": "jane"}]}
    first = await api.post("/suppressions", body, idempotency_key="k")
    again = await api.post("/suppressions", body, idempotency_key="k")
    assert (first.status, first.raw) == (again.status, again.raw)
    assert again.headers["Idempotency-Replayed"] == "true"


async def test_a_list_does_not_weaken_what_the_person_asked_for(api: Api, database: Database, caller: Caller) -> None:
    await make.suppression(database, caller, "jane")
    contact_id = await contact_of(database, caller, "jane")
    async with database.transaction() as conn:
        await queries.lock(conn, caller.workspace_id, [contact_id])
        is_new = await actions.suppress_contact(
            conn,
            workspace_id=caller.workspace_id,
            contact_id=contact_id,
            reason="stop",
            source="opt_out",
            now=caller.now,
        )
    assert not is_new
    made = (await api.post("/suppressions", {"instagramUsername": "jane", "expiresAt": "2199-01-01T00:00:00Z"})).body
    assert (made["source"], made["reason"], made["expiresAt"]) == ("opt_out", "stop", None)


async def test_the_suppression_of_an_erased_person_stays(api: Api, database: Database, caller: Caller) -> None:
    await make.suppression(database, caller, "jane")
    contact_id = await contact_of(database, caller, "jane")
    async with database.transaction() as conn:
        await actions.suppress_contact(
            conn, workspace_id=caller.workspace_id, contact_id=contact_id, reason="", source="erasure", now=caller.now
        )
        await conn.execute("UPDATE contacts SET username = NULL, erased_at = now() WHERE id = $1", contact_id)
    status, answer = await api.delete("/suppressions/jane")
    assert (status, answer["error"]["code"]) == (409, "conflict")
    again = (await api.post("/suppressions", {"instagramUsername": "jane"})).body
    assert (again["instagramUsername"], again["source"]) == (None, "erasure")


async def test_a_merged_person_is_suppressed_under_both_names(database: Database, caller: Caller) -> None:
    await make.suppression(database, caller, "kept")
    kept = await contact_of(database, caller, "kept")
    async with database.transaction() as conn:
        await queries.upsert_many(
            conn, caller.workspace_id, ids=[uuid7()], hashes=[handle_hash(PEPPER, "old")], usernames=["old"],
            now=caller.now,
        )  # fmt: skip
        old = await queries.by_username(conn, caller.workspace_id, "old", pepper=PEPPER)
        assert old is not None
        await conn.execute("UPDATE contacts SET merged_into = $1 WHERE id = $2", kept, old.id)
    many = [actions.WantedSuppression(instagram_username=name) for name in ("old", "kept")]
    async with database.transaction() as conn:
        done = await actions.suppress_many(conn, caller, many, pepper=PEPPER)
    assert done.accepted[0] == done.accepted[1]
    assert await contact_of(database, caller, "old") == kept
