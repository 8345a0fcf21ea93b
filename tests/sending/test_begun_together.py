"""Of several campaigns that are due, one step begins what may go, together; each has what it would have had alone."""

from datetime import timedelta
from itertools import pairwise

import pytest

from iglayers.accounts import actions as accounts
from iglayers.accounts.model import Mode
from iglayers.campaigns import queries
from iglayers.campaigns.model import Campaign
from iglayers.core.clock import Moment
from iglayers.core.ids import ClientId
from iglayers.messages.schedule import Schedule
from iglayers.sending import send
from tests import make
from tests.conftest import caller_of
from tests.sending.providers import PoisonedProvider
from tests.sending.world import World


async def step(world: World) -> send.Step:
    """One step for up to eight campaigns; what has begun is delivered."""
    taken = await send.begin_next(world.engine, at_most=8)
    assert taken is not None, "nothing is due"
    for ready in taken.ready:
        await world.finish(ready)
    return taken


async def client_of(world: World) -> ClientId:
    return (await make.client(world.db, world.caller)).id


async def campaigns_with_senders(world: World, *people: list[str], client_id: ClientId | None = None) -> list[Campaign]:
    """A campaign with a sender of its own for each of these lists."""
    made: list[Campaign] = []
    for number, names in enumerate(people):
        sender = await world.sender(f"sender{number}")
        made.append(await world.campaign(names, sender_ids=[sender.id], client_id=client_id))
    return made


async def test_what_may_go_begins_in_one_commit(world: World) -> None:
    await campaigns_with_senders(world, ["a"], ["b"], ["c"])
    taken = await step(world)
    assert (len(taken.ready), taken.left) == (3, 0)
    assert sorted(await world.delivered()) == ["a", "b", "c"]
    assert await world.value("SELECT count(DISTINCT xmin::text) FROM first_contacts") == 1
    assert len(await world.events("message.sent")) == 3


async def test_one_person_in_two_campaigns_of_a_client_is_written_to_once(world: World) -> None:
    campaigns = await campaigns_with_senders(world, ["a"], ["a"], client_id=await client_of(world))
    taken = await step(world)
    assert (len(taken.ready), taken.left) == (1, 0)
    await world.send()
    assert await world.delivered() == ["a"]
    assert [await world.people(each) for each in campaigns] == [{"a": "sent"}, {"a": "skipped"}]
    [why] = await world.all("SELECT error_code FROM targets WHERE state = 'skipped'")
    assert why["error_code"] == "target_duplicate"


async def test_one_person_of_two_clients_is_written_to_for_each(world: World) -> None:
    await campaigns_with_senders(world, ["a"], ["a"])
    assert len((await step(world)).ready) == 1
    await world.send()
    assert await world.delivered() == ["a", "a"]


async def test_campaigns_that_share_senders_begin_with_one_each(world: World) -> None:
    for number in range(3):
        await world.sender(f"sender{number}")
    for name in "abc":
        await world.campaign([name])
    assert len((await step(world)).ready) == 3
    assert await world.value("SELECT count(DISTINCT sender_id) FROM messages") == 3


async def test_a_sender_is_in_one_message_at_a_time(world: World) -> None:
    await world.sender()
    campaigns = [await world.campaign([name]) for name in "abc"]
    taken = await step(world)
    assert (len(taken.ready), taken.left) == (1, 0)
    assert await world.delivered() == ["a"]
    for _ in campaigns:
        await world.later(minutes=1)
        await world.send()
    assert await world.delivered() == ["a", "b", "c"]
    begun = await world.begun_at()
    assert all((later - earlier).total_seconds() >= 2.8 for earlier, later in pairwise(begun))


async def test_a_clients_limits_span_what_begins_together(world: World) -> None:
    client_id = await client_of(world)
    await world.limit_client(client_id, hourly_limit=2)
    _, waiting = await campaigns_with_senders(world, ["a"], ["b"], client_id=client_id)
    assert len((await step(world)).ready) == 1
    await world.send()
    assert await world.delivered() == ["a"]
    limited_by = await world.value("SELECT limited_by FROM campaigns WHERE id = $1", waiting.id.uuid)
    assert limited_by is not None
    assert limited_by.startswith("client.")


async def test_clients_with_limits_begin_together(world: World) -> None:
    for number in range(3):
        client_id = await client_of(world)
        await world.limit_client(client_id, hourly_limit=2)
        sender = await world.sender(f"sender{number}")
        await world.campaign([f"person{number}"], client_id=client_id, sender_ids=[sender.id])
    taken = await step(world)
    assert (len(taken.ready), taken.left) == (3, 0)


async def test_a_month_is_not_exceeded_together(world: World) -> None:
    await world.set_workspace(monthly_limit=2)
    await campaigns_with_senders(world, ["a"], ["b"], ["c"])
    taken = await step(world)
    assert (taken.ready, taken.left) == ([], 3)
    assert await world.all("SELECT FROM messages") == []
    await world.send()
    assert len(await world.delivered()) == await world.sent_this_month() == 2
    assert await world.value("SELECT count(*) FROM campaigns WHERE blocked_reason = 'usage_limit_exceeded'") == 1


