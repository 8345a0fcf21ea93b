"""The connection to the database is lost at the worst moments: nothing leaves twice, nothing is forgotten."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import msgspec
import pytest

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.core import db
from iglayers.core.db import Connection, Database
from iglayers.senders.transports import build
from iglayers.sending import send
from tests.sending.cut import Relay, relaying
from tests.sending.providers import BrokenProvider, HeldProvider
from tests.sending.world import World, until

LOST = (OSError, asyncpg.InterfaceError, asyncpg.PostgresError)


@pytest.fixture
async def far(database_url: str) -> AsyncIterator[tuple[Relay, Database]]:
    """The database as an engine on another machine sees it, over a connection that can be cut."""
    async with relaying(database_url) as (relay, url):
        pool = await db.connect(url, size=4)
        yield relay, pool
        await pool.close()


@pytest.fixture
async def world(services: Services, test_caller: Caller, far: tuple[Relay, Database]) -> World:
    """A world whose engine alone is far away; the sandbox, as the provider, is not."""
    world = World(msgspec.structs.replace(services, db=far[1]), test_caller, transports=build(services))
    world.db = services.db
    await world.speed(0)
    await world.sender()
    await world.campaign(["jane"])
    return world


async def test_a_commit_that_never_arrives_leaves_the_person_queued(world: World, far: tuple[Relay, Database]) -> None:
    far[0].cut_before = b"COMMIT"
    with pytest.raises(LOST):
        await send.begin_next(world.engine)
    assert far[0].struck == 1
    assert await world.attempts("jane") == []
    assert (await world.target("jane"))["state"] == "queued"
    await world.later(minutes=1)
    await world.send()
    assert (await world.delivered(), await world.attempts("jane")) == (["jane"], ["sent"])


async def test_a_commit_whose_answer_is_lost_is_given_up_before_the_first_byte(
    world: World, far: tuple[Relay, Database]
) -> None:
    far[0].cut_after = b"COMMIT"
    with pytest.raises(LOST):
        await send.begin_next(world.engine)
    assert far[0].struck == 1
    assert await world.attempts("jane") == ["not_sent"]
    assert (await world.target("jane"))["state"] == "queued"
    assert await world.value("SELECT count(*) FROM first_contacts") == 0
    await world.later(minutes=1)
    await world.send()
    assert (await world.delivered(), await world.attempts("jane")) == (["jane"], ["not_sent", "sent"])


class Unanswered(Database):
    """The first commit happens, and its answer never comes."""

    has_committed = False

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Connection]:
        async with super().transaction() as conn:
            yield conn
        if not self.has_committed:
            self.has_committed = True
            await asyncio.Event().wait()


async def test_a_worker_that_is_stopped_while_a_commit_is_not_answered_gives_up_what_began(
    world: World, far: tuple[Relay, Database]
) -> None:
    unanswered = Unanswered(far[1]._pool)
    beginning = asyncio.create_task(send.begin_next(msgspec.structs.replace(world.engine, db=unanswered)))
    await until(lambda: world.value("SELECT EXISTS (SELECT FROM messages)"))
    beginning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await beginning
    assert await world.attempts("jane") == ["not_sent"]
    assert (await world.target("jane"))["state"] == "queued"


async def test_all_that_began_in_a_commit_whose_answer_is_lost_are_given_up(
    world: World, far: tuple[Relay, Database]
) -> None:
    people = ["jane", "joe", "lea"]
    for name in people[1:]:
        await world.sender(f"sender.of.{name}")
        await world.campaign([name])
    far[0].cut_after = b"COMMIT"
    with pytest.raises(LOST):
        await send.begin_next(world.engine, at_most=8)
    assert [await world.attempts(each) for each in people] == [["not_sent"]] * 3
    assert await world.value("SELECT count(*) FROM first_contacts") == 0
    await world.later(minutes=1)
    await world.send()
    assert sorted(await world.delivered()) == people
    assert [await world.attempts(each) for each in people] == [["not_sent", "sent"]] * 3


@pytest.mark.parametrize("moment", ["cut_before", "cut_after"])
async def test_an_outcome_is_written_down_once_however_often_the_connection_is_lost(
    moment: str, world: World, far: tuple[Relay, Database]
) -> None:
    ready = await world.begin()
    setattr(far[0], moment, ready.attempt.message_id.uuid.bytes)
    await send.finish(world.engine, ready)
    assert far[0].struck == 1
    assert (await world.delivered(), await world.attempts("jane")) == (["jane"], ["sent"])
    assert len(await world.events("message.sent")) == 1
    assert await world.value("SELECT state FROM messages") == "sent"


async def test_a_worker_that_was_frozen_around_the_commit_sends_nothing(world: World) -> None:
    ready = await world.begin()
    patience_s = world.engine.settings.commit_patience_s
    await send.finish(
        world.engine, msgspec.structs.replace(ready, commit_asked_at=ready.commit_asked_at - patience_s - 1)
    )
    assert (await world.delivered(), await world.attempts("jane")) == ([], ["not_sent"])
    await world.later(minutes=1)
    await world.send()
    assert (await world.delivered(), await world.attempts("jane")) == (["jane"], ["not_sent", "sent"])


async def test_after_five_attempts_of_which_nothing_left_it_has_failed(world: World) -> None:
    for _ in range(5):
        ready = await world.begin()
        await send.finish(world.engine, msgspec.structs.replace(ready, commit_asked_at=0.0))
        await world.later(minutes=1)
    assert await world.attempts("jane") == ["not_sent"] * 4 + ["failed"]
    assert (await world.target("jane"))["state"] == "failed"
    assert await world.send() == []
    assert await world.delivered() == []
    assert await world.value("SELECT count(*) FROM first_contacts") == 0


async def test_a_worker_that_is_stopped_while_it_delivers_leaves_an_unknown(world: World) -> None:
    provider = HeldProvider(world.db)
    world.engine.transports["sandbox"] = provider
    delivering = asyncio.create_task(send.finish(world.engine, await world.begin()))
    await provider.asked.wait()
    delivering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await delivering
    assert await world.attempts("jane") == ["unknown"]
    assert (await world.target("jane"))["state"] == "unknown"


async def test_a_provider_that_never_answers_leaves_an_unknown(world: World) -> None:
    settings = msgspec.structs.replace(world.engine.settings, send_deadline_s=0.05)
    world.engine = msgspec.structs.replace(world.engine, settings=settings)
    world.engine.transports["sandbox"] = HeldProvider(world.db)
    await world.send()
    assert await world.attempts("jane") == ["unknown"]
    assert "0.05 s" in (await world.target("jane"))["reason"]


async def test_a_transport_that_breaks_leaves_an_unknown(world: World) -> None:
    world.engine.transports["sandbox"] = BrokenProvider(world.db)
    await world.send()
    assert await world.attempts("jane") == ["unknown"]
    await world.later(days=1)
    assert await world.send() == []
