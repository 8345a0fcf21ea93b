"""One call, one answer a row in the order sent; a bad row never takes the others with it."""

from typing import Any

import pytest

from iglayers.accounts.model import Caller
from iglayers.core.db import Database
from tests import make
from tests.serving import Api
from tests.targets.uploads import campaign, count, end, outcomes, people, upload, write_to


async def test_the_published_call(api: Api, database: Database, caller: Caller) -> None:
    spring = await campaign(database, caller)
    row = {
        "instagramUsername": "creatorname", "profileUrl": "https://instagram.com/creatorname",
        "fullName": "Creator Name", "firstName": "Creator", "category": "fitness", "followerCount": 24000,
    }  # fmt: skip
    status, body = await upload(api, spring, [row])
    assert (status, body["accepted"], body["rejected"]) == (201, 1, 0)
    [result] = body["results"]
    assert result == {
        "index": 0, "instagramUsername": "creatorname", "status": "accepted", "id": result["id"],
    }  # fmt: skip
    status, target = await api.get(f"/campaigns/{spring.id}/targets/{result['id']}")
    assert status == 200
    assert row.items() <= target.items()
    assert target["status"] == "queued"


async def test_each_row_has_its_own_outcome(api: Api, database: Database, caller: Caller) -> None:
    spring = await campaign(database, caller)
    await make.suppression(database, caller, "leave.me")
    await upload(api, spring, people("already"))
    rows = [
        *people("Anna", "@anna", "leave.me", "already", "with blank"), {"firstName": "Nobody"},
        {"instagramUsername": "ben", "followerCount": -1}, {"instagramUsername": "ben", "folowerCount": 1},
        {"instagramUsername": "ben", "profileUrl": "https://instagram.com/anna"}, "ben", {"instagramUsername": None},
        {"instagramUsername": "ben"},
    ]  # fmt: skip
    answer = await upload(api, spring, rows)
    assert answer.status == 201
    assert outcomes(answer) == [
        "accepted", "target_duplicate", "target_suppressed", "target_duplicate", "invalid_field",
        "missing_required_field", "invalid_field", "invalid_field", "invalid_field", "invalid_field",
        "missing_required_field", "accepted",
    ]  # fmt: skip
    assert (answer.body["accepted"], answer.body["rejected"]) == (2, 10)
    assert [row["index"] for row in answer.body["results"]] == list(range(12))
    errors = [row.get("error", {}) for row in answer.body["results"]]
    assert "targets[0]" in errors[1]["message"]
    assert "in this campaign" in errors[3]["message"]
    assert errors[6]["param"] == "targets[6].followerCount"
    assert errors[7]["param"] == "targets[7].folowerCount"
    assert errors[8]["param"] == "targets[8].profileUrl"
    assert await count(database, "targets") == 3


async def test_results_can_leave_out_the_accepted(api: Api, database: Database, caller: Caller) -> None:
    answer = await upload(api, await campaign(database, caller), people("a1", "a1", "a2"), results="rejected")
    assert (answer.body["accepted"], answer.body["rejected"]) == (2, 1)
    assert [row["index"] for row in answer.body["results"]] == [1]


async def test_somebody_contacted_for_the_client_is_a_duplicate(api: Api, database: Database, caller: Caller) -> None:
    client = await make.client(database, caller)
    first = await upload(api, await campaign(database, caller, client_id=client.id), people("anna"))
    await write_to(database, first.body["results"][0]["id"])
    answer = await upload(api, await campaign(database, caller, client_id=client.id), people("anna", "ben"))
    assert outcomes(answer) == ["target_duplicate", "accepted"]
    assert "already contacted for this client" in answer.body["results"][0]["error"]["message"]
    other = await upload(api, await campaign(database, caller), people("anna"))
    assert outcomes(other) == ["accepted"]


@pytest.mark.parametrize(
    ("rows", "status", "code"),
    [
        (people("leave.me", "ben b"), 409, "target_suppressed"),
        (people("ben b", "leave.me"), 400, "invalid_field"),
        ([{"firstName": "Anna"}], 400, "missing_required_field"),
        (people("already", "already"), 409, "target_duplicate"),
    ],
)
async def test_nobody_accepted_answers_with_the_first_rows_code(
    api: Api, database: Database, caller: Caller, rows: list[Any], status: int, code: str
) -> None:
    spring = await campaign(database, caller)
    await make.suppression(database, caller, "leave.me")
    await upload(api, spring, people("already"))
    before = await count(database, "contacts")
    answer = await upload(api, spring, rows)
    assert (answer.status, answer.body["error"]["code"]) == (status, code)
    assert (answer.body["accepted"], answer.body["rejected"]) == (0, len(rows))
    assert len(answer.body["results"]) == len(rows)
    assert await count(database, "contacts") == before


