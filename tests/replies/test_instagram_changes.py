"""What people do to their messages afterwards, in whatever order it comes in; and echoes of what the account wrote."""

import itertools
from datetime import timedelta
from typing import Any

import pytest

from iglayers.core.clock import real_now
from iglayers.senders import queries_inbound
from tests.replies.instagram import Inbox
from tests.replies.ledger import Written
from tests.senders.connected import echo, event, message


def edited(mid: str, text: str, number: int) -> dict[str, Any]:
    return event(message_edit={"mid": mid, "text": text, "num_edit": number})


def unsent(mid: str) -> dict[str, Any]:
    return message(mid, None, is_deleted=True)


async def read_until_done(inbox: Inbox) -> None:
    """Facts that wait for another one are read when their moment has come."""
    for _ in range(5):
        await inbox.read_all()
        async with inbox.database.connection() as conn:
            await conn.execute("UPDATE inbound SET not_before = NULL")
    assert await inbox.all("SELECT id FROM inbound WHERE processed_at IS NULL") == []


async def told_of(inbox: Inbox, word: str) -> set[str]:
    """Tables in which a word stands."""
    found: set[str] = set()
    async with inbox.database.connection() as conn:
        for table in ("replies", "inbound", "events"):
            if await conn.fetchval(f"SELECT EXISTS (SELECT FROM {table} t WHERE t::text ~ $1)", word):
                found.add(table)
    return found


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_the_newest_edit_stands(order: tuple[int, ...], inbox: Inbox) -> None:
    await inbox.learns("jane.doe")
    facts = [message("m", "first"), edited("m", "second", 1), edited("m", "third", 2)]
    for place in order:
        await inbox.got(facts[place])
    await read_until_done(inbox)
    [reply] = await inbox.replies()
    assert reply["text"] == "third"


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("at_once", [True, False])
async def test_what_was_unsent_stands_nowhere(order: tuple[int, ...], at_once: bool, inbox: Inbox) -> None:
    await inbox.wrote_to("jane.doe")
    await inbox.learns("jane.doe")
    facts = [message("m", "secret"), edited("m", "secret too", 1), unsent("m")]
    if at_once:
        await inbox.gets(*(facts[place] for place in order))
    else:
        for place in order:
            await inbox.got(facts[place])
    await read_until_done(inbox)
    [reply] = await inbox.replies()
    assert reply["text"] is None
    assert await told_of(inbox, "secret") == set()
    assert len(await inbox.events("reply.received")) == 1
    await inbox.got(edited("m", "secret again", 2))
    await read_until_done(inbox)
    assert await told_of(inbox, "secret") == set()


async def test_unsending_takes_nothing_else_back(inbox: Inbox) -> None:
    written = await inbox.wrote_to("jane.doe")
    await inbox.learns("jane.doe")
    await inbox.got(message("m", "Stop"), message("other", "hello"), unsent("m"))
    await read_until_done(inbox)
    assert [reply["text"] for reply in await inbox.replies()] in ([None, "hello"], ["hello", None])
    assert (await inbox.target(written))["state"] == "replied"
    assert len(await inbox.all("SELECT * FROM suppressions")) == 1


async def test_before_the_name_is_known_too(inbox: Inbox) -> None:
    await inbox.wrote_to("jane.doe")
    await inbox.got(message("m1", "secret"), message("m2", "hello"), edited("m2", "stop", 1), unsent("m1"))
    await read_until_done(inbox)
    assert await told_of(inbox, "secret") == set()
    await inbox.learns("jane.doe")
    await read_until_done(inbox)
    assert {reply["text"] for reply in await inbox.replies()} == {None, "stop"}
    assert len(await inbox.all("SELECT * FROM suppressions")) == 1
    assert await told_of(inbox, "secret") == set()


async def test_an_edit_that_says_stop_is_an_opt_out(inbox: Inbox) -> None:
    await inbox.wrote_to("jane.doe")
    await inbox.learns("jane.doe")
    await inbox.got(message("m", "hello"))
    await inbox.got(edited("m", "stop", 1))
    [told] = await inbox.events("contact.opted_out")
    assert told["reply"]["text"] == "stop"
    assert (await inbox.replies())[0]["opted_out"]


