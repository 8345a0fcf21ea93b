"""Many calls about the same people at once: one contact each, no deadlock, and suppression waits for its turn."""

import asyncio
import random

from iglayers.accounts.model import Caller
from iglayers.contacts import actions, queries
from iglayers.contacts.usernames import handle_hash
from iglayers.core.db import Database
from iglayers.core.ids import ContactId, uuid7, uuid7_block
from tests import make
from tests.databases import PEPPER


async def upsert(database: Database, caller: Caller, names: list[str]) -> dict[str, ContactId]:
    async with database.transaction() as conn:
        found = await queries.upsert_many(
            conn, caller.workspace_id, ids=uuid7_block(len(names)),
            hashes=[handle_hash(PEPPER, name) for name in names], usernames=names, now=caller.now,
        )  # fmt: skip
    assert [each.username for each in found] == names
    return {name: each.id for name, each in zip(names, found, strict=True)}


async def somebody_waits(database: Database) -> None:
    """Until a statement in this database waits for a lock."""
    async with asyncio.timeout(20), database.connection() as conn:
        while not await conn.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"):
            pass


async def test_fifty_uploads_of_the_same_people_agree(database: Database, caller: Caller) -> None:
    chance = random.Random(7)
    names = [f"creator{n}" for n in range(400)]
    shuffled = [chance.sample(names, chance.randint(200, 400)) for _ in range(50)]
    answers = await asyncio.gather(*(upsert(database, caller, each) for each in shuffled))
    agreed = {name: contact for answer in answers for name, contact in answer.items()}
    assert all(answer.items() <= agreed.items() for answer in answers)
    assert len(set(agreed.values())) == len(agreed) == 400


async def test_uploads_and_suppressions_of_the_same_people_do_not_deadlock(database: Database, caller: Caller) -> None:
    chance = random.Random(8)
    names = [f"creator{n}" for n in range(200)]

    async def suppress(some: list[str]) -> None:
        wanted = [actions.WantedSuppression(instagram_username=name) for name in some]
        async with database.transaction() as conn:
            await actions.suppress_many(conn, caller, wanted, pepper=PEPPER)

    await asyncio.gather(
        *(upsert(database, caller, chance.sample(names, 150)) for _ in range(25)),
        *(suppress(chance.sample(names, 150)) for _ in range(25)),
    )
    async with database.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM suppressions") == 200


async def test_the_same_name_twice_in_one_call_is_one_person(database: Database, caller: Caller) -> None:
    async with database.transaction() as conn:
        digest = handle_hash(PEPPER, "jane")
        found = await queries.upsert_many(
            conn, caller.workspace_id, ids=[uuid7(), uuid7()], hashes=[digest, digest], usernames=["jane", "jane"],
            now=caller.now,
        )  # fmt: skip
    assert found[0] == found[1]


async def test_a_suppression_waits_for_a_message_that_is_being_begun(database: Database, caller: Caller) -> None:
    """The engine holds the person's row while it begins; after the suppression has committed it finds it."""
    contact = (await upsert(database, caller, ["jane"]))["jane"]
    async with database.transaction() as conn:
        await queries.lock(conn, caller.workspace_id, [contact])
        suppressing = asyncio.create_task(make.suppression(database, caller, "jane"))
        await somebody_waits(database)
        assert not suppressing.done()
        assert not await queries.suppressed_among(conn, caller.workspace_id, [contact], None, caller.now)
    await suppressing
    async with database.transaction() as conn:
        await queries.lock(conn, caller.workspace_id, [contact])
        assert await queries.suppressed_among(conn, caller.workspace_id, [contact], None, caller.now)
