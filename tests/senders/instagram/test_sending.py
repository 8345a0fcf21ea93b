"""One order is one request; whatever goes wrong, the outcome never says more than the double's own log proves."""

import asyncio
from typing import Any

import msgspec
import pytest
import structlog

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.core.db import Database
from iglayers.core.ids import uuid7
from iglayers.senders import queries_credentials
from iglayers.senders.model import NotSent, Sender, Sent, Trouble, Unknown
from iglayers.senders.transports.instagram.graph import Graph
from iglayers.senders.transports.instagram.transport import InstagramTransport
from tests.doubles.control import Account, Instagram
from tests.senders.instagram.orders import begun, by_hand, comments, known, taken, to_comment, to_igsid, writes
from tests.serving import free_port


async def test_whoever_has_written_is_answered(
    double: Instagram, account: Account, caller: Caller, sender: Sender, transport: InstagramTransport
) -> None:
    igsid = await writes(double, account, "jane.doe")
    outcome = await transport.deliver(to_igsid(caller, sender, "jane.doe", igsid))
    assert isinstance(outcome, Sent)
    (message,) = await double.sent()
    assert (message["mid"], message["route"], message["text"]) == (
        outcome.provider_message_id, "standard", "Hi jane.doe!",
    )  # fmt: skip


async def test_a_comment_is_answered_once(
    double: Instagram, account: Account, caller: Caller, sender: Sender, transport: InstagramTransport
) -> None:
    comment = await comments(double, account, "jane.doe")
    outcome = await transport.deliver(to_comment(caller, sender, "jane.doe", comment))
    assert isinstance(outcome, Sent)
    again = await transport.deliver(to_comment(caller, sender, "jane.doe", comment))
    assert isinstance(again, NotSent)
    assert (again.code, again.retry_at) == ("no_permitted_route", None)
    assert await taken(double, "jane.doe") == [outcome.provider_message_id]


async def test_a_person_answers_after_days(
    double: Instagram, account: Account, caller: Caller, sender: Sender, transport: InstagramTransport
) -> None:
    await double.change(account, human_agent=True)
    igsid = await writes(double, account, "jane.doe", ago_s=3 * 86_400)
    assert isinstance(await transport.deliver(by_hand(caller, sender, "jane.doe", igsid)), Sent)
    (message,) = await double.sent()
    assert message["route"] == "human_agent"


# A fault: the outcome's code (or unknown), whether it is tried again, what it shows about the sender.
FAULTS: list[tuple[str, str, bool, Trouble | None]] = [
    ("html502", "unknown", False, None),
    ("disconnect_before_commit", "unknown", False, None),
    ("disconnect_after_commit", "unknown", False, None),
    ("timeout_before_commit", "unknown", False, None),
    ("timeout_after_commit", "unknown", False, None),
    ("garbled", "unknown", False, None),
    ("ambiguous", "unknown", False, None),
    ("ambiguous_not_stored", "unknown", False, None),
    ("unknown", "unknown", False, None),
    ("temporary", "unknown", False, None),
    ("app_rate_limit", "provider_error", True, None),
    ("user_rate_limit", "provider_error", True, None),
    ("messaging_rate_limit", "provider_error", True, Trouble.WARNING),
    ("business_rate_limit", "provider_error", True, None),
    ("instagram_rate_limit", "provider_error", True, None),
    ("abusive", "instagram_challenge_detected", True, Trouble.CHALLENGED),
    ("going_too_fast", "instagram_challenge_detected", True, Trouble.CHALLENGED),
    ("restricted", "instagram_challenge_detected", True, Trouble.CHALLENGED),
    ("blocked_from_api", "instagram_challenge_detected", True, Trouble.CHALLENGED),
    ("app_removed", "sender_not_available", True, Trouble.DISABLED),
    ("checkpoint", "instagram_challenge_detected", True, Trouble.CHALLENGED),
    ("password_changed", "sender_not_available", True, Trouble.DISABLED),
    ("token_expired", "sender_not_available", True, Trouble.DISABLED),
    ("unconfirmed", "instagram_challenge_detected", True, Trouble.CHALLENGED),
    ("logged_out", "sender_not_available", True, Trouble.DISABLED),
    ("messages_access_off", "sender_not_available", True, Trouble.DISABLED),
    ("no_advanced_access", "sender_not_available", True, Trouble.DISABLED),
    ("unavailable", "recipient_unavailable", False, None),
    ("cannot_receive", "recipient_unavailable", False, None),
    ("stopped_notifications", "recipient_unavailable", False, None),
    ("link_restricted", "provider_error", False, None),
]


