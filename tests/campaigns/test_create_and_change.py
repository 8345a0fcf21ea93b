"""Creating, reading and changing campaigns: never a send, and only what may still change."""

from typing import Any

import pytest

from iglayers.accounts.model import Caller
from iglayers.core.db import Database
from iglayers.senders.model import Sender
from tests import make
from tests.campaigns.stage import WAYS, campaign_in, told, written_to_everybody
from tests.serving import Api
from tests.targets.uploads import people, upload

SCHEDULE = {
    "timezone": "Europe/Madrid",
    "windows": [{"days": ["mon", "tue"], "from": "09:00", "to": "17:30"}],
    "startAt": "2027-01-01T08:00:00+01:00",
    "endAt": None,
}


async def test_a_campaign_is_created_whole_and_sends_nothing(
    api: Api, database: Database, caller: Caller, sender: Sender
) -> None:
    client, template = await make.client(database, caller), await make.template(database, caller)
    second = await make.template(database, caller, body="Still there?")
    wanted: dict[str, Any] = {
        "clientId": str(client.id), "name": " Creator  Outreach\u200b ", "messageTemplateId": str(template.id),
        "dailyLimit": 50, "hourlyLimit": 8, "metadata": {"source": "form", "deep": [1, {"a": None}]},
        "senderIds": [str(sender.id)], "routes": ["assisted"], "schedule": SCHEDULE, "missingVariable": "skip",
        "followUps": [{"messageTemplateId": str(second.id), "delayHours": 72}],
    }  # fmt: skip
    answer = await api.post("/campaigns", wanted)
    assert answer.status == 201
    made = answer.body
    shown = wanted | {"name": "Creator  Outreach", "schedule": SCHEDULE | {"startAt": "2027-01-01T07:00:00.000Z"}}
    [follow_up], [wanted_follow_up] = made["followUps"], shown.pop("followUps")
    assert {name: made[name] for name in shown} == shown
    assert {name: follow_up[name] for name in wanted_follow_up} == wanted_follow_up
    assert (made["status"], made["startedAt"], made["blockedReason"], made["nextAt"]) == ("draft", None, None, None)
    assert (await api.get(f"/campaigns/{made['id']}")).body == made
    assert (await api.get("/campaigns")).body["data"] == [made]
    async with database.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM messages") == 0


