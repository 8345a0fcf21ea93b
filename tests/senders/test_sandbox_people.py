"""Each magic username of the sandbox does what api.md section 9 says, and ordinary people do the same on every run."""

from datetime import timedelta
from uuid import UUID

import pytest

from iglayers.accounts.model import Caller
from iglayers.core.db import Database
from iglayers.senders.model import NotPermitted, NotSent, Sender, Sent, Trouble, Unknown
from iglayers.senders.transports.sandbox.behaviour import behaviour_of
from iglayers.senders.transports.sandbox.transport import SandboxTransport, tick
from tests.senders.orders import a_sender, count, logged, move_clock, order_to


@pytest.fixture
async def sender(database: Database, test_caller: Caller) -> Sender:
    return await a_sender(database, test_caller)


@pytest.fixture
def sandbox(database: Database) -> SandboxTransport:
    return SandboxTransport(database, slow_s=0)


async def facts(database: Database) -> list[tuple[str, dict]]:
    async with database.connection() as conn:
        return [(each["kind"], each["fact"]) for each in await conn.fetch("SELECT kind, fact FROM inbound ORDER BY id")]


async def test_replies(sandbox: SandboxTransport, sender: Sender, test_caller: Caller, database: Database) -> None:
    assert isinstance(await sandbox.deliver(order_to(test_caller, sender, "sandbox.replies.0001")), Sent)
    assert await tick(database) == 0
    await move_clock(database, test_caller.workspace_id, timedelta(hours=6))
    assert await tick(database) == 1
    [(kind, fact)] = await facts(database)
    assert (kind, fact["username"]) == ("reply", "sandbox.replies.0001")
    assert fact["text"]


async def test_optout(sandbox: SandboxTransport, sender: Sender, test_caller: Caller, database: Database) -> None:
    assert isinstance(await sandbox.deliver(order_to(test_caller, sender, "sandbox.optout")), Sent)
    await move_clock(database, test_caller.workspace_id, timedelta(hours=1))
    await tick(database)
    [(_, fact)] = await facts(database)
    assert fact["text"] == "stop"


async def test_silent(sandbox: SandboxTransport, sender: Sender, test_caller: Caller, database: Database) -> None:
    for number in range(30):
        assert isinstance(await sandbox.deliver(order_to(test_caller, sender, f"sandbox.silent.{number}")), Sent)
    assert await count(database, "sandbox_plans") == 0


@pytest.mark.parametrize(
    ("username", "code", "trouble"),
    [
        ("sandbox.private", "recipient_unavailable", None),
        ("sandbox.notfound.07", "recipient_not_found", None),
        ("sandbox.challenge", "instagram_challenge_detected", Trouble.CHALLENGED),
        ("sandbox.disabled", "sender_not_available", Trouble.DISABLED),
        ("sandbox.noroute", "no_permitted_route", None),
    ],
)
async def test_refused_for_good(  # noqa: PLR0917 fixtures
    username: str, code: str, trouble: Trouble | None, sandbox: SandboxTransport, sender: Sender, test_caller: Caller,
    database: Database,
) -> None:  # fmt: skip
    outcome = await sandbox.deliver(order_to(test_caller, sender, username))
    assert isinstance(outcome, NotSent)
    assert (outcome.code, outcome.trouble, outcome.retry_at) == (code, trouble, None)
    assert await logged(database, username) == []


async def test_noroute(sandbox: SandboxTransport, sender: Sender, test_caller: Caller) -> None:
    def permitted(username: str) -> object:
        return sandbox.permitted(order_to(test_caller, sender, username).recipient, None, test_caller.now)

    assert isinstance(permitted("sandbox.noroute"), NotPermitted)
    assert not isinstance(permitted("sandbox.replies"), NotPermitted)