@pytest.mark.parametrize("locale", ["en", "ja"])
@pytest.mark.parametrize(("fault", "code", "again", "trouble"), FAULTS)
async def test_an_outcome_is_true(
    locale: str, fault: str, code: str, *, again: bool, trouble: Trouble | None, double: Instagram, account: Account,
    caller: Caller, sender: Sender, transport: InstagramTransport,
) -> None:  # fmt: skip
    await double.change(account, locale=locale)
    igsid = await writes(double, account, "jane.doe")
    hangs: dict[str, Any] = {"hang_s": 2} if "timeout" in fault else {}
    await double.fault(fault, on="send", always=True, **hangs)
    outcome = await transport.deliver(to_igsid(caller, sender, "jane.doe", igsid, deadline_s=1.0))
    if code == "unknown":
        assert isinstance(outcome, Unknown)
    else:
        assert isinstance(outcome, NotSent)
        assert (outcome.code, outcome.retry_at is not None, outcome.trouble) == (code, again, trouble)
        assert await taken(double, "jane.doe") == []
    asked = [each for each in await double.requests() if each["path"].endswith("/messages")]
    assert len(asked) == 1


async def test_a_slow_answer_is_waited_for(
    double: Instagram, account: Account, caller: Caller, sender: Sender, transport: InstagramTransport
) -> None:
    igsid = await writes(double, account, "jane.doe")
    await double.fault("slow", on="send", hang_s=0.3)
    assert isinstance(await transport.deliver(to_igsid(caller, sender, "jane.doe", igsid)), Sent)


async def test_what_cannot_be_reached_has_sent_nothing(
    services: Services, double: Instagram, account: Account, caller: Caller, sender: Sender
) -> None:
    igsid = await writes(double, account, "jane.doe")
    away = msgspec.structs.replace(services.settings, instagram_graph_url=f"http://127.0.0.1:{free_port()}")
    transport = InstagramTransport(services, graph=Graph(away))
    outcome = await transport.deliver(to_igsid(caller, sender, "jane.doe", igsid))
    assert isinstance(outcome, NotSent)
    assert outcome.retry_at is not None
    assert outcome.rest is not None


async def test_a_text_is_measured_in_bytes(
    double: Instagram, account: Account, caller: Caller, sender: Sender, transport: InstagramTransport
) -> None:
    igsid = await writes(double, account, "jane.doe")
    fits = await transport.deliver(to_igsid(caller, sender, "jane.doe", igsid, text="é" * 500))
    assert isinstance(fits, Sent)
    too_long = await transport.deliver(to_igsid(caller, sender, "jane.doe", igsid, text="é" * 500 + "x"))
    assert isinstance(too_long, NotSent)
    assert too_long.code == "message_too_long"
    assert len(await taken(double, "jane.doe")) == 1


async def test_a_window_that_meta_has_closed_is_closed_here(
    double: Instagram, account: Account, caller: Caller, sender: Sender, transport: InstagramTransport,
    database: Database,
) -> None:  # fmt: skip
    igsid = await writes(double, account, "jane.doe", ago_s=2 * 86_400)
    order = to_igsid(caller, sender, "jane.doe", igsid)
    await known(database, order, window_ends_at=order.now.replace(year=order.now.year + 1))
    outcome = await transport.deliver(order)
    assert isinstance(outcome, NotSent)
    assert (outcome.code, outcome.retry_at) == ("no_permitted_route", None)
    async with database.connection() as conn:
        assert await conn.fetchval("SELECT window_ends_at FROM conversations") == order.now


