"""A reply and the cancelling of its campaign wait for each other and never in a circle."""

import asyncio

import pytest

from iglayers.campaigns import actions as campaigns
from tests.replies.ledger import Ledger
from tests.sending.world import WAITING


async def somebody_waits(ledger: Ledger) -> None:
    async with asyncio.timeout(10):
        while not await ledger.all(WAITING):  # noqa: ASYNC110 only the server knows
            await asyncio.sleep(0)


async def test_a_reply_waits_for_a_cancel_before_it_holds_a_target(ledger: Ledger) -> None:
    written = await ledger.wrote_to("jane.doe", follow_up=True)
    await ledger.came_in("jane.doe", "hello")
    async with ledger.database.transaction() as conn:
        await conn.fetchval("SELECT true FROM campaigns WHERE id = $1 FOR UPDATE", written.campaign_id.uuid)
        reading = asyncio.create_task(ledger.read())
        await somebody_waits(ledger)
        await conn.execute("UPDATE targets SET next_due_at = NULL WHERE campaign_id = $1", written.campaign_id.uuid)
    assert await reading == 1
    assert (await ledger.target(written))["state"] == "replied"


@pytest.mark.parametrize("_", range(3))
async def test_replies_and_cancels_at_once(_: int, ledger: Ledger) -> None:
    written = [await ledger.wrote_to(f"p{n}", follow_up=True) for n in range(10)]
    for n in range(10):
        await ledger.came_in(f"p{n}", "hello")

    async def cancel(n: int) -> None:
        async with ledger.database.transaction() as conn:
            await campaigns.cancel(conn, ledger.caller, written[n].campaign_id)

    await asyncio.gather(*(cancel(n) for n in range(10)), *(ledger.read() for _ in range(4)))
    await ledger.read()
    assert {(await ledger.target(each))["state"] for each in written} == {"replied"}
    assert await ledger.all("SELECT id FROM inbound WHERE processed_at IS NULL") == []
