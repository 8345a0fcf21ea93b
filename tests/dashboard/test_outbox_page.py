"""The outbox page: no text before the claim, one person a card, undo, waiting, and what it says when it refuses."""

import re
from typing import Any

from iglayers.accounts.model_people import Role
from iglayers.senders.model import Sender
from iglayers.sending import outbox, sweep
from tests import make
from tests.dashboard.visiting import As, Visit
from tests.sending.world import World


async def by_hand(world: World, *people: str, **fields: Any) -> Sender:
    sender = await world.sender(transport="assisted", **fields)
    await world.campaign(people)
    await world.send()
    return sender


async def do(visit: Visit, verb: str, **fields: str) -> str:
    """Press the button for `verb` on the page, and see what comes next."""
    _, page, _ = await visit.get("/outbox")
    found = re.search(rf'action="(/outbox/\w+/{verb})"', page)
    assert found, f"no {verb} on the page"
    status, text, headers = await visit.submit("/outbox", found[1], **fields)
    return (await visit.get(headers["Location"]))[1] if status == 303 else text


async def test_text_comes_with_the_claim_and_the_outcome_can_be_undone(world: World, visit: As) -> None:
    await by_hand(world, "jane")
    ana = await visit(Role.OPERATOR)
    page = (await ana.get("/outbox"))[1]
    assert "@jane" in page
    assert "Hi there" not in page
    page = await do(ana, "claim")
    assert '<p class="message" id="text"' in page
    assert "Hi there" in page
    assert 'href="/practice/jane"' in page
    page = await do(ana, "sent")
    assert "Time left to undo" in page
    assert "Nothing waits" in page
    page = await do(ana, "undo")
    assert "Hi there" in page
    await do(ana, "failed", code="recipient_not_found")
    await _a_minute_later(world)
    assert await world.attempts("jane") == ["failed"]
    assert "Undo" not in (await ana.get("/outbox"))[1]


async def test_second_person_is_told_and_shown_the_next_card(world: World, visit: As) -> None:
    await by_hand(world, "jane", "mario")
    ana, ben = await visit(Role.OPERATOR), await visit(Role.OWNER)
    page = (await ben.get("/outbox"))[1]
    found = re.search(r'action="(/outbox/\w+/claim)"', page)
    assert found
    await do(ana, "claim")
    await world.later(minutes=1)
    status, page, _ = await ben.submit("/outbox", found[1])
    assert status == 409
    assert "The card is claimed by operator@example.com" in page
    assert "Here is the next one." in page
    assert "@mario" in page
    assert "Hi there" not in page


async def test_person_suppressed_meanwhile_is_not_written_to_and_it_says_why(world: World, visit: As) -> None:
    await by_hand(world, "jane", "mario")
    ana = await visit(Role.OPERATOR)
    await make.suppression(world.db, world.caller, "jane")
    page = await do(ana, "claim")
    assert "@jane is not written to: On the suppression list." in page
    assert "@mario" in page


async def test_limit_says_until_when_and_by_which_rule(world: World, visit: As) -> None:
    await by_hand(world, "jane", "mario", hourly_limit=1, daily_limit=50)
    ana = await visit(Role.OPERATOR)
    await do(ana, "claim")
    page = await do(ana, "sent")
    assert "Next card at" in page
    assert "hourly limit" in page or "pause between two messages" in page
    assert not re.search(r'action="/outbox/\w+/claim"', page)
    assert "1 of 50" in page


async def test_claim_that_is_too_early_says_until_when(world: World, visit: As) -> None:
    await by_hand(world, "jane", "mario", hourly_limit=1, daily_limit=50)
    ana, ben = await visit(Role.OPERATOR), await visit(Role.OWNER)
    cards = re.findall(r"after=(msg_\w+)", (await ben.get("/outbox"))[1])
    second = (await ben.get(f"/outbox?after={cards[0]}"))[1]
    claim = re.search(r'action="(/outbox/\w+/claim)"', second)
    assert claim
    await do(ana, "claim")
    status, page, _ = await ben.submit("/outbox", claim[1])
    assert (status, "Next card at" in page) == (409, True)


async def test_own_unknown_card_comes_first_and_asks(world: World, visit: As) -> None:
    await by_hand(world, "jane", "mario")
    ana, ben = await visit(Role.OPERATOR), await visit(Role.OWNER)
    await do(ana, "claim")
    await world.all("UPDATE messages SET lease_until = clock_timestamp() WHERE state = 'claimed'")
    await sweep.end_leases(world.db)
    assert "Did you send it?" not in (await ben.get("/outbox"))[1]
    page = (await ana.get("/outbox"))[1]
    assert "Did you send it?" in page
    assert "@jane" in page
    page = await do(ana, "sent")
    assert "@mario" in page
    await _a_minute_later(world)
    assert await world.attempts("jane") == ["sent"]


async def test_skip_before_the_claim_and_giving_back_after_it(world: World, visit: As) -> None:
    await by_hand(world, "jane", "mario")
    ana = await visit(Role.OPERATOR)
    page = await do(ana, "skip")
    assert "Skipped" in page
    assert 'id="handle" class="handle" tabindex="-1">@mario' in page
    await do(ana, "claim")
    page = await do(ana, "release")
    assert "Hi there" not in page
    assert "@mario" in page


async def test_challenge_stops_the_account(world: World, visit: As) -> None:
    sender = await by_hand(world, "jane", "mario")
    ana = await visit(Role.OPERATOR)
    await do(ana, "claim")
    page = await do(ana, "challenge")
    assert f"@{sender.username} sends nothing until somebody resumes it" in page
    assert await world.value("SELECT state FROM senders WHERE id = $1", sender.id.uuid) == "challenged"
    assert "Nothing waits" in page


async def test_cards_of_one_account_only(world: World, visit: As) -> None:
    sender = await by_hand(world, "jane")
    other = await world.sender("second.official", transport="assisted")
    ana = await visit(Role.OPERATOR)
    assert "@jane" in (await ana.get(f"/outbox?senderId={sender.id}"))[1]
    page = (await ana.get(f"/outbox?senderId={other.id}"))[1]
    assert "Nothing waits for this account" in page


async def test_viewer_sees_and_does_nothing(world: World, visit: As) -> None:
    await by_hand(world, "jane")
    viewer = await visit(Role.VIEWER)
    page = (await viewer.get("/outbox"))[1]
    assert "@jane" in page
    assert not re.search(r'action="/outbox/\w+/claim"', page)
    card = re.search(r"msg_\w+", str(await world.value("SELECT 'msg_' || id FROM messages")))
    assert card
    status, _, _ = await viewer.submit("/outbox", "/outbox/msg_0/claim")
    assert status == 403


async def test_practice_page_keeps_nothing(world: World, visit: As) -> None:
    ana = await visit(Role.OPERATOR)
    status, page, _ = await ana.get("/practice/jane.doe")
    main = page.partition("<main")[2].partition("</main>")[0]
    assert (status, "@jane.doe" in main, "<form" in main) == (200, True, False)
    assert (await ana.get("/practice/a%20b"))[0] == 400


async def _a_minute_later(world: World) -> None:
    await world.all("UPDATE messages SET held_until = clock_timestamp() WHERE held IS NOT NULL")
    await outbox.settle_answers(world.db)
