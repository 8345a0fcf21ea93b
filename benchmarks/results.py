"""How results of a million rows are streamed over HTTP: memory, the first byte, and the speed against COPY.

    .venv/bin/python benchmarks/results.py [--rows 1000000]

`iglayers api` writes the same results as CSV and as NDJSON; COPY writes what the same query finds to the same client,
as psql's copy would. Memory is what the API's processes hold above what they held after a first small file. Exit code
1 if it grows by 50 MiB or more, or if a first byte takes 200 ms or more. Needs Linux.
"""

import argparse
import asyncio
import http.client
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

import asyncpg
import msgspec
from machine import Bench, campaign, describe, opened, process

from iglayers.core.db import Connection
from iglayers.core.ids import CampaignId
from iglayers.reports import queries
from iglayers.targets.model import TargetState

MOST_MIB = 50
MOST_FIRST_MS = 200
PART = 1 << 16

# Of ten people six were written to, one of whom has answered.
PEOPLE = """
    WITH made AS (
        INSERT INTO contacts (id, workspace_id, handle_hash, username, created_at)
        SELECT ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, $1, sha256(n::text::bytea),
               'creator.' || n, now()
        FROM generate_series(1, $3::int) AS n
    )
    INSERT INTO targets (id, workspace_id, campaign_id, contact_id, profile_url, full_name, first_name, category,
                         follower_count, variables, state, next_due_at, sent_at, created_at, updated_at)
    SELECT ('01900000-0000-7000-9000-' || lpad(to_hex(n), 12, '0'))::uuid, $1, $2,
           ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
           'https://instagram.com/creator.' || n, 'Creator Number ' || n, 'Creator' || n % 997, 'fitness', n,
           '{"city": "Oslo"}', CASE WHEN n % 10 = 0 THEN 'replied' WHEN n % 10 < 6 THEN 'sent' ELSE 'queued' END,
           CASE WHEN n % 10 >= 6 THEN now() END, CASE WHEN n % 10 < 6 THEN now() END, now(), now()
    FROM generate_series(1, $3::int) AS n
"""
MESSAGES = """
    WITH sender AS (
        INSERT INTO senders (id, workspace_id, username, transport, routes, hourly_limit, daily_limit, ramp, min_gap_s,
                             ready_at, created_at, updated_at)
        VALUES (gen_random_uuid(), $1, 'our.brand', 'sandbox', '{sandbox}', 10, 100, false, 0, now(), now(), now())
        RETURNING id
    )
    INSERT INTO messages (id, workspace_id, campaign_id, target_id, contact_id, sender_id, route, body, state,
                          attempt_id, begun_at)
    SELECT gen_random_uuid(), $1, $2, t.id, t.contact_id, sender.id, 'sandbox',
           'Hi ' || t.first_name || ', love your fitness content! Open to a collab?', 'sent', gen_random_uuid(), now()
    FROM targets t, sender
    WHERE t.campaign_id = $2 AND t.state <> 'queued'
"""
REPLIES = """
    INSERT INTO replies (id, workspace_id, sender_id, contact_id, target_id, text, received_at)
    SELECT gen_random_uuid(), $1, m.sender_id, m.contact_id, m.target_id, 'Sounds great, tell me more!', now()
    FROM messages m
    JOIN targets t ON t.id = m.target_id
    WHERE m.campaign_id = $2 AND t.state = 'replied'
"""


class Read(msgspec.Struct):
    """One file as it came in."""

    size: int
    first_s: float
    took_s: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    return asyncio.run(_measure(parser.parse_args().rows))


async def _measure(rows: int) -> int:
    async with opened(sandbox_speed=1) as bench:
        await describe(bench)
        key, campaign_id = await campaign(bench)
        conn = cast("asyncpg.Connection", await asyncpg.connect(bench.url))
        started = time.perf_counter()
        for statement in (PEOPLE, MESSAGES, REPLIES):
            more = (rows,) if statement is PEOPLE else ()
            await conn.execute(statement, bench.caller.workspace_id.uuid, CampaignId.parse(campaign_id).uuid, *more)
        await conn.execute("VACUUM ANALYZE targets, contacts, messages, replies")
        print(f"results       {rows:,} rows, made in {time.perf_counter() - started:.0f} s")
        with process(bench, "api") as (api, port):
            is_fine = True
            path = f"/api/v1/campaigns/{campaign_id}/results"
            await asyncio.to_thread(_read, port, key, f"{path}?format=csv&status=failed")
            for shape in ("csv", "ndjson"):
                with _watched(api.pid) as memory:
                    read = await asyncio.to_thread(_read, port, key, f"{path}?format={shape}")
                copied_s = await _copy(conn, bench, campaign_id)
                grown = (max(memory) - memory[0]) / 1024
                is_fine = is_fine and grown < MOST_MIB and read.first_s * 1_000 < MOST_FIRST_MS
                print(f"{shape:<13} first byte after {read.first_s * 1_000:.0f} ms, memory grows by {grown:.1f} MiB")
                print(
                    f"{'':<13} {rows / read.took_s:>9,.0f} rows/s, {read.size / (1 << 20):.0f} MiB"
                    f"   COPY {rows / copied_s:>9,.0f} rows/s   ratio {copied_s / read.took_s:.2f}"
                )
        await conn.close()
    print(f"wanted        first byte below {MOST_FIRST_MS} ms, growth below {MOST_MIB} MiB")
    return 0 if is_fine else 1


def _read(port: int, key: str, path: str) -> Read:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    started = time.perf_counter()
    connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
    answer = connection.getresponse()
    size = len(answer.read(1))
    first_s = time.perf_counter() - started
    while part := answer.read(PART):
        size += len(part)
    took_s = time.perf_counter() - started
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"{answer.status} for {path}")
    return Read(size, first_s, took_s)


async def _copy(conn: asyncpg.Connection, bench: Bench, campaign_id: str) -> float:
    """Seconds that COPY takes for the same query, by the same plan."""

    async def drop(_: bytes) -> None:
        pass

    states = [state.value for state in TargetState]
    started = time.perf_counter()
    async with conn.transaction():
        await queries.prefer_first_row(cast("Connection", conn))
        await conn.copy_from_query(
            queries.EVERY, bench.caller.workspace_id.uuid, CampaignId.parse(campaign_id).uuid, states, None,
            output=drop, format="csv",
        )  # fmt: skip
    return time.perf_counter() - started


@contextmanager
def _watched(parent: int) -> Generator[list[int]]:
    """What a process and its children hold, in KiB, looked at every 20 ms."""
    found, done = [_held_kib(parent)], threading.Event()

    def look() -> None:
        while not done.wait(0.02):
            found.append(_held_kib(parent))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield found
    finally:
        done.set()
        looking.join()


def _held_kib(parent: int) -> int:
    return sum(_anonymous_kib(pid) for pid in (parent, *_children(parent)))


def _children(parent: int) -> list[int]:
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii")
    return [int(each) for each in listed.split()]


def _anonymous_kib(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/status").read_text(encoding="ascii").partition("RssAnon:")[2].split()[0])
    return 0


if __name__ == "__main__":
    sys.exit(main())
