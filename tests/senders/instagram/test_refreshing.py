"""Tokens are renewed while they live, tell when they cannot be, and stop their sender when they are dead."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.core.clock import real_now
from iglayers.senders import queries, queries_credentials
from iglayers.senders.model import Sender
from iglayers.senders.queries_credentials import Credential
from iglayers.senders.transports.instagram.credentials import opened
from iglayers.senders.transports.instagram.graph import Graph
from iglayers.senders.transports.instagram.refresh import refresh_all, refresh_next
from tests.doubles.control import Account, Instagram

DAY = timedelta(days=1)


class Time:
    """The world's time, at Meta and here."""

    def __init__(self, services: Services, double: Instagram) -> None:
        self.services: Services = services
        self.double: Instagram = double
        self.graph: Graph = Graph(services.settings)
        self.gone: timedelta = timedelta(0)

    async def passes(self, gone: timedelta) -> bool:
        """Whether there was a token to renew after that."""
        self.gone += gone
        await self.double.clock(advance_s=gone.total_seconds())
        return await self.again()

    async def again(self) -> bool:
        return await refresh_next(self.services, self.graph, now=real_now() + self.gone)


@pytest.fixture
def time(services: Services, double: Instagram) -> Time:
    return Time(services, double)


async def stored(services: Services, caller: Caller, sender: Sender) -> Credential:
    async with services.db.connection() as conn:
        found = await queries_credentials.of_sender(conn, caller.workspace_id, sender.id)
    assert found is not None
    return found


async def state_of(services: Services, caller: Caller, sender: Sender) -> tuple[str, str | None]:
    async with services.db.connection() as conn:
        found = await queries.by_id(conn, caller.workspace_id, sender.id, only=None)
    assert found is not None
    return found.state.value, found.state_reason


async def told(services: Services) -> list[Any]:
    async with services.db.connection() as conn:
        return await conn.fetch("SELECT type, data::text AS data FROM events ORDER BY id")


async def test_an_entered_token_is_renewed_after_a_day_and_then_from_day_thirty(
    time: Time, services: Services, caller: Caller, sender: Sender, account: Account
) -> None:
    assert not await time.again()
    assert await time.passes(1.1 * DAY)
    first = await stored(services, caller, sender)
    assert first.expires_at is not None
    assert opened(services.vault, first) != account.access_token
    assert not await time.passes(29.5 * DAY)
    assert await time.passes(1 * DAY)
    second = await stored(services, caller, sender)
    assert second.secret != first.secret
    assert await state_of(services, caller, sender) == ("active", None)


async def test_the_old_token_stays_until_there_is_another(
    time: Time, services: Services, caller: Caller, sender: Sender, account: Account
) -> None:
    await time.double.fault("html502", on="refresh", always=True)
    assert await time.passes(31 * DAY)
    assert opened(services.vault, await stored(services, caller, sender)) == account.access_token
    assert not await time.again()  # not at once
    assert await told(services) == []
    assert await time.passes(DAY / 2)
    await time.double.no_faults()
    assert await time.passes(DAY / 2)
    assert opened(services.vault, await stored(services, caller, sender)) != account.access_token


async def test_from_day_fifty_somebody_is_told_once_a_day(time: Time, services: Services, sender: Sender) -> None:
    await time.double.fault("html502", on="refresh", always=True)
    assert await time.passes(49 * DAY)
    assert await told(services) == []
    assert await time.passes(2 * DAY)
    assert await time.passes(DAY / 3)
    (event,) = await told(services)
    assert event["type"] == "sender.warning"
    assert "connect the account again before" in event["data"]
    assert await time.passes(DAY)
    assert len(await told(services)) == 2


async def test_a_token_that_ended_stops_its_sender(
    time: Time, services: Services, caller: Caller, sender: Sender
) -> None:
    assert await time.passes(1.1 * DAY)
    assert await time.passes(61 * DAY)
    state, reason = await state_of(services, caller, sender)
    assert state == "disabled"
    assert "190/463" in (reason or "")
    assert [each["type"] for each in await told(services)] == ["sender.disabled"]
    assert not await time.passes(DAY)


@pytest.mark.parametrize(("subcode", "state"), [(459, "challenged"), (460, "disabled")])
async def test_a_token_that_meta_has_killed_stops_its_sender(
    subcode: int, state: str, *, time: Time, services: Services, caller: Caller, sender: Sender, account: Account
) -> None:
    await time.double.owner(account, "kill_tokens", subcode=subcode)
    assert await time.passes(2 * DAY)
    assert (await state_of(services, caller, sender))[0] == state


async def test_ten_workers_renew_a_token_once(time: Time, services: Services, sender: Sender) -> None:
    time.gone = 2 * DAY
    await time.double.clock(advance_s=time.gone.total_seconds())
    done = await asyncio.gather(*(time.again() for _ in range(10)))
    assert done.count(True) == 1
    asked = [each for each in await time.double.requests() if "refresh" in each["path"]]
    assert len(asked) == 1


async def test_a_token_that_was_replaced_meanwhile_is_kept(
    time: Time, services: Services, caller: Caller, sender: Sender
) -> None:
    old = await stored(services, caller, sender)
    async with services.db.transaction() as conn:
        await queries_credentials.keep(
            conn, caller.workspace_id, sender.id, secret=b"newer", instagram_id="1", app_scoped_id=None,
            expires_at=None, now=real_now(),
        )  # fmt: skip
        kept = await queries_credentials.refresh(conn, old, secret=b"of the old", expires_at=real_now(), now=real_now())
    assert not kept
    assert (await stored(services, caller, sender)).secret == b"newer"


async def test_nothing_is_due_where_nobody_is_connected(services: Services) -> None:
    assert await refresh_all(services, Graph(services.settings)) == 0