async def test_ratelimit_strikes_once_for_a_person_whoever_writes(
    sandbox: SandboxTransport, sender: Sender, test_caller: Caller, database: Database
) -> None:
    other = await a_sender(database, test_caller, "acme.second")
    order = order_to(test_caller, sender, "sandbox.ratelimit")
    first = await sandbox.deliver(order)
    assert isinstance(first, NotSent)
    assert (first.code, first.trouble) == ("provider_error", Trouble.WARNING)
    assert first.retry_at == order.now + timedelta(hours=1)
    assert await logged(database, "sandbox.ratelimit") == []
    assert isinstance(await sandbox.deliver(order_to(test_caller, other, "sandbox.ratelimit")), Sent)
    assert len(await logged(database, "sandbox.ratelimit")) == 1


async def test_timeout_sent_is_told_by_an_echo(
    sandbox: SandboxTransport, sender: Sender, test_caller: Caller, database: Database
) -> None:
    order = order_to(test_caller, sender, "sandbox.timeout.sent")
    assert isinstance(await sandbox.deliver(order), Unknown)
    [log_id] = await logged(database, "sandbox.timeout.sent")
    assert await sandbox.look_up(order.reference, None) == Sent(log_id)
    await move_clock(database, test_caller.workspace_id, timedelta(minutes=29))
    assert await tick(database) == 0
    await move_clock(database, test_caller.workspace_id, timedelta(minutes=1, seconds=1))
    assert await tick(database) == 1
    [(kind, fact)] = await facts(database)
    assert kind == "echo"
    assert (UUID(fact["reference"]), fact["providerMessageId"]) == (order.reference, log_id)


async def test_timeout_lost_never_arrives(
    sandbox: SandboxTransport, sender: Sender, test_caller: Caller, database: Database
) -> None:
    order = order_to(test_caller, sender, "sandbox.timeout.lost")
    assert isinstance(await sandbox.deliver(order), Unknown)
    assert await logged(database, "sandbox.timeout.lost") == []
    assert await sandbox.look_up(order.reference, None) is None
    assert await count(database, "sandbox_plans") == 0


async def test_error_leaves_nobody_knowing(
    sandbox: SandboxTransport, sender: Sender, test_caller: Caller, database: Database
) -> None:
    people = [f"sandbox.error.{number}" for number in range(40)]
    for username in people:
        assert isinstance(await sandbox.deliver(order_to(test_caller, sender, username)), Unknown)
    arrived = [username for username in people if await logged(database, username)]
    assert 5 < len(arrived) < 35
    assert [username for username in people if behaviour_of(username).delivers] == arrived
    assert await count(database, "sandbox_plans") == 0


async def test_slow_is_delivered_and_answers_late(sender: Sender, test_caller: Caller, database: Database) -> None:
    sandbox = SandboxTransport(database, slow_s=0.05)
    assert isinstance(await sandbox.deliver(order_to(test_caller, sender, "sandbox.slow")), Sent)
    assert SandboxTransport(database)._slow_s == 5


def test_one_in_six_ordinary_people_replies_within_a_day() -> None:
    replying = [does for number in range(6_000) if (does := behaviour_of(f"creator_{number}")).reply]
    assert 900 < len(replying) < 1_100
    assert all(timedelta(0) < does.reply_after <= timedelta(hours=24) for does in replying)
    # Written down, so that a change of the hash does not go unseen.
    assert [number for number in range(12) if behaviour_of(f"creator_{number}").reply] == [2, 3]


async def test_a_live_workspace_is_refused(sandbox: SandboxTransport, caller: Caller, database: Database) -> None:
    live = await a_sender(database, caller)
    for username in ("jane.doe", "sandbox.replies", "sandbox.timeout.lost", "sandbox.ratelimit"):
        outcome = await sandbox.deliver(order_to(caller, live, username))
        assert isinstance(outcome, NotSent)
        assert outcome.retry_at is None
    assert [await count(database, f"sandbox_{name}") for name in ("messages", "plans", "faults")] == [0, 0, 0]


async def test_a_call_inside_a_transaction_is_refused(
    sandbox: SandboxTransport, sender: Sender, test_caller: Caller, database: Database
) -> None:
    async with database.transaction():
        assert isinstance(await sandbox.deliver(order_to(test_caller, sender, "jane.doe")), NotSent)
    assert await logged(database, "jane.doe") == []
