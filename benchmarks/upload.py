"""How fast targets are uploaded over HTTP, against COPY of the same rows into the same tables.

    .venv/bin/python benchmarks/upload.py [--rows 100000] [--rounds 3] [--seed 1]

One client, one call of 10,000 rows after the other, against `iglayers api`. COPY gets the rows that the upload wrote
(contacts, targets and events, as text), into the same tables, emptied, with all their indexes and constraints. Exit
code 1 below 0.5.
"""

import argparse
import asyncio
import http.client
import io
import json
import random
import statistics
import sys
import time
from contextlib import suppress
from typing import cast

import asyncpg
from machine import Bench, campaign, describe, opened, process

CALL_ROWS = 10_000
WANTED_RATIO = 0.5
TABLES = ("contacts", "targets", "events")
CATEGORIES = ("fitness", "food", "travel", "fashion", "gaming", "music")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    if asked.rows % CALL_ROWS or asked.rows <= 0:
        parser.error(f"--rows must be a multiple of {CALL_ROWS}")
    return 0 if asyncio.run(_measure(asked)) >= WANTED_RATIO else 1


async def _measure(asked: argparse.Namespace) -> float:
    async with opened(sandbox_speed=1) as bench:
        await describe(bench)
        print(f"upload        {asked.rows:,} rows in calls of {CALL_ROWS:,}, {asked.rounds} rounds, seed {asked.seed}")
        with process(bench, "api") as (_, port):
            conn = cast("asyncpg.Connection", await asyncpg.connect(bench.url))
            try:
                return await _compare(conn, bench, port, asked)
            finally:
                await conn.close()


async def _compare(conn: asyncpg.Connection, bench: Bench, port: int, asked: argparse.Namespace) -> float:
    uploads: list[float] = []
    copies: list[float] = []
    for number in range(asked.rounds):
        bodies = _bodies(asked.rows, seed=asked.seed + number)
        await _empty(conn)
        key, campaign_id = await campaign(bench)
        await _settle(conn)
        uploads.append(asked.rows / await asyncio.to_thread(_upload, port, key, campaign_id, bodies))
        written = await _read_back(conn)
        await _empty(conn)
        await _settle(conn)
        copies.append(asked.rows / await _copy(conn, written))
        print(
            f"round {number + 1}       upload {uploads[-1]:>9,.0f} rows/s   COPY {copies[-1]:>9,.0f} rows/s"
            f"   ratio {uploads[-1] / copies[-1]:.2f}"
        )
    ratio = statistics.median(upload / copy for upload, copy in zip(uploads, copies, strict=True))
    upload, copy = statistics.median(uploads), statistics.median(copies)
    print(f"median        upload {upload:>9,.0f} rows/s   COPY {copy:>9,.0f} rows/s   ratio {ratio:.2f}")
    print(f"wanted        {WANTED_RATIO}")
    return ratio


def _bodies(rows: int, *, seed: int) -> list[bytes]:
    chance = random.Random(seed)
    people = [
        {
            "instagramUsername": f"{chance.choice(CATEGORIES)}.{chance.randrange(16**6):06x}_{number}",
            "fullName": f"Creator Number {number}",
            "firstName": f"Creator{number % 997}",
            "category": chance.choice(CATEGORIES),
            "followerCount": chance.randrange(1_000_000),
        }
        for number in range(rows)
    ]
    for each in people:
        each["profileUrl"] = f"https://instagram.com/{each['instagramUsername']}"
    return [json.dumps({"targets": people[start : start + CALL_ROWS]}).encode() for start in range(0, rows, CALL_ROWS)]


def _upload(port: int, key: str, campaign_id: str, bodies: list[bytes]) -> float:
    """Seconds that the calls took, answers read."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    started = time.perf_counter()
    answers: list[bytes] = []
    for body in bodies:
        connection.request("POST", f"/api/v1/campaigns/{campaign_id}/targets", body, headers)
        answer = connection.getresponse()
        answers.append(answer.read())
        if answer.status != 201:
            raise SystemExit(f"{answer.status} {answers[-1][:500]!r}")
    took = time.perf_counter() - started
    connection.close()
    if any(json.loads(answer)["accepted"] != CALL_ROWS for answer in answers):
        raise SystemExit("not all rows were accepted")
    return took


async def _read_back(conn: asyncpg.Connection) -> dict[str, io.BytesIO]:
    written: dict[str, io.BytesIO] = {}
    for table in TABLES:
        written[table] = io.BytesIO()
        await conn.copy_from_query(f"SELECT * FROM {table}", output=written[table])
        written[table].seek(0)
    return written


async def _copy(conn: asyncpg.Connection, written: dict[str, io.BytesIO]) -> float:
    started = time.perf_counter()
    async with conn.transaction():
        for table, data in written.items():
            await conn.copy_to_table(table, source=data)
    return time.perf_counter() - started


async def _empty(conn: asyncpg.Connection) -> None:
    await conn.execute(f"TRUNCATE {', '.join(TABLES)} CASCADE")


async def _settle(conn: asyncpg.Connection) -> None:
    """Both begin with clean buffers; the role of an embedded server may not ask for it, and then neither gets it."""
    with suppress(asyncpg.InsufficientPrivilegeError):
        await conn.execute("CHECKPOINT")


if __name__ == "__main__":
    sys.exit(main())
