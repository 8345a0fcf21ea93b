"""What stands in the way of a start, each with its own code; and nothing happens while it does."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from iglayers.accounts.model import Caller
from iglayers.campaigns.model import Campaign
from iglayers.core.db import Database
from tests import make
from tests.campaigns.stage import told
from tests.senders.orders import a_sender
from tests.serving import Api
from tests.targets.uploads import campaign, people, upload, write_to


class Stage(msgspec.Struct, frozen=True):
    api: Api
    database: Database
    caller: Caller

    async def with_people(self, **fields: Any) -> Campaign:
        made = await campaign(self.database, self.caller, **fields)
        assert (await upload(self.api, made, people("jane.doe", "john.doe"))).status == 201
        return made

    async def sender_in(self, state: str, username: str, **fields: Any) -> str:
        sender = await a_sender(self.database, self.caller, username, **fields)
        async with self.database.connection() as conn:
            await conn.execute("UPDATE senders SET state = $2 WHERE id = $1", sender.id.uuid, state)
        return str(sender.id)


async def nobody_to_write_to(stage: Stage) -> Campaign:
    await stage.sender_in("active", "one")
    return await campaign(stage.database, stage.caller)


async def nobody_left_to_write_to(stage: Stage) -> Campaign:
    await stage.sender_in("active", "one")
    made = await stage.with_people()
    for person in (await stage.api.get(f"/campaigns/{made.id}/targets")).body["data"]:
        await stage.api.delete(f"/campaigns/{made.id}/targets/{person['id']}")
    return made


async def no_sender(stage: Stage) -> Campaign:
    return await stage.with_people()


async def only_a_paused_sender(stage: Stage) -> Campaign:
    await stage.sender_in("paused", "one")
    return await stage.with_people()


async def only_a_disabled_sender(stage: Stage) -> Campaign:
    await stage.sender_in("disabled", "one")
    return await stage.with_people()


async def only_a_sender_of_another_client(stage: Stage) -> Campaign:
    other = await make.client(stage.database, stage.caller)
    await stage.sender_in("active", "one", client_ids=[other.id])
    return await stage.with_people()


async def only_a_deleted_sender(stage: Stage) -> Campaign:
    sender = await stage.sender_in("active", "one")
    assert (await stage.api.delete(f"/senders/{sender}")).status == 200
    return await stage.with_people()


async def the_named_sender_is_paused(stage: Stage) -> Campaign:
    await stage.sender_in("active", "one")
    paused = await a_sender(stage.database, stage.caller, "two")
    await stage.api.post(f"/senders/{paused.id}/pause")
    return await stage.with_people(sender_ids=[paused.id])


async def every_sender_is_challenged(stage: Stage) -> Campaign:
    await stage.sender_in("challenged", "one")
    await stage.sender_in("challenged", "two")
    return await stage.with_people()


async def one_is_challenged_and_one_paused(stage: Stage) -> Campaign:
    await stage.sender_in("challenged", "one")
    await stage.sender_in("paused", "two")
    return await stage.with_people()


async def the_month_is_used_up(stage: Stage) -> Campaign:
    await stage.sender_in("active", "one")
    earlier = await stage.with_people()
    [person, *_] = (await stage.api.get(f"/campaigns/{earlier.id}/targets")).body["data"]
    await write_to(stage.database, person["id"])
    assert (await stage.api.patch("/workspace", {"monthlyLimit": 1})).status == 200
    return await stage.with_people()


async def there_is_no_month(stage: Stage) -> Campaign:
    await stage.sender_in("active", "one")
    assert (await stage.api.patch("/workspace", {"monthlyLimit": 0})).status == 200
    return await stage.with_people()


async def words_are_missing(stage: Stage) -> Campaign:
    await stage.sender_in("active", "one")
    made = await stage.with_people(missing_variable="fail_preflight")
    await stage.api.patch(f"/message-templates/{made.message_template_id}", {"body": "Hi {{firstName}} of {{city}}"})
    return made


BLOCKERS: list[tuple[Callable[[Stage], Awaitable[Campaign]], int, str]] = [
    (nobody_to_write_to, 409, "invalid_state"),
    (nobody_left_to_write_to, 409, "invalid_state"),
    (no_sender, 409, "sender_not_available"),
    (only_a_paused_sender, 409, "sender_not_available"),
    (only_a_disabled_sender, 409, "sender_not_available"),
    (only_a_sender_of_another_client, 409, "sender_not_available"),
    (only_a_deleted_sender, 409, "sender_not_available"),
    (the_named_sender_is_paused, 409, "sender_not_available"),
    (every_sender_is_challenged, 409, "instagram_challenge_detected"),
    (one_is_challenged_and_one_paused, 409, "sender_not_available"),
    (the_month_is_used_up, 403, "usage_limit_exceeded"),
    (there_is_no_month, 403, "usage_limit_exceeded"),
    (words_are_missing, 409, "preflight_failed"),
]


@pytest.fixture
def stage(api: Api, database: Database, caller: Caller) -> Stage:
    return Stage(api, database, caller)


@pytest.mark.parametrize(("blocker", "status", "code"), BLOCKERS, ids=[each[0].__name__ for each in BLOCKERS])
async def test_a_start_is_refused_with_the_code_of_what_stands_in_its_way(
    stage: Stage, blocker: Callable[[Stage], Awaitable[Campaign]], status: int, code: str
) -> None:
    blocked = await blocker(stage)
    answer = await stage.api.post(f"/campaigns/{blocked.id}/start")
    assert (answer.status, answer.body["error"]["code"]) == (status, code), answer
    assert answer.body["error"]["remedy"]
    shown = (await stage.api.get(f"/campaigns/{blocked.id}")).body
    assert (shown["status"], shown["startedAt"]) == ("draft", None)
    assert await told(stage.api, blocked) == ["created"]
    # The same question beforehand gives the same answer.
    checked = (await stage.api.post(f"/campaigns/{blocked.id}/preflight")).body
    assert (checked["ok"], checked["blockers"][0]["code"]) == (False, code)


async def test_what_is_missing_is_named_with_how_many_miss_it(stage: Stage) -> None:
    blocked = await words_are_missing(stage)
    message = (await stage.api.post(f"/campaigns/{blocked.id}/start")).body["error"]["message"]
    assert "firstName" in message
    assert "city" in message
    assert "2" in message


@pytest.mark.parametrize("change", [{"missingVariable": "skip"}, None], ids=["skip", "fallbacks"])
async def test_a_start_succeeds_once_the_words_are_there(stage: Stage, change: dict[str, str] | None) -> None:
    blocked = await words_are_missing(stage)
    if change:
        await stage.api.patch(f"/campaigns/{blocked.id}", change)
    else:
        await stage.api.patch(f"/message-templates/{blocked.message_template_id}", {"body": "Hi {{firstName|there}}"})
    answer = await stage.api.post(f"/campaigns/{blocked.id}/start")
    assert (answer.status, answer.body["status"]) == (200, "running")


async def test_a_start_succeeds_once_a_sender_can_send(stage: Stage) -> None:
    blocked = await only_a_paused_sender(stage)
    [sender] = (await stage.api.get("/senders")).body["data"]
    await stage.api.post(f"/senders/{sender['id']}/resume")
    assert (await stage.api.post(f"/campaigns/{blocked.id}/start")).status == 200
