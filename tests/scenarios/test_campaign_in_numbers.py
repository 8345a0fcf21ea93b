"""Two thousand people, three first texts, two follow-ups and a killed worker: every count adds up, nobody hears twice.

The judge is the sandbox's own log: what its people got, from whom, when, in which words.
"""

import re
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from tests import make
from tests.drills.processes import Process, end_leases
from tests.sending.world import World, until
from tests.serving import Api

# What becomes of people of this prefix, unless a worker is lost over them.
CROWD = {
    "sandbox.silent": (120, "sent"), "creator": (240, ""), "sandbox.replies": (740, "replied"),
    "sandbox.optout": (460, "replied"), "sandbox.away": (40, "sent"), "sandbox.private": (120, "failed"),
    "sandbox.notfound": (80, "failed"), "sandbox.noroute": (60, "skipped"), "suppressed": (40, "skipped"),
    "cityless": (30, "skipped"), "sandbox.timeout.sent": (30, "sent"), "sandbox.timeout.lost": (20, "unknown"),
    "sandbox.error": (20, "unknown"),
}  # fmt: skip
PEOPLE = 2_000
SENDERS = 10
SPEED = 5_000
# Follow-ups come due over as many hours as the first messages took: these hours pass faster.
FOLLOW_UP_SPEED = 50_000
TEXT = re.compile(r"step (\d) text (\d)")


class Got(NamedTuple):
    """A message in the sandbox's log."""

    name: str
    sender: str
    step: int
    variant: int
    at: datetime


async def test_the_numbers_of_a_long_campaign(
    services: Services, test_caller: Caller, test_api: Api, database_url: str, tmp_path: Path
) -> None:
    world = World(services, test_caller)
    await world.speed(SPEED)
    spring = await campaign(world, test_api)
    machine = Process(database_url, tmp_path, worker_slots=16)
    try:
        await run(world, machine)
    finally:
        machine.make_sure_it_is_gone()

    log = await read_log(world)
    rows = await results(test_api, spring)
    numbers = (await test_api.get(f"/campaigns/{spring}/stats")).body
    check_states(rows, numbers)
    check_nobody_twice(log)
    check_numbers(numbers, log, await unknown(world))
    await check_who_answered(world, log)
    check_follow_ups(log, rows)


async def campaign(world: World, api: Api) -> str:
    """Ready to go, with everybody in it."""
    assert sum(number for number, _ in CROWD.values()) == PEOPLE
    for number in range(SENDERS):
        await world.sender(f"sender.{number}")
    first = [str((await make.template(world.db, world.caller, f"step 0 text {n}, {{{{city}}}}")).id) for n in range(3)]
    later = [str((await make.template(world.db, world.caller, f"step {n} text 0")).id) for n in (1, 2)]
    made = await api.post("/campaigns", {
        "clientId": str((await make.client(world.db, world.caller)).id), "name": "Spring",
        "messageTemplateId": first[0],
        "variants": [{"messageTemplateId": each, "weight": 1 + n} for n, each in enumerate(first)],
        "followUps": [{"messageTemplateId": each, "delayHours": 96} for each in later],
    })  # fmt: skip
    assert made.status == 201, made
    everybody = [f"{prefix}.{number}" for prefix, (count, _) in CROWD.items() for number in range(count)]
    people = [
        {"instagramUsername": name, "variables": {} if name.startswith("cityless") else {"city": "Oslo"}}
        for name in everybody
    ]
    added = await api.post(f"/campaigns/{made.body['id']}/targets", {"targets": people})
    assert (added.body["accepted"], added.body["rejected"]) == (PEOPLE, 0)
    late = [{"instagramUsername": name} for name in everybody if name.startswith("suppressed")]
    assert (await api.post("/suppressions", {"suppressions": late})).status == 201
    assert (await api.post(f"/campaigns/{made.body['id']}/start")).status == 200
    return made.body["id"]


async def run(world: World, machine: Process) -> None:
    """To its end, by a worker that is killed half-way through the first messages."""
    machine.start()
    await until(lambda: world.value("SELECT count(*) > 600 FROM messages"))
    machine.kill()
    lost_by = world.caller.now
    await end_leases(world, begun_by=lost_by)
    machine.start()
    for step in range(3):
        await until(lambda lost_by=lost_by, step=step: all_went(world, lost_by, step), within_s=90, every_s=0.1)
        # Whoever answers does within a day, and is heard before the next message is due.
        await world.later(hours=30)
        await until(lambda: all_heard(world))
        if step < 2:
            await world.speed(FOLLOW_UP_SPEED)
            await world.later(hours=66)
    await until(lambda: world.value("SELECT state = 'completed' FROM campaigns"))
    machine.must_run()


async def all_went(world: World, lost_by: datetime, step: int) -> bool:
    """Whether nobody waits for this step, nor is on the way."""
    await end_leases(world, begun_by=lost_by)
    return await world.value("""
        SELECT NOT EXISTS (SELECT FROM messages WHERE state = 'sending')
           AND NOT EXISTS (SELECT FROM targets WHERE next_due_at IS NOT NULL AND next_step <= $1)
    """, step)  # fmt: skip


async def all_heard(world: World) -> bool:
    return await world.value("""
        SELECT NOT EXISTS (SELECT FROM sandbox_plans)
           AND NOT EXISTS (SELECT FROM inbound WHERE processed_at IS NULL)
    """)  # fmt: skip


async def read_log(world: World) -> list[Got]:
    found = await world.all("SELECT recipient, sender_username, text, delivered_at FROM sandbox_messages")
    log: list[Got] = []
    for name, sender, text, at in found:
        match = TEXT.match(text)
        assert match, text
        log.append(Got(name, sender, int(match[1]), int(match[2]), at))
    return log


