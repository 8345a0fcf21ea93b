"""Workers are killed, frozen and stopped in the middle of a campaign: nobody gets a message twice, and it ends."""

import random
import signal
from pathlib import Path

import pytest

from tests import make
from tests.drills.processes import (
    Process,
    assert_nobody_twice,
    begun,
    end_leases,
    is_over,
    is_over_without,
    standstill,
    workers,
)
from tests.sending.world import World, until

# The shortest lease that the settings allow; a message may be on its way for a tenth of a second.
SHORT = {"send_deadline_s": 0.1, "send_lease_s": 15.2}
SENDERS = 6
KILLS = 10


async def campaign(world: World, people: int) -> None:
    for n in range(SENDERS):
        await world.sender(f"sender{n}")
    await world.campaign([f"sandbox.silent.{n}" for n in range(people)])


async def sent_more(world: World, than: int, *machines: Process) -> None:
    async def reached() -> bool:
        for each in machines:
            each.must_run()
        return await begun(world) > than or await is_over(world)

    try:
        await until(reached)
    except TimeoutError:
        raise AssertionError(await standstill(world)) from None


@pytest.mark.parametrize("count", [1, 3])
async def test_ten_kills_in_one_campaign(count: int, world: World, database_url: str, tmp_path: Path) -> None:
    people, chance = 40 * KILLS, random.Random(count)
    lost_by = world.caller.now
    await campaign(world, people)
    with workers(database_url, tmp_path, count) as machines:
        for kill in range(KILLS):
            await sent_more(world, await begun(world) + chance.randrange(5, 25), *machines)
            machine = machines[kill % count]
            machine.kill()
            await end_leases(world, begun_by=world.caller.now)
            lost_by = world.caller.now
            machine.start()
        assert not await is_over(world), "the campaign was over before the last kill"
        await until(lambda: is_over_without(world, lost_by=lost_by), within_s=60)
    states = await assert_nobody_twice(world, people=people)
    # A kill finds at most one message of each sender on its way.
    assert states["unknown"] <= KILLS * SENDERS


async def test_ten_kills_while_campaigns_begin_together(world: World, database_url: str, tmp_path: Path) -> None:
    """Campaigns of one client, whose senders and some of whose people are in all of them."""
    campaigns, own, shared, chance = 8, 50, 20, random.Random(8)
    lost_by = world.caller.now
    client = await make.client(world.db, world.caller)
    for n in range(SENDERS):
        await world.sender(f"sender{n}")
    for n in range(campaigns):
        people = [f"sandbox.silent.{n}.{each}" for each in range(own)]
        people += [f"sandbox.silent.all.{each}" for each in range(shared)]
        chance.shuffle(people)
        await world.campaign(people, client_id=client.id)
    with workers(database_url, tmp_path, 2) as machines:
        for kill in range(KILLS):
            await sent_more(world, await begun(world) + chance.randrange(5, 25), *machines)
            machines[kill % 2].kill()
            await end_leases(world, begun_by=world.caller.now)
            lost_by = world.caller.now
            machines[kill % 2].start()
        assert not await is_over(world), "the campaigns were over before the last kill"
        await until(lambda: is_over_without(world, lost_by=lost_by), within_s=60)
    states = await assert_nobody_twice(world, people=campaigns * own + shared)
    assert states["unknown"] <= KILLS * SENDERS


async def test_a_worker_that_was_frozen_for_longer_than_its_lease(
    world: World, database_url: str, tmp_path: Path
) -> None:
    people = 300
    await campaign(world, people)
    with workers(database_url, tmp_path, 2, **SHORT) as [frozen, other]:
        for _ in range(4):
            frozen.signal(signal.SIGSTOP)
            await end_leases(world, begun_by=world.caller.now)
            await sent_more(world, await begun(world) + 10, frozen, other)
            frozen.signal(signal.SIGCONT)
            await sent_more(world, await begun(world) + 10, frozen, other)
        await until(lambda: is_over(world), within_s=60)
        for each in (frozen, other):
            assert await each.end(within_s=10) == 0
    await assert_nobody_twice(world, people=people)


async def test_a_worker_that_is_stopped_leaves_nothing_unknown(world: World, database_url: str, tmp_path: Path) -> None:
    people = 200
    await campaign(world, people)
    with workers(database_url, tmp_path, 1) as [machine]:
        for _ in range(3):
            await sent_more(world, await begun(world) + 20, machine)
            assert await machine.end(within_s=10) == 0
            assert await world.value("SELECT count(*) FROM messages WHERE state IN ('sending', 'unknown')") == 0
            machine.start()
        await until(lambda: is_over(world), within_s=60)
    assert await assert_nobody_twice(world, people=people) == {"sent": people}


async def test_unknowns_of_a_killed_worker_are_settled_by_echoes(
    world: World, database_url: str, tmp_path: Path
) -> None:
    for n in range(SENDERS):
        await world.sender(f"sender{n}")
    await world.campaign([f"sandbox.timeout.sent.{n}" for n in range(120)])
    machine = Process(database_url, tmp_path)
    lost_by = world.caller.now
    try:
        machine.start()
        for _ in range(3):
            await sent_more(world, await begun(world) + 15, machine)
            machine.kill()
            await end_leases(world, begun_by=world.caller.now)
            lost_by = world.caller.now
            machine.start()
        await until(lambda: is_over_without(world, lost_by=lost_by), within_s=60)
        waiting = "SELECT count(*) = 0 FROM sandbox_plans"
        unread = "SELECT count(*) = 0 FROM inbound WHERE processed_at IS NULL"
        await until(lambda: world.value(waiting))
        await until(lambda: world.value(unread))
    finally:
        machine.make_sure_it_is_gone()
    states = await assert_nobody_twice(world, people=120)
    # What the sandbox delivered it has echoed; the others never left, and nobody can know that.
    assert states["sent"] == len(await world.delivered())
