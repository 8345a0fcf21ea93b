"""What a person said to one account opens that account's way only, so it is the one that writes to them."""

from datetime import datetime, timedelta

import pytest

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.campaigns import actions
from iglayers.core.clock import Moment
from iglayers.core.ids import ConversationId
from iglayers.reports.eligibility import count
from iglayers.senders.model import Conversation, NotPermitted, Permitted, Recipient, Sender, Transport
from iglayers.senders.transports.assisted.transport import AssistedTransport
from iglayers.senders.transports.sandbox.transport import SandboxTransport
from tests.sending.world import World


class OpenWindows(SandboxTransport):
    """Writes to those only whose window with the account is open, as the official API does."""

    def permitted(
        self, recipient: Recipient, conversation: Conversation | None, now: datetime
    ) -> Permitted | NotPermitted:
        del recipient
        if conversation is not None and conversation.window_ends_at is not None and conversation.window_ends_at > now:
            return Permitted(route=self.name, rule="the window is open", until=conversation.window_ends_at)
        return NotPermitted(rule="they have not written to this account")


@pytest.fixture
async def strict(services: Services, test_caller: Caller) -> World:
    transports: dict[str, Transport] = {"sandbox": OpenWindows(services.db), "assisted": AssistedTransport()}
    world = World(services, test_caller, transports=transports)
    await world.speed(0)
    return world


async def spoke(world: World, username: str, sender: Sender) -> None:
    until = Moment.of(world.caller.now + timedelta(hours=24))
    await world.all("""
        INSERT INTO conversations (id, workspace_id, sender_id, contact_id, username, window_ends_at, created_at)
        SELECT $1, k.workspace_id, $2, k.id, k.username, $4, $4 FROM contacts k WHERE k.username = $3
    """, ConversationId.new().uuid, sender.id.uuid, username, until)  # fmt: skip


async def by(world: World) -> dict[str, str]:
    found = await world.all("""
        SELECT k.username, s.username AS sender FROM messages m
        JOIN contacts k ON k.id = m.contact_id JOIN senders s ON s.id = m.sender_id
    """)
    return {each["username"]: each["sender"] for each in found}


async def test_each_is_written_to_by_the_account_they_spoke_to(strict: World) -> None:
    one, two = await strict.sender("acme.one"), await strict.sender("acme.two")
    people = [f"person{number}" for number in range(8)]
    campaign = await strict.campaign([*people, "stranger"], started=False)
    for number, person in enumerate(people):
        await spoke(strict, person, (one, two)[number % 2])
    await strict.start(campaign)
    for _ in range(12):
        await strict.send()
        await strict.later(minutes=1)
    assert await by(strict) == {person: f"acme.{('one', 'two')[number % 2]}" for number, person in enumerate(people)}
    assert await strict.people(campaign) == dict.fromkeys(people, "sent") | {"stranger": "skipped"}
    assert sorted(await strict.delivered()) == sorted(people)


async def test_they_wait_while_that_account_rests_and_others_do_not(strict: World) -> None:
    one, two = await strict.sender("acme.one"), await strict.sender("acme.two")
    campaign = await strict.campaign(["jane", "mario"], started=False)
    await spoke(strict, "jane", two)
    await spoke(strict, "mario", one)
    await strict.all(
        "UPDATE senders SET rests_until = $2 WHERE id = $1", two.id.uuid, strict.caller.now + timedelta(hours=1)
    )
    await strict.start(campaign)
    for _ in range(4):
        await strict.send()
        await strict.later(minutes=1)
    assert await strict.people(campaign) == {"jane": "queued", "mario": "sent"}
    await strict.later(hours=1)
    await strict.send()
    assert await by(strict) == {"jane": "acme.two", "mario": "acme.one"}


async def test_an_account_that_does_not_serve_the_campaign_is_not_asked(strict: World) -> None:
    one, two = await strict.sender("acme.one"), await strict.sender("acme.two")
    campaign = await strict.campaign(["jane"], started=False, sender_ids=[one.id])
    await spoke(strict, "jane", two)
    await strict.start(campaign)
    await strict.send()
    assert await strict.people(campaign) == {"jane": "skipped"}


async def test_an_open_window_with_another_account_goes_before_hands(strict: World) -> None:
    hands, official = await strict.sender("acme.hands", routes=["sandbox", "assisted"]), await strict.sender("acme.two")
    people = ["jane", "mario", "stranger.one", "stranger.two"]
    campaign = await strict.campaign(people, started=False)
    await spoke(strict, "jane", official)
    await spoke(strict, "mario", hands)
    await strict.start(campaign)
    for _ in range(6):
        await strict.send()
        await strict.later(minutes=1)
    # Whoever's turn it is, nobody is skipped whom hands can reach, and nobody is a card whom an account may write to.
    strangers = dict.fromkeys(people[2:], "awaiting_operator")
    assert await strict.people(campaign) == {"jane": "sent", "mario": "sent"} | strangers
    assert await by(strict) == {"jane": "acme.two", "mario": "acme.hands"} | dict.fromkeys(people[2:], "acme.hands")


@pytest.mark.parametrize("routes", [["assisted", "sandbox"], ["sandbox", "assisted"]])
async def test_a_campaign_that_wants_hands_first_gets_them(routes: list[str], strict: World) -> None:
    await strict.sender("acme.hands", transport="assisted")
    official = await strict.sender("acme.two")
    campaign = await strict.campaign(["jane"], started=False, routes=routes)
    await spoke(strict, "jane", official)
    await strict.all("UPDATE senders SET ready_at = ready_at + interval '1 minute' WHERE id = $1", official.id.uuid)
    async with strict.db.transaction() as conn:
        found = await actions.find(conn, strict.caller, campaign.id)
        [way] = await count(conn, strict.caller, found, transports=strict.engine.transports)
    await strict.start(campaign)
    await strict.send()
    assert (way.route, way.targets) == (routes[0], 1)
    assert await by(strict) == {"jane": {"assisted": "acme.hands", "sandbox": "acme.two"}[routes[0]]}
