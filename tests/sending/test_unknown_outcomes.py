"""What nobody knows is unknown, is never tried again by itself, and is settled by evidence or by a named person."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from iglayers.accounts import actions as accounts
from iglayers.accounts.model import Scope
from iglayers.campaigns import actions as campaigns
from iglayers.core.db import Database
from iglayers.core.ids import CampaignId, MessageId, SenderId
from iglayers.senders import actions as senders
from iglayers.senders.model import Fact, NotSent, Sent, Unknown
from iglayers.sending import send, settle, sweep
from tests.sending.world import World
from tests.serving import Api

SENT, NOT_SENT = {"outcome": "sent", "reason": "seen in the app"}, {"outcome": "not_sent", "reason": "not in the app"}
AGAIN = NOT_SENT | {"requeue": True}


async def unknown(world: World, username: str = "sandbox.timeout.lost") -> MessageId:
    await world.sender()
    await world.campaign([username])
    await world.send()
    assert await world.attempts(username) == ["unknown"]
    return await world.message_to(username)


async def resolve(api: Api, message_id: MessageId, wanted: dict[str, Any]) -> tuple[int, Any]:
    status, body = await api.post(f"/messages/{message_id}/resolve", wanted)
    return status, body


async def test_an_unknown_is_told_and_never_tried_again(world: World) -> None:
    await unknown(world)
    for _ in range(3):
        await world.later(days=2)
        await world.send()
        await world.hear()
    assert await world.attempts("sandbox.timeout.lost") == ["unknown"]
    assert (await world.target("sandbox.timeout.lost"))["state"] == "unknown"
    assert await world.value("SELECT state FROM campaigns") == "completed"
    assert len(await world.events("message.unknown")) == 1
    assert await world.value("SELECT count(*) FROM first_contacts") == 1


async def test_an_echo_settles_it(world: World) -> None:
    message_id = await unknown(world, "sandbox.timeout.sent")
    await world.later(minutes=29)
    await world.hear()
    assert await world.attempts("sandbox.timeout.sent") == ["unknown"]
    await world.later(minutes=1)
    await world.hear()
    assert await world.attempts("sandbox.timeout.sent") == ["sent"]
    assert (await world.target("sandbox.timeout.sent"))["state"] == "sent"
    [told] = await world.events("message.sent")
    assert told["message"]["id"] == str(message_id)
    assert await world.delivered() == ["sandbox.timeout.sent"]


@pytest.mark.parametrize(("wanted", "state", "event"), [(SENT, "sent", "message.sent"), (NOT_SENT, "failed", None)])
async def test_a_person_settles_it_once(
    wanted: dict[str, Any], state: str, event: str | None, world: World, test_api: Api
) -> None:
    message_id = await unknown(world)
    answers = await asyncio.gather(*(resolve(test_api, message_id, wanted) for _ in range(10)))
    assert Counter(status for status, _ in answers) == {200: 1, 409: 9}
    assert {body["error"]["code"] for status, body in answers if status == 409} == {"invalid_state"}
    [shown] = [body for status, body in answers if status == 200]
    assert (shown["status"], shown["author"]) == (state, "key Tests")
    assert (await world.target("sandbox.timeout.lost"))["state"] == state
    assert len(await world.events(event or "message.failed")) == 1
    # The person stays contacted: nobody knows better than the one who decided.
    assert await world.value("SELECT count(*) FROM first_contacts") == 1
    entries = [each for each in (await test_api.get("/audit-log")).body["data"] if each["action"] == "message.resolved"]
    assert [each["reason"] for each in entries] == [wanted["reason"]]


async def test_sending_again_is_asked_for_and_happens_once(world: World, test_api: Api) -> None:
    message_id = await unknown(world)
    answers = await asyncio.gather(*(resolve(test_api, message_id, AGAIN) for _ in range(5)))
    assert Counter(status for status, _ in answers) == {200: 1, 409: 4}
    assert (await world.target("sandbox.timeout.lost"))["state"] == "queued"
    await go_on(world)
    await world.send()
    assert await world.attempts("sandbox.timeout.lost") == ["not_sent", "unknown"]
    assert (await world.target("sandbox.timeout.lost"))["state"] == "unknown"


async def go_on(world: World) -> None:
    """Resume the campaign, which had ended, and let its sender rest."""
    async with world.db.transaction() as conn:
        campaign_id = CampaignId(await conn.fetchval("SELECT id FROM campaigns"))
        await campaigns.resume(conn, world.caller, campaign_id)
    await world.later(minutes=1)


async def echo(world: World, message_id: MessageId) -> None:
    fact = {"reference": str(message_id.uuid), "providerMessageId": "m_42"}
    async with world.db.transaction() as conn:
        sender_id = SenderId(await conn.fetchval("SELECT id FROM senders"))
        came = Fact(provider_key=f"echo:{message_id}", kind="echo", occurred_at=world.caller.now, fact=fact)
        await senders.receive(conn, world.caller.workspace_id, sender_id, [came])
    await world.hear()


async def test_evidence_that_comes_late_cancels_a_second_attempt_that_has_not_begun(
    world: World, test_api: Api
) -> None:
    message_id = await unknown(world)
    await resolve(test_api, message_id, AGAIN)
    await echo(world, message_id)
    assert (await world.target("sandbox.timeout.lost"))["state"] == "sent"
    assert await world.attempts("sandbox.timeout.lost") == ["sent"]
    assert await world.value("SELECT count(*) FROM first_contacts") == 1
    assert len(await world.events("message.sent")) == 1
    await world.later(days=1)
    await world.send()
    assert await world.attempts("sandbox.timeout.lost") == ["sent"]


async def test_evidence_that_comes_after_the_second_attempt_is_kept_with_the_first(world: World, test_api: Api) -> None:
    message_id = await unknown(world)
    await resolve(test_api, message_id, AGAIN)
    await go_on(world)
    await world.send()
    await echo(world, message_id)
    assert await world.attempts("sandbox.timeout.lost") == ["not_sent", "unknown"]
    first = (await test_api.get(f"/messages/{message_id}")).body
    assert (first["providerMessageId"], [each["kind"] for each in first["evidence"]]) == ("m_42", ["echo"])


async def test_what_the_provider_knows_is_not_sent_again(world: World, test_api: Api) -> None:
    message_id = await unknown(world, "sandbox.timeout.sent")
    status, body = await resolve(test_api, message_id, AGAIN)
    assert (status, body["error"]["code"]) == (409, "invalid_state")
    assert await world.attempts("sandbox.timeout.sent") == ["unknown"]


async def test_sending_again_needs_an_admin(world: World, test_api: Api, database: Database) -> None:
    message_id = await unknown(world)
    new = accounts.NewKey(name="Sender", scopes=[Scope.READ, Scope.SEND])
    async with database.transaction() as conn:
        api = test_api.with_key((await accounts.create_key(conn, world.caller, new)).key)
    assert (await resolve(api, message_id, AGAIN))[0] == 403
    assert (await resolve(api, message_id, SENT | {"requeue": True}))[0] == 403
    assert (await resolve(test_api, message_id, SENT | {"requeue": True}))[0] == 409
    assert await world.attempts("sandbox.timeout.lost") == ["unknown"]
    assert (await resolve(api, message_id, NOT_SENT))[0] == 200


@pytest.mark.parametrize("wanted", [{}, {"outcome": "sent"}, {"outcome": "maybe", "reason": "x"}, SENT | {"x": 1}])
async def test_a_word_without_a_reason_or_a_meaning_is_refused(
    wanted: dict[str, Any], world: World, test_api: Api
) -> None:
    message_id = await unknown(world)
    assert (await resolve(test_api, message_id, wanted))[0] in (400, 422)
    assert (await resolve(test_api, MessageId.new(), SENT))[0] == 404
    assert await world.attempts("sandbox.timeout.lost") == ["unknown"]


async def test_a_key_of_the_live_workspace_does_not_see_it(world: World, api: Api) -> None:
    message_id = await unknown(world)
    assert (await resolve(api, message_id, SENT))[0] == 404


async def lost(world: World, username: str = "sandbox.silent") -> send.Ready:
    """A message whose worker is not heard of until its lease has ended."""
    await world.sender()
    await world.campaign([username])
    ready = await world.begin()
    assert await sweep.end_leases(world.db) == 0
    assert await world.attempts(username) == ["sending"]
    await world.all("UPDATE messages SET lease_until = clock_timestamp() - interval '1 second'")
    return ready


async def test_a_lease_that_ends_makes_it_unknown(world: World) -> None:
    await lost(world)
    ended = await asyncio.gather(*(sweep.end_leases(world.db) for _ in range(5)))
    assert max(ended) == 1
    assert await sweep.end_leases(world.db) == 0
    assert await world.attempts("sandbox.silent") == ["unknown"]
    [told] = await world.events("message.unknown")
    assert "worker was lost" in told["message"]["reason"]
    await world.later(days=1)
    await world.send()
    assert await world.delivered() == []
    assert await world.value("SELECT state FROM campaigns") == "completed"


OUTCOMES = [
    (Sent("id-1"), "sent", "sent", ["message.unknown", "message.sent"]),
    (NotSent(code="recipient_not_found", reason="none"), "failed", "failed", ["message.unknown", "message.failed"]),
    (Unknown("Nobody knows."), "unknown", "unknown", ["message.unknown"]),
]


@pytest.mark.parametrize(("outcome", "message", "target", "told"), OUTCOMES)
async def test_the_worker_itself_knows_better_than_the_end_of_its_lease(
    outcome: Sent | NotSent | Unknown, message: str, target: str, told: list[str], world: World
) -> None:
    ready = await lost(world)
    await sweep.end_leases(world.db)
    for _ in range(3):
        await settle.settle(world.db, ready.attempt, outcome)
    assert await world.attempts("sandbox.silent") == [message]
    assert (await world.target("sandbox.silent"))["state"] == target
    events = await world.all("SELECT type FROM events WHERE type LIKE 'message.%' ORDER BY sequence")
    assert [each["type"] for each in events] == told


async def test_what_was_settled_for_good_stays(world: World, test_api: Api) -> None:
    ready = await lost(world)
    await sweep.end_leases(world.db)
    assert (await resolve(test_api, ready.attempt.message_id, NOT_SENT))[0] == 200
    assert not await settle.settle(world.db, ready.attempt, Sent("late"))
    assert await world.attempts("sandbox.silent") == ["failed"]


async def test_an_unknown_that_is_found_sent_goes_on_with_its_follow_ups(world: World) -> None:
    await world.sender()
    await world.campaign(["sandbox.timeout.sent"], follow_up_hours=[2])
    await world.send()
    await world.later(minutes=30)
    await world.hear()
    await world.later(hours=2)
    await go_on(world)
    await world.send()
    assert await world.attempts("sandbox.timeout.sent") == ["sent", "unknown"]
