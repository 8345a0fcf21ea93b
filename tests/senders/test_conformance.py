"""What every transport keeps, whatever it talks to: one order is one request, and the outcome never lies about it."""

import asyncio

import pytest

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.core.db import Database
from iglayers.senders.model import (
    Conversation,
    HandedOver,
    NotPermitted,
    NotSent,
    Permitted,
    Sent,
    Unknown,
)
from iglayers.senders.transports import build
from tests.doubles.control import Instagram
from tests.senders.conformance import Assisted, OfInstagram, Sandbox, Subject, of_test_workspace

SUBJECTS = ("sandbox", "assisted", "instagram")


@pytest.fixture(params=SUBJECTS)
async def subject(
    request: pytest.FixtureRequest, database: Database, services: Services, test_caller: Caller, caller: Caller,
    double: Instagram,
) -> Subject:  # fmt: skip
    if request.param == "instagram":
        return await OfInstagram.connected(double, services, caller)
    return await of_test_workspace(database, test_caller, Sandbox if request.param == "sandbox" else Assisted)


def test_every_transport_stands_the_same_tests(services: Services) -> None:
    assert build(services).keys() == set(SUBJECTS)


async def test_an_outcome_is_true(subject: Subject) -> None:
    for username in subject.people:
        order = await subject.order(username)
        outcome = await subject.transport.deliver(order)
        delivered = await subject.delivered(username)
        assert len(delivered) <= 1
        match outcome:
            case Sent(provider_message_id):
                assert delivered == [provider_message_id]
                await subject.remember(order)
                assert await subject.transport.look_up(order.reference, provider_message_id) == Sent(
                    provider_message_id
                )
            case NotSent(code=code, reason=reason):
                assert code
                assert reason
                assert delivered == []
            case HandedOver():
                assert delivered == []
            case Unknown(reason):
                assert reason


async def test_people_are_told_apart_the_same_way_each_time(subject: Subject) -> None:
    for username in subject.unlucky:
        first, second = [type(await subject.transport.deliver(await subject.order(username))) for _ in range(2)]
        assert first is second


async def test_permission_comes_with_its_rule(subject: Subject, test_caller: Caller) -> None:
    for username in subject.people:
        recipient = (await subject.order(username)).recipient
        for conversation in (None, Conversation()):
            permitted = subject.transport.permitted(recipient, conversation, test_caller.now)
            assert permitted.rule
            assert isinstance(permitted, NotPermitted) or permitted.route
            if isinstance(permitted, Permitted):
                assert permitted.route in subject.routes


async def test_a_lost_database_is_never_raised(subject: Subject) -> None:
    lost = subject.without_database()
    if lost is None:
        return
    outcome = await lost.deliver(await subject.order("jane.doe"))
    # Where the network comes after the database, it is even proof that nothing has left.
    assert isinstance(outcome, Unknown | NotSent)
    assert await subject.delivered("jane.doe") == []


async def test_a_deadline_that_passes_is_an_unknown(subject: Subject) -> None:
    late = await subject.late()
    if late is None:
        return
    transport, order = late
    assert isinstance(await transport.deliver(order), Unknown)
    assert len(await subject.delivered(order.recipient.username)) == 1


async def test_many_at_once_are_as_many(subject: Subject) -> None:
    people = [f"person{number}" for number in range(50)]
    orders = [await subject.order(username, deadline_s=20.0) for username in people]
    outcomes = await asyncio.gather(*(subject.transport.deliver(order) for order in orders))
    sent = [[str(each.provider_message_id)] if isinstance(each, Sent) else [] for each in outcomes]
    assert sent == [await subject.delivered(username) for username in people]


async def test_nobody_knows_an_id_never_given(subject: Subject) -> None:
    order = await subject.order("jane.doe")
    for provider_message_id in (None, "", "m_nonsense", str(order.reference)):
        assert await subject.transport.look_up(order.reference, provider_message_id) is None
