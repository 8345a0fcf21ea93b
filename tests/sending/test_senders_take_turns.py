"""Which account writes: the one that has rested longest, one message at a time, and none that may not."""

from collections import Counter
from datetime import timedelta

import pytest

from iglayers.messages.schedule import next_local_day
from tests import make
from tests.sending.world import World

EVENTS = "SELECT type FROM events WHERE type LIKE 'sender.%' ORDER BY sequence"


async def by_sender(world: World) -> Counter[str]:
    found = await world.all("SELECT sender_username FROM sandbox_messages")
    return Counter(each["sender_username"] for each in found)


async def told(world: World) -> list[str]:
    return [each["type"] for each in await world.all(EVENTS)]


async def test_senders_take_turns(world: World) -> None:
    for name in ("one", "two", "three"):
        await world.sender(name)
    campaign = await world.campaign([f"p{n}" for n in range(30)])
    while await world.state(campaign.id) == "running":
        await world.send()
        await world.later(seconds=12)  # more than an even share of the day, in the morning too
    assert await by_sender(world) == {"one": 10, "two": 10, "three": 10}


async def test_only_senders_of_the_campaign_and_of_its_client_write(world: World) -> None:
    client, other = await make.client(world.db, world.caller), await make.client(world.db, world.caller, "Other")
    chosen = await world.sender("chosen")
    await world.sender("foreign", client_ids=[other.id])
    await world.sender("ours", client_ids=[client.id])
    await world.campaign(["a", "b", "c"], client_id=client.id, sender_ids=[chosen.id])
    await world.campaign(["d", "e", "f"], client_id=client.id)
    for _ in range(6):
        await world.send()
        await world.later(minutes=1)
    assert set(await by_sender(world)) == {"chosen", "ours"}
    assert await world.value("SELECT count(DISTINCT sender_username) FROM sandbox_messages WHERE recipient < 'd'") == 1


async def test_a_sender_has_one_message_on_its_way(world: World) -> None:
    await world.sender()
    campaign = await world.campaign(["jane", "joe"])
    await world.begin()
    await world.later(hours=1)
    assert await world.send() == []
    assert await world.people(campaign) == {"jane": "sending", "joe": "queued"}
    assert await world.value("SELECT limited_by FROM campaigns") == "in_flight"


async def test_a_challenge_stops_the_sender_until_a_person_resumes_it(world: World) -> None:
    sender = await world.sender()
    campaign = await world.campaign(["sandbox.challenge", "jane"])
    await world.send()
    for _ in range(3):
        await world.later(days=1)
        await world.send()
    assert await world.people(campaign) == {"sandbox.challenge": "failed", "jane": "queued"}
    assert (await world.target("sandbox.challenge"))["error_code"] == "instagram_challenge_detected"
    assert await world.value("SELECT blocked_reason FROM campaigns") == "sender_not_available"
    assert await world.delivered() == []
    assert await told(world) == ["sender.challenged"]

    await world.resume_sender(sender)
    await world.send()
    assert await world.delivered() == ["jane"]
    assert await told(world) == ["sender.challenged", "sender.active"]
    assert await world.state(campaign.id) == "completed"


async def test_one_bad_person_does_not_take_down_every_sender(world: World) -> None:
    for name in ("one", "two", "three"):
        await world.sender(name)
    campaign = await world.campaign(["sandbox.challenge", *(f"p{n}" for n in range(10))])
    while await world.state(campaign.id) == "running":
        await world.send()
        await world.later(seconds=10)
    assert Counter((await world.people(campaign)).values()) == {"sent": 10, "failed": 1}
    assert await world.value("SELECT count(*) FROM senders WHERE state = 'active'") == 2
    assert await told(world) == ["sender.challenged"]
    assert len(await world.attempts("sandbox.challenge")) == 1


async def test_removed_access_stops_the_sender_for_good(world: World) -> None:
    await world.sender()
    campaign = await world.campaign(["sandbox.disabled", "jane"])
    await world.send()
    await world.later(days=30)
    await world.send()
    assert await world.people(campaign) == {"sandbox.disabled": "failed", "jane": "queued"}
    assert await told(world) == ["sender.disabled"]


async def test_after_a_warning_the_person_is_tried_again_in_an_hour(world: World) -> None:
    await world.sender()
    campaign = await world.campaign(["sandbox.ratelimit", "jane"])
    await world.send()
    assert await told(world) == ["sender.warning"]
    await world.later(minutes=59)
    await world.send()
    assert await world.people(campaign) == {"sandbox.ratelimit": "queued", "jane": "sent"}
    await world.later(minutes=1)
    await world.send()
    assert await world.attempts("sandbox.ratelimit") == ["not_sent", "sent"]
    assert await world.delivered() == ["jane", "sandbox.ratelimit"]
    assert await world.value("SELECT warned_until - last_begun_at FROM senders") == timedelta(hours=23)


@pytest.mark.parametrize("blocker", ["pause", "remove"])
async def test_a_campaign_goes_on_by_itself_when_a_sender_is_there_again(blocker: str, world: World) -> None:
    sender = await world.sender()
    campaign = await world.campaign(["jane"])
    await (world.pause_sender(sender) if blocker == "pause" else world.remove_sender(sender))
    assert await world.send() == []
    assert await world.value("SELECT blocked_reason FROM campaigns") == "sender_not_available"
    assert await world.state(campaign.id) == "running"
    await (world.resume_sender(sender) if blocker == "pause" else world.sender("another"))
    await world.later(seconds=1)
    assert len(await world.send()) == 1
    assert await world.value("SELECT blocked_reason FROM campaigns") is None


async def test_a_new_account_starts_slowly(world: World) -> None:
    await world.later(seconds=(next_local_day(world.caller.now, "UTC") - world.caller.now).total_seconds())
    await world.sender(ramp=True)
    await world.campaign([f"p{n}" for n in range(60)])
    per_day: list[int] = []
    for _ in range(3):
        per_day.append(0)
        for _ in range(96):
            per_day[-1] += len(await world.send())
            await world.later(minutes=15)
    for sent, most in zip(per_day, (10, 15, 20), strict=True):
        assert most - 3 <= sent <= most, per_day
