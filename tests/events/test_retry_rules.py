"""When a delivery is tried again, what Retry-After may ask for, and what is kept of an answer."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.core.clock import real_now
from iglayers.core.config import SettingsError, load
from iglayers.core.db import Database
from iglayers.core.ids import uuid7
from iglayers.core.outgoing import Answer, Failure
from iglayers.events import queries_engine
from iglayers.events.attempts import MAX_STORED_BYTES, error_of, is_success, news_of, response_of, result_of
from iglayers.events.model_webhooks import (
    MAX_RETRY_AFTER,
    RETRY_DELAYS_S,
    DeliveryState,
    after_failure,
    asked_to_wait,
    chance_of,
)
from iglayers.events.queries_engine import News, Picked, Result
from tests.events.receiving import Hit, all_ended, attempts, deliveries, delivering, endpoint, happen, receiving, until

NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
NO_WAIT = timedelta(0)


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        (None, NO_WAIT),
        ("", NO_WAIT),
        ("0", NO_WAIT),
        ("120", timedelta(seconds=120)),
        (" 120 ", timedelta(seconds=120)),
        ("86400", timedelta(days=1)),
        ("86401", timedelta(days=1)),
        ("9" * 400, timedelta(days=1)),
        ("-5", NO_WAIT),
        ("1.5", NO_WAIT),
        ("soon", NO_WAIT),
        ("１２", NO_WAIT),
        ("Mon, 04 May 2026 09:31:00 GMT", timedelta(minutes=1)),
        ("Mon, 04 May 2026 09:29:00 GMT", NO_WAIT),
        ("Mon, 04 May 2099 09:29:00 GMT", timedelta(days=1)),
        ("Mon, 04 May 2026 09:31:00 -0000", NO_WAIT),
        ("Mon, 99 May 2026 09:31:00 GMT", NO_WAIT),
    ],
)
def test_retry_after_is_obeyed_up_to_a_day(header: str | None, wait: timedelta) -> None:
    assert asked_to_wait(header, now=NOW) == wait


@given(st.text())
def test_no_retry_after_breaks_anything(header: str) -> None:
    assert NO_WAIT <= asked_to_wait(header, now=NOW) <= MAX_RETRY_AFTER


@given(st.integers(1, len(RETRY_DELAYS_S)), st.uuids())
def test_waits_are_within_a_fifth_of_the_schedule(failures: int, attempt_id: UUID) -> None:
    verdict = after_failure(failures, now=NOW, delays_s=RETRY_DELAYS_S, chance=chance_of(attempt_id))
    assert verdict.due_at is not None
    wait_s = (verdict.due_at - NOW) / timedelta(seconds=1)
    assert 0.799 * RETRY_DELAYS_S[failures - 1] <= wait_s <= 1.201 * RETRY_DELAYS_S[failures - 1]


def test_what_the_endpoint_asked_for_lengthens_a_wait_and_never_shortens_it() -> None:
    for asked, wait in (("3600", timedelta(hours=1)), ("1", timedelta(seconds=5))):
        verdict = after_failure(1, now=NOW, delays_s=RETRY_DELAYS_S, chance=0.5, retry_after=asked)
        assert verdict.due_at == NOW + wait


@pytest.mark.parametrize(("text", "fits"), [("", True), ("1,2,3", True), ("1.5", False), ("1;2", False), ("-1", False)])
def test_the_schedule_is_a_setting(text: str, fits: bool) -> None:
    if fits:
        load({"IGLAYERS_WEBHOOK_RETRIES_S": text})
    else:
        with pytest.raises(SettingsError, match="IGLAYERS_WEBHOOK_RETRIES_S"):
            load({"IGLAYERS_WEBHOOK_RETRIES_S": text})


@pytest.mark.parametrize(
    ("status", "success", "error"),
    [
        (200, True, None),
        (299, True, None),
        (300, False, "redirected"),
        (199, False, "refused"),
        (404, False, "refused"),
    ],
)
def test_only_a_2xx_is_success(status: int, success: bool, error: str | None) -> None:
    answer = Answer(duration_ms=1, status=status)
    assert (is_success(answer), error_of(answer)) == (success, error)


def test_what_is_kept_of_an_answer_is_bounded_and_readable() -> None:
    body = b"\x00\x1b[31m<b>\xff" + b"x" * 70_000
    kept = response_of(Answer(duration_ms=1, status=200, body=body))
    assert kept is not None
    assert kept.startswith("\ufffd\ufffd[31m<b>\ufffdxxx")
    assert len(kept.encode()) <= MAX_STORED_BYTES + 6
    assert response_of(Answer(duration_ms=1, failure=Failure.TIMED_OUT)) is None


ENDPOINT = uuid7()


def outcome(*, delivered: bool, second: int) -> tuple[Picked, Result]:
    picked = Picked(uuid7(), uuid7(), ENDPOINT, uuid7(), 0, uuid7(), None, None, None, None)
    answer = Answer(duration_ms=0, status=200 if delivered else 500)
    started_at = NOW + timedelta(seconds=second)
    return picked, result_of(picked, answer, started_at=started_at, delays_s=(100,))


@pytest.mark.parametrize(
    ("pattern", "failing", "succeeded", "failed_at_second"),
    [
        ("+", False, None, None),
        ("+", True, True, None),
        ("-", False, False, 0),
        ("--", True, False, 0),
        ("-+", False, True, None),
        ("+-", True, True, 1),
        ("+-", False, False, 1),
        ("-+-", False, True, 2),
    ],
)
def test_a_batch_tells_since_when_an_endpoint_fails(
    pattern: str,
    failing: bool,
    succeeded: bool | None,
    failed_at_second: int | None,
) -> None:
    batch = [outcome(delivered=each == "+", second=second) for second, each in enumerate(pattern)]
    news: list[News] = news_of(batch, failing={ENDPOINT} if failing else set())
    if succeeded is None:
        assert news == []
        return
    [only] = news
    failed_at = None if failed_at_second is None else NOW + timedelta(seconds=failed_at_second)
    assert (only.succeeded, only.failed_at) == (succeeded, failed_at)
    assert (only.due_at is None) == ("-" not in pattern)


async def test_a_success_that_was_on_its_way_when_another_failed_ends_the_failing(
    services: Services, database: Database, caller: Caller
) -> None:
    async def marked() -> bool:
        async with database.connection() as conn:
            return await conn.fetchval("SELECT failing_since IS NOT NULL FROM webhook_endpoints")

    first = asyncio.Event()

    async def answer(_hit: Hit) -> web.Response:
        if not first.is_set():
            first.set()
            return web.Response(status=500)
        await until(marked)
        return web.Response()

    async with receiving() as receiver:
        receiver.respond = answer
        await endpoint(services, caller, receiver.url)
        await happen(database, caller, times=4)
        async with delivering(services):
            await until(lambda: _delivered(database, 3))
            assert not await marked()


async def _delivered(database: Database, count: int) -> bool:
    async with database.connection() as conn:
        return await conn.fetchval("SELECT count(*) FROM deliveries WHERE state = 'delivered'") == count


async def test_what_a_worker_had_in_hand_is_logged_by_the_next_and_sent_again(
    services: Services, database: Database, caller: Caller
) -> None:
    async with receiving() as receiver:
        made = await endpoint(services, caller, receiver.url)
        happened = await happen(database, caller, times=3)
        gone, now = uuid7(), real_now()
        async with database.transaction() as conn:
            past = now - timedelta(seconds=1)
            assert await queries_engine.take(conn, gone, [made.id.uuid], now=now, lease_until=past) == [made.id.uuid]
            rooms = [queries_engine.Room(made.id.uuid, 2, [], [])]
            picked = await queries_engine.pick(conn, gone, rooms, now=now, lease_until=past)
            assert [f"evt_{each.event_id.hex}" for each in picked] == happened[:2]
            # One of the two was written down before the worker went.
            answer = Answer(duration_ms=1, status=200)
            written = result_of(picked[0], answer, started_at=now, delays_s=(1,))
            await queries_engine.log_results(conn, [written])
        async with delivering(services):
            await until(lambda: all_ended(database))
        # The worker was not gone but frozen: what it knows stands in the place of what was not known.
        late = result_of(picked[1], Answer(duration_ms=7, status=503), started_at=now, delays_s=(1,))
        async with database.transaction() as conn:
            await queries_engine.log_results(conn, [late])
    assert sorted(receiver.event_ids) == sorted(happened[1:])
    assert {row["state"] for row in await deliveries(database, made.id)} == {"delivered"}
    log = [(each["delivery_id"], each["error"], each["status"]) for each in await attempts(database)]
    assert log.count((picked[1].delivery_id, "refused", 503)) == 1
    assert len(log) == 4


async def test_an_interrupted_attempt_shows_in_the_log(services: Services, database: Database, caller: Caller) -> None:
    made = await endpoint(services, caller, "https://example.com/")
    await happen(database, caller)
    now = real_now()
    past = now - timedelta(seconds=1)
    async with database.transaction() as conn:
        first, second = uuid7(), uuid7()
        await queries_engine.take(conn, first, [made.id.uuid], now=now, lease_until=past)
        rooms = [queries_engine.Room(made.id.uuid, 5, [], [])]
        await queries_engine.pick(conn, first, rooms, now=now, lease_until=past)
        await queries_engine.take(conn, second, [made.id.uuid], now=now, lease_until=past)
        await queries_engine.take(conn, first, [made.id.uuid], now=now, lease_until=past)
    assert [each["error"] for each in await attempts(database)] == ["interrupted"]
    [row] = await deliveries(database, made.id)
    assert (row["state"], row["attempts"], row["error"], row["tries"]) == ("pending", 1, "interrupted", 0)


async def test_an_attempt_is_counted_once_however_often_it_is_written_down(
    services: Services, database: Database, caller: Caller
) -> None:
    made = await endpoint(services, caller, "https://example.com/")
    await happen(database, caller, times=2)
    worker, now = uuid7(), real_now()
    async with database.transaction() as conn:
        await queries_engine.take(conn, worker, [made.id.uuid], now=now, lease_until=now)
        rooms = [queries_engine.Room(made.id.uuid, 2, [], [])]
        first, second = await queries_engine.pick(conn, worker, rooms, now=now, lease_until=now)
        results = [
            result_of(each, Answer(status=500, duration_ms=1, address="192.0.2.1"), started_at=now, delays_s=(60, 60))
            for each in (first, second)
        ]
        # The answer to a commit got lost; and somebody else took the endpoint while this worker was silent.
        await queries_engine.log_results(conn, results[:1])
        await queries_engine.take(conn, uuid7(), [made.id.uuid], now=now + timedelta(seconds=1), lease_until=now)
        for _ in range(2):
            await queries_engine.log_results(conn, results)
    assert [(each["status"], each["error"]) for each in await attempts(database)] == [(500, "refused")] * 2
    for row in await deliveries(database, made.id):
        assert (row["state"], row["attempts"], row["tries"], row["status"]) == ("pending", 1, 1, 500)


async def test_another_worker_leaves_a_held_endpoint_alone(
    services: Services, database: Database, caller: Caller
) -> None:
    made = await endpoint(services, caller, "https://example.com/")
    await happen(database, caller)
    now = real_now()
    async with database.transaction() as conn:
        first, second, until_then = uuid7(), uuid7(), now + timedelta(seconds=30)
        assert await queries_engine.with_work(conn, second, now=now) == [made.id.uuid]
        await queries_engine.take(conn, first, [made.id.uuid], now=now, lease_until=until_then)
        assert await queries_engine.with_work(conn, first, now=now) == [made.id.uuid]
        assert await queries_engine.with_work(conn, second, now=now) == []
        assert await queries_engine.take(conn, second, [made.id.uuid], now=now, lease_until=until_then) == []
        assert await queries_engine.with_work(conn, second, now=until_then + timedelta(seconds=1)) == [made.id.uuid]
        await queries_engine.release(conn, first, [made.id.uuid])
        assert await queries_engine.with_work(conn, second, now=now) == [made.id.uuid]


async def test_a_worker_that_lets_go_leaves_the_moment_of_the_next_try(
    services: Services, database: Database, caller: Caller
) -> None:
    made = await endpoint(services, caller, "https://example.com/")
    await happen(database, caller, times=2)
    worker, now = uuid7(), real_now()
    soon = now + timedelta(minutes=5)
    async with database.transaction() as conn:
        await conn.execute("UPDATE deliveries SET due_at = $1", soon)
        await queries_engine.take(conn, worker, [made.id.uuid], now=now, lease_until=soon)
        await queries_engine.release(conn, worker, [made.id.uuid])
        assert await queries_engine.with_work(conn, worker, now=now) == []
        assert await queries_engine.with_work(conn, worker, now=soon) == [made.id.uuid]


async def test_what_waits_for_an_endpoint_that_is_gone_is_ended(
    services: Services, database: Database, caller: Caller
) -> None:
    made = await endpoint(services, caller, "https://example.com/")
    await happen(database, caller)
    async with database.connection() as conn:
        await conn.execute("DELETE FROM webhook_endpoints")
        assert await queries_engine.cancel_orphans(conn, at=real_now()) == 1
    assert [row["state"] for row in await deliveries(database, made.id)] == [DeliveryState.CANCELLED]


async def test_months_are_dropped_when_their_last_day_is_over(database: Database) -> None:
    async def months() -> list[str]:
        async with database.connection() as conn:
            found = await conn.fetch("SELECT relname FROM pg_class WHERE relname ~ '^events_2019_[0-9]+$' ORDER BY 1")
        return [each["relname"] for each in found]

    async with database.transaction() as conn:
        await conn.execute("SELECT make_event_partitions('2019-01-01', 3)")
    assert await months() == ["events_2019_01", "events_2019_02", "events_2019_03"]
    # Events, deliveries and attempts of each month.
    for before, dropped, left in (
        (datetime(2019, 1, 31, 23, 59, tzinfo=UTC), 0, 3),
        (datetime(2019, 2, 1, tzinfo=UTC), 3, 2),
        (datetime(2019, 4, 1, tzinfo=UTC), 6, 0),
    ):
        async with database.transaction() as conn:
            assert await queries_engine.drop_expired(conn, before=before) == dropped
        assert len(await months()) == left


@pytest.mark.parametrize("left_out", ["hashjoin", "mergejoin", "nestloop", "hashjoin,nestloop", "hashjoin,mergejoin"])
async def test_months_are_found_however_the_database_looks_for_them(database: Database, left_out: str) -> None:
    async with database.transaction() as conn:
        for each in left_out.split(","):
            await conn.execute(f"SET LOCAL enable_{each} = off")
        assert await queries_engine.drop_expired(conn, before=datetime(2020, 1, 1, tzinfo=UTC)) == 0
