"""Clients: the brands of a workspace, their own names for them, and their end."""

import asyncio
from typing import Any

import pytest

from iglayers.accounts.model import Caller, Scope
from iglayers.core.db import Database
from iglayers.senders.model import Sender
from tests import make
from tests.accounts.keys import make_key
from tests.campaigns.stage import campaign_in
from tests.senders.orders import a_sender
from tests.serving import Api

WHOLE: dict[str, Any] = {
    "name": "Acme Brand", "externalId": "acme_001", "metadata": {"tier": 1}, "hourlyLimit": 5, "dailyLimit": 50,
}  # fmt: skip


@pytest.fixture
async def sender(database: Database, caller: Caller) -> Sender:
    return await a_sender(database, caller)


async def test_a_client_is_created_whole(api: Api) -> None:
    answer = await api.post("/clients", WHOLE)
    assert answer.status == 201
    assert {name: answer.body[name] for name in WHOLE} == WHOLE
    assert answer.body["archivedAt"] is None
    assert (await api.get(f"/clients/{answer.body['id']}")).body == answer.body
    assert (await api.get("/clients", externalId="acme_001")).body["data"] == [answer.body]
    assert (await api.get("/clients", externalId="ACME_001")).body["data"] == []


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"name": ""}, "name"),
        ({"name": "\u200b\u00a0"}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"externalId": "x" * 201}, "externalId"),
        ({"hourlyLimit": 0}, "hourlyLimit"),
        ({"dailyLimit": 100_001}, "dailyLimit"),
        ({"metadata": {"a": "x" * 4_090}}, "metadata"),
    ],
)
async def test_a_field_out_of_bounds_is_refused(api: Api, change: dict[str, Any], param: str) -> None:
    for answer in (
        await api.post("/clients", WHOLE | change),
        await api.patch(f"/clients/{(await api.post('/clients', {'name': 'Acme'})).body['id']}", change),
    ):
        assert (answer.status, answer.body["error"]["param"]) == (400, param)


@pytest.mark.parametrize(
    "name", ["x" * 200, "Acmé", "\U0001f468\u200d\U0001f469\u200d\U0001f467 Family", "=1+1", "<b>"]
)
async def test_a_name_is_kept_as_it_is_written(api: Api, name: str) -> None:
    assert (await api.post("/clients", {"name": f"  {name}\u202e "})).body["name"] == name


async def test_a_taken_external_id_names_who_has_it(api: Api, database: Database) -> None:
    first = (await api.post("/clients", WHOLE)).body["id"]
    second = (await api.post("/clients", {"name": "Other"})).body["id"]
    for _ in ("in use", "archived"):
        for answer in (
            await api.post("/clients", WHOLE | {"name": "Twice"}),
            await api.patch(f"/clients/{second}", {"externalId": "acme_001"}),
        ):
            assert (answer.status, answer.body["error"]["code"]) == (409, "conflict")
            assert answer.body["error"]["param"] == "externalId"
            assert answer.body["existingId"] == first
        assert (await api.delete(f"/clients/{first}")).status == 200
    assert (await api.get(f"/clients/{second}")).body["externalId"] is None


async def test_an_external_id_may_be_kept_and_given_back(api: Api) -> None:
    first = (await api.post("/clients", WHOLE)).body["id"]
    assert (await api.patch(f"/clients/{first}", {"externalId": "acme_001"})).status == 200
    assert (await api.patch(f"/clients/{first}", {"externalId": None})).body["externalId"] is None
    assert (await api.post("/clients", WHOLE)).status == 201


async def test_of_twenty_at_once_with_one_external_id_one_is_made(api: Api) -> None:
    answers = await asyncio.gather(*(api.post("/clients", WHOLE) for _ in range(20)))
    assert sorted(each.status for each in answers) == [201] + [409] * 19
    [made] = [each.body["id"] for each in answers if each.status == 201]
    assert {each.body["existingId"] for each in answers if each.status == 409} == {made}


