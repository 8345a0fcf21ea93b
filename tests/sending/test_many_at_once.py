"""Several workers, several clicks: a limit is exact, a pause and a suppression hold from their commit on."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from iglayers.accounts import queries as account_queries
from iglayers.campaigns import actions as campaigns
from iglayers.messages import queries as message_queries
from iglayers.sending import send
from iglayers.worker.process import Worker
from tests import make
from tests.sending.rolling import DAY, HOUR, most_within
from tests.sending.world import World, until, working
from tests.serving import Api

FAST = 20_000.0


@pytest.fixture
async def workers(world: World, tmp_path: Path) -> AsyncIterator[list[Worker]]:
    """Three workers, and a clock on which a sender's 3.6 s between two messages pass in no time."""
    await world.speed(FAST)
    async with working(world.services, tmp_path, workers=3) as started:
        yield started


def people(prefix: str, count: int) -> list[str]:
    return [f"sandbox.silent.{prefix}.{n}" for n in range(count)]


async def begun(world: World) -> int:
    return await world.value("SELECT count(*) FROM messages WHERE state <> 'not_sent'")


async def test_the_month_is_used_up_exactly(world: World, tmp_path: Path) -> None:
    await world.set_workspace(monthly_limit=17)
    for n in range(4):
        await world.sender(f"sender{n}")
    # More people each than the month has messages: no campaign ends before the month is used up.
    made = [await world.campaign(people(f"c{n}", 25)) for n in range(4)]
    await world.speed(FAST)
    async with working(world.services, tmp_path, workers=3):
        blocked = "SELECT count(*) = 4 FROM campaigns WHERE blocked_reason = 'usage_limit_exceeded'"
        await until(lambda: world.value(blocked))
        assert (await begun(world), len(await world.delivered()), await world.sent_this_month()) == (17, 17, 17)

        await world.set_workspace(monthly_limit=23)
        await until(lambda: world.value(f"SELECT sum(sent) = 23 AND ({blocked}) FROM usage_months"))
        assert (await begun(world), len(await world.delivered())) == (23, 23)

        await world.set_workspace(monthly_limit=None)
        for each in made:
            await until(lambda each=each: ended(world, each.id.uuid))
    assert len(await world.delivered()) == len(set(await world.delivered())) == 100


async def ended(world: World, campaign_id: object) -> bool:
    return await world.value("SELECT state = 'completed' FROM campaigns WHERE id = $1", campaign_id)


@pytest.mark.usefixtures("workers")
async def test_a_client_has_one_limit_for_all_its_campaigns_and_senders(world: World) -> None:
    await world.speed(5 * FAST)
    client = await make.client(world.db, world.caller, hourly_limit=3, daily_limit=20)
    for n in range(3):
        await world.sender(f"sender{n}")
    made = [await world.campaign(people(f"c{n}", 12), client_id=client.id) for n in range(3)]
    for each in made:
        await until(lambda each=each: ended(world, each.id.uuid))
    moments = await world.begun_at()
    assert len(moments) == len(set(await world.delivered())) == 36
    assert most_within(moments, HOUR) <= 3
    assert most_within(moments, DAY) <= 20


@pytest.mark.usefixtures("workers")
async def test_nothing_begins_after_a_pause_has_committed(world: World) -> None:
    """Another campaign that goes on shows that the workers have looked again and again meanwhile."""
    for n in range(6):
        await world.sender(f"sender{n}")
    paused = await world.campaign(people("paused", 300))
    await world.campaign(people("other", 600))
    of_paused = "SELECT count(*) FROM messages WHERE campaign_id = $1"
    of_others = "SELECT count(*) FROM messages WHERE campaign_id <> $1"
    for _ in range(12):
        before = await world.value(of_paused, paused.id.uuid)
        await until(lambda before=before: more_than(world, of_paused, paused.id.uuid, before + 2))
        async with world.db.transaction() as conn:
            await campaigns.pause(conn, world.caller, paused.id)
        at_commit, others = await world.value(of_paused, paused.id.uuid), await world.value(of_others, paused.id.uuid)
        await until(lambda others=others: more_than(world, of_others, paused.id.uuid, others + 8))
        assert await world.value(of_paused, paused.id.uuid) == at_commit
        async with world.db.transaction() as conn:
            await campaigns.resume(conn, world.caller, paused.id)
    log = await world.delivered()
    assert len(log) == len(set(log))


