"""Outcomes that come in together are written down together; each has what it would have had alone."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from iglayers.campaigns import actions as campaigns
from iglayers.core.db import Connection
from iglayers.senders.model import NotSent, Outcome, Sent, Unknown
from iglayers.sending import queries_settle, send
from iglayers.sending import settle as settling
from iglayers.sending.model import Ended
from tests.sending.world import WAITING, World, until

NAMES = [f"sandbox.silent.{number}" for number in range(6)]


@pytest.fixture
async def begun(world: World) -> list[send.Ready]:
    """One message of each of six accounts is on its way."""
    for number in range(len(NAMES)):
        await world.sender(f"sender{number}")
    await world.campaign(NAMES, follow_up_hours=[2])
    return [await world.begin() for _ in NAMES]


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many outcomes each commit has taken that took several."""
    sizes: list[int] = []
    as_it_is = queries_settle.settle_free

    async def counted(conn: Connection, ended: Sequence[Ended]) -> set[UUID]:
        settled = await as_it_is(conn, ended)
        sizes.append(len(settled))
        return settled

    monkeypatch.setattr(queries_settle, "settle_free", counted)
    return sizes


async def settle(world: World, ready: send.Ready, outcome: Outcome) -> bool:
    return await world.engine.settler.settle(ready.attempt, outcome)


async def ledger(world: World) -> list[Any]:
    """Message, target and what was told, by person."""
    return [tuple(each) for each in await world.all("""
        SELECT k.username, m.state, m.error_code, m.provider_message_id, t.state, t.next_step,
               t.next_due_at - t.sent_at, e.type
        FROM messages m
        JOIN targets t ON t.id = m.target_id
        JOIN contacts k ON k.id = m.contact_id
        LEFT JOIN events e ON e.contact_id = m.contact_id AND e.type LIKE 'message.%'
        ORDER BY k.username
    """)]  # fmt: skip


async def test_what_ends_while_one_is_written_is_written_in_one_commit(
    world: World, begun: list[send.Ready], commits: list[int]
) -> None:
    outcomes: list[Outcome] = [Sent(f"id-{number}") for number in range(5)]
    outcomes.append(Unknown("Nobody knows."))
    settled = await asyncio.gather(*(settle(world, *each) for each in zip(begun, outcomes, strict=True)))
    assert all(settled)
    assert commits == [6]
    [*sent, unknown] = await ledger(world)
    assert len({each[3] for each in sent}) == 5
    assert {(each[1], each[2], each[4], each[5], each[7]) for each in sent} == {
        ("sent", None, "sent", 1, "message.sent")
    }
    assert {each[6].total_seconds() for each in sent} == {7_200}
    assert unknown[1:3] == ("unknown", "outcome_unknown")
    assert (unknown[4], unknown[5], unknown[7]) == ("unknown", 0, "message.unknown")


HELD_BY_OTHERS = [
    "SELECT FROM targets WHERE id = (SELECT target_id FROM messages WHERE id = $1) FOR UPDATE",
    # Counting the month anew holds messages and no targets, in an order of its own.
    "SELECT FROM messages WHERE id = $1 FOR UPDATE",
]


@pytest.mark.parametrize("hold", HELD_BY_OTHERS, ids=["target", "message"])
async def test_what_somebody_holds_holds_up_no_other(
    hold: str, world: World, begun: list[send.Ready], commits: list[int]
) -> None:
    held, *others = begun
    async with world.db.transaction() as conn:
        assert await conn.execute(hold, held.attempt.message_id.uuid) == "SELECT 1"
        waits = asyncio.create_task(settle(world, held, Sent("held")))
        assert all(await asyncio.gather(*(settle(world, each, Sent("free")) for each in others)))
        assert commits == [5]
        assert not waits.done()
    assert await waits
    assert [each[1] for each in await ledger(world)] == ["sent"] * 6


