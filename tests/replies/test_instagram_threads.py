"""Threads with people of whom Instagram tells an id first and a name later: windows, names, renames, opt-outs."""

import asyncio
import random
from datetime import timedelta

from iglayers.core.clock import real_now
from tests.replies.instagram import Inbox
from tests.senders.connected import JANE, comment, echo, event, message
from tests.senders.orders import a_sender

OTHER = "880000000000018"


async def test_a_word_opens_the_window_for_24_hours(inbox: Inbox) -> None:
    at = real_now().replace(microsecond=0) - timedelta(minutes=7)
    await inbox.got(message("m1", at=at))
    thread = await inbox.thread()
    assert (thread["last_inbound_at"], thread["window_ends_at"]) == (at, at + timedelta(hours=24))
    assert (thread["contact"], thread["username"]) == (None, None)


async def test_late_and_repeated_facts_never_set_the_window_back(inbox: Inbox) -> None:
    newest = real_now().replace(microsecond=0)
    moments = [newest - timedelta(hours=n) for n in range(6)]
    random.Random(3).shuffle(moments)
    for at in moments:
        await inbox.got(message(f"m{at.hour}", at=at))
    thread = await inbox.thread()
    assert (thread["last_inbound_at"], thread["window_ends_at"]) == (newest, newest + timedelta(hours=24))


async def test_a_link_opens_the_window_and_other_acts_do_not(inbox: Inbox) -> None:
    await inbox.got(
        event(reaction={"mid": "m", "action": "react"}), event(read={"mid": "m"}), echo("m9", "ours"),
        message("m8", None, is_deleted=True),
    )  # fmt: skip
    assert (await inbox.thread())["window_ends_at"] is None
    at = real_now().replace(microsecond=0)
    await inbox.got(event(referral={"ref": "spring", "source": "SHORTLINKS", "type": "OPEN_THREAD"}, at=at))
    assert (await inbox.thread())["window_ends_at"] == at + timedelta(hours=24)
    assert await inbox.replies() == []


async def test_a_reply_is_shown_before_anybody_knows_whose_it_is(inbox: Inbox) -> None:
    written = await inbox.wrote_to("jane.doe")
    await inbox.got(message("m1", "Tell me more"))
    [reply] = await inbox.replies()
    assert (reply["text"], reply["username"], reply["target_id"]) == ("Tell me more", None, None)
    assert await inbox.events("reply.received") == []

    await inbox.learns("jane.doe")
    [known] = await inbox.replies()
    assert (known["id"], known["username"], known["target_id"]) == (reply["id"], "jane.doe", written.target_id.uuid)
    assert (await inbox.target(written))["state"] == "replied"
    [told] = await inbox.events("reply.received")
    assert told["reply"]["text"] == "Tell me more"
    thread = await inbox.thread()
    assert (thread["contact"], thread["username"], thread["name_due_at"]) == ("jane.doe", "jane.doe", None)
    assert await inbox.all("SELECT id FROM inbound WHERE contact_id IS NULL OR processed_at IS NULL") == []

    await inbox.got(message("m2", "And?"))
    assert [each["username"] for each in await inbox.replies()] == ["jane.doe", "jane.doe"]


async def test_an_opt_out_holds_from_the_commit_that_names_the_person(inbox: Inbox) -> None:
    await inbox.wrote_to("jane.doe")
    await inbox.got(message("m1", "STOP"))
    assert await inbox.all("SELECT * FROM suppressions") == []
    assert (await inbox.replies())[0]["opted_out"]
    read_all, inbox.read_all = inbox.read_all, lambda: asyncio.sleep(0)  # type: ignore[method-assign]
    await inbox.learns("jane.doe")
    assert len(await inbox.all("SELECT * FROM suppressions")) == 1
    await read_all()
    [row] = await inbox.all("SELECT * FROM suppressions")
    assert row["source"] == "opt_out"
    [told] = await inbox.events("contact.opted_out")
    assert (told["instagramUsername"], told["reply"]["text"]) == ("jane.doe", "STOP")


async def test_a_tapped_button_that_says_stop_is_an_opt_out(inbox: Inbox) -> None:
    await inbox.learns("jane.doe")
    await inbox.got(message("m1", "No thanks", quick_reply={"payload": "OPT_OUT"}))
    assert len(await inbox.all("SELECT * FROM suppressions")) == 1


async def test_a_comment_names_its_writer_and_opens_one_private_reply(inbox: Inbox) -> None:
    written = await inbox.wrote_to("jane.doe")
    for _ in range(2):
        await inbox.got(changes=[comment("c1"), comment("c2", text="STOP")], time=int(real_now().timestamp()))
    thread = await inbox.thread()
    assert (thread["contact"], thread["window_ends_at"], thread["last_inbound_at"]) == ("jane.doe", None, None)
    assert [each["id"] for each in thread["comments"]] == ["c1", "c2"]
    assert thread["comments"][0]["mediaId"] == "17900000000000007"
    assert await inbox.replies() == []
    assert (await inbox.target(written))["state"] == "sent"
    assert await inbox.all("SELECT * FROM suppressions") == []