@pytest.mark.parametrize("state", ["skipped", "failed", "cancelled"])
async def test_somebody_nobody_wrote_to_is_queued_again(
    api: Api, database: Database, caller: Caller, state: str
) -> None:
    spring = await campaign(database, caller)
    first = await upload(api, spring, [{"instagramUsername": "anna", "firstName": "Ana", "category": "food"}])
    target_id = first.body["results"][0]["id"]
    await write_to(database, target_id, state="not_sent")
    await end(database, target_id, state)
    again = await upload(api, spring, [{"instagramUsername": "anna", "firstName": "Anna"}])
    assert again.body["results"][0]["id"] == target_id
    _, target = await api.get(f"/campaigns/{spring.id}/targets/{target_id}")
    assert (target["status"], target["firstName"], target["category"]) == ("queued", "Anna", None)
    assert (target["errorCode"], target["reason"]) == (None, None)
    assert await count(database, "targets") == 1


async def test_somebody_who_was_written_to_is_not_queued_again(api: Api, database: Database, caller: Caller) -> None:
    spring = await campaign(database, caller)
    first = await upload(api, spring, people("anna"))
    await write_to(database, first.body["results"][0]["id"], state="failed")
    again = await upload(api, spring, people("anna"))
    assert (again.status, outcomes(again)) == (409, ["target_duplicate"])


async def test_a_dry_run_answers_the_same_and_stores_nothing(api: Api, database: Database, caller: Caller) -> None:
    spring = await campaign(database, caller)
    await make.suppression(database, caller, "leave.me")
    await upload(api, spring, people("already"))
    tables = ("contacts", "targets", "events")
    before = [await count(database, table) for table in tables]
    rows = people("anna", "leave.me", "already", "ben b", "anna")
    dry = await upload(api, spring, rows, dryRun="true")
    assert [await count(database, table) for table in tables] == before
    real = await upload(api, spring, rows)
    assert dry.status == real.status == 201
    assert outcomes(dry) == outcomes(real)
    assert "id" not in dry.body["results"][0]


async def test_each_accepted_row_is_an_event(api: Api, database: Database, caller: Caller) -> None:
    spring = await campaign(database, caller, metadata={"secret": "x" * 100})
    answer = await upload(api, spring, people("anna", "anna", "ben"))
    _, feed = await api.get("/events", types="target.queued")
    assert [event["data"]["target"]["instagramUsername"] for event in feed["data"]] == ["anna", "ben"]
    assert feed["data"][0]["data"]["campaign"] == {
        "id": str(spring.id),
        "name": "Spring",
        "clientId": str(spring.client_id),
    }
    assert feed["data"][0]["data"]["target"]["id"] == answer.body["results"][0]["id"]


async def test_an_idempotency_key_answers_the_second_call_like_the_first(
    api: Api, database: Database, caller: Caller
) -> None:
    spring = await campaign(database, caller)
    path, body = f"/campaigns/{spring.id}/targets", {"targets": people("anna", "ben")}
    first = await api.post(path, body, idempotency_key="k1")
    second = await api.post(path, body, idempotency_key="k1")
    assert second.raw == first.raw
    assert second.headers["Idempotency-Replayed"] == "true"


async def test_a_cancelled_campaign_takes_nobody(api: Api, database: Database, caller: Caller) -> None:
    spring = await campaign(database, caller)
    await api.post(f"/campaigns/{spring.id}/cancel")
    answer = await upload(api, spring, people("anna"))
    assert (answer.status, answer.body["error"]["code"]) == (409, "invalid_state")


async def test_a_campaign_of_another_workspace_does_not_exist(
    api: Api, test_api: Api, database: Database, caller: Caller
) -> None:
    spring = await campaign(database, caller)
    made = await upload(api, spring, people("anna"))
    target = f"/campaigns/{spring.id}/targets/{made.body['results'][0]['id']}"
    answers = [
        await upload(test_api, spring, people("anna")), await test_api.get(f"/campaigns/{spring.id}/targets"),
        await test_api.get(target), await test_api.delete(target),
        await test_api.get(f"/campaigns/{spring.id}/results"),
        await test_api.get(f"/campaigns/{spring.id}/results", format="csv"),
    ]  # fmt: skip
    assert [(each.status, each.body["error"]["code"]) for each in answers] == [(404, "campaign_not_found")] * 6
