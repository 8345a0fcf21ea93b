"""A worker that is asked to stop begins nothing more, and writes down what is on its way."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from iglayers.accounts.services import Services
from iglayers.core.db import Connection
from iglayers.sending import queries_rest
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


@pytest.fixture
def provider(world: World, monkeypatch: pytest.MonkeyPatch) -> HeldProvider:
    """What every worker of this test delivers through."""
    held = HeldProvider(world.db)
    monkeypatch.setattr(process, "build", lambda _services: {"sandbox": held})
    return held


async def many(world: World, number: int) -> None:
    """So many campaigns of one person each, with a sender each."""
    for n in range(number):
        sender = await world.sender(f"sender{n}")
        await world.campaign([f"person{n}"], sender_ids=[sender.id])


def with_slots(world: World, slots: int) -> Services:
    settings = msgspec.structs.replace(world.services.settings, worker_slots=slots)
    return msgspec.structs.replace(world.services, settings=settings)


async def begun(world: World) -> int:
    return await world.value("SELECT count(*) FROM messages")


async def test_slots_that_come_free_after_the_stop_begin_nothing(
    world: World, provider: HeldProvider, tmp_path: Path
) -> None:
    await many(world, 6)
    async with working(with_slots(world, 2), tmp_path) as [worker]:
        await until(lambda: has_begun(world, 2))
        worker.stop()
        await asyncio.sleep(0)
        provider.answer.set()
    assert await begun(world) == 2
    assert len(await world.delivered()) == 2


@pytest.mark.parametrize(("slots", "on_the_way"), [(2, 2), (32, 6)], ids=["no slot free", "slots free"])
async def test_all_that_does_not_end_in_time_is_unknown_when_the_worker_has_ended(
    slots: int, on_the_way: int, world: World, provider: HeldProvider, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(process, "GRACE_S", 0.1)
    await many(world, 6)
    async with working(with_slots(world, slots), tmp_path):
        await until(lambda: has_begun(world, on_the_way))
    found = await world.all("SELECT state, count(*) FROM messages GROUP BY state")
    assert [tuple(each) for each in found] == [("unknown", on_the_way)]
    assert not provider.answer.is_set()


async def has_begun(world: World, number: int) -> bool:
    return await begun(world) == number


async def test_a_database_that_is_away_for_a_moment_stops_no_worker(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[None] = []

    async def away(_conn: Connection) -> None:
        asked.append(None)
        raise ConnectionRefusedError

    async def all_have_asked() -> bool:
        return len(asked) > 2 * process.PICKERS

    await world.sender()
    async with working(world.services, tmp_path):
        with monkeypatch.context() as patched:
            patched.setattr(queries_rest, "next_due", away)
            await until(all_have_asked)
        campaign = await world.campaign(["a"])
        await until(lambda: sent(world))
    assert await world.people(campaign) == {"a": "sent"}


async def sent(world: World) -> bool:
    return await world.value("SELECT EXISTS (SELECT FROM messages WHERE state = 'sent')")


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
