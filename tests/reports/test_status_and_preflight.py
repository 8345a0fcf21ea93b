"""Why a campaign does or does not send, in words, and what stands in its way before the start."""

from datetime import timedelta
from typing import Any

import pytest

from iglayers.accounts import queries as account_queries
from iglayers.accounts.model import Caller
from iglayers.core.db import Database
from tests import make
from tests.reports.stepping import Stepping
from tests.senders.orders import a_sender
from tests.serving import Api
from tests.targets.uploads import campaign, people, upload


async def status(api: Api, of: Any) -> dict[str, Any]:
    answer = await api.get(f"/campaigns/{of.id}/status")
    assert answer.status == 200
    return answer.body


async def preflight(api: Api, of: Any) -> dict[str, Any]:
    answer = await api.post(f"/campaigns/{of.id}/preflight")
    assert answer.status == 200
    return answer.body


def codes(found: list[dict[str, Any]]) -> dict[str, int | None]:
    return {each["code"]: each["targets"] for each in found}


async def test_a_draft_says_what_stands_in_its_way(test_api: Api, database: Database, test_caller: Caller) -> None:
    spring = await campaign(database, test_caller)
    told = await preflight(test_api, spring)
    assert (told["ok"], list(codes(told["blockers"]))) == (False, ["invalid_state", "sender_not_available"])
    assert all(each["remedy"] for each in told["blockers"])
    assert (await status(test_api, spring))["code"] == "draft"


async def test_what_will_be_skipped_is_counted_before(test_api: Api, database: Database, test_caller: Caller) -> None:
    await a_sender(database, test_caller)
    template = await make.template(database, test_caller, body="Hi {{firstName}}, {{note|}}")
    spring = await campaign(database, test_caller, follow_ups=[])
    await test_api.patch(f"/campaigns/{spring.id}", {"messageTemplateId": str(template.id)})
    fields: list[dict[str, Any]] = [{"firstName": "Ana"} for _ in range(5)]
    fields[1] = {}
    fields[2]["variables"] = {"note": "é" * 500}
    uploaded = await upload(
        test_api, spring, [{"instagramUsername": f"person{n}", **each} for n, each in enumerate(fields)]
    )
    assert uploaded.body["accepted"] == 5
    await make.suppression(database, test_caller, "person3")
    told = await preflight(test_api, spring)
    assert told["ok"]
    assert codes(told["warnings"]) == {"missing_variable": 1, "message_too_long": 1, "target_suppressed": 1}
    await test_api.patch(f"/campaigns/{spring.id}", {"missingVariable": "fail_preflight"})
    assert codes((await preflight(test_api, spring))["blockers"]) == {"preflight_failed": None}


async def test_a_schedule_that_ends_too_soon_is_told(test_api: Api, database: Database, test_caller: Caller) -> None:
    await a_sender(database, test_caller, hourly_limit=2)
    ends = test_caller.now + timedelta(hours=3)
    schedule = {"timezone": "UTC", "endAt": ends.isoformat()}
    spring = await campaign(database, test_caller)
    await test_api.patch(f"/campaigns/{spring.id}", {"schedule": schedule})
    await upload(test_api, spring, people(*(f"person{n}" for n in range(40))))
    told = await preflight(test_api, spring)
    [warning] = told["warnings"]
    assert warning["code"] == "schedule_too_short"
    assert warning["targets"] == told["projection"]["leftOver"] > 30


@pytest.mark.parametrize(
    "limited",
    [
        ({"hourly_limit": 1}, {}, "campaign.hourly", "campaign.hourly"),
        ({"daily_limit": 1}, {}, "campaign.daily", "campaign.daily"),
        ({}, {"hourly_limit": 1}, "sender", "sender.hourly"),
        ({}, {"daily_limit": 1}, "sender", "sender.daily"),
    ],
)
async def test_a_running_campaign_says_which_rule_limits_it_and_until_when(
    limited: tuple[dict[str, Any], dict[str, Any], str, str], test_api: Api, stepping: Stepping
) -> None:
    fields, sender, code, rule = limited
    database, caller = stepping.services.db, stepping.caller
    await a_sender(database, caller, **sender)
    spring = await campaign(database, caller, **fields)
    await upload(test_api, spring, people("a1", "a2", "a3"))
    await test_api.post(f"/campaigns/{spring.id}/start")
    await stepping.look(3)
    told = await status(test_api, spring)
    # One an hour is also spread evenly, up to 72 minutes apart.
    gap = f"{rule.partition('.')[0]}.gap"
    assert told["code"] in {code, gap}, told
    assert told["nextAt"]
    assert told["nextAt"] in told["reason"]
    assert told["limitedBy"] in {rule, gap}
    budgets = {each["rule"]: each for each in told["budgets"] + told["senders"][0]["budgets"]}
    assert (budgets[rule]["limit"], budgets[rule]["used"], budgets[rule]["remaining"]) == (1, 1, 0)
    assert budgets[rule]["freesAt"]
    assert told["counts"]["sent"] == 1
    assert told["projection"]["messages"] == 2


async def test_people_added_to_a_completed_campaign_wait_for_a_person(
    test_api: Api, stepping: Stepping, database: Database, test_caller: Caller
) -> None:
    await a_sender(database, test_caller)
    spring = await campaign(database, test_caller)
    await upload(test_api, spring, people("a1"))
    await test_api.post(f"/campaigns/{spring.id}/start")
    await stepping.run(spring.id)
    told = await status(test_api, spring)
    assert (told["code"], told["remedy"]) == ("completed", None)
    await upload(test_api, spring, people("a2"))
    told = await status(test_api, spring)
    assert (told["code"], told["remedy"]) == ("completed", "POST /campaigns/{id}/resume")
    assert "1 messages were added" in told["reason"]


async def test_what_a_person_must_do_is_said(
    test_api: Api, stepping: Stepping, database: Database, test_caller: Caller
) -> None:
    sender = await a_sender(database, test_caller)
    spring = await campaign(database, test_caller)
    await upload(test_api, spring, people("a1"))
    await test_api.post(f"/campaigns/{spring.id}/start")
    await test_api.post(f"/senders/{sender.id}/pause")
    await stepping.look(1)
    told = await status(test_api, spring)
    assert (told["code"], told["limitedBy"]) == ("sender_not_available", None)
    assert f"{sender.username} is paused" in told["reason"]
    assert told["remedy"]
    async with database.transaction() as conn:
        await account_queries.pause_dispatch(conn, reason="the database was restored")
    told = await status(test_api, spring)
    assert told["code"] == "dispatch_paused"
    assert "the database was restored" in told["reason"]
    async with database.transaction() as conn:
        await account_queries.resume_dispatch(conn)
    for verb, code in (("pause", "paused"), ("cancel", "cancelled")):
        await test_api.post(f"/campaigns/{spring.id}/{verb}")
        assert (await status(test_api, spring))["code"] == code