async def test_two_that_want_one_external_id_at_once_do_not_both_get_it(api: Api) -> None:
    ids = [(await api.post("/clients", {"name": "Acme"})).body["id"] for _ in range(8)]
    answers = await asyncio.gather(*(api.patch(f"/clients/{each}", {"externalId": "acme_001"}) for each in ids))
    assert sorted(each.status for each in answers) == [200] + [409] * 7


async def test_a_change_touches_what_it_names(api: Api) -> None:
    before = (await api.post("/clients", WHOLE)).body
    for field, value in {"name": "New", "metadata": {}, "hourlyLimit": None, "dailyLimit": 7}.items():
        after = (await api.patch(f"/clients/{before['id']}", {field: value})).body
        assert after == before | {field: value, "updatedAt": after["updatedAt"]}
        before = after
    assert (await api.patch(f"/clients/{before['id']}", {})).status == 200


async def test_new_limits_plan_running_campaigns_anew(api: Api, database: Database) -> None:
    client = (await api.post("/clients", {"name": "Acme"})).body["id"]
    await api.patch(f"/clients/{client}", {"name": "New"})
    async with database.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM wakeups") == 0
        await api.patch(f"/clients/{client}", {"dailyLimit": 5})
        assert await conn.fetchval("SELECT count(*) FROM wakeups") == 1


async def test_an_archived_client_is_out_of_lists_and_stays_readable(api: Api) -> None:
    client = (await api.post("/clients", WHOLE)).body["id"]
    archived = await api.delete(f"/clients/{client}")
    assert (archived.status, archived.body["archivedAt"] is not None) == (200, True)
    assert (await api.get("/clients")).body["data"] == []
    assert (await api.get(f"/clients/{client}")).body == archived.body
    refused = await api.patch(f"/clients/{client}", {"name": "New"})
    assert (refused.status, refused.body["error"]["code"]) == (409, "invalid_state")
    assert (await api.delete(f"/clients/{client}")).body == archived.body


@pytest.mark.parametrize(
    ("state", "status"), [("draft", 200), ("running", 409), ("paused", 200), ("completed", 200), ("cancelled", 200)]
)
async def test_a_client_is_not_archived_while_a_campaign_runs(
    api: Api, database: Database, caller: Caller, sender: Sender, state: str, status: int
) -> None:
    campaign = await campaign_in(api, database, caller, state)
    answer = await api.delete(f"/clients/{campaign.client_id}")
    assert answer.status == status, answer
    if status == 409:
        assert answer.body["error"]["code"] == "conflict"
        assert str(campaign.id) in answer.body["error"]["message"]


@pytest.mark.parametrize("state", ["draft", "paused"])
async def test_a_campaign_of_an_archived_client_does_not_run(
    api: Api, database: Database, caller: Caller, sender: Sender, state: str
) -> None:
    campaign = await campaign_in(api, database, caller, state)
    assert (await api.delete(f"/clients/{campaign.client_id}")).status == 200
    verb = "start" if state == "draft" else "resume"
    answer = await api.post(f"/campaigns/{campaign.id}/{verb}")
    assert (answer.status, answer.body["error"]["code"]) == (409, "invalid_state")


async def test_a_key_of_one_client_makes_no_others(api: Api, database: Database, caller: Caller) -> None:
    client = await make.client(database, caller)
    bound = await make_key(database, caller, scopes=[Scope.READ, Scope.WRITE], client_id=client.id)
    answer = await api.with_key(bound.key).post("/clients", {"name": "Mine"})
    assert (answer.status, answer.body["error"]["code"]) == (403, "insufficient_scope")
    assert (await api.with_key(bound.key).patch(f"/clients/{client.id}", {"name": "New"})).status == 200


async def test_archiving_and_starting_at_once_do_not_both_succeed(
    api: Api, database: Database, caller: Caller, sender: Sender
) -> None:
    for _ in range(5):
        campaign = await campaign_in(api, database, caller, "draft")
        start, archive = await asyncio.gather(
            api.post(f"/campaigns/{campaign.id}/start"), api.delete(f"/clients/{campaign.client_id}")
        )
        assert sorted((start.status, archive.status)) == [200, 409]
