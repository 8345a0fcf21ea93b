"""A reply marks whom it answers, stops follow-ups, tells it once, and opting out is for the whole workspace."""

import asyncio
from datetime import timedelta

import pytest

from iglayers.accounts import queries as account_queries
from tests.replies.ledger import Ledger
from tests.senders.orders import a_sender


@pytest.mark.parametrize(
    ("target", "message"),
    [("sent", "sent"), ("sending", "sending"), ("unknown", "unknown"), ("awaiting_operator", "claimed")],
)
async def test_whoever_may_have_been_reached_is_replied(target: str, message: str, ledger: Ledger) -> None:
    written = await ledger.wrote_to("jane.doe", target=target, message=message)
    at = ledger.caller.now - timedelta(minutes=3)
    await ledger.came_in("Jane.Doe", "Hi! Tell me more", at=at)
    assert await ledger.read() == 1
    row = await ledger.target(written)
    assert (row["state"], row["replied_at"], row["next_due_at"]) == ("replied", at, None)
    [event] = await ledger.events("reply.received")
    assert event["campaign"] == {
        "id": str(written.campaign_id), "name": "May", "clientId": str(written.client_id),
        "metadata": {"source": "agent"},
    }  # fmt: skip
    assert event["target"]["id"] == str(written.target_id)
    assert (event["target"]["instagramUsername"], event["target"]["followerCount"]) == ("jane.doe", 24_000)
    assert event["reply"]["text"] == "Hi! Tell me more"
    assert event["reply"]["receivedAt"] == at.rfc3339()
    assert event["sender"]["username"] == "acme.official"
    assert await ledger.read() == 0


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("queued", "not_sent"),
        ("skipped", "not_sent"),
        ("cancelled", "skipped"),
        ("failed", "failed"),
        ("awaiting_operator", "handed_over"),
    ],
)
async def test_whoever_was_not_written_to_stays(target: str, message: str, ledger: Ledger) -> None:
    written = await ledger.wrote_to("jane.doe", target=target, message=message)
    await ledger.came_in("jane.doe", "Hello, is this a shop?")
    assert await ledger.read() == 1
    assert (await ledger.target(written))["state"] == target
    [reply] = await ledger.all("SELECT * FROM replies")
    assert (reply["target_id"], reply["text"]) == (None, "Hello, is this a shop?")
    assert await ledger.events("reply.received") == []


async def test_the_newest_message_of_this_sender_is_answered(ledger: Ledger) -> None:
    other = await a_sender(ledger.database, ledger.caller, "acme.second")
    old = await ledger.wrote_to("jane.doe", ago=timedelta(days=3))
    new = await ledger.wrote_to("jane.doe", ago=timedelta(days=1))
    elsewhere = await ledger.wrote_to("jane.doe", ago=timedelta(hours=1), sender=other)
    await ledger.came_in("jane.doe", "yes")
    await ledger.read()
    assert [(await ledger.target(each))["state"] for each in (old, new, elsewhere)] == ["sent", "replied", "sent"]


async def test_the_first_reply_gives_the_time(ledger: Ledger) -> None:
    written = await ledger.wrote_to("jane.doe")
    first, second = ledger.caller.now - timedelta(minutes=9), ledger.caller.now - timedelta(minutes=2)
    await ledger.came_in("jane.doe", "yes", at=first)
    await ledger.came_in("jane.doe", "and how?", at=second)
    assert await ledger.read() == 2
    assert (await ledger.target(written))["replied_at"] == first
    assert len(await ledger.events("reply.received")) == 2


async def test_follow_ups_stop_in_the_whole_workspace(ledger: Ledger) -> None:
    other = await a_sender(ledger.database, ledger.caller, "acme.second")
    answered = await ledger.wrote_to("jane.doe", follow_up=True)
    elsewhere = await ledger.wrote_to("jane.doe", follow_up=True, sender=other, ago=timedelta(days=5))
    somebody = await ledger.wrote_to("mario", follow_up=True)
    queued = await ledger.wrote_to("jane.doe", target="queued", message="not_sent")
    async with ledger.database.transaction() as conn:
        await account_queries.forget_wakeups(conn, await account_queries.wakeups(conn))
    await ledger.came_in("jane.doe", "hello")
    await ledger.read()
    due = [(await ledger.target(each))["next_due_at"] is not None for each in (answered, elsewhere, somebody, queued)]
    assert due == [False, False, True, True]
    async with ledger.database.transaction() as conn:
        assert list(await account_queries.wakeups(conn)) == [ledger.caller.workspace_id]


async def test_opting_out_suppresses_at_once_everywhere(ledger: Ledger) -> None:
    await ledger.wrote_to("jane.doe")
    await ledger.came_in("jane.doe", "STOP!")
    await ledger.read()
    [row] = await ledger.all("SELECT * FROM suppressions")
    assert (row["source"], row["client_id"], row["expires_at"]) == ("opt_out", None, None)
    [event] = await ledger.events("contact.opted_out")
    assert (event["instagramUsername"], event["reply"]["text"]) == ("jane.doe", "STOP!")
    [reply] = await ledger.events("reply.received")
    assert reply["reply"]["optedOut"]


async def test_a_stranger_can_opt_out_too(ledger: Ledger) -> None:
    await ledger.came_in("never.seen", "unsubscribe")
    await ledger.read()
    [row] = await ledger.all("SELECT c.username FROM suppressions s JOIN contacts c ON c.id = s.contact_id")
    assert row["username"] == "never.seen"


async def test_six_workers_read_each_reply_once(ledger: Ledger) -> None:
    people = [f"person{number}" for number in range(25)]
    written = [await ledger.wrote_to(username, follow_up=True) for username in people]
    for username in people * 4:
        await ledger.came_in(username, "hello" if username != "person7" else "stop")
    read = await asyncio.gather(*(ledger.read() for _ in range(6)))
    assert sum(read) == 100
    assert len(await ledger.all("SELECT id FROM replies")) == 100
    assert len(await ledger.events("reply.received")) == 100
    assert len(await ledger.all("SELECT id FROM suppressions")) == 1
    assert {(await ledger.target(each))["state"] for each in written} == {"replied"}


async def test_a_fact_that_cannot_be_read_holds_nobody_up(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    written = await ledger.wrote_to("jane.doe")
    await ledger.told("reply", {"nothing": "here"})
    await ledger.came_in("jane.doe", "hello")
    assert await ledger.read() == 2
    assert (await ledger.target(written))["state"] == "replied"
    assert await ledger.read() == 0  # not at once again
    assert len(await ledger.all("SELECT id FROM inbound WHERE processed_at IS NULL")) == 1
    capsys.readouterr()


async def test_erasure_finds_the_fact(ledger: Ledger) -> None:
    await ledger.wrote_to("jane.doe")
    await ledger.came_in("jane.doe", "hello")
    await ledger.read()
    [row] = await ledger.all("SELECT i.contact_id = c.id AS found FROM inbound i, contacts c")
    assert row["found"]
