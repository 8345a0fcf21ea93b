"""A schedule that is closed, that reopens by itself, and that ends with people left over."""

from datetime import timedelta

from iglayers.core.clock import Moment
from iglayers.messages.schedule import Day, Schedule, Window
from iglayers.sending import send
from tests.sending.world import World

TOMORROW_ONLY = "SELECT blocked_reason, limited_by, next_at FROM campaigns"


def ends_in(world: World, **units: float) -> Schedule:
    return Schedule(end_at=Moment.of(world.caller.now + timedelta(**units)))


async def test_at_the_end_the_rest_is_skipped_and_told(world: World) -> None:
    await world.sender(hourly_limit=1)
    campaign = await world.campaign(["a", "b", "c"], schedule=ends_in(world, minutes=30), follow_up_hours=[1])
    await world.send()
    await world.later(minutes=29)
    assert await world.send() == []
    await world.later(minutes=1)
    assert await world.send() == []
    assert await world.people(campaign) == {"a": "sent", "b": "skipped", "c": "skipped"}
    assert (await world.target("b"))["reason"] == "schedule_ended"
    assert (await world.target("a"))["next_due_at"] is None
    told = [each["target"]["instagramUsername"] for each in await world.events("message.skipped")]
    assert told == ["b", "c"]
    assert await world.state(campaign.id) == "completed"
    assert await world.delivered() == ["a"]


async def test_a_message_on_its_way_at_the_end_settles_as_usual(world: World) -> None:
    await world.sender()
    campaign = await world.campaign(["a", "b"], schedule=ends_in(world, minutes=30))
    ready = await world.begin()
    await world.later(hours=1)
    await world.send()
    assert await world.state(campaign.id) == "running"
    await world.finish(ready)
    await world.later(seconds=1)
    await world.send()
    assert await world.people(campaign) == {"a": "sent", "b": "skipped"}
    assert await world.state(campaign.id) == "completed"


async def test_at_the_end_who_is_held_is_skipped_later_and_holds_up_nobody(world: World) -> None:
    await world.sender()
    campaign = await world.campaign(["a", "b", "c"], schedule=ends_in(world, minutes=30))
    await world.later(hours=1)
    async with world.db.transaction() as conn:
        await conn.execute("SELECT FROM targets WHERE id = $1 FOR NO KEY UPDATE", (await world.target("b"))["id"])
        assert await send.begin_next(world.engine) == send.Step([], left=0)
    assert await world.people(campaign) == {"a": "skipped", "b": "queued", "c": "skipped"}
    await world.send()
    assert await world.people(campaign) == {"a": "skipped", "b": "skipped", "c": "skipped"}
    assert await world.state(campaign.id) == "completed"


async def test_outside_its_hours_a_campaign_waits_and_says_until_when(world: World) -> None:
    opens_at = Moment.of(world.caller.now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=2))
    closes = min(opens_at.hour + 1, 24)
    window = Window(days=list(Day), opens=f"{opens_at.hour:02}:00", closes=f"{closes:02}:00")
    await world.sender()
    campaign = await world.campaign(["a"], schedule=Schedule(windows=[window]))
    assert await world.send() == []
    [waits] = await world.all(TOMORROW_ONLY)
    assert tuple(waits) == ("outside_schedule", "schedule", opens_at)
    await world.later(seconds=(opens_at - world.caller.now.astimezone()).total_seconds() - 0.001)
    assert await world.send() == []
    await world.later(milliseconds=1)
    assert len(await world.send()) == 1
    assert await world.state(campaign.id) == "completed"


async def test_a_window_that_a_spring_night_leaves_out_holds_nobody_else_up(world: World) -> None:
    """Sundays from 02:00 to 03:00 in Berlin: on the last Sunday in March there is no such hour."""
    skips = Schedule(timezone="Europe/Berlin", windows=[Window(days=[Day.SUN], opens="02:00", closes="03:00")])
    today = world.caller.now
    before_the_change = Moment.of(today.replace(year=2099, month=3, day=22, hour=2, minute=30))
    await world.later(seconds=(before_the_change - today.astimezone()).total_seconds())
    await world.sender()
    waiting = await world.campaign(["a"], schedule=skips)
    await world.campaign(["b"])
    await world.send()
    await world.later(minutes=1)  # the sender, too, has paused by then
    await world.send()
    assert await world.delivered() == ["b"]
    assert await world.value("SELECT next_at FROM campaigns WHERE id = $1", waiting.id.uuid) == Moment.of(
        today.replace(year=2099, month=4, day=5, hour=0, minute=0, second=0, microsecond=0)
    )