async def provided(inbox: Inbox, written: Written, **columns: Any) -> None:
    async with inbox.database.connection() as conn:
        for name, item in columns.items():
            await conn.execute(f"UPDATE messages SET {name} = $2 WHERE id = $1", written.message_id.uuid, item)


async def ledger_row(inbox: Inbox, written: Written) -> Any:
    async with inbox.database.connection() as conn:
        return await conn.fetchrow("SELECT * FROM messages WHERE id = $1", written.message_id.uuid)


async def test_an_echo_settles_by_the_providers_id(inbox: Inbox) -> None:
    written = await inbox.wrote_to("jane.doe", target="unknown", message="unknown")
    await provided(inbox, written, provider_message_id="mid.1")
    await inbox.learns("jane.doe")
    for _ in range(2):
        await inbox.got(echo("mid.1", "another text"))
    row = await ledger_row(inbox, written)
    assert (row["state"], row["provider_message_id"]) == ("sent", "mid.1")
    assert [each["kind"] for each in row["evidence"]] == ["echo"]
    assert len(await inbox.events("message.sent")) == 1


async def test_an_echo_that_only_looks_alike_settles_nothing(inbox: Inbox) -> None:
    ago = timedelta(minutes=5)
    written = await inbox.wrote_to("jane.doe", target="unknown", message="unknown", ago=ago)
    other = await inbox.wrote_to("mario", target="unknown", message="unknown", ago=ago)
    await inbox.got(echo("mid.7", "Hi! ", at=real_now() - ago))
    await inbox.learns("jane.doe")  # the echo came before the name
    row = await ledger_row(inbox, written)
    assert (row["state"], row["provider_message_id"]) == ("unknown", None)
    [hint] = row["evidence"]
    assert (hint["kind"], hint["providerMessageId"]) == ("similar_echo", "mid.7")
    assert "Hi!" not in str(hint)
    assert (await ledger_row(inbox, other))["evidence"] == []


@pytest.mark.parametrize(
    ("text", "ago", "state"),
    [("Hello", 5, "unknown"), ("Hi!", 60, "unknown"), ("Hi!", 5, "failed"), ("Hi!", 5, "sent")],
)
async def test_what_a_person_typed_is_no_message_of_ours(text: str, ago: int, state: str, inbox: Inbox) -> None:
    written = await inbox.wrote_to("jane.doe", target=state, message=state, ago=timedelta(minutes=5))
    await provided(inbox, written, provider_message_id="mid.1" if state == "sent" else None)
    await inbox.learns("jane.doe")
    await inbox.got(echo("mid.9", text, at=real_now() - timedelta(minutes=ago)))
    row = await ledger_row(inbox, written)
    assert (row["state"], row["evidence"]) == (state, [])
    assert await inbox.replies() == []


async def test_an_echo_waits_for_the_answer_of_what_is_leaving(inbox: Inbox) -> None:
    written = await inbox.wrote_to("jane.doe", target="sending", message="sending", ago=timedelta(seconds=1))
    await inbox.learns("jane.doe")
    await inbox.got(echo("mid.1", "Hi!"))
    assert (await ledger_row(inbox, written))["state"] == "sending"
    await provided(inbox, written, state="sent", provider_message_id="mid.1")
    await read_until_done(inbox)
    assert [each["kind"] for each in (await ledger_row(inbox, written))["evidence"]] == ["echo"]


async def test_old_facts_go_and_replies_stay(inbox: Inbox) -> None:
    await inbox.learns("jane.doe")
    await inbox.got(message("m1", "hello"), event(read={"mid": "m"}))
    async with inbox.database.connection() as conn:
        assert await queries_inbound.drop_old(conn, limit=100) == 0
        await conn.execute("UPDATE inbound SET received_at = now() - interval '366 days'")
        while await queries_inbound.drop_old(conn, limit=100):
            pass
    [left] = await inbox.all("SELECT kind, fact FROM inbound")
    assert tuple(left) == ("reply", {})
    assert (await inbox.replies())[0]["text"] == "hello"