async def more_than(world: World, sql: str, campaign_id: object, count: int) -> bool:
    return await world.value(sql, campaign_id) > count


@pytest.mark.usefixtures("workers")
async def test_nothing_begins_after_a_suppression_has_committed(world: World) -> None:
    for n in range(3):
        await world.sender(f"sender{n}")
    campaign = await world.campaign(people("c", 150))
    next_ones = """
        SELECT k.username FROM targets t JOIN contacts k ON k.id = t.contact_id
        WHERE t.state = 'queued' ORDER BY t.next_due_at, t.id LIMIT 3
    """
    had: dict[str, int] = {}
    while (waiting := [each["username"] for each in await world.all(next_ones)]) and len(had) < 60:
        await asyncio.gather(*(make.suppression(world.db, world.caller, each) for each in waiting))
        had |= {each: len(await world.attempts(each)) for each in waiting if each not in had}
    await until(lambda: ended(world, campaign.id.uuid))
    assert {each: len(await world.attempts(each)) for each in had} == had
    states = Counter((await world.people(campaign)).values())
    assert states.total() == 150
    assert states["skipped"] == sum(count == 0 for count in had.values()) > 0


@pytest.mark.usefixtures("workers")
async def test_nothing_begins_after_dispatch_has_been_paused(world: World) -> None:
    for n in range(4):
        await world.sender(f"sender{n}")
    campaign = await world.campaign(people("c", 120))
    for _ in range(5):
        before = await begun(world)
        await until(lambda before=before: more_than(world, ALL, None, before + 3))
        async with world.db.transaction() as conn:
            await message_queries.stop_begins(conn)
            await account_queries.pause_dispatch(conn, reason="a test")
        at_commit = await begun(world)
        assert [await send.begin_next(world.engine) for _ in range(30)] == [None] * 30
        assert await begun(world) == at_commit
        async with world.db.transaction() as conn:
            await account_queries.resume_dispatch(conn)
    await until(lambda: ended(world, campaign.id.uuid))


ALL = "SELECT count(*) FROM messages WHERE state <> 'not_sent' AND $1::uuid IS NULL"


async def test_twenty_clicks_at_once_have_one_effect(world: World, test_api: Api, tmp_path: Path) -> None:
    await world.sender()
    campaign = await world.campaign(people("c", 5), started=False)
    await world.speed(FAST)

    async def click(verb: str) -> Counter[int]:
        answers = await asyncio.gather(*(test_api.post(f"/campaigns/{campaign.id}/{verb}") for _ in range(20)))
        return Counter(answer.status for answer in answers)

    for verb, told in (("start", "started"), ("pause", "paused"), ("resume", "resumed")):
        assert await click(verb) == {200: 20}
        assert len(await world.events(f"campaign.{told}")) == 1
    async with working(world.services, tmp_path, workers=2):
        await until(lambda: ended(world, campaign.id.uuid))
    assert sorted(await world.delivered()) == people("c", 5)
    assert await click("start") == {409: 20}
    assert len(await world.events("campaign.completed")) == len(await world.events("campaign.started")) == 1


async def test_twenty_cancels_leave_nobody_half_way(world: World, test_api: Api) -> None:
    await world.sender()
    campaign = await world.campaign(["jane", "joe"])
    ready = await world.begin()
    answers = await asyncio.gather(*(test_api.post(f"/campaigns/{campaign.id}/cancel") for _ in range(20)))
    assert {answer.status for answer in answers} == {200}
    assert len(await world.events("campaign.cancelled")) == 1
    assert await world.people(campaign) == {"jane": "sending", "joe": "cancelled"}
    await world.finish(ready)
    assert await world.people(campaign) == {"jane": "sent", "joe": "cancelled"}
    assert await world.state(campaign.id) == "cancelled"
