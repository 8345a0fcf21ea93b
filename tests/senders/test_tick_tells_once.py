"""What the sandbox plans is told once, when the workspace's clock says so, by however many workers."""

import asyncio
from datetime import timedelta

import pytest

from iglayers.accounts import actions as accounts
from iglayers.accounts.model import Caller
from iglayers.core.db import Database
from iglayers.senders import actions
from iglayers.senders.model import Fact
from iglayers.senders.transports.sandbox import transport as sandbox_transport
from iglayers.senders.transports.sandbox.transport import SandboxTransport, tick
from tests.senders.orders import a_sender, count, move_clock, order_to


async def plan(database: Database, caller: Caller, people: int) -> None:
    sender = await a_sender(database, caller)
    sandbox = SandboxTransport(database)
    await asyncio.gather(
        *(sandbox.deliver(order_to(caller, sender, f"sandbox.optout.{number}")) for number in range(people))
    )


async def test_six_workers_tell_each_plan_once(database: Database, test_caller: Caller) -> None:
    await plan(database, test_caller, 300)
    await move_clock(database, test_caller.workspace_id, timedelta(hours=1))

    async def worker() -> int:
        told = 0
        while found := await tick(database, limit=20):
            told += found
        return told

    told = await asyncio.gather(*(worker() for _ in range(6)))
    assert sum(told) == 300
    assert await count(database, "inbound") == 300
    assert await count(database, "sandbox_plans") == 0


async def test_a_failed_delivery_keeps_the_plan(
    database: Database, test_caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    await plan(database, test_caller, 3)
    await move_clock(database, test_caller.workspace_id, timedelta(hours=1))

    async def crash(*_: object) -> int:
        raise RuntimeError("killed here")

    with monkeypatch.context() as patched:
        patched.setattr(sandbox_transport.actions, "receive_all", crash)
        with pytest.raises(RuntimeError):
            await tick(database)
    assert await count(database, "sandbox_plans") == 3
    assert await tick(database) == 3


async def test_a_fast_clock_brings_replies_by_itself(database: Database, test_caller: Caller) -> None:
    await plan(database, test_caller, 1)
    async with database.transaction() as conn:
        await accounts.set_speed(conn, test_caller.workspace_id, 1_000_000)
    async with asyncio.timeout(5):
        while not await tick(database):
            pass


async def test_a_fact_that_comes_twice_is_stored_once(database: Database, test_caller: Caller) -> None:
    sender = await a_sender(database, test_caller)
    fact = Fact(provider_key="m_1", kind="reply", occurred_at=test_caller.now, fact={"username": "jane", "text": "hi"})

    async def receive() -> int:
        async with database.transaction() as conn:
            return await actions.receive(conn, test_caller.workspace_id, sender.id, [fact, fact])

    assert sum(await asyncio.gather(*(receive() for _ in range(8)))) == 1
