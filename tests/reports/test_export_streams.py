"""A file of results begins at once, holds little in memory, and is never half a file that looks whole."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from typing import Any, LiteralString
from urllib.parse import urlsplit

import pytest

from iglayers.accounts.model import Caller
from iglayers.campaigns.model import Campaign
from iglayers.core.db import Connection, Database, plain
from iglayers.reports import export, queries
from iglayers.reports.model import Filters, Result
from iglayers.targets.model import TargetState
from tests.senders.orders import a_sender
from tests.serving import Api
from tests.targets.uploads import campaign, people, upload


async def ask(api: Api, spring: Campaign) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """The bare connection on which the file comes."""
    at = urlsplit(api.base)
    reader, writer = await asyncio.open_connection(at.hostname, at.port, limit=1 << 16)
    writer.write(
        f"GET /api/v1/campaigns/{spring.id}/results?format=csv HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Authorization: Bearer {api.key}\r\n\r\n".encode()
    )
    return reader, writer


def endless(some: AsyncGenerator[Result, None], *, fail_after: int | None = None) -> AsyncGenerator[Result, None]:
    async def results() -> AsyncGenerator[Result, None]:
        first = await anext(some)
        number = 0
        while True:
            if number == fail_after:
                raise ConnectionError("the database went away")
            number += 1
            if number % 1_000 == 0:  # as a cursor does between its fetches
                await asyncio.sleep(0)
            yield first

    return results()


async def in_use(database: Database) -> int:
    return sum(1 for holder in database._pool._holders if holder._in_use is not None)


async def until(database: Database, *, in_use_now: int) -> None:
    async with asyncio.timeout(10):
        while await in_use(database) != in_use_now:  # noqa: ASYNC110 - the pool has no event to wait for
            await asyncio.sleep(0.001)


@pytest.fixture
async def spring(api: Api, database: Database, caller: Caller) -> Campaign:
    made = await campaign(database, caller)
    await upload(api, made, people("anna"))
    return made


async def test_a_failure_in_the_middle_ends_without_the_final_chunk(
    api: Api, spring: Campaign, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = queries.every
    monkeypatch.setattr(queries, "every", lambda *a, **k: endless(every(*a, **k), fail_after=5_000))
    reader, writer = await ask(api, spring)
    raw = await asyncio.wait_for(reader.read(-1), 10)
    writer.close()
    head, _, body = raw.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert re.search(rb"transfer-encoding: chunked", head, re.IGNORECASE)
    assert body.count(b"anna") >= 1_000
    assert not body.endswith(b"\r\n0\r\n\r\n")
    assert b"went away" not in raw
    assert b"error" not in body.replace(b"errorCode", b"")
    assert await in_use(database) == 0


async def test_a_failure_before_the_first_row_is_an_ordinary_answer(
    api: Api, spring: Campaign, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unusable(*_: Any) -> None:
        raise ValueError("no plan")

    monkeypatch.setattr(queries, "prefer_first_row", unusable)
    answer = await api.get(f"/campaigns/{spring.id}/results", format="csv")
    assert (answer.status, answer.body["error"]["code"]) == (500, "internal_error")
    assert await in_use(database) == 0


async def test_a_reader_that_leaves_frees_the_connection_to_the_database(
    api: Api, spring: Campaign, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = queries.every
    monkeypatch.setattr(queries, "every", lambda *a, **k: endless(every(*a, **k)))
    reader, writer = await ask(api, spring)
    await reader.read(1_000)
    assert await in_use(database) == 1
    writer.close()
    await writer.wait_closed()
    await until(database, in_use_now=0)


async def test_a_reader_that_takes_nothing_is_left_after_a_while(
    api: Api, spring: Campaign, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = 0

    async def counted(results: AsyncGenerator[Result, None]) -> AsyncGenerator[Result, None]:
        nonlocal made
        async for each in results:
            made += 1
            yield each

    every = queries.every
    monkeypatch.setattr(queries, "every", lambda *a, **k: counted(endless(every(*a, **k))))
    monkeypatch.setattr(export, "SEND_TIMEOUT_S", 0.3)
    _, writer = await ask(api, spring)
    await until(database, in_use_now=1)
    await until(database, in_use_now=0)
    # What fits into the buffers on the way, and no more.
    assert made < 200_000
    writer.close()


async def test_a_file_looks_at_each_person_once_however_many_there_are(
    api: Api, spring: Campaign, database: Database, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    await upload(api, spring, people(*(f"person.{number}" for number in range(999))))
    await a_sender(database, caller)
    plans: list[dict[str, Any]] = []

    async def explained(conn: Connection, _kind: type, sql: LiteralString, *values: Any) -> AsyncGenerator[Any, None]:
        found = await conn.fetchval("EXPLAIN (ANALYZE, FORMAT JSON) " + sql, *plain(values))
        plans.append(json.loads(bytes(found))[0]["Plan"])
        for nothing in ():
            yield nothing

    monkeypatch.setattr(queries, "stream", explained)
    async with database.transaction() as conn:
        await conn.execute("""
            INSERT INTO messages (id, workspace_id, campaign_id, target_id, contact_id, sender_id, route, state,
                                  attempt_id, begun_at)
            SELECT gen_random_uuid(), t.workspace_id, t.campaign_id, t.id, t.contact_id, s.id, 'sandbox', 'sent',
                   gen_random_uuid(), now()
            FROM targets t
            CROSS JOIN senders s
            WHERE NOT EXISTS (SELECT FROM messages m WHERE m.target_id = t.id)
        """)
        await conn.execute("ANALYZE targets, contacts, messages")
        await queries.prefer_first_row(conn)
        filters = Filters(list(TargetState), None)
        assert [each async for each in queries.every(conn, caller.workspace_id, spring.id, filters=filters)] == []
    looked_at = [
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"] for node in nodes(plans[0])
    ]
    assert plans[0]["Actual Rows"] == 1_000
    assert max(looked_at) <= 2_000
    # Nothing waits for all of them: sorted are the few replies of each person, and nobody else.
    sorted_by = {key for node in nodes(plans[0]) if "Sort" in node["Node Type"] for key in node["Sort Key"]}
    assert sorted_by == {"replies.received_at DESC", "replies.id DESC"}


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for below in plan.get("Plans", []) for node in nodes(below))]
