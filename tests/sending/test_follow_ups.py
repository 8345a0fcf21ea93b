"""Follow-ups: to those who did not answer, from the account that wrote first, at their hour, and to nobody else."""

import pytest

from tests import make
from tests.sending.world import World


async def test_a_follow_up_comes_at_its_hour_from_the_same_account(world: World) -> None:
    await world.sender("first.account")
    campaign = await world.campaign(["sandbox.silent"], follow_up_hours=[24, 48])
    await world.send()
    await world.sender("second.account")

    await world.later(hours=23, minutes=59)
    assert await world.send() == []
    await world.later(minutes=1)
    assert len(await world.send()) == 1
    await world.later(hours=47, minutes=59)
    assert await world.send() == []
    assert await world.state(campaign.id) == "running"
    await world.later(minutes=1)
    assert len(await world.send()) == 1

    assert await world.delivered() == ["sandbox.silent"] * 3
    senders = await world.all("SELECT DISTINCT sender_username FROM sandbox_messages")
    assert [each["sender_username"] for each in senders] == ["first.account"]
    assert await world.state(campaign.id) == "completed"
    assert (await world.target("sandbox.silent"))["state"] == "sent"


async def test_accounts_that_have_waited_longer_with_nobody_to_follow_up_are_no_hindrance(world: World) -> None:
    others = [await world.sender(f"other.{number}") for number in range(12)]
    for other in others:
        await world.pause_sender(other)
    await world.sender("first.account")
    campaign = await world.campaign(["sandbox.silent"], follow_up_hours=[24])
    await world.send()
    for other in others:
        await world.resume_sender(other)
    # All of them have been ready for longer than the account that wrote.
    await world.all("UPDATE senders SET ready_at = ready_at - interval '1 day' WHERE username <> 'first.account'")
    await world.later(hours=24)
    assert len(await world.send()) == 1
    assert await world.state(campaign.id) == "completed"


async def test_a_reply_stops_the_follow_ups(world: World) -> None:
    await world.sender()
    campaign = await world.campaign(["sandbox.replies"], follow_up_hours=[24])
    await world.send()
    await world.later(hours=6)
    await world.hear()
    await world.later(hours=48)
    await world.send()
    assert await world.delivered() == ["sandbox.replies"]
    assert await world.people(campaign) == {"sandbox.replies": "replied"}
    assert await world.state(campaign.id) == "completed"


async def test_a_reply_that_is_read_late_still_stops_a_follow_up_that_is_due(world: World) -> None:
    await world.sender()
    await world.campaign(["sandbox.replies"], follow_up_hours=[24])
    await world.send()
    await world.later(hours=24)
    await world.hear()
    await world.send()
    assert await world.delivered() == ["sandbox.replies"]


async def test_a_reply_to_one_campaign_stops_the_follow_ups_of_another(world: World) -> None:
    await world.sender()
    first = await world.campaign(["sandbox.replies"], follow_up_hours=[24])
    await world.send()
    await world.later(minutes=1)
    second = await world.campaign(["sandbox.replies"], follow_up_hours=[24])
    await world.send()
    assert len(await world.delivered()) == 2  # two clients, who do not know each other
    await world.later(hours=12)
    await world.hear()
    await world.later(hours=24)
    await world.send()
    assert len(await world.delivered()) == 2
    assert [await world.state(each.id) for each in (first, second)] == ["completed", "completed"]


async def test_an_opt_out_suppresses_at_once_and_in_every_campaign(world: World) -> None:
    await world.sender()
    first = await world.campaign(["sandbox.optout"], follow_up_hours=[1])
    await world.send()
    other = await world.campaign(["sandbox.optout"], schedule=None)
    await world.later(minutes=10)
    # The reply is there before the other client's campaign gets its turn.
    await world.hear()
    await world.send()
    await world.later(hours=2)
    await world.send()
    assert await world.delivered() == ["sandbox.optout"]
    assert await world.people(first) == {"sandbox.optout": "replied"}
    assert await world.people(other) == {"sandbox.optout": "skipped"}
    assert await world.value("SELECT error_code FROM targets WHERE state = 'skipped'") == "target_suppressed"
    assert await world.value("SELECT source FROM suppressions") == "opt_out"
    assert len(await world.events("contact.opted_out")) == 1


async def test_a_follow_up_to_somebody_suppressed_just_ends(world: World) -> None:
    await world.sender()
    campaign = await world.campaign(["sandbox.silent"], follow_up_hours=[24])
    await world.send()
    await make.suppression(world.db, world.caller, "sandbox.silent")
    await world.later(hours=24)
    await world.send()
    assert await world.delivered() == ["sandbox.silent"]
    assert await world.people(campaign) == {"sandbox.silent": "sent"}
    assert await world.state(campaign.id) == "completed"


@pytest.mark.parametrize("username", ["sandbox.timeout.lost", "sandbox.private"])
async def test_no_follow_up_after_a_first_message_that_did_not_arrive(username: str, world: World) -> None:
    await world.sender()
    campaign = await world.campaign([username], follow_up_hours=[1])
    await world.send()
    await world.later(hours=48)
    await world.send()
    assert len(await world.attempts(username)) == 1
    assert await world.state(campaign.id) == "completed"


async def test_follow_ups_go_before_first_messages(world: World) -> None:
    await world.sender()
    await world.campaign(["early", "late"], follow_up_hours=[1])
    await world.send()
    await world.later(hours=1)
    await world.send()
    await world.later(hours=1)
    await world.send()
    assert await world.delivered() == ["early", "early", "late"]
