"""The counts by state are those of a real count at every moment, whatever happens at once."""

import asyncio
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.campaigns.model import Campaign
from iglayers.core.crypto import Vault
from iglayers.core.db import Database
from iglayers.core.errors import Conflict, NotFound
from iglayers.reports import people
from iglayers.targets import queries_counts
from iglayers.targets.model import TargetState
from tests.databases import PEPPER, SECRET_KEY
from tests.sending.world import World, until, working
from tests.serving import Api

TURNS = 12
NAMES = [f"sandbox.{kind}.{n}" for kind in ("replies", "silent", "notfound", "failed", "unknown") for n in range(12)]
WRONG = """
    SELECT campaign_id, state, code, coalesce(kept.number, 0) AS kept, coalesce(real.number, 0) AS real
    FROM (
        SELECT campaign_id, state, coalesce(code, '') AS code, sum(number) AS number FROM target_counts GROUP BY 1, 2, 3
    ) AS kept
    FULL JOIN (
        SELECT campaign_id, state,
               CASE WHEN state IN ('skipped', 'failed') THEN coalesce(error_code, reason, '') ELSE '' END AS code,
               count(*) AS number
        FROM targets
        GROUP BY 1, 2, 3
    ) AS real USING (campaign_id, state, code)
    WHERE coalesce(kept.number, 0) <> coalesce(real.number, 0)
"""


class Crowd:
    """Callers who do whatever changes the state of people, in no order at all."""

    def __init__(self, world: World, api: Api, campaigns: list[Campaign]) -> None:
        self.world = world
        self.api = api
        self.campaigns = campaigns

    async def uploads(self, chance: random.Random) -> None:
        """Also of people who ended unsent, who are queued again."""
        rows = [{"instagramUsername": name} for name in chance.sample(NAMES, 20)]
        await self.api.post(f"/campaigns/{chance.choice(self.campaigns).id}/targets", {"targets": rows})

    async def cancels_people(self, _chance: random.Random) -> None:
        queued = await self.world.all("SELECT id, campaign_id FROM targets WHERE state = 'queued' LIMIT 5")
        for each in queued:
            at = f"/campaigns/cmp_{each['campaign_id'].hex}/targets/tgt_{each['id'].hex}"
            await self.api.delete(at)

    async def cancels_campaigns(self, chance: random.Random) -> None:
        made = await self.world.campaign(chance.sample(NAMES, 15), client_id=self.campaigns[0].client_id)
        await self.api.post(f"/campaigns/{made.id}/cancel")

    async def deletes(self, chance: random.Random) -> None:
        made = await self.world.campaign([f"gone.{chance.random()}" for _ in range(5)], started=False)
        await self.api.delete(f"/campaigns/{made.id}")

    async def merges(self, chance: random.Random) -> None:
        number = 2 * chance.randrange(20)
        await self.api.post(f"/contacts/{NAMES[number]}/merge", {"into": NAMES[number + 1]})

    async def erases(self, chance: random.Random) -> None:
        with suppress(Conflict, NotFound):  # a message is on its way, or nobody uploaded the person yet
            async with self.world.db.transaction() as conn:
                name, vault = chance.choice(NAMES), Vault(SECRET_KEY)
                await people.erase(conn, self.world.caller, name, pepper=PEPPER, vault=vault)

    async def takes_back(self, _chance: random.Random) -> None:
        """A change that is rolled back takes its counts with it."""
        conn: Any
        async with self.world.db.connection() as conn:
            transaction = conn.transaction()
            await transaction.start()
            await conn.execute("UPDATE targets SET state = 'cancelled' WHERE id = (SELECT id FROM targets LIMIT 1)")
            await transaction.rollback()

    async def folds(self, chance: random.Random) -> None:
        await fold(self.world.db, above=chance.randrange(3))

    async def looks(self, _chance: random.Random) -> None:
        assert await self.world.all(WRONG) == []

    async def keep(self, doing: Any, seed: int) -> None:
        chance = random.Random(f"{doing.__name__} {seed}")
        for _ in range(TURNS):
            await doing(chance)


async def fold(db: Database, *, above: int) -> int:
    async with db.connection() as conn:
        return await queries_counts.fold_counts(conn, above=above)


async def test_counts_are_those_of_the_rows_whatever_happens_at_once(
    services: Services, worker_services: Services, test_caller: Caller, test_api: Api, tmp_path: Path
) -> None:
    world = World(services, test_caller)
    await world.speed(20_000)
    for n in range(3):
        await world.sender(f"sender{n}")
    first = await world.campaign(NAMES[:40], follow_up_hours=[2])
    made = [first, await world.campaign(NAMES[20:], client_id=first.client_id)]
    crowd = Crowd(world, test_api, made)
    doings = [
        crowd.uploads, crowd.cancels_people, crowd.cancels_campaigns, crowd.deletes, crowd.merges, crowd.erases,
        crowd.takes_back, crowd.folds, crowd.folds, crowd.looks,
    ]  # fmt: skip
    # Workers count one target at a time, by their connections; the API counts by the statement.
    async with working(worker_services, tmp_path, workers=2):
        async with asyncio.TaskGroup() as group:
            for seed, each in enumerate(doings):
                group.create_task(crowd.keep(each, seed))
        await until(lambda: world.value("SELECT bool_or(state IN ('sent', 'replied')) FROM targets"))
    assert await world.all(WRONG) == []

    # What the API says is the same, before and after everything is folded, and folded it is one row for each count.
    before = [(await test_api.get(f"/campaigns/{each.id}/stats")).body for each in made]
    assert all(each["funnel"]["targets"] for each in before)
    while await fold(world.db, above=1) and await world.value("SELECT count(*) FROM target_counts") > 200:
        pass
    assert await world.all(WRONG) == []
    assert [(await test_api.get(f"/campaigns/{each.id}/stats")).body for each in made] == before
    assert await world.value("SELECT bool_and(number > 0) FROM target_counts")
    doubled = "SELECT count(*) FROM (SELECT FROM target_counts GROUP BY campaign_id, state, code HAVING count(*) > 1)"
    assert await world.value(doubled) == 0


async def test_a_second_folder_leaves_what_the_first_holds(services: Services, test_caller: Caller) -> None:
    world = World(services, test_caller)
    made = await world.campaign(["jane", "john"], started=False)
    await world.add(made, ["ann"])
    async with world.db.transaction() as conn:
        assert await queries_counts.fold_counts(conn, above=0) == 2
        assert await fold(world.db, above=0) == 0
        # Nor does it keep anybody from adding people or from counting them.
        await world.add(made, ["zoe"])
        async with world.db.connection() as other:
            counted = await queries_counts.counts(other, test_caller.workspace_id, made.id)
        assert counted[TargetState.QUEUED] == 4
    async with world.db.connection() as conn:
        counted = await queries_counts.counts(conn, test_caller.workspace_id, made.id)
    assert sum(counted.values()) == 4
    assert await world.value("SELECT count(*) FROM target_counts") == 2
