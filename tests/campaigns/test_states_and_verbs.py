"""Which verb does what in which state, and what is told of it."""

import asyncio

import pytest

from iglayers.accounts.model import Caller
from iglayers.core.db import Database
from iglayers.senders.model import Sender
from tests.campaigns.stage import campaign_in, told, written_to_everybody
from tests.serving import Answer, Api
from tests.targets.uploads import people, upload, write_to

# State -> verb -> the state after it, or None where it is refused.
TABLE: dict[str, dict[str, str | None]] = {
    "draft": {"start": "running", "pause": None, "resume": None, "cancel": "cancelled"},
    "running": {"start": "running", "pause": "paused", "resume": "running", "cancel": "cancelled"},
    "paused": {"start": None, "pause": "paused", "resume": "running", "cancel": "cancelled"},
    "completed": {"start": None, "pause": None, "resume": "running", "cancel": None},
    "cancelled": {"start": None, "pause": None, "resume": None, "cancel": "cancelled"},
}
TOLD = {"start": "started", "pause": "paused", "resume": "resumed", "cancel": "cancelled"}


@pytest.mark.parametrize(("state", "verb"), [(state, verb) for state in TABLE for verb in TABLE[state]])
async def test_a_verb_in_a_state(
    api: Api, database: Database, caller: Caller, sender: Sender, state: str, verb: str
) -> None:
    campaign = await campaign_in(api, database, caller, state)
    before, after = await told(api, campaign), TABLE[state][verb]
    shown = (await api.get(f"/campaigns/{campaign.id}")).raw
    answer = await api.post(f"/campaigns/{campaign.id}/{verb}")
    now = await api.get(f"/campaigns/{campaign.id}")
    if after is None:
        assert (answer.status, answer.body["error"]["code"]) == (409, "invalid_state")
        assert state in answer.body["error"]["message"]
        assert answer.body["error"]["remedy"]
        assert (now.raw, await told(api, campaign)) == (shown, before)
        return
    assert (answer.status, answer.body["status"]) == (200, after)
    assert now.raw == answer.raw
    # Doing it again tells nothing again.
    assert await told(api, campaign) == before + ([TOLD[verb]] if after != state else [])


async def test_a_verb_again_changes_nothing(api: Api, database: Database, caller: Caller, sender: Sender) -> None:
    campaign = await campaign_in(api, database, caller, "draft")
    for verb in ("start", "pause", "resume", "cancel"):
        answers = [await api.post(f"/campaigns/{campaign.id}/{verb}") for _ in range(2)]
        assert [each.status for each in answers] == [200, 200]
        assert answers[0].raw == answers[1].raw
    assert await told(api, campaign) == ["created", "started", "paused", "resumed", "cancelled"]


async def test_twenty_starts_at_once_have_one_effect(
    api: Api, database: Database, caller: Caller, sender: Sender
) -> None:
    campaign = await campaign_in(api, database, caller, "draft")
    answers = await asyncio.gather(*(api.post(f"/campaigns/{campaign.id}/start") for _ in range(20)))
    assert {(each.status, each.raw) for each in answers} == {(200, answers[0].raw)}
    assert await told(api, campaign) == ["created", "started"]


async def test_starting_and_cancelling_at_once_ends_cancelled(
    api: Api, database: Database, caller: Caller, sender: Sender
) -> None:
    campaign = await campaign_in(api, database, caller, "draft")
    start, cancel = await asyncio.gather(
        api.post(f"/campaigns/{campaign.id}/start"), api.post(f"/campaigns/{campaign.id}/cancel")
    )
    assert cancel.status == 200
    assert start.status in (200, 409)
    assert (await api.get(f"/campaigns/{campaign.id}")).body["status"] == "cancelled"


async def test_moments_are_kept(api: Api, database: Database, caller: Caller, sender: Sender) -> None:
    campaign = await campaign_in(api, database, caller, "draft")
    started = (await api.post(f"/campaigns/{campaign.id}/start")).body
    await api.post(f"/campaigns/{campaign.id}/pause")
    resumed = (await api.post(f"/campaigns/{campaign.id}/resume")).body
    cancelled = (await api.post(f"/campaigns/{campaign.id}/cancel")).body
    assert started["startedAt"] == resumed["startedAt"] == cancelled["startedAt"] is not None
    assert (started["cancelledAt"], started["completedAt"]) == (None, None)
    assert cancelled["cancelledAt"] is not None