async def test_each_share_of_the_month_that_is_reached_together_is_told_of(world: World) -> None:
    await world.set_workspace(monthly_limit=5)
    await campaigns_with_senders(world, *([name] for name in "abcde"))
    assert len((await step(world)).ready) == 5
    assert await world.sent_this_month() == 5
    told = [each["usage"] for each in await world.events("usage.warning")]
    assert sorted(each["sent"] for each in told) == [4, 5]
    assert {each["limit"] for each in told} == {5}


async def test_a_months_warning_has_the_time_of_its_own_workspace(world: World) -> None:
    async with world.db.transaction() as conn:
        pair = dict(zip(Mode, await accounts.create_pair(conn, "Other"), strict=True))
    ahead = World(world.services, await caller_of(world.db, pair[Mode.TEST], Mode.TEST))
    await ahead.later(days=1_000)
    await ahead.sender("ahead")
    await ahead.campaign(["a"])
    await world.set_workspace(monthly_limit=1)
    await campaigns_with_senders(world, ["b"])
    assert len((await step(world)).ready) == 2
    told_at = await world.value("SELECT created_at FROM events WHERE type = 'usage.warning'")
    assert abs(told_at - world.caller.now) < timedelta(minutes=10)


@pytest.mark.parametrize("refused", ["suppressed", "sandbox.noroute"])
async def test_who_is_refused_holds_up_nobody(refused: str, world: World) -> None:
    campaigns = await campaigns_with_senders(world, [refused], ["a"])
    await make.suppression(world.db, world.caller, "suppressed")
    taken = await step(world)
    assert (len(taken.ready), taken.left) == (1, 0)
    assert await world.people(campaigns[0]) == {refused: "skipped"}
    assert await world.delivered() == ["a"]
    assert len(await world.events("message.skipped")) == 1


@pytest.mark.parametrize("held", [
    "SELECT FROM contacts WHERE username = 'held' FOR NO KEY UPDATE",
    "SELECT FROM clients WHERE hourly_limit = 1000 FOR NO KEY UPDATE",
])  # fmt: skip
async def test_who_is_held_is_passed_over(held: str, world: World) -> None:
    client_id = await client_of(world)
    await world.limit_client(client_id, hourly_limit=1_000)
    await campaigns_with_senders(world, ["held"], client_id=client_id)
    sender = await world.sender("other")
    await world.campaign(["a"], sender_ids=[sender.id])
    async with world.db.transaction() as conn:
        assert len(await conn.fetch(held)) == 1
        taken = await send.begin_next(world.engine, at_most=8)
    assert taken is not None
    assert (len(taken.ready), taken.left) == (1, 0)
    await world.finish(taken.ready[0])
    assert await world.delivered() == ["a"]
    await world.send()
    assert await world.delivered() == ["a", "held"]


async def test_a_campaign_whose_schedule_ends_is_left_for_a_step_of_its_own(world: World) -> None:
    """Skipping the rest takes long where they are many."""
    sender = await world.sender()
    ends_at = Moment.of(world.caller.now + timedelta(minutes=30))
    ends = await world.campaign(["a", "b"], sender_ids=[sender.id], schedule=Schedule(end_at=ends_at))
    await world.later(hours=1)
    other = await world.sender("other")
    await world.campaign(["c"], sender_ids=[other.id])
    taken = await step(world)
    assert (len(taken.ready), taken.left) == (1, 1)
    assert await world.people(ends) == {"a": "queued", "b": "queued"}
    assert await send.begin_next(world.engine, at_most=1) == send.Step([], left=0)
    assert await world.people(ends) == {"a": "skipped", "b": "skipped"}
    assert await world.delivered() == ["c"]


async def test_a_campaign_that_is_done_while_people_are_added_holds_up_nobody(world: World) -> None:
    [done] = await campaigns_with_senders(world, ["a"])
    await step(world)
    await world.later(minutes=1)
    sender = await world.sender("other")
    await world.campaign(["b"], sender_ids=[sender.id])
    async with world.db.transaction() as conn:
        await queries.lock_for_upload(conn, world.caller.workspace_id, done.id, only=None)
        taken = await send.begin_next(world.engine, at_most=8)
    assert taken is not None
    assert (len(taken.ready), taken.left) == (1, 0)
    assert await world.state(done.id) == "running"
    await world.send()
    assert await world.state(done.id) == "completed"


async def test_cards_of_one_account_are_handed_over_one_at_a_time(world: World) -> None:
    await world.sender("by.hand", transport="assisted", routes=["assisted"])
    for name in "ab":
        await world.campaign([name])
    await step(world)
    assert await world.value("SELECT count(*) FROM messages WHERE state = 'handed_over'") == 1
    await world.send()
    assert await world.value("SELECT count(*) FROM messages WHERE state = 'handed_over'") == 2


async def test_a_campaign_that_breaks_is_put_off_and_stops_no_other(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.engine.transports["sandbox"] = PoisonedProvider(world.db)
    poisoned, *_ = await campaigns_with_senders(world, ["poison"], ["a"], ["b"])
    taken = await step(world)
    assert (taken.ready, taken.left) == ([], 3)
    with pytest.raises(LookupError):
        await send.begin_next(world.engine)
    await world.send()
    assert sorted(await world.delivered()) == ["a", "b"]
    waits_s = await world.value(
        "SELECT extract(epoch FROM due_at - clock_timestamp()) FROM campaigns WHERE id = $1", poisoned.id.uuid
    )
    assert 3 < waits_s <= 5
    assert str(poisoned.id) in capsys.readouterr().out
    assert await world.people(poisoned) == {"poison": "queued"}
