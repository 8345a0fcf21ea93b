"""Message templates over the API: saved, changed, put away, and shown as a person would get them."""

import pytest

from iglayers.accounts import actions as accounts
from iglayers.accounts.model import Caller, Scope
from iglayers.contacts import queries as contacts
from iglayers.contacts.usernames import handle_hash
from iglayers.core.db import Database
from iglayers.core.ids import CampaignId, ClientId, TargetId, TemplateId, uuid7
from tests import make
from tests.databases import PEPPER
from tests.serving import Api


async def campaign_using(  # a draft, running or paused campaign; the campaigns slice is above this one
    database: Database, caller: Caller, template_id: TemplateId, *, state: str = "draft", frozen: str | None = None
) -> tuple[CampaignId, ClientId]:
    client = await make.client(database, caller)
    campaign_id = CampaignId.new()
    async with database.transaction() as conn:
        await conn.execute("""
            INSERT INTO campaigns (id, workspace_id, client_id, name, state, due_at, created_at, updated_at)
            VALUES ($1, $2, $3, 'May', $4, CASE WHEN $4 = 'running' THEN now() END, now(), now())
        """, campaign_id, caller.workspace_id, client.id, state)  # fmt: skip
        await conn.execute("""
            INSERT INTO campaign_steps (campaign_id, step, workspace_id, template_id, body)
            VALUES ($1, 0, $2, $3, $4)
        """, campaign_id, caller.workspace_id, template_id, frozen)  # fmt: skip
    return campaign_id, client.id


async def target_of(database: Database, caller: Caller, campaign_id: CampaignId) -> TargetId:
    target_id = TargetId.new()
    async with database.transaction() as conn:
        found = await contacts.upsert_many(
            conn, caller.workspace_id, ids=[uuid7()], hashes=[handle_hash(PEPPER, "jane")], usernames=["jane"],
            now=caller.now,
        )  # fmt: skip
        await conn.execute("""
            INSERT INTO targets (id, workspace_id, campaign_id, contact_id, first_name, follower_count, variables,
                                 next_due_at, created_at, updated_at)
            VALUES ($1, $2, $3, $4, 'Jane', 24000, '{"city": "Rome"}', now(), now(), now())
        """, target_id, caller.workspace_id, campaign_id, found[0].id)  # fmt: skip
    return target_id


async def test_the_published_example_is_saved(api: Api) -> None:
    body = {"name": "Creator Intro", "body": "Hi {{firstName}}, love your {{category}} content! Open to a collab?"}
    status, made = await api.post("/message-templates", body)
    assert status == 201
    assert made["id"].startswith("tpl_")
    assert {name: made[name] for name in body} == body
    assert made["variables"] == ["firstName", "category"]
    assert (await api.get(f"/message-templates/{made['id']}")).body == made
    assert (await api.get("/message-templates")).body["data"] == [made]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"name": "x", "body": "Hi {{firstName"}, "body"),
        ({"name": "x", "body": "  "}, "body"),
        ({"name": "x", "body": "a" * 10_001}, "body"),
        ({"name": " ", "body": "Hi"}, "name"),
        ({"body": "Hi"}, "name"),
        ({"name": "x", "body": "Hi", "text": "Hi"}, "text"),
    ],
)
async def test_what_cannot_be_saved_is_refused(api: Api, body: object, param: str) -> None:
    status, answer = await api.post("/message-templates", body)
    assert (status, answer["error"]["param"]) == (400, param)


async def test_a_long_text_is_saved_without_complaint(api: Api) -> None:
    status, made = await api.post("/message-templates", {"name": "x", "body": "é" * 10_000})
    assert status == 201
    preview = (await api.post(f"/message-templates/{made['id']}/preview")).body
    assert (preview["bytes"], preview["characters"], preview["tooLong"]) == (20_000, 10_000, True)


async def test_a_change_names_the_campaigns_that_go_on_with_the_old_text(
    api: Api, database: Database, caller: Caller
) -> None:
    made = await make.template(database, caller, "Hi")
    running, _ = await campaign_using(database, caller, made.id, state="running", frozen="Hi")
    await campaign_using(database, caller, made.id, state="draft")
    await campaign_using(database, caller, made.id, state="completed", frozen="Hi")

    status, changed = await api.patch(f"/message-templates/{made.id}", {"body": "Hello {{firstName|you}}"})
    assert status == 200
    assert (changed["name"], changed["variables"]) == (made.name, ["firstName"])
    assert changed["usedBy"] == [str(running)]
    assert (await api.patch(f"/message-templates/{made.id}", {"name": "New", "body": "Hi"})).body["usedBy"] == []
    assert (await api.get("/audit-log")).body["data"][0]["action"] == "message_template.changed"