async def test_a_comment_that_cannot_be_answered_opens_nothing_more(
    double: Instagram, account: Account, caller: Caller, sender: Sender, transport: InstagramTransport,
    database: Database,
) -> None:  # fmt: skip
    order = to_comment(caller, sender, "jane.doe", "17850000000000000")
    await known(database, order, comments=[{"id": "17850000000000000"}, {"id": "2"}])
    assert isinstance(await transport.deliver(order), NotSent)
    async with database.connection() as conn:
        assert await conn.fetchval("SELECT comments FROM conversations") == [{"id": "2"}]


async def test_throttles_in_a_row_wait_longer(
    double: Instagram, account: Account, caller: Caller, sender: Sender, transport: InstagramTransport,
    services: Services,
) -> None:  # fmt: skip
    igsid = await writes(double, account, "jane.doe")
    for before in range(3):
        await double.fault("error", on="send", status=400, code=17)
        await transport.deliver(to_igsid(caller, sender, "jane.doe", igsid))
        async with services.db.connection() as conn:
            credential = await queries_credentials.of_sender(conn, caller.workspace_id, sender.id)
        assert credential is not None
        assert credential.throttles == before + 1


async def test_an_account_without_access_stops(
    double: Instagram, account: Account, caller: Caller, sender: Sender, transport: InstagramTransport,
    services: Services,
) -> None:  # fmt: skip
    igsid = await writes(double, account, "jane.doe")
    async with services.db.transaction() as conn:
        await queries_credentials.forget(conn, caller.workspace_id, sender.id)
    outcome = await transport.deliver(to_igsid(caller, sender, "jane.doe", igsid))
    assert isinstance(outcome, NotSent)
    assert (outcome.code, outcome.trouble) == ("sender_not_available", Trouble.DISABLED)


async def test_nothing_leaves_inside_a_transaction(
    double: Instagram, account: Account, caller: Caller, sender: Sender, transport: InstagramTransport,
    database: Database,
) -> None:  # fmt: skip
    igsid = await writes(double, account, "jane.doe")
    async with database.transaction():
        assert isinstance(await transport.deliver(to_igsid(caller, sender, "jane.doe", igsid)), NotSent)
    assert await double.sent() == []


async def test_a_hundred_at_once_are_a_hundred(
    double: Instagram, account: Account, caller: Caller, sender: Sender, transport: InstagramTransport
) -> None:
    people = [f"person{number}" for number in range(40)]
    igsids = [await writes(double, account, person) for person in people]
    outcomes = await asyncio.gather(*(
        transport.deliver(to_igsid(caller, sender, person, igsid, deadline_s=20.0))
        for person, igsid in zip(people, igsids, strict=True)
    ))  # fmt: skip
    sent = [str(outcome.provider_message_id) for outcome in outcomes if isinstance(outcome, Sent)]
    assert sorted(sent) == sorted(each["mid"] for each in await double.sent())
    assert len(sent) == len(people)


async def test_a_message_is_looked_up_by_metas_id_alone(
    double: Instagram, account: Account, caller: Caller, sender: Sender, transport: InstagramTransport,
    database: Database,
) -> None:  # fmt: skip
    igsid = await writes(double, account, "jane.doe")
    order = to_igsid(caller, sender, "jane.doe", igsid)
    await begun(database, order)
    outcome = await transport.deliver(order)
    assert isinstance(outcome, Sent)
    assert await transport.look_up(order.reference, outcome.provider_message_id) == Sent(outcome.provider_message_id)
    for nothing in (None, "", "aWdfnobody", account.ig_id):
        assert await transport.look_up(order.reference, nothing) is None
    assert await transport.look_up(uuid7(), outcome.provider_message_id) is None


async def test_what_was_said_stands_nowhere(
    double: Instagram, account: Account, caller: Caller, sender: Sender, transport: InstagramTransport,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    igsid = await writes(double, account, "jane.doe")
    outcomes: list[object] = []
    with structlog.testing.capture_logs() as lines:
        for fault, *_ in FAULTS:
            if "timeout" not in fault:
                await double.fault(fault, on="send")
                order = to_igsid(caller, sender, "jane.doe", igsid, text="A secret offer")
                outcomes.append(await transport.deliver(order))
    assert len(lines) >= len(outcomes)
    for told in (repr(lines), repr(outcomes), *capsys.readouterr()):
        for secret in ("A secret offer", account.access_token, "access_token="):
            assert secret not in told
