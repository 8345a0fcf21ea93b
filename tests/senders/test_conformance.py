"""What every transport keeps, whatever it talks to: one order is one request, and the outcome never lies about it."""

import asyncio

import pytest

from iglayers.accounts.model import Caller
from iglayers.core.db import Database
from iglayers.senders.model import (
    Conversation,
    HandedOver,
    NotPermitted,
    NotSent,
    Permitted,
    Sender,
    Sent,
    Transport,
    Unknown,
)
from iglayers.senders.transports.assisted.transport import AssistedTransport
from iglayers.senders.transports.sandbox.transport import SandboxTransport
from tests.senders.orders import a_sender, logged, order_to

PEOPLE = [
    "jane.doe", "mario_rossi", "sandbox.replies", "sandbox.optout", "sandbox.silent", "sandbox.private",
    "sandbox.notfound", "sandbox.ratelimit", "sandbox.challenge", "sandbox.disabled", "sandbox.timeout.sent",
    "sandbox.timeout.lost", "sandbox.error", "sandbox.error.2", "sandbox.error.3", "sandbox.noroute", "sandbox.slow",
]  # fmt: skip


@pytest.fixture(params=["sandbox", "assisted"])
async def transport(request: pytest.FixtureRequest, database: Database) -> Transport:
    return SandboxTransport(database, slow_s=0.01) if request.param == "sandbox" else AssistedTransport()


@pytest.fixture
async def sender(database: Database, test_caller: Caller) -> Sender:
    return await a_sender(database, test_caller)


@pytest.mark.parametrize("username", PEOPLE)
async def test_an_outcome_is_true(
    username: str, transport: Transport, database: Database, test_caller: Caller, sender: Sender
) -> None:
    outcome = await transport.deliver(order_to(test_caller, sender, username))
    delivered = await logged(database, username)
    assert len(delivered) <= 1
    match outcome:
        case Sent(provider_message_id):
            assert delivered == [provider_message_id]
            reference = order_to(test_caller, sender, username).reference
            assert await transport.look_up(reference, provider_message_id) == outcome
        case NotSent(code=code, reason=reason):
            assert code
            assert reason
            assert delivered == []
        case HandedOver():
            assert delivered == []
        case Unknown(reason):
            assert reason


async def test_people_are_told_apart_the_same_way_each_time(
    transport: Transport, test_caller: Caller, sender: Sender
) -> None:
    for username in ("sandbox.private", "sandbox.timeout.lost", "jane.doe"):
        first, second = [type(await transport.deliver(order_to(test_caller, sender, username))) for _ in range(2)]
        assert first is second


async def test_permission_comes_with_its_rule(transport: Transport, test_caller: Caller, sender: Sender) -> None:
    for username in PEOPLE:
        recipient = order_to(test_caller, sender, username).recipient
        for conversation in (None, Conversation()):
            permitted = transport.permitted(recipient, conversation, test_caller.now)
            assert permitted.rule
            assert isinstance(permitted, NotPermitted) or permitted.route
            if isinstance(permitted, Permitted):
                assert permitted.route in ("sandbox", "assisted")


async def test_a_lost_database_is_an_unknown_and_never_raised(
    transport: Transport, test_caller: Caller, sender: Sender
) -> None:
    class Lost:
        def connection(self) -> None:
            raise ConnectionResetError("the connection went away")

    if isinstance(transport, SandboxTransport):
        outcome = await SandboxTransport(Lost()).deliver(order_to(test_caller, sender, "jane.doe"))  # type: ignore[arg-type]
        assert isinstance(outcome, Unknown)


async def test_a_deadline_that_passes_is_an_unknown(test_caller: Caller, sender: Sender, database: Database) -> None:
    late = SandboxTransport(database, slow_s=30)
    outcome = await late.deliver(order_to(test_caller, sender, "sandbox.slow", deadline_s=0.5))
    assert isinstance(outcome, Unknown)
    assert len(await logged(database, "sandbox.slow")) == 1


async def test_a_hundred_at_once_are_a_hundred(
    transport: Transport, test_caller: Caller, sender: Sender, database: Database
) -> None:
    outcomes = await asyncio.gather(
        *(transport.deliver(order_to(test_caller, sender, f"person{number}")) for number in range(100))
    )
    sent = [str(outcome.provider_message_id) for outcome in outcomes if isinstance(outcome, Sent)]
    async with database.connection() as conn:
        found = await conn.fetch("SELECT id FROM sandbox_messages")
    assert sorted(sent) == sorted(str(each["id"]) for each in found)


async def test_nobody_knows_an_id_never_given(transport: Transport, test_caller: Caller, sender: Sender) -> None:
    reference = order_to(test_caller, sender, "jane.doe").reference
    for provider_message_id in (None, "", "m_nonsense", str(reference)):
        assert await transport.look_up(reference, provider_message_id) is None
