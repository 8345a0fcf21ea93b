"""Messages that people send by hand: claimed once, within every limit, and never asked of a second person."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import msgspec
import pytest

from iglayers.accounts.model import Caller
from iglayers.campaigns import actions as campaigns
from iglayers.campaigns.model import Campaign
from iglayers.core.clock import Moment
from iglayers.core.db import Connection
from iglayers.core.errors import InvalidState
from iglayers.core.ids import MessageId
from iglayers.messages.schedule import Schedule
from iglayers.reports import status
from iglayers.senders.model import Sender, SenderNotAvailable
from iglayers.sending import outbox, queries_outbox, sweep
from iglayers.sending.model_outbox import Card, CardRow, CardTaken, TooEarly
from iglayers.sending.outbox import Because, Failure
from iglayers.usage.model import UsageLimitExceeded
from tests import make
from tests.sending.world import World

PEOPLE = ["jane", "mario", "lea"]


class Desk:
    """A person at the outbox."""

    def __init__(self, world: World, name: str = "user ana@example.com") -> None:
        self._world = world
        self._name = name

    @property
    def caller(self) -> Caller:
        return msgspec.structs.replace(self._world.caller, actor=self._name)

    async def cards(self) -> list[CardRow]:
        async with self._world.db.connection() as conn:
            return await queries_outbox.page(
                conn, self.caller.workspace_id, only=None, actor=self._name, sender_id=None, status=None, after=None,
                limit=100,
            )  # fmt: skip

    async def first(self) -> MessageId:
        return (await self.cards())[0].id

    async def claim(self, card: MessageId) -> Card:
        transports = self._world.engine.transports
        return await self._do(lambda conn: outbox.claim(conn, self.caller, card, transports=transports))

    async def sent(self, card: MessageId) -> Card:
        return await self._do(lambda conn: outbox.sent(conn, self.caller, card))

    async def failed(self, card: MessageId, code: str = "recipient_unavailable") -> Card:
        return await self._do(lambda conn: outbox.failed(conn, self.caller, card, Failure(code=code)))

    async def skip(self, card: MessageId) -> Card:
        return await self._do(lambda conn: outbox.skip(conn, self.caller, card, Because(reason="a competitor")))

    async def challenge(self, card: MessageId) -> Card:
        return await self._do(lambda conn: outbox.challenge(conn, self.caller, card, Because()))

    async def undo(self, card: MessageId) -> Card:
        return await self._do(lambda conn: outbox.undo(conn, self.caller, card))

    async def release(self, card: MessageId) -> Card:
        return await self._do(lambda conn: outbox.release(conn, self.caller, card))

    async def _do(self, step: Callable[[Connection], Awaitable[Card]]) -> Card:
        async with self._world.db.transaction() as conn:
            return await step(conn)


async def by_hand(world: World, people: list[str], **fields: Any) -> tuple[Sender, Campaign]:
    sender = await world.sender(transport="assisted")
    campaign = await world.campaign(people, **fields)
    await world.send()
    return sender, campaign


async def a_minute_later(world: World) -> None:
    """What was said can no longer be undone."""
    await world.all("UPDATE messages SET held_until = clock_timestamp() WHERE held IS NOT NULL")
    await outbox.settle_answers(world.db)
    await sweep.make_plans_anew(world.db)


async def quarter_of_an_hour_later(world: World) -> None:
    await world.all("UPDATE messages SET lease_until = clock_timestamp() - interval '1 second' WHERE state = 'claimed'")
    await sweep.end_leases(world.db)


async def test_a_card_is_claimed_sent_and_settled(world: World) -> None:
    _, campaign = await by_hand(world, ["jane"])
    ana = Desk(world)
    [card] = await ana.cards()
    assert card.body is None
    assert await world.people(campaign) == {"jane": "awaiting_operator"}
    claimed = await ana.claim(card.id)
    assert claimed.text == "Hi there"
    assert claimed.claimed_by == "user ana@example.com"
    assert claimed.profile_url == "/practice/jane"
    said = await ana.sent(card.id)
    assert said.status.value == "claimed"
    assert said.undo_until is not None
    await outbox.settle_answers(world.db)
    assert await world.people(campaign) == {"jane": "awaiting_operator"}
    await a_minute_later(world)
    assert await world.people(campaign) == {"jane": "sent"}
    assert await world.attempts("jane") == ["sent"]
    [told] = await world.events("message.sent")
    assert told["message"]["route"] == "assisted"
    await world.send()
    assert await world.state(campaign.id) == "completed"


async def test_a_plan_counts_against_no_limit_and_a_claim_against_all(world: World) -> None:
    await world.set_workspace(monthly_limit=2)
    await by_hand(world, PEOPLE)
    ana = Desk(world)
    cards = [each.id for each in await ana.cards()]
    assert len(cards) == 3
    assert await world.sent_this_month() == 0
    await ana.claim(cards[0])
    await world.later(minutes=1)
    await ana.claim(cards[1])
    assert await world.sent_this_month() == 2
    await world.later(minutes=1)
    with pytest.raises(UsageLimitExceeded):
        await ana.claim(cards[2])
    await ana.release(cards[0])
    assert await world.sent_this_month() == 1
    assert (await ana.claim(cards[2])).status.value == "claimed"


async def test_two_people_never_get_the_same_card(world: World) -> None:
    await by_hand(world, ["jane"])
    desks = [Desk(world, f"user {number}") for number in range(8)]
    card = await desks[0].first()
    ends = await asyncio.gather(*(each.claim(card) for each in desks), return_exceptions=True)
    assert [type(each) for each in ends].count(Card) == 1
    assert [type(each) for each in ends].count(CardTaken) == 7
    assert await world.attempts("jane") == ["claimed"]


async def test_claiming_again_shows_the_same_card(world: World) -> None:
    await by_hand(world, ["jane"])
    ana = Desk(world)
    card = await ana.first()
    assert await ana.claim(card) == await ana.claim(card)


async def test_a_claim_obeys_the_limits_of_that_moment(world: World) -> None:
    await world.sender(transport="assisted", hourly_limit=1, daily_limit=50)
    await world.campaign(PEOPLE)
    await world.send()
    ana = Desk(world)
    one, two, _ = [each.id for each in await ana.cards()]
    await ana.claim(one)
    with pytest.raises(TooEarly) as refused:
        await ana.claim(two)
    assert refused.value.details["limitedBy"] in ("sender.hourly", "sender.gap")
    begun_at: datetime = await world.value("SELECT begun_at FROM messages WHERE state = 'claimed'")
    next_at = refused.value.details["nextAt"]
    assert isinstance(next_at, datetime)
    waits_s = (next_at - begun_at).total_seconds()
    assert waits_s >= 3_605
    await world.later(seconds=waits_s)
    assert (await ana.claim(two)).status.value == "claimed"


async def test_only_so_many_cards_wait_at_once(world: World) -> None:
    _, campaign = await by_hand(world, [f"person{number}" for number in range(12)])
    ana = Desk(world)
    assert len(await ana.cards()) == 5
    told = await _why(world, campaign)
    assert (told.code, told.reason) == (
        "operator", "Its senders are worked by hand: the texts wait in the outbox.",
    )  # fmt: skip
    await ana.claim(await ana.first())
    await world.later(minutes=1)
    await world.send()
    assert [each.state.value for each in await ana.cards()].count("handed_over") == 5


async def test_an_answer_can_be_undone_for_a_minute_and_no_longer(world: World) -> None:
    await by_hand(world, ["jane"])
    ana = Desk(world)
    card = await ana.first()
    await ana.claim(card)
    await ana.sent(card)
    assert (await ana.undo(card)).said is None
    await ana.failed(card)
    await a_minute_later(world)
    assert await world.attempts("jane") == ["failed"]
    assert (await world.target("jane"))["error_code"] == "recipient_unavailable"
    with pytest.raises(InvalidState):
        await ana.undo(card)


async def test_a_claim_without_an_answer_is_unknown_and_asked_of_its_claimer_only(world: World) -> None:
    _, campaign = await by_hand(world, ["jane"])
    ana, ben = Desk(world), Desk(world, "user ben@example.com")
    card = await ana.first()
    await ana.claim(card)
    await quarter_of_an_hour_later(world)
    assert await world.people(campaign) == {"jane": "unknown"}
    assert [each.state.value for each in await ana.cards()] == ["unknown"]
    assert await ben.cards() == []
    with pytest.raises(CardTaken):
        await ben.sent(card)
    await ana.sent(card)
    await a_minute_later(world)
    assert await world.people(campaign) == {"jane": "sent"}
    assert await world.attempts("jane") == ["sent"]


async def test_what_is_said_in_time_is_not_overtaken_by_the_lease(world: World) -> None:
    await by_hand(world, ["jane"])
    ana = Desk(world)
    card = await ana.first()
    await ana.claim(card)
    await ana.sent(card)
    await quarter_of_an_hour_later(world)
    assert await world.attempts("jane") == ["claimed"]
    await a_minute_later(world)
    assert await world.attempts("jane") == ["sent"]


async def test_a_card_given_back_is_anybodys(world: World) -> None:
    await by_hand(world, ["jane"])
    ana, ben = Desk(world), Desk(world, "user ben@example.com")
    card = await ana.first()
    await ana.claim(card)
    with pytest.raises(CardTaken):
        await ben.release(card)
    given = await ana.release(card)
    assert (given.status.value, given.text, given.claimed_by) == ("handed_over", None, None)
    assert await world.value("SELECT count(*) FROM first_contacts") == 0
    await world.later(minutes=1)
    assert (await ben.claim(card)).text == "Hi there"


async def test_a_skipped_card_writes_to_nobody(world: World) -> None:
    _, campaign = await by_hand(world, ["jane", "mario"])
    ana = Desk(world)
    one, two = [each.id for each in await ana.cards()]
    await ana.skip(one)
    await ana.claim(two)
    await ana.skip(two)
    await a_minute_later(world)
    assert await world.people(campaign) == {"jane": "skipped", "mario": "skipped"}
    assert (await world.target("jane"))["error_code"] == "skipped_by_operator"
    assert await world.value("SELECT count(*) FROM messages WHERE counts") == 0
    assert await world.value("SELECT count(*) FROM first_contacts") == 0
    assert len(await world.events("message.skipped")) == 2


async def test_a_suppressed_person_is_not_shown_the_text_of(world: World) -> None:
    _, campaign = await by_hand(world, ["jane"])
    ana = Desk(world)
    card = await ana.first()
    await make.suppression(world.db, world.caller, "jane")
    ended = await ana.claim(card)
    assert (ended.status.value, ended.error_code, ended.text) == ("skipped", "target_suppressed", None)
    assert await world.people(campaign) == {"jane": "skipped"}


async def test_a_challenge_stops_the_account_and_its_other_cards_go_back(world: World) -> None:
    sender, campaign = await by_hand(world, ["jane", "mario"])
    ana = Desk(world)
    one, two = [each.id for each in await ana.cards()]
    await ana.claim(one)
    await ana.challenge(one)
    assert await world.value("SELECT state FROM senders WHERE id = $1", sender.id.uuid) == "challenged"
    assert (await world.target("jane"))["error_code"] == "instagram_challenge_detected"
    with pytest.raises(SenderNotAvailable):
        await ana.claim(two)
    await outbox.take_cards_back(world.db)
    assert await world.people(campaign) == {"jane": "failed", "mario": "queued"}
    assert await ana.cards() == []


async def test_cards_of_a_paused_campaign_wait_and_those_of_a_cancelled_one_end(world: World) -> None:
    _, campaign = await by_hand(world, PEOPLE)
    ana = Desk(world)
    one, two, _ = [each.id for each in await ana.cards()]
    await ana.claim(one)
    async with world.db.transaction() as conn:
        await campaigns.pause(conn, world.caller, campaign.id)
    with pytest.raises(InvalidState, match="paused"):
        await ana.claim(two)
    assert [each.id for each in await ana.cards()] == [one]
    async with world.db.transaction() as conn:
        await campaigns.cancel(conn, world.caller, campaign.id)
    assert await world.people(campaign) == {"jane": "awaiting_operator", "mario": "cancelled", "lea": "cancelled"}
    await ana.sent(one)
    await a_minute_later(world)
    assert (await world.people(campaign))["jane"] == "sent"


async def test_a_follow_up_is_a_card_of_the_same_account(world: World) -> None:
    _, campaign = await by_hand(world, ["jane"], follow_up_hours=[24])
    ana = Desk(world)
    card = await ana.first()
    await ana.claim(card)
    await ana.sent(card)
    await a_minute_later(world)
    await world.later(hours=25)
    await world.send()
    [second] = await ana.cards()
    assert second.step == 1
    assert await world.state(campaign.id) == "running"
    await ana.claim(second.id)
    await ana.sent(second.id)
    await a_minute_later(world)
    await world.send()
    assert await world.attempts("jane") == ["sent", "sent"]
    assert await world.state(campaign.id) == "completed"


async def test_the_end_of_the_schedule_ends_its_cards(world: World) -> None:
    ends_at = world.caller.now.replace(year=world.caller.now.year + 1)
    _, campaign = await by_hand(world, ["jane"], schedule=Schedule(timezone="UTC", end_at=Moment.of(ends_at)))
    await world.later(days=400)
    await world.send()
    assert await world.people(campaign) == {"jane": "skipped"}
    assert await world.state(campaign.id) == "completed"


async def test_an_account_sends_what_it_may_and_hands_the_rest_to_a_person(world: World) -> None:
    await world.sender(routes=["sandbox", "assisted"])
    campaign = await world.campaign(["jane", "sandbox.noroute", "mario"])
    for _ in range(3):
        await world.send()
        await world.later(minutes=1)
    assert await world.people(campaign) == {"jane": "sent", "sandbox.noroute": "awaiting_operator", "mario": "sent"}
    [card] = await Desk(world).cards()
    assert card.instagram_username == "sandbox.noroute"


async def _why(world: World, campaign: Campaign) -> status.Why:
    async with world.db.transaction() as conn:
        return await status.why(conn, world.caller, await campaigns.find(conn, world.caller, campaign.id))
