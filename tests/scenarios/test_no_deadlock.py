"""Everything at once on the same campaigns, people and senders: every call is answered, and everybody has an end."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from tests.locks import without_circles
from tests.sending.world import World, until, working
from tests.serving import Answer, Api

TURNS = 25
NAMES = [f"sandbox.replies.{n}" for n in range(60)] + [f"sandbox.silent.{n}" for n in range(40)]
# Refusals that a call may meet when others were faster; anything else is a defect.
EXPECTED = {200, 201, 204, 404, 409}
PEOPLE = """
    SELECT named.username, coalesce(kept.username, named.username)
    FROM contacts named
    LEFT JOIN contacts kept ON kept.id = named.merged_into
"""
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


class Busy:
    """People who call the API in no order at all, each with a seed of their own."""

    def __init__(self, api: Api, campaigns: list[str], senders: list[str], client: str) -> None:
        self.api = api
        self.campaigns = campaigns
        self.senders = senders
        self.client = client
        self.answers: list[Answer] = []

    async def uploads(self, chance: random.Random) -> Answer:
        rows = [{"instagramUsername": name} for name in chance.sample(NAMES, 50)]
        return await self.api.post(f"/campaigns/{chance.choice(self.campaigns)}/targets", {"targets": rows})

    async def starts(self, chance: random.Random) -> Answer:
        return await self.api.post(f"/campaigns/{chance.choice(self.campaigns)}/{chance.choice(['start', 'resume'])}")

    async def pauses(self, chance: random.Random) -> Answer:
        return await self.api.post(f"/campaigns/{chance.choice(self.campaigns)}/pause")

    async def suppresses(self, chance: random.Random) -> Answer:
        rows = [{"instagramUsername": name} for name in chance.sample(NAMES, 4)]
        return await self.api.post("/suppressions", {"suppressions": rows})

    async def lifts(self, chance: random.Random) -> Answer:
        return await self.api.delete(f"/suppressions/{chance.choice(NAMES)}")

    async def merges(self, chance: random.Random) -> Answer:
        number = 2 * chance.randrange(10)
        return await self.api.post(f"/contacts/{NAMES[number]}/merge", {"into": NAMES[number + 1]})

    async def replies(self, chance: random.Random) -> Answer:
        said = {
            "instagramUsername": chance.choice(NAMES), "senderUsername": f"sender{chance.randrange(3)}",
            "text": chance.choice(["hello", "stop"]),
        }  # fmt: skip
        return await self.api.post("/replies", said)

    async def labels(self, chance: random.Random) -> Answer:
        replies = (await self.api.get("/replies")).body["data"]
        if not replies:
            return await self.api.get("/replies")
        label = chance.choice(["interested", "automatic", "no"])
        return await self.api.patch(f"/replies/{chance.choice(replies)['id']}", {"label": label, "reason": "looked at"})

    async def limits(self, chance: random.Random) -> Answer:
        path = chance.choice([
            f"/campaigns/{chance.choice(self.campaigns)}", f"/senders/{chance.choice(self.senders)}",
            f"/clients/{self.client}",
        ])  # fmt: skip
        return await self.api.patch(path, {"hourlyLimit": chance.randrange(900, 1_000)})

    async def stops(self, chance: random.Random) -> Answer:
        return await self.api.post(f"/senders/{chance.choice(self.senders)}/{chance.choice(['pause', 'resume'])}")

    async def keep(self, doing: Callable[[random.Random], Awaitable[Answer]], seed: int) -> None:
        chance = random.Random(f"{doing.__name__} {seed}")
        for _ in range(TURNS):
            self.answers.append(await doing(chance))


async def finished(world: World) -> bool:
    return await world.value("SELECT bool_and(state = 'completed') FROM campaigns")


async def test_everything_at_once_ends_without_a_deadlock(
    services: Services, worker_services: Services, test_caller: Caller, test_api: Api, tmp_path: Path
) -> None:
    world = World(services, test_caller)
    await world.speed(20_000)
    senders = [str((await world.sender(f"sender{n}")).id) for n in range(3)]
    first = await world.campaign(NAMES[:50], started=False, follow_up_hours=[2])
    made = [first] + [
        await world.campaign(NAMES[n : n + 60], client_id=first.client_id, started=False) for n in (10, 40)
    ]  # fmt: skip
    busy = Busy(test_api, [str(each.id) for each in made], senders, str(first.client_id))
    doings: list[Any] = [
        busy.uploads, busy.starts, busy.pauses, busy.suppresses, busy.lifts, busy.merges, busy.replies, busy.labels,
        busy.limits, busy.stops,
    ]  # fmt: skip
    deadlocks = await world.value(DEADLOCKS)
    async with without_circles(world.db), working(worker_services, tmp_path, workers=2):
        await asyncio.gather(*(busy.keep(each, seed) for each in doings for seed in range(2)))
        assert {answer.status for answer in busy.answers} <= EXPECTED, Counter(
            str(answer) for answer in busy.answers if answer.status not in EXPECTED
        )
        for sender in senders:
            await test_api.post(f"/senders/{sender}/resume")
        for each in made:
            await test_api.post(f"/campaigns/{each.id}/start")
            await test_api.post(f"/campaigns/{each.id}/resume")
        await until(lambda: finished(world))
    assert await world.value(DEADLOCKS) == deadlocks
    # Nobody gets a first message twice from one client, but who was written to under two names before they were one.
    person = dict(await world.all(PEOPLE))
    log = Counter(person[name] for name in await world.delivered())
    twice = Counter(
        each.body["into"] for each in busy.answers if each.status == 200 for _ in each.body.get("writtenToTwice", ())
    )
    assert await follow_ups(world) == +(log - Counter(set(log)) - twice)
    for each in made:
        states = Counter((await world.people(each)).values())
        assert set(states) <= {"sent", "replied", "skipped"}
        assert states.total() == await world.value("SELECT count(*) FROM targets WHERE campaign_id = $1", each.id.uuid)


async def follow_ups(world: World) -> dict[str, int]:
    """How many follow-ups each person got."""
    found = await world.all("""
        SELECT k.username, count(*) AS number
        FROM messages m JOIN contacts k ON k.id = m.contact_id
        WHERE m.step > 0 AND m.state = 'sent'
        GROUP BY k.username
    """)  # fmt: skip
    return {each["username"]: each["number"] for each in found}
