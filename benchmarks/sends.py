"""Messages per second through the engine: instant sandbox, many campaigns and senders, no limits in the way.

One worker in this process, durability on. Prints the rate and its ratio to the bare two commits of a message
(insert it as sending, update it to sent) on the same database in the same run.

    .venv/bin/python benchmarks/sends.py [--campaigns 1000] [--each 20]
"""

import argparse
import asyncio
import os
import time
from uuid import UUID

import uvloop
from machine import Bench, cpu_s, describe, opened, server
from prometheus_client import REGISTRY

from iglayers.accounts.model import Caller
from iglayers.campaigns import actions as campaigns
from iglayers.campaigns.actions import NewCampaign
from iglayers.clients import actions as clients
from iglayers.core.db import Database
from iglayers.core.ids import uuid7, uuid7_block
from iglayers.senders import actions as senders
from iglayers.targets import actions as targets
from iglayers.targets import rows
from iglayers.targets.model import UploadCampaign
from iglayers.templates import actions as templates
from iglayers.worker.process import Worker

SPEED = 20_000.0  # the sandbox clock: a sender's 3.6 s between two messages pass in 0.2 ms


async def main(campaign_count: int, each: int) -> None:
    async with opened(sandbox_speed=SPEED) as bench:
        await describe(bench)
        await fill(bench, campaign_count, each)
        total = campaign_count * each
        sent_per_s, cost_s = await _send(bench, total)
        bare_per_s = await _bare(bench.services.db, bench.caller, seconds=5.0)
        print(
            f"engine        {sent_per_s:8.0f} messages/s   ({total} messages, {campaign_count} campaigns and senders)"
        )
        print(f"cost          {cost_s * 1e6:8.0f} µs of processor time a message, worker and database")
        print(f"two commits   {bare_per_s:8.0f} messages/s")
        print(f"ratio         {sent_per_s / bare_per_s:8.2f}")


async def fill(bench: Bench, campaign_count: int, each: int) -> None:
    db, caller = bench.services.db, bench.caller
    async with db.transaction() as conn:
        client = await clients.create(conn, caller, clients.NewClient(name="Bench"))
        template = await templates.create(conn, caller, templates.NewTemplate(name="Bench", body="Hi {{firstName}}"))
    for number in range(campaign_count):
        async with db.transaction() as conn:
            sender = await senders.add(
                conn,
                caller,
                senders.NewSender(
                    username=f"bench.sender.{number}", transport="sandbox", hourly_limit=1_000, daily_limit=10_000
                ),
            )
            campaign = await campaigns.create(
                conn,
                caller,
                NewCampaign(
                    client_id=client.id, name=f"Bench {number}", message_template_id=template.id, sender_ids=[sender.id]
                ),
            )
            tree = {"targets": [
                {"instagramUsername": f"sandbox.silent.{number}.{index}", "firstName": "Ana"} for index in range(each)
            ]}  # fmt: skip
            await targets.upload(
                conn, caller, UploadCampaign(
                    id=campaign.id, client_id=client.id, name=campaign.name, state="draft",
                    first_contact_scopes=[client.id.uuid]),
                rows.from_json(tree), pepper=bench.services.pepper, dry_run=False,
            )  # fmt: skip
            await campaigns.start(conn, caller, campaign.id)


async def _send(bench: Bench, total: int) -> tuple[float, float]:
    """Messages a second, and seconds of processor time a message, between the first and the last tenth of them."""
    postgres = await server(bench.services.db)
    worker = Worker(bench.services)
    running = asyncio.create_task(worker.run())
    marks: list[tuple[float, float, int]] = []
    deadline = time.monotonic() + 300
    while len(marks) < 2 and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
        # The worker's own count: asking the database for it ten times a second would slow it down.
        sent = int(REGISTRY.get_sample_value("iglayers_messages_total", {"outcome": "Sent"}) or 0)
        if sent >= (0.1, 0.9)[len(marks)] * total:
            marks.append((time.monotonic(), time.process_time() + cpu_s(postgres), sent))
    worker.stop()
    await running
    async with bench.services.db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM messages WHERE state = 'sent'") >= marks[-1][2]
    (began, spent_first, first), (ended, spent_last, last) = marks
    return (last - first) / (ended - began), (spent_last - spent_first) / (last - first)


async def _bare(db: Database, caller: Caller, *, seconds: float) -> float:
    """The same two commits by hand: what any engine that keeps this promise must pay."""
    async with db.connection() as conn:
        people = await conn.fetch("SELECT id, contact_id, campaign_id FROM targets LIMIT 20000")
        sender_ids = [each["id"] for each in await conn.fetch("SELECT id FROM senders")]
    done, ends = 0, time.monotonic() + seconds

    async def lane(number: int) -> None:
        nonlocal done
        for turn, person in enumerate(people[number::16]):
            if time.monotonic() > ends:
                return
            message_id: UUID = uuid7_block(1)[0]
            sender_id = sender_ids[(turn * 16 + number) % len(sender_ids)]
            async with db.transaction() as conn:
                await conn.execute(
                    """
                    INSERT INTO messages (id, workspace_id, campaign_id, target_id, contact_id, sender_id, step, route,
                                          body, state, attempt_id, lease_until, begun_at)
                    VALUES ($1, $2, $3, $4, $5, $6, 5, 'bare', 'Hi Ana', 'sending', $7, now(), now())
                    """,
                    message_id, caller.workspace_id.uuid, person["campaign_id"], person["id"], person["contact_id"],
                    sender_id, uuid7(),
                )  # fmt: skip
            async with db.connection() as conn:
                await conn.execute("UPDATE messages SET state = 'sent', settled_at = now() WHERE id = $1", message_id)
            done += 1

    started = time.monotonic()
    await asyncio.gather(*(lane(number) for number in range(16)))
    return done / (time.monotonic() - started)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--campaigns", type=int, default=int(os.environ.get("CAMPAIGNS", "1000")))
    parser.add_argument("--each", type=int, default=20)
    options = parser.parse_args()
    uvloop.run(main(options.campaigns, options.each))
