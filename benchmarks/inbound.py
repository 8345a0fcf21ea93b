"""How long Instagram waits for an answer to a delivery while campaigns run: `iglayers api` and `iglayers worker`.

Deliveries of 1, 100 and 1,000 updates, signed, each fact new, half of them repeated, one in ten with a wrong signature.
Prints the time that an answer took, and how many facts a second were read at the same time.

    .venv/bin/python benchmarks/inbound.py [--seconds 15]
"""

import argparse
import asyncio
import hmac
import json
import os
import random
import statistics
import time
from typing import Any

import aiohttp
import uvloop
from machine import Bench, describe, opened, process
from sends import SPEED, fill

from iglayers.core.clock import real_now
from iglayers.core.ids import SenderId
from iglayers.senders import actions as senders
from iglayers.senders.transports.instagram import credentials

SECRET = "ig-app-secret-for-benchmarks"  # noqa: S105 of an installation that lives for one run
ACCOUNT = "17841400000000042"
SIZES = (1, 100, 1_000)
MOST_MS = 100.0


async def main(seconds: float) -> None:
    os.environ["IGLAYERS_INSTAGRAM_APP_SECRET"] = SECRET
    async with opened(sandbox_speed=SPEED) as bench:
        await describe(bench)
        await fill(bench, 50, 400)
        await _connect(bench)
        with process(bench, "api") as (_, port), process(bench, "worker"):
            await _sending(bench)
            await _measure(bench, f"http://127.0.0.1:{port}/instagram/webhook", seconds)


async def _connect(bench: Bench) -> SenderId:
    """A sender that is the account."""
    async with bench.services.db.transaction() as conn:
        sender = await senders.add(conn, bench.caller, senders.NewSender(username="acme.inbox", transport="sandbox"))
        await credentials.keep(
            conn, bench.services.vault, bench.caller.workspace_id, sender.id,
            token=credentials.Token(text="IGAAbenchmark"),
            identity=credentials.Identity(instagram_id=ACCOUNT, username=sender.username), now=real_now(),
        )  # fmt: skip
    return sender.id


async def _sending(bench: Bench) -> None:
    for _ in range(600):
        if await _count(bench, "messages") >= 100:
            return
        await asyncio.sleep(0.1)
    raise SystemExit("the campaigns do not send")


async def _count(bench: Bench, table: str) -> int:
    async with bench.services.db.connection() as conn:
        if table == "messages":
            return await conn.fetchval("SELECT count(*) FROM messages WHERE state = 'sent'")
        return await conn.fetchval("SELECT count(*) FROM inbound WHERE processed_at IS NOT NULL")


async def _measure(bench: Bench, url: str, seconds: float) -> None:
    took_ms: dict[int, list[float]] = {size: [] for size in SIZES}
    sent, read, began = await _count(bench, "messages"), await _count(bench, "inbound"), time.monotonic()
    chance = random.Random(1)
    async with aiohttp.ClientSession() as session:
        number = 0
        while time.monotonic() < began + seconds:
            for size in SIZES:
                number += 1
                raw = json.dumps(_delivery(f"{number}", size, chance)).replace("/", "\\/").encode()
                for _ in range(2 if number % 2 else 1):
                    took_ms[size].append(await _post(session, url, raw, SECRET, wanted=200))
                if number % 10 == 0:
                    await _post(session, url, raw, "another app's", wanted=403)
    lasted = time.monotonic() - began
    sent, read = await _count(bench, "messages") - sent, await _count(bench, "inbound") - read
    print(f"meanwhile     {sent / lasted:8.0f} messages/s sent, {read / lasted:.0f} facts/s read")
    for size, times in took_ms.items():
        p95 = statistics.quantiles(times, n=20)[-1]
        print(
            f"{size:5} updates {statistics.median(times):8.1f} ms median, {p95:.1f} ms p95   ({len(times)} deliveries)"
        )
    worst = max(statistics.quantiles(times, n=20)[-1] for times in took_ms.values())
    print(f"of {MOST_MS:g} ms     {worst / MOST_MS:8.2f}")


def _delivery(name: str, size: int, chance: random.Random) -> dict[str, Any]:
    now_ms = int(time.time() * 1000)
    events: list[dict[str, Any]] = [
        {
            "sender": {"id": str(880_000_000_000_000 + chance.randrange(500))}, "recipient": {"id": ACCOUNT},
            "timestamp": now_ms - chance.randrange(60_000),
            "message": {"mid": f"aWdfZAG1{name}-{place}" + "x" * 100, "text": f"Tell me more é ❤️ {place} " * 4},
        }
        for place in range(size)
    ]  # fmt: skip
    return {"object": "instagram", "entry": [{"id": ACCOUNT, "time": now_ms, "messaging": events}]}


async def _post(session: aiohttp.ClientSession, url: str, raw: bytes, secret: str, *, wanted: int) -> float:
    headers = {"X-Hub-Signature-256": "sha256=" + hmac.digest(secret.encode(), raw, "sha256").hex()}
    began = time.perf_counter()
    async with session.post(url, data=raw, headers=headers) as answer:
        await answer.read()
    assert answer.status == wanted, answer.status
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15.0)
    uvloop.run(main(parser.parse_args().seconds))