async def test_a_writing_that_hangs_holds_up_its_own_batch_alone_and_not_for_long(
    world: World, begun: list[send.Ready], monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs, as_it_is = asyncio.Event(), queries_settle.settle_free

    async def hang_once(conn: Connection, ended: Sequence[Ended]) -> set[UUID]:
        monkeypatch.setattr(queries_settle, "settle_free", as_it_is)
        await hangs.wait()
        return await as_it_is(conn, ended)

    monkeypatch.setattr(queries_settle, "settle_free", hang_once)
    monkeypatch.setattr(settling, "_TOGETHER_S", 0.05)
    assert all(await asyncio.gather(*(settle(world, each, Sent("known")) for each in begun[:3])))
    assert all(await asyncio.gather(*(settle(world, each, Sent("known")) for each in begun[3:])))
    hangs.set()
    await world.engine.settler.end()
    assert [(each[1], each[7]) for each in await ledger(world)] == [("sent", "message.sent")] * 6


async def test_an_outcome_that_cannot_be_written_spoils_no_other(world: World, begun: list[send.Ready]) -> None:
    spoilt, *others = begun
    ended = await asyncio.gather(
        settle(world, spoilt, Sent("no text of PostgreSQL: \0")),
        *(settle(world, each, Sent("fine")) for each in others),
        return_exceptions=True,
    )
    assert [isinstance(each, Exception) for each in ended] == [True] + [False] * 5
    assert sorted(each[1] for each in await ledger(world)) == ["sending"] + ["sent"] * 5


async def test_whoever_stops_waiting_stops_no_writing(world: World, begun: list[send.Ready]) -> None:
    waiting = [asyncio.create_task(settle(world, each, Sent("known"))) for each in begun]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.gather(*waiting[1:])
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    assert [each[1] for each in await ledger(world)] == ["sent"] * 6


async def test_what_happened_meanwhile_stands(world: World, begun: list[send.Ready]) -> None:
    """A reply stays a reply; after a cancel no follow-up is planned; what was settled before stays."""
    replied, early, *_ = begun
    async with world.db.connection() as conn:
        await conn.execute("UPDATE targets SET state = 'replied' WHERE id = $1", replied.attempt.target_id.uuid)
    assert await settle(world, early, Unknown("early"))
    async with world.db.transaction() as conn:
        await campaigns.cancel(conn, world.caller, early.attempt.campaign_id)
    again = await asyncio.gather(*(settle(world, each, Sent("late")) for each in begun))
    assert all(again)
    assert not any(await asyncio.gather(*(settle(world, each, Sent("later")) for each in begun)))
    targets = await world.all("SELECT id, state, next_due_at FROM targets")
    assert {each["state"] for each in targets if each["id"] == replied.attempt.target_id.uuid} == {"replied"}
    assert sorted(each["state"] for each in targets) == ["replied"] + ["sent"] * 5
    assert {each["next_due_at"] for each in targets} == {None}


async def test_who_asks_not_to_be_written_to_is_held_before_the_month(world: World) -> None:
    """A begin holds its person and waits for the month's row: settling in the other order would be a deadlock."""
    await world.set_workspace(monthly_limit=10)
    await world.sender()
    await world.campaign(["jane"])
    ready = await world.begin()
    blocked = NotSent(code="recipient_unavailable", reason="Jane has blocked the account.", opted_out=True)
    async with world.db.transaction() as conn:
        await conn.execute("SELECT FROM contacts WHERE username = 'jane' FOR NO KEY UPDATE")
        writing = asyncio.create_task(settle(world, ready, blocked))
        await until(lambda: world.all(WAITING))
        await conn.execute("SET LOCAL lock_timeout = '2s'")
        await conn.execute("UPDATE usage_months SET sent = sent + 1")
    assert await writing
    assert await world.value("SELECT source FROM suppressions") == "opt_out"
    assert len(await world.events("contact.opted_out")) == 1
    assert await world.sent_this_month() == 1