async def test_a_completed_campaign_goes_on_only_for_somebody(
    api: Api, database: Database, caller: Caller, sender: Sender
) -> None:
    campaign = await campaign_in(api, database, caller, "completed")
    await written_to_everybody(database, campaign)
    refused = await api.post(f"/campaigns/{campaign.id}/resume")
    assert (refused.status, refused.body["error"]["code"]) == (409, "invalid_state")
    await upload(api, campaign, people("some.body"))
    assert (await api.get(f"/campaigns/{campaign.id}")).body["status"] == "completed"
    resumed = await api.post(f"/campaigns/{campaign.id}/resume")
    assert (resumed.body["status"], resumed.body["completedAt"]) == ("running", None)


async def test_cancelling_cancels_whoever_was_not_written_to(
    api: Api, database: Database, caller: Caller, sender: Sender
) -> None:
    campaign = await campaign_in(api, database, caller, "running", names=["a.one", "b.two", "c.three"])
    [third, *_] = (await api.get(f"/campaigns/{campaign.id}/targets")).body["data"]
    await write_to(database, third["id"])
    assert (await api.post(f"/campaigns/{campaign.id}/cancel")).status == 200
    listed = (await api.get(f"/campaigns/{campaign.id}/targets")).body["data"]
    assert [each["status"] for each in listed] == ["sent", "cancelled", "cancelled"]


# --- deleting -----------------------------------------------------------------------------------------


async def delete(api: Api, database: Database, caller: Caller, state: str, *, wrote: bool) -> tuple[Answer, Answer]:
    """What deleting a campaign answers, and reading it afterwards."""
    campaign = await campaign_in(api, database, caller, state)
    if wrote:
        [person] = (await api.get(f"/campaigns/{campaign.id}/targets")).body["data"]
        await write_to(database, person["id"])
    return await api.delete(f"/campaigns/{campaign.id}"), await api.get(f"/campaigns/{campaign.id}")


@pytest.mark.parametrize("state", ["draft", "completed", "cancelled"])
async def test_a_campaign_that_wrote_to_nobody_is_deleted(
    api: Api, database: Database, caller: Caller, sender: Sender, state: str
) -> None:
    answer, after = await delete(api, database, caller, state, wrote=False)
    assert (answer.status, answer.body["archivedAt"] is not None) == (200, True)
    assert (after.status, after.body["error"]["code"]) == (404, "campaign_not_found")


@pytest.mark.parametrize("state", ["completed", "cancelled"])
async def test_a_campaign_that_wrote_to_somebody_is_archived_and_its_ledger_stays(
    api: Api, database: Database, caller: Caller, sender: Sender, state: str
) -> None:
    answer, after = await delete(api, database, caller, state, wrote=True)
    assert answer.status == 200
    assert (after.status, after.body["archivedAt"] is not None) == (200, True)
    again = await api.delete(f"/campaigns/{after.body['id']}")
    assert again.body["archivedAt"] == after.body["archivedAt"]
    assert (await api.get("/campaigns")).body["data"] == []
    assert len((await api.get("/messages")).body["data"]) == 1
    path = f"/campaigns/{after.body['id']}"
    for late in (await api.patch(path, {"name": "June"}), await api.post(f"{path}/resume")):
        assert (late.status, late.body["error"]["code"]) == (409, "invalid_state"), late
    assert (await api.post(f"{path}/clone", {"name": " "})).body["error"]["param"] == "name"
    taken = await upload(api, await campaign_in(api, database, caller, "draft", names=[]), people("jane.doe"))
    assert taken.status == 201  # another client: nobody wrote to her for this one


@pytest.mark.parametrize("state", ["running", "paused"])
async def test_a_campaign_that_has_not_ended_is_not_deleted(
    api: Api, database: Database, caller: Caller, sender: Sender, state: str
) -> None:
    answer, after = await delete(api, database, caller, state, wrote=False)
    assert (answer.status, answer.body["error"]["code"]) == (409, "invalid_state")
    assert (after.status, after.body["status"]) == (200, state)
