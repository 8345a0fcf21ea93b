"""The inbox: who wrote, filters, the thread with its answer box, labels by hand, opting out and its undo."""

import asyncio
import re
from typing import Any

import pytest

from iglayers.accounts.model_people import Role
from iglayers.replies import actions
from iglayers.replies.actions import NewReply
from tests import make
from tests.dashboard.visiting import As, Visit
from tests.databases import PEPPER
from tests.sending.world import World

WHO = "jane.doe.quiet"


@pytest.fixture
async def ana(visit: As) -> Visit:
    return await visit(Role.OPERATOR)


async def talk(world: World, text: str = "Sounds lovely, how much is it?", *, transport: str = "sandbox") -> str:
    """The path of a thread that one person has begun, half a minute after what was written to them."""
    await world.sender(transport=transport)
    await world.campaign([WHO])
    await world.send()
    await world.later(seconds=30)
    async with world.db.transaction() as conn:
        new = NewReply(instagram_username=WHO, sender_username="acme.official", text=text)
        await actions.log_by_hand(conn, world.caller, new, pepper=PEPPER)
    return f"/inbox/cnv_{str(await world.value('SELECT id FROM conversations')).replace('-', '')}"


async def texts(world: World) -> list[str]:
    return [each["text"] for each in await world.all("SELECT text FROM sandbox_messages ORDER BY delivered_at, id")]


async def test_list_shows_who_waits_for_an_answer_and_filters(world: World, ana: Visit) -> None:
    assert "Nobody has written back yet" in (await ana.get("/inbox"))[1]
    path = await talk(world)
    page = (await ana.get("/inbox"))[1]
    assert f'href="{path}">@{WHO}' in page
    assert "Sounds lovely, how much is it?" in page
    assert "Unanswered</span>" in page
    client = re.search(r"cl_\w+", page)
    campaign = re.search(r"cmp_\w+", page)
    sender = re.search(r"snd_\w+", page)
    assert client
    assert campaign
    assert sender
    for query, is_there in (
        ("needsAnswer=true", True), ("label=question", True), ("label=no", False), ("optedOut=true", False),
        ("window=open", True), (f"clientId={client[0]}", True), (f"campaignId={campaign[0]}", True),
        (f"senderId={sender[0]}&clientId=&campaignId=", True),
    ):  # fmt: skip
        page = (await ana.get(f"/inbox?{query}"))[1]
        assert (path in page) is is_there, query
        assert ("Nobody like this wrote" in page) is not is_there, query
    other = await make.client(world.db, world.caller, "Other")
    assert path not in (await ana.get(f"/inbox?clientId={other.id}"))[1]


async def test_answer_is_sent_once_however_often_it_is_clicked(world: World, ana: Visit) -> None:
    path = await talk(world)
    page = (await ana.get(path))[1]
    assert "It goes out at once by the route" in page
    assert "Sounds lovely, how much is it?" in page
    assert "Hi there" in page
    fields = _hidden(page) | {"text": "It is free"}
    ends = await asyncio.gather(*(ana.post(f"{path}/answer", fields) for _ in range(3)))
    assert sorted(status for status, _, _ in ends) == [303, 422, 422]
    assert (await texts(world)).count("It is free") == 1
    page = (await ana.get(path))[1]
    assert "Sent." in page
    assert "It is free" in page
    status, page, _ = await ana.post(f"{path}/answer", fields)
    assert (status, "Something was written to this person since you opened the thread" in page) == (422, True)
    assert await world.value("SELECT count(*) FROM messages WHERE kind = 'answer'") == 1


async def test_answer_of_an_account_used_by_hand_is_logged(world: World, ana: Visit) -> None:
    await world.sender("hand.official", transport="assisted")
    await make.client(world.db, world.caller)
    fields = {"instagramUsername": "lea", "text": "Yes please"}
    status, page, _ = await ana.submit("/inbox/log", "/inbox/log", **fields, senderId="")
    assert (status, "Choose the account that got it." in page, "Yes please" in page) == (422, True, True)
    sender = f"snd_{str(await world.value('SELECT id FROM senders')).replace('-', '')}"
    status, _, headers = await ana.submit("/inbox/log", "/inbox/log", **fields, senderId=sender)
    assert (status, headers["Location"]) == (303, "/inbox")
    thread = re.search(r"/inbox/cnv_\w+", (await ana.get("/inbox"))[1])
    assert thread
    page = (await ana.get(thread[0]))[1]
    assert "Log what you wrote" in page
    status, _, _ = await ana.post(f"{thread[0]}/answer", _hidden(page) | {"text": "Great", "byHand": "on"})
    assert status == 303
    assert "Great" in (await ana.get(thread[0]))[1]


async def test_label_by_hand_stays(world: World, ana: Visit) -> None:
    path = await talk(world)
    page = (await ana.get(path))[1]
    reply = re.search(r'name="replyId" value="(\w+)"', page)
    assert reply
    status, _, _ = await ana.submit(path, f"{path}/label", replyId=reply[1], label="interested")
    assert status == 303
    assert "Set by operator@example.com." in (await ana.get(path))[1]
    assert path in (await ana.get("/inbox?label=interested"))[1]
    assert (await ana.submit(path, f"{path}/label", replyId=reply[1], label="lovely"))[0] == 400


async def test_opting_out_closes_the_answer_box_and_can_be_undone(world: World, ana: Visit) -> None:
    path = await talk(world)
    await ana.submit(path, f"{path}/opt-out")
    page = (await ana.get(path))[1]
    assert "Nobody writes to this person" in page
    assert f'action="{path}/answer"' not in page
    assert "This person is on the suppression list." in page
    await ana.submit(path, f"{path}/opt-in")
    page = (await ana.get(path))[1]
    assert "may be written to again" in page
    assert f'action="{path}/answer"' in page


async def test_closed_window_says_the_rule(world: World, ana: Visit) -> None:
    path = await talk(world)
    await world.all("UPDATE conversations SET window_ends_at = last_inbound_at, comments = '[]'")
    page = (await ana.get(path))[1]
    assert "The window for an answer closed" in page


async def test_hostile_words_are_text(world: World, ana: Visit) -> None:
    hostile = "<script>alert('x')</script>\u202e" + "x" * 500 + "الاسم😀"
    path = await talk(world, hostile)
    for where in ("/inbox", path):
        page = (await ana.get(where))[1]
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


async def test_viewer_reads_and_changes_nothing(world: World, visit: As) -> None:
    path = await talk(world)
    viewer = await visit(Role.VIEWER)
    page = (await viewer.get(path))[1]
    assert "Sounds lovely" in page
    for verb, fields in (("answer", {"text": "x"}), ("opt-out", {}), ("label", {"label": "no"})):
        assert f"{path}/{verb}" not in page
        assert (await viewer.submit(path, f"{path}/{verb}", **fields))[0] == 403


def _hidden(page: str) -> dict[str, Any]:
    """The hidden fields of the answer's form."""
    form = page.partition("/answer")[2].partition("</form>")[0]
    return dict(re.findall(r'name="(form_token|last)" value="(\w*)"', form))
