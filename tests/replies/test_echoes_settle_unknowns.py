"""An echo is evidence that an unknown message arrived, by its reference alone, however often and late it comes."""

import asyncio
from uuid import uuid4

import pytest

from iglayers.core.ids import MessageId
from tests.replies.ledger import Ledger


async def echo(ledger: Ledger, message_id: MessageId, *, key: str | None = None) -> None:
    fact = {"reference": str(message_id.uuid), "providerMessageId": "m_42"}
    await ledger.told("echo", fact, key=key)


async def message(ledger: Ledger, message_id: MessageId) -> object:
    async with ledger.database.connection() as conn:
        row = await conn.fetchrow(
            "SELECT state, provider_message_id, jsonb_array_length(evidence) AS kept FROM messages WHERE id = $1",
            message_id.uuid,
        )
    assert row is not None
    return tuple(row.values())


@pytest.mark.parametrize("state", ["unknown", "sending"])
async def test_an_echo_settles_what_nobody_knew(state: str, ledger: Ledger) -> None:
    written = await ledger.wrote_to("jane.doe", target=state, message=state)
    await echo(ledger, written.message_id)
    assert await ledger.read() == 1
    assert await message(ledger, written.message_id) == ("sent", "m_42", 1)
    assert (await ledger.target(written))["state"] == "sent"
    [event] = await ledger.events("message.sent")
    assert event["target"]["id"] == str(written.target_id)


async def test_the_same_echo_twice_is_one(ledger: Ledger) -> None:
    written = await ledger.wrote_to("jane.doe", target="unknown", message="unknown")
    for _ in range(2):
        await echo(ledger, written.message_id, key="echo:1")
        await ledger.read()
    assert await message(ledger, written.message_id) == ("sent", "m_42", 1)
    assert len(await ledger.events("message.sent")) == 1


async def test_an_echo_of_a_sent_message_changes_nothing(ledger: Ledger) -> None:
    written = await ledger.wrote_to("jane.doe")
    await echo(ledger, written.message_id)
    assert await ledger.read() == 1
    assert (await ledger.target(written))["state"] == "sent"
    assert await ledger.events("message.sent") == []


async def test_an_echo_leaves_a_reply_in_place(ledger: Ledger) -> None:
    written = await ledger.wrote_to("jane.doe", target="unknown", message="unknown")
    await ledger.came_in("jane.doe", "got it")
    await echo(ledger, written.message_id)
    assert await ledger.read() == 2
    assert (await ledger.target(written))["state"] == "replied"
    assert (await ledger.target(written))["next_due_at"] is None


async def test_an_echo_that_names_nothing_of_ours_is_read_and_forgotten(ledger: Ledger) -> None:
    await ledger.told("echo", {"reference": str(uuid4()), "providerMessageId": "m_1"})
    await ledger.told("echo", {"providerMessageId": "m_2"})
    assert await ledger.read() == 2
    assert await ledger.all("SELECT id FROM inbound WHERE processed_at IS NULL") == []


async def test_replies_and_echoes_of_one_message_at_once_end_the_same(ledger: Ledger) -> None:
    written = [await ledger.wrote_to(f"p{n}", target="unknown", message="unknown") for n in range(20)]
    for n, each in enumerate(written):
        await ledger.came_in(f"p{n}", "hello")
        await echo(ledger, each.message_id)
    assert sum(await asyncio.gather(*(ledger.read() for _ in range(8)))) == 40
    assert {(await ledger.target(each))["state"] for each in written} == {"replied"}
    assert {await message(ledger, each.message_id) for each in written} == {("sent", "m_42", 1)}