async def test_a_template_in_use_cannot_be_put_away(api: Api, database: Database, caller: Caller) -> None:
    made = await make.template(database, caller)
    path = f"/message-templates/{made.id}"
    campaign_id, _ = await campaign_using(database, caller, made.id, state="paused")
    status, answer = await api.delete(path)
    assert (status, answer["error"]["code"]) == (409, "conflict")
    assert answer["campaignIds"] == [str(campaign_id)]
    async with database.connection() as conn:
        await conn.execute("UPDATE campaigns SET state = 'completed' WHERE id = $1", campaign_id)
    status, archived = await api.delete(path)
    assert status == 200
    assert archived["archivedAt"] is not None
    assert (await api.delete(path)).body == archived
    assert (await api.get("/message-templates")).body["data"] == []
    assert (await api.get(path)).body == archived
    assert (await api.patch(path, {"name": "x"})).body["error"]["code"] == "invalid_state"


async def test_a_preview_shows_what_a_sample_person_gets(api: Api, database: Database, caller: Caller) -> None:
    made = await make.template(database, caller, "Hi {{firstName|there}}, {{followerCount}} in {{city}} 👋")
    path = f"/message-templates/{made.id}/preview"
    assert (await api.post(path, {"sample": {"followerCount": 24_000, "city": "Rome"}})).body == {
        "text": "Hi there, 24000 in Rome 👋", "bytes": 28, "characters": 25, "tooLong": False, "missing": [],
    }  # fmt: skip
    empty = (await api.post(path, {"sample": {"city": ""}})).body
    assert empty["missing"] == ["followerCount", "city"]
    assert empty["text"] == "Hi there, {{followerCount}} in {{city}} 👋"


async def test_a_preview_shows_what_a_target_gets(api: Api, test_api: Api, database: Database, caller: Caller) -> None:
    text = "{{firstName}} @{{instagramUsername}} {{followerCount}} {{city}} {{clientName}} {{senderUsername}}"
    made = await make.template(database, caller, text)
    campaign_id, client_id = await campaign_using(database, caller, made.id)
    target_id = await target_of(database, caller, campaign_id)
    path = f"/message-templates/{made.id}/preview"

    shown = (await api.post(path, {"targetId": target_id})).body
    assert shown["text"] == "Jane @jane 24000 Rome Acme {{senderUsername}}"
    assert shown["missing"] == ["senderUsername"]
    with_sender = await api.post(path, {"targetId": target_id, "sample": {"senderUsername": "acme"}})
    assert with_sender.body["text"] == "Jane @jane 24000 Rome Acme acme"

    refused = await api.post(path, {"targetId": TargetId.new()})
    assert (refused.status, refused.body["error"]["code"], refused.body["error"]["param"]) == (
        404, "target_not_found", "targetId",
    )  # fmt: skip
    refused = await api.post(path, {"sample": {"city": "a\x00b"}})
    assert (refused.status, refused.body["error"]["param"]) == (400, "sample.city")
    assert (await test_api.post(path, {"targetId": target_id})).body["error"]["code"] == "template_not_found"
    for bound_to, status in ((client_id, 200), ((await make.client(database, caller)).id, 404)):
        new = accounts.NewKey(name="Bound", scopes=list(Scope)[:2], client_id=bound_to)
        async with database.transaction() as conn:
            key = (await accounts.create_key(conn, caller, new)).key
        assert (await api.with_key(key).post(path, {"targetId": target_id})).status == status


async def test_a_key_of_one_client_uses_templates_and_does_not_change_them(
    api: Api, database: Database, caller: Caller
) -> None:
    made = await make.template(database, caller)
    acme = await make.client(database, caller)
    new = accounts.NewKey(name="Bound", scopes=[Scope.READ, Scope.WRITE], client_id=acme.id)
    async with database.transaction() as conn:
        bound = api.with_key((await accounts.create_key(conn, caller, new)).key)
    path = f"/message-templates/{made.id}"
    assert (await bound.get(path)).status == 200
    assert (await bound.post("/message-templates", {"name": "Own", "body": "Hi"})).status == 201
    assert (await bound.patch(path, {"name": "x"})).body["error"]["code"] == "insufficient_scope"
    assert (await bound.delete(path)).body["error"]["code"] == "insufficient_scope"


async def test_an_unknown_template_is_not_found(api: Api, test_api: Api, database: Database, caller: Caller) -> None:
    made = await make.template(database, caller)
    for caller_api, named in ((api, TemplateId.new()), (api, "nonsense"), (test_api, made.id)):
        for answer in (
            await caller_api.get(f"/message-templates/{named}"),
            await caller_api.patch(f"/message-templates/{named}", {"name": "x"}),
            await caller_api.delete(f"/message-templates/{named}"),
            await caller_api.post(f"/message-templates/{named}/preview"),
        ):
            assert (answer.status, answer.body["error"]["code"]) == (404, "template_not_found")


async def test_the_list_is_paged(api: Api, database: Database, caller: Caller) -> None:
    made = [await make.template(database, caller, name=f"T{n}") for n in range(5)]
    first = (await api.get("/message-templates", limit=3)).body
    second = (await api.get("/message-templates", limit=3, cursor=first["nextCursor"])).body
    listed = [each["id"] for each in first["data"] + second["data"]]
    assert listed == sorted((str(each.id) for each in made), reverse=True)
    assert not second["hasMore"]
