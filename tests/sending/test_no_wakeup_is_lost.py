"""What changes a campaign's plans while a worker is just making them is not forgotten when the worker is done."""

import asyncio

from iglayers.campaigns import actions as campaigns
from iglayers.campaigns import queries as campaign_queries
from iglayers.core.db import Connection
from iglayers.sending import queries, rest, sweep
from tests.sending.world import WAITING, World, until

IS_DUE = "SELECT due_at <= clock_timestamp() FROM campaigns"


async def look(world: World, conn: Connection) -> None:
    """A worker that finds nothing to do now and plans when to look again; not committed yet."""
    [pick] = await queries.pick(conn, machine_transports=world.engine.machine_transports, at_most=1)
    await rest.rest(conn, pick, machine_transports=world.engine.machine_transports, alone=True)


async def test_people_who_come_while_a_worker_finds_nobody_left(world: World) -> None:
    await world.sender()
    campaign = await world.campaign(["jane"], follow_up_hours=[24])
    await world.send()
    await world.all("UPDATE campaigns SET due_at = clock_timestamp()")
    async with world.db.transaction() as conn:
        await look(world, conn)
        await world.add(campaign, ["joe"])
        waking = asyncio.create_task(campaigns.wake(world.db, campaign.id))
        await until(lambda: world.all(WAITING), within_s=5)
    await waking
    assert await world.value(IS_DUE)
    await world.later(minutes=1)
    await world.send()
    assert await world.delivered() == ["jane", "joe"]


async def test_a_sender_that_comes_while_a_worker_finds_none(world: World) -> None:
    sender = await world.sender()
    await world.campaign(["jane"])
    await world.pause_sender(sender)
    async with world.db.transaction() as conn:
        await look(world, conn)
        waking = asyncio.create_task(world.resume_sender(sender))
        await until(lambda: world.all(WAITING), within_s=5)
    await waking
    assert await world.value(IS_DUE)
    await world.send()
    assert await world.delivered() == ["jane"]


async def test_two_workers_wake_a_campaign_that_changes_while_people_are_added(world: World) -> None:
    """The upload keeps the row's old version in play: who has locked the new one must not come back to it."""
    sender = await world.sender()
    campaign = await world.campaign(["jane"])
    await world.pause_sender(sender)
    await world.all("UPDATE campaigns SET due_at = clock_timestamp()")
    async with world.db.transaction() as uploading:
        await campaign_queries.lock_for_upload(uploading, world.caller.workspace_id, campaign.id, only=None)
        async with world.db.transaction() as conn:
            await look(world, conn)
            waking = [asyncio.create_task(campaigns.wake(world.db, campaign.id)) for _ in range(2)]
            await until(lambda: two_wait(world), within_s=5)
        await asyncio.gather(*waking)
    assert await world.value(IS_DUE)


async def two_wait(world: World) -> bool:
    return len(await world.all(WAITING)) == 2


async def test_a_wakeup_leaves_a_campaign_that_is_due_in_its_place(world: World) -> None:
    await world.sender()
    await world.campaign(["jane"])
    await world.all("UPDATE campaigns SET due_at = clock_timestamp() - interval '1 minute'")
    due_at = await world.value("SELECT due_at FROM campaigns")
    await world.later(hours=1)
    await sweep.make_plans_anew(world.db)
    assert await world.value("SELECT due_at FROM campaigns") == due_at