async def test_comments_are_forgotten_after_seven_days_and_are_never_many(inbox: Inbox) -> None:
    now = real_now()
    old = int((now - timedelta(days=7, minutes=1)).timestamp())
    await inbox.got(changes=[comment("old")], time=old)
    assert (await inbox.thread())["comments"] == []
    for n in range(30):
        await inbox.got(changes=[comment(f"c{n:02}")], time=int((now - timedelta(hours=30 - n)).timestamp()))
    assert [each["id"] for each in (await inbox.thread())["comments"]] == [f"c{n:02}" for n in range(10, 30)]


async def test_a_thread_by_name_becomes_one_with_the_thread_by_id(inbox: Inbox) -> None:
    await inbox.came_in("jane.doe", "by another way")
    assert await inbox.read() == 1
    await inbox.got(message("m1"))
    await inbox.learns("jane.doe")
    [thread] = await inbox.all("SELECT igsid, contact_id FROM conversations")
    assert thread["igsid"] == JANE
    assert thread["contact_id"] is not None


async def test_a_renamed_person_is_one_person_under_both_names(inbox: Inbox) -> None:
    written = await inbox.wrote_to("jane.doe")
    await inbox.got(message("m1"))
    await inbox.learns("jane.doe")
    queued = await inbox.wrote_to("jane.new", target="queued", message="not_sent")
    async with inbox.database.connection() as conn:
        await conn.execute("""
            INSERT INTO first_contacts (workspace_id, scope_id, contact_id, target_id)
            SELECT t.workspace_id, c.client_id, t.contact_id, t.id
            FROM targets t JOIN campaigns c ON c.id = t.campaign_id WHERE t.state <> 'queued'
        """)
    await inbox.got(changes=[comment("c1", username="jane.new")], time=int(real_now().timestamp()))
    rows = {row["username"]: row for row in await inbox.all("SELECT * FROM contacts")}
    assert rows["jane.doe"]["merged_into"] == rows["jane.new"]["id"]
    assert rows["jane.new"]["merged_into"] is None
    assert (await inbox.target(written))["contact_id"] == rows["jane.new"]["id"]
    # Nobody writes to her a second time under the new name.
    assert (await inbox.target(queued))["contact_id"] == rows["jane.doe"]["id"]
    assert (await inbox.thread())["contact"] == "jane.new"
    await inbox.got(message("m2", "stop"))
    [row] = await inbox.all("SELECT contact_id FROM suppressions")
    assert row["contact_id"] == rows["jane.new"]["id"]


async def test_what_suppressed_the_new_name_suppresses_the_person(inbox: Inbox) -> None:
    await inbox.learns("jane.doe")
    await inbox.came_in("jane.new", "unsubscribe")
    await inbox.read_all()
    await inbox.learns("jane.new")
    found = await inbox.all("SELECT c.username FROM suppressions s JOIN contacts c ON c.id = s.contact_id")
    assert sorted(row["username"] for row in found) == ["jane.doe", "jane.new"]


async def test_two_ids_with_one_name_do_not_become_one_person(inbox: Inbox) -> None:
    written = await inbox.wrote_to("jane.doe")
    await inbox.learns("jane.doe", JANE)
    await inbox.got(message("m1", "I have this name now. Stop", by=OTHER), message("m2", "stop", by=OTHER))
    await inbox.learns("jane.doe", OTHER)
    first, second = await inbox.thread(JANE), await inbox.thread(OTHER)
    assert (first["contact"], second["contact"], second["username"]) == ("jane.doe", None, "jane.doe")
    assert first["name_due_at"] is not None  # Instagram is asked who that is by now
    # Whoever has the name now asked for no more messages, and the name is what a person writes to.
    assert len(await inbox.all("SELECT * FROM suppressions")) == 1
    assert (await inbox.target(written))["state"] == "replied"


async def test_one_person_has_an_id_for_each_account(inbox: Inbox) -> None:
    second = await a_sender(inbox.database, inbox.caller, "acme.second")
    await inbox.learns("jane.doe", JANE)
    await inbox.learns("jane.doe", OTHER, sender=second)
    rows = await inbox.all("SELECT contact_id FROM conversations")
    assert len({row["contact_id"] for row in rows}) == 1
    await inbox.learns("jane.new", JANE)
    rows = await inbox.all("SELECT contact_id FROM conversations")
    assert len({row["contact_id"] for row in rows}) == 1


async def test_many_workers_and_a_name_in_between_read_each_fact_once(inbox: Inbox) -> None:
    written = await inbox.wrote_to("jane.doe", follow_up=True)
    await inbox.gets(*(message(f"m{n}", f"word {n}") for n in range(40)))
    read_all, inbox.read_all = inbox.read_all, lambda: asyncio.sleep(0)  # type: ignore[method-assign]
    await asyncio.gather(*(inbox.read() for _ in range(5)), inbox.learns("jane.doe"))
    for _ in range(3):
        await asyncio.gather(*(read_all() for _ in range(4)))
    replies = await inbox.replies()
    assert len(replies) == 40
    assert {reply["username"] for reply in replies} == {"jane.doe"}
    assert len(await inbox.events("reply.received")) == 40
    assert (await inbox.target(written))["state"] == "replied"
    assert await inbox.all("SELECT id FROM inbound WHERE processed_at IS NULL OR contact_id IS NULL") == []