async def results(api: Api, campaign_id: str) -> dict[str, dict[str, Any]]:
    """Each person's row."""
    rows: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await api.get(f"/campaigns/{campaign_id}/results", limit="1000", **cursor)).body
        rows += page["data"]
        if not page["hasMore"]:
            break
        cursor = {"cursor": page["nextCursor"]}
    assert +Counter(page["summary"]) == Counter(each["status"] for each in rows)
    return {each["instagramUsername"]: each for each in rows}


async def unknown(world: World) -> Counter[tuple[int, int]]:
    """Messages of each text of which nobody knows, and which the sandbox has in its log."""
    found = await world.all("""
        SELECT m.step, m.variant FROM messages m
        JOIN contacts k ON k.id = m.contact_id
        JOIN sandbox_messages s ON s.recipient = k.username AND s.text = m.body
        WHERE m.state = 'unknown'
    """)  # fmt: skip
    return Counter((each["step"], each["variant"]) for each in found)


def check_states(rows: dict[str, dict[str, Any]], numbers: dict[str, Any]) -> None:
    """Everybody has the end that the name says; a killed worker loses one message of each sender at most."""
    assert len(rows) == PEOPLE
    lost = 0
    for prefix, (count, state) in CROWD.items():
        of_them = [row for name, row in rows.items() if re.fullmatch(rf"{re.escape(prefix)}\.\d+", name)]
        assert len(of_them) == count
        ends = Counter(row["status"] for row in of_them)
        lost += ends.pop("unknown", 0) if state != "unknown" else 0
        assert set(ends) <= ({state} if state else {"sent", "replied"}), prefix
    assert lost <= SENDERS
    states = Counter(row["status"] for row in rows.values())
    funnel = numbers["funnel"]
    assert {name: funnel[name] for name in ("targets", "failed", "skipped", "unknown")} == {
        "targets": PEOPLE, "failed": states["failed"], "skipped": states["skipped"], "unknown": states["unknown"]
    }  # fmt: skip
    assert funnel["replied"] == states["replied"]
    codes = Counter(row["errorCode"] for row in rows.values() if row["status"] in ("failed", "skipped"))
    assert codes == {**numbers["failedBy"], **numbers["skippedBy"]}
    assert codes == {
        "recipient_unavailable": 120, "recipient_not_found": 80, "no_permitted_route": 60, "target_suppressed": 40,
        "missing_variable": 30,
    }  # fmt: skip


def check_nobody_twice(log: list[Got]) -> None:
    """One message of each step at most, and all by the account that wrote first."""
    assert [key for key, times in Counter((got.name, got.step) for got in log).items() if times > 1] == []
    senders: dict[str, set[str]] = defaultdict(set)
    for got in log:
        senders[got.name].add(got.sender)
    assert {len(names) for names in senders.values()} == {1}


def check_numbers(numbers: dict[str, Any], log: list[Got], doubtful: Counter[tuple[int, int]]) -> None:
    """What is told of each step, text and sender is what the log says, but for what nobody knows."""
    delivered = Counter((got.step, got.variant) for got in log)
    sent = {(each["step"], each["variant"]): each["sent"] for each in numbers["steps"]}
    assert sent == {arm: count - doubtful[arm] for arm, count in delivered.items()}
    assert set(sent) == {(0, 0), (0, 1), (0, 2), (1, 0), (2, 0)}
    of_firsts = [sent[0, variant] for variant in range(3)]
    assert of_firsts == sorted(of_firsts)  # weights 1, 2, 3
    assert sum(each["sent"] for each in numbers["senders"]) == sum(sent.values())
    assert sum(each["sent"] for each in numbers["series"]) == sum(sent.values())
    assert sum(each["replied"] for each in numbers["steps"]) == sum(each["replied"] for each in numbers["senders"])


async def check_who_answered(world: World, log: list[Got]) -> None:
    """Nobody gets a message after an answer, but an automatic one; who said stop is suppressed."""
    found = await world.all("""
        SELECT k.username, min(r.received_at) FILTER (WHERE r.label <> 'automatic') AS at, bool_or(r.opted_out) AS stop
        FROM replies r JOIN contacts k ON k.id = r.contact_id GROUP BY k.username
    """)  # fmt: skip
    answered = {each["username"]: each["at"] for each in found if each["at"] is not None}
    assert [got for got in log if got.name in answered and got.at > answered[got.name]] == []
    stopped = {each["username"] for each in found if each["stop"]}
    assert stopped == {got.name for got in log if got.name.startswith("sandbox.optout")}
    suppressed = await world.all("""
        SELECT k.username FROM suppressions s JOIN contacts k ON k.id = s.contact_id WHERE s.source = 'opt_out'
    """)  # fmt: skip
    assert {each["username"] for each in suppressed} == stopped


def check_follow_ups(log: list[Got], rows: dict[str, dict[str, Any]]) -> None:
    """Whoever was reached and kept silent got all three, four days apart; nobody else got a second one."""
    steps: dict[str, list[Got]] = defaultdict(list)
    for got in sorted(log, key=lambda got: got.step):
        steps[got.name].append(got)
    silent = {name for name, row in rows.items() if row["status"] == "sent"}
    assert silent <= steps.keys()
    for name, got in steps.items():
        assert [each.step for each in got] == ([0, 1, 2] if name in silent else [0]), name
        for earlier, later in pairwise(got):
            assert later.at - earlier.at >= timedelta(hours=96)