async def test_what_is_left_out_has_its_default(api: Api, database: Database, caller: Caller) -> None:
    client, template = await make.client(database, caller), await make.template(database, caller)
    made = await api.post("/campaigns", {"clientId": client.id, "name": "May", "messageTemplateId": template.id})
    expected = {
        "dailyLimit": None, "hourlyLimit": None, "metadata": {}, "senderIds": [], "routes": [], "schedule": None,
        "missingVariable": "skip", "followUps": [],
    }  # fmt: skip
    assert {name: made.body[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("change", "status", "param"),
    [
        ({"name": " "}, 400, "name"),
        ({"hourlyLimit": 0}, 400, "hourlyLimit"),
        ({"dailyLimit": 100_001}, 400, "dailyLimit"),
        ({"metadata": {"a": "x" * 4_096}}, 400, "metadata"),
        ({"routes": ["carrier_pigeon"]}, 400, "routes[0]"),
        ({"missingVariable": "guess"}, 400, "missingVariable"),
        ({"schedule": {"timezone": "Mars/Olympus"}}, 400, "schedule.timezone"),
        ({"schedule": {"windows": [{"days": [], "from": "09:00", "to": "17:00"}]}}, 400, "schedule.windows[0].days"),
        ({"schedule": {"windows": [{"days": ["mon"], "from": "9", "to": "17:00"}]}}, 400, "schedule.windows[0].from"),
        ({"schedule": {"windows": [{"days": ["mon"], "from": "17:00", "to": "09:00"}]}}, 400, "schedule.windows[0].to"),
        ({"schedule": {"windows": [{"days": ["funday"], "from": "09:00", "to": "17:00"}]}}, 400,
         "schedule.windows[0].days[0]"),
        ({"followUps": [{"messageTemplateId": "<template>", "delayHours": 0}]}, 400, "followUps[0].delayHours"),
        ({"followUps": [{"messageTemplateId": "<template>", "delayHours": 5}] * 6}, 400, "followUps"),
        ({"senderIds": ["snd_" + "0" * 32]}, 404, "senderIds[0]"),
        ({"messageTemplateId": "tpl_" + "0" * 32}, 404, "messageTemplateId"),
        ({"clientId": "cl_" + "0" * 32}, 404, "clientId"),
    ],
)  # fmt: skip
async def test_what_could_never_work_is_refused_by_its_path(
    api: Api, database: Database, caller: Caller, change: dict[str, Any], status: int, param: str
) -> None:
    client, template = await make.client(database, caller), await make.template(database, caller)
    for follow_up in change.get("followUps", []):
        follow_up["messageTemplateId"] = str(template.id)
    body = {"clientId": str(client.id), "name": "May", "messageTemplateId": str(template.id)} | change
    answer = await api.post("/campaigns", body)
    assert (answer.status, answer.body["error"]["param"]) == (status, param), answer
    assert (await api.get("/campaigns")).body["data"] == []


async def test_an_archived_client_takes_no_campaign(api: Api, database: Database, caller: Caller) -> None:
    client, template = await make.client(database, caller), await make.template(database, caller)
    await api.delete(f"/clients/{client.id}")
    body = {"clientId": client.id, "name": "May", "messageTemplateId": template.id}
    answer = await api.post("/campaigns", body)
    assert (answer.status, answer.body["error"]["code"]) == (409, "invalid_state")


PACED = {"draft", "running", "paused", "completed"}

# Field -> a new value, and the states in which it may change.
CHANGES: dict[str, tuple[Any, set[str]]] = {
    "name": ("June", set(WAYS)),
    "metadata": ({"source": "person"}, set(WAYS)),
    "hourlyLimit": (3, PACED),
    "dailyLimit": (30, PACED),
    "senderIds": ("<sender>", PACED),
    "routes": (["assisted"], PACED),
    "schedule": (SCHEDULE | {"startAt": None}, PACED),
    "missingVariable": ("fail_preflight", PACED),
    "messageTemplateId": ("<template>", {"draft"}),
    "followUps": ([], {"draft"}),
}


@pytest.mark.parametrize("state", WAYS)
async def test_each_state_lets_its_fields_change_and_no_others(
    api: Api, database: Database, caller: Caller, sender: Sender, state: str
) -> None:
    campaign = await campaign_in(api, database, caller, state)
    values = {"<sender>": [str(sender.id)], "<template>": str((await make.template(database, caller)).id)}
    for field, (value, states) in CHANGES.items():
        wanted = values.get(value, value) if isinstance(value, str) else value
        before = (await api.get(f"/campaigns/{campaign.id}")).body
        answer = await api.patch(f"/campaigns/{campaign.id}", {field: wanted})
        after = (await api.get(f"/campaigns/{campaign.id}")).body
        if state in states:
            assert answer.status == 200, (field, answer)
            assert after == answer.body
            assert {name for name in after if after[name] != before[name]} <= {field, "updatedAt", "nextAt"}
            assert after[field] == wanted
        else:
            assert (answer.status, answer.body["error"]["code"]) == (409, "invalid_state"), (field, answer)
            assert answer.body["error"]["param"] == field
            assert after == before


async def test_one_field_too_late_refuses_the_whole_change(
    api: Api, database: Database, caller: Caller, sender: Sender
) -> None:
    campaign = await campaign_in(api, database, caller, "running")
    answer = await api.patch(f"/campaigns/{campaign.id}", {"name": "June", "followUps": []})
    assert (answer.status, answer.body["error"]["param"]) == (409, "followUps")
    assert (await api.get(f"/campaigns/{campaign.id}")).body["name"] == "Spring"


async def test_a_new_limit_plans_a_running_campaign_anew(
    api: Api, database: Database, caller: Caller, sender: Sender
) -> None:
    campaign = await campaign_in(api, database, caller, "running")

    async def is_due() -> bool:
        async with database.connection() as conn:
            return await conn.fetchval("SELECT due_at <= clock_timestamp() FROM campaigns")

    async with database.connection() as conn:
        await conn.execute("UPDATE campaigns SET due_at = now() + interval '1 day'")
    assert not await is_due()
    await api.patch(f"/campaigns/{campaign.id}", {"dailyLimit": 500})
    assert await is_due()


async def test_a_limit_can_be_taken_away(api: Api, database: Database, caller: Caller) -> None:
    campaign = await campaign_in(api, database, caller, "draft")
    await api.patch(f"/campaigns/{campaign.id}", {"dailyLimit": 5})
    assert (await api.patch(f"/campaigns/{campaign.id}", {"dailyLimit": None})).body["dailyLimit"] is None


async def test_a_sender_that_was_deleted_keeps_nothing_else_from_changing(
    api: Api, database: Database, caller: Caller, sender: Sender
) -> None:
    campaign = await campaign_in(api, database, caller, "draft")
    await api.patch(f"/campaigns/{campaign.id}", {"senderIds": [str(sender.id)]})
    assert (await api.delete(f"/senders/{sender.id}")).status == 200
    assert (await api.patch(f"/campaigns/{campaign.id}", {"name": "June"})).status == 200
    refused = await api.patch(f"/campaigns/{campaign.id}", {"senderIds": [str(sender.id)]})
    assert (refused.status, refused.body["error"]["code"]) == (404, "sender_not_found")


async def test_a_change_is_audited_with_what_was_before(api: Api, database: Database, caller: Caller) -> None:
    campaign = await campaign_in(api, database, caller, "draft")
    await api.patch(f"/campaigns/{campaign.id}", {"dailyLimit": 5})
    [entry, *_] = (await api.get("/audit-log")).body["data"]
    assert (entry["action"], entry["objectId"]) == ("campaign.changed", str(campaign.id))
    assert (entry["before"]["dailyLimit"], entry["after"]["dailyLimit"]) == (None, 5)


# --- the text is frozen at start ----------------------------------------------------------------------


async def texts(database: Database) -> list[str | None]:
    async with database.connection() as conn:
        found = await conn.fetch("SELECT body FROM campaign_steps ORDER BY campaign_id, step")
    return [each["body"] for each in found]


async def test_the_text_is_frozen_at_the_start(api: Api, database: Database, caller: Caller, sender: Sender) -> None:
    campaign = await campaign_in(api, database, caller, "draft")
    template = f"/message-templates/{campaign.message_template_id}"
    await api.patch(template, {"body": "Hello {{firstName|there}}"})
    assert await texts(database) == [None]
    await api.post(f"/campaigns/{campaign.id}/start")
    assert await texts(database) == ["Hello {{firstName|there}}"]
    changed = await api.patch(template, {"body": "Goodbye {{firstName|there}}"})
    assert [each["id"] if isinstance(each, dict) else each for each in changed.body["usedBy"]] == [str(campaign.id)]
    for verb in ("pause", "resume"):
        await api.post(f"/campaigns/{campaign.id}/{verb}")
    assert await texts(database) == ["Hello {{firstName|there}}"]


async def test_a_text_that_is_still_to_be_sent_is_not_archived(
    api: Api, database: Database, caller: Caller, sender: Sender
) -> None:
    campaign = await campaign_in(api, database, caller, "running")
    answer = await api.delete(f"/message-templates/{campaign.message_template_id}")
    assert (answer.status, answer.body["error"]["code"]) == (409, "conflict")
    await api.post(f"/campaigns/{campaign.id}/cancel")
    assert (await api.delete(f"/message-templates/{campaign.message_template_id}")).status == 200


# --- lists --------------------------------------------------------------------------------------------


async def test_lists_are_filtered_by_state_and_client(
    api: Api, database: Database, caller: Caller, sender: Sender
) -> None:
    made = {state: await campaign_in(api, database, caller, state) for state in WAYS}
    await written_to_everybody(database, made["completed"])
    for state, campaign in made.items():
        assert [each["id"] for each in (await api.get("/campaigns", status=state)).body["data"]] == [str(campaign.id)]
        found = (await api.get("/campaigns", clientId=str(campaign.client_id))).body["data"]
        assert [each["id"] for each in found] == [str(campaign.id)]
    newest_first = [str(each.id) for each in reversed(made.values())]
    assert [each["id"] for each in (await api.get("/campaigns")).body["data"]] == newest_first


async def test_trying_an_upload_stores_nothing_and_tells_nothing(
    api: Api, database: Database, caller: Caller, sender: Sender
) -> None:
    campaign = await campaign_in(api, database, caller, "running")
    before = await told(api, campaign), (await api.get("/events")).body
    tried = await upload(api, campaign, people("some.body", "jane.doe"), dryRun="true")
    assert (tried.body["accepted"], tried.body["rejected"]) == (1, 1)
    assert (await told(api, campaign), (await api.get("/events")).body) == before
    real = await upload(api, campaign, people("some.body"))
    assert real.body["accepted"] == 1
