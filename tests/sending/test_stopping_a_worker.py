"""A worker that is asked to stop begins nothing more, and writes down what is on its way."""

import asyncio
from pathlib import Path

import pytest

from iglayers.worker import process
from tests.sending.providers import HeldProvider
from tests.sending.world import World, until, working


async def sending(world: World) -> bool:
    return await world.value("SELECT EXISTS (SELECT FROM messages WHERE state = 'sending')")


async def test_what_is_on_its_way_is_waited_for(world: World, tmp_path: Path) -> None:
    await world.speed(20_000)
    await world.sender()
    campaign = await world.campaign(["a", "b", "c"])
    provider = HeldProvider(world.db)
    async with working(world.services, tmp_path) as [worker]:
        worker._engine.transports["sandbox"] = provider
        await provider.asked.wait()
        worker.stop()
        provider.answer.set()
    assert list((await world.people(campaign)).values()) == ["sent", "queued", "queued"]
    assert await world.delivered() == ["a"]


async def test_what_does_not_end_in_time_is_unknown_and_another_worker_leaves_it_alone(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "GRACE_S", 0.1)
    await world.speed(20_000)
    await world.sender()
    campaign = await world.campaign(["a", "b"])
    provider = HeldProvider(world.db)
    async with working(world.services, tmp_path) as [worker]:
        worker._engine.transports["sandbox"] = provider
        await provider.asked.wait()
    assert not await sending(world)
    assert await world.people(campaign) == {"a": "unknown", "b": "queued"}
    async with working(world.services, tmp_path):
        await until(lambda: ended(world))
    assert await world.people(campaign) == {"a": "unknown", "b": "sent"}
    assert await world.delivered() == ["b"]


async def ended(world: World) -> bool:
    return await world.value("SELECT state = 'completed' FROM campaigns")


async def test_workers_come_and_go_and_everybody_is_written_to_once(world: World, tmp_path: Path) -> None:
    await world.speed(20_000)
    for n in range(4):
        await world.sender(f"sender{n}")
    campaign = await world.campaign([f"sandbox.silent.{n}" for n in range(120)])
    while not await ended(world):
        async with working(world.services, tmp_path, workers=2):
            await asyncio.wait([asyncio.create_task(until(lambda: ended(world)))], timeout=0.15)
    log = await world.delivered()
    assert len(log) == len(set(log)) == 120
    assert set((await world.people(campaign)).values()) == {"sent"}
