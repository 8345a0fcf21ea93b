"""A campaign and a month in numbers: they add up, and say why somebody was left out."""

from typing import Any

from iglayers.accounts.model import Caller, Scope
from iglayers.core.db import Database
from tests import make
from tests.accounts.keys import make_key
from tests.reports.stepping import Stepping
from tests.senders.orders import a_sender
from tests.serving import Api
from tests.targets.uploads import campaign, people, upload

PEOPLE = ["anna", "ben", "sandbox.notfound", "sandbox.private", "sandbox.error", "sandbox.noroute", "cleo"]


async def ran(api: Api, database: Database, caller: Caller, stepping: Stepping, **fields: Any) -> str:
    """A campaign whose people all have an end."""
    await a_sender(database, caller, hourly_limit=1_000, daily_limit=1_000)
    spring = await campaign(database, caller, **fields)
    assert (await upload(api, spring, people(*PEOPLE))).body["accepted"] == len(PEOPLE)
    await api.post(f"/campaigns/{spring.id}/start")
    await stepping.run(spring.id)
    return str(spring.id)


async def test_the_numbers_of_a_campaign_add_up(
    test_api: Api, database: Database, test_caller: Caller, stepping: Stepping
) -> None:
    of = await ran(test_api, database, test_caller, stepping)
    told = (await test_api.get(f"/campaigns/{of}/stats", by="hour")).body
    funnel = told["funnel"]
    assert funnel.pop("targets") == len(PEOPLE)
    assert funnel.pop("optedOut") == 0
    assert sum(funnel.values()) == len(PEOPLE)
    assert (funnel["sent"], funnel["failed"], funnel["skipped"], funnel["unknown"]) == (3, 2, 1, 1)
    assert told["failedBy"] == {"recipient_not_found": 1, "recipient_unavailable": 1}
    assert told["skippedBy"] == {"no_permitted_route": 1}
    for part in (told["series"], told["senders"], told["steps"]):
        assert [sum(each[name] for each in part) for name in ("sent", "failed", "unknown")] == [3, 2, 1]
    assert told["timezone"] == "UTC"
    assert (await test_api.get(f"/campaigns/{of}/stats", by="week")).body["error"]["param"] == "by"


async def test_a_month_counts_what_may_have_arrived(
    test_api: Api, database: Database, test_caller: Caller, stepping: Stepping
) -> None:
    other = await make.client(database, test_caller, name="Other")
    await test_api.patch("/workspace", {"monthlyLimit": 10})
    await ran(test_api, database, test_caller, stepping)
    told = (await test_api.get("/usage")).body
    assert (told["sent"], told["limit"], told["remaining"]) == (4, 10, 6)
    assert [each["sent"] for each in told["clients"]] == [each["sent"] for each in told["senders"]] == [4]
    assert told["projected"] >= 4
    bound = await make_key(database, test_caller, client_id=other.id, scopes=[Scope.READ])
    told = (await test_api.with_key(bound.key).get("/usage")).body
    assert (told["sent"], told["limit"], told["clients"]) == (0, None, [])


async def test_a_month_that_is_nearly_used_up_is_told_once_and_when_it_is(
    test_api: Api, database: Database, test_caller: Caller, stepping: Stepping
) -> None:
    await test_api.patch("/workspace", {"monthlyLimit": 5})
    await a_sender(database, test_caller, hourly_limit=1_000, daily_limit=1_000)
    spring = await campaign(database, test_caller)
    await upload(test_api, spring, people(*(f"sandbox.silent.{n}" for n in range(7))))
    await test_api.post(f"/campaigns/{spring.id}/start")
    for _ in range(9):
        await stepping.look(1)
        stepping.advance(minutes=2)
    told = (await test_api.get("/events", types="usage.warning")).body["data"]
    month = f"{stepping.now:%Y-%m}"
    assert [each["data"]["usage"] for each in told] == [{"month": month, "sent": sent, "limit": 5} for sent in (4, 5)]
    assert (await test_api.get(f"/campaigns/{spring.id}/status")).body["code"] == "usage_limit_exceeded"


async def test_a_clone_is_a_draft_without_people(test_api: Api, database: Database, test_caller: Caller) -> None:
    spring = await campaign(database, test_caller, daily_limit=7, metadata={"source": "x"})
    await upload(test_api, spring, people("anna"))
    made = await test_api.post(f"/campaigns/{spring.id}/clone", {"name": "Summer"})
    assert made.status == 201
    assert {name: made.body[name] for name in ("name", "status", "dailyLimit", "metadata", "clientId")} == {
        "name": "Summer", "status": "draft", "dailyLimit": 7, "metadata": {"source": "x"},
        "clientId": str(spring.client_id),
    }  # fmt: skip
    assert (await test_api.get(f"/campaigns/{made.body['id']}/targets")).body["data"] == []
    assert (await test_api.post(f"/campaigns/{spring.id}/clone")).body["name"] == "Spring (copy)"
