"""The story of one person in a campaign: what happened, in order, and why it stands where it stands."""

from typing import Any

import pytest

from iglayers.accounts.model import Caller
from iglayers.core.db import Database
from tests import make
from tests.reports.stepping import Stepping
from tests.senders.orders import a_sender
from tests.serving import Api
from tests.targets.uploads import campaign, people, upload


async def story(api: Api, database: Database, caller: Caller, stepping: Stepping, username: str) -> dict[str, Any]:
    """One person, written to by the engine."""
    await a_sender(database, caller)
    spring = await campaign(database, caller)
    made = await upload(api, spring, people(username))
    await api.post(f"/campaigns/{spring.id}/start")
    await stepping.look(2)
    return (await api.get(f"/campaigns/{spring.id}/targets/{made.body['results'][0]['id']}")).body


@pytest.mark.parametrize(
    ("username", "status", "code", "types"),
    [
        ("sandbox.silent", "sent", "sent", ["target.queued", "message.begun", "message.sent"]),
        ("sandbox.notfound", "failed", "recipient_not_found", ["target.queued", "message.begun", "message.failed"]),
        ("sandbox.error", "unknown", "outcome_unknown", ["target.queued", "message.begun", "message.unknown"]),
    ],
)
async def test_a_story_has_its_end_and_its_reason(  # noqa: PLR0917 a row of the table, and where it happens
    username: str, status: str, code: str, types: list[str],
    test_api: Api, database: Database, test_caller: Caller, stepping: Stepping,
) -> None:  # fmt: skip
    told = await story(test_api, database, test_caller, stepping, username)
    assert (told["status"], told["explanation"]["code"]) == (status, code)
    assert [each["type"] for each in told["timeline"]] == types
    assert told["timeline"][1]["text"] == "Hi there"
    assert (told["explanation"]["remedy"] is not None) == (status == "unknown")


async def test_who_waits_is_told_what_the_campaign_waits_for(
    test_api: Api, database: Database, test_caller: Caller
) -> None:
    spring = await campaign(database, test_caller)
    made = await upload(test_api, spring, people("a1"))
    told = (await test_api.get(f"/campaigns/{spring.id}/targets/{made.body['results'][0]['id']}")).body
    assert told["explanation"]["code"] == "draft"
    assert told["explanation"]["reason"] == "Waits for its turn. The campaign has not been started."


async def test_a_skip_found_at_sending_is_told(
    test_api: Api, database: Database, test_caller: Caller, stepping: Stepping
) -> None:
    await a_sender(database, test_caller)
    spring = await campaign(database, test_caller)
    made = await upload(test_api, spring, people("a1"))
    await make.suppression(database, test_caller, "a1")
    await test_api.post(f"/campaigns/{spring.id}/start")
    await stepping.look(1)
    told = (await test_api.get(f"/campaigns/{spring.id}/targets/{made.body['results'][0]['id']}")).body
    assert told["explanation"]["code"] == "target_suppressed"
    assert told["explanation"]["reason"] == "Not written to. On the suppression list."
    assert [each["type"] for each in told["timeline"]] == ["target.queued", "message.skipped"]


async def test_a_persons_word_stands_in_the_story(
    test_api: Api, database: Database, test_caller: Caller, stepping: Stepping
) -> None:
    told = await story(test_api, database, test_caller, stepping, "sandbox.error")
    message_id = told["timeline"][1]["messageId"]
    resolved = await test_api.post(f"/messages/{message_id}/resolve", {"outcome": "sent", "reason": "I saw it."})
    assert resolved.status == 200
    told = (await test_api.get(f"/campaigns/{told['campaignId']}/targets/{told['id']}")).body
    assert told["status"] == "sent"
    assert "I saw it." in [each.get("reason") for each in told["timeline"]]
