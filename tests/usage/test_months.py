"""A month begins when it does in the workspace's own zone."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iglayers.accounts.model import Caller
from iglayers.core.db import Database
from iglayers.usage import queries
from iglayers.usage.model import month_bounds, month_of

ZONES = ["UTC", "Europe/Madrid", "America/St_Johns", "Asia/Kathmandu", "Pacific/Kiritimati", "America/Asuncion"]


@pytest.mark.parametrize(
    ("zone", "month"),
    [("UTC", date(2026, 4, 1)), ("Europe/Madrid", date(2026, 5, 1)), ("America/New_York", date(2026, 4, 1))],
)
def test_the_zone_decides_the_month(zone: str, month: date) -> None:
    assert month_of(datetime(2026, 4, 30, 22, 30, tzinfo=UTC), zone) == month


def test_december_is_followed_by_january() -> None:
    assert month_bounds(date(2026, 12, 1), "Europe/Madrid") == (
        datetime(2026, 11, 30, 23, tzinfo=UTC),
        datetime(2026, 12, 31, 23, tzinfo=UTC),
    )


@given(st.datetimes(datetime(2020, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC)), st.sampled_from(ZONES))  # noqa: DTZ001 naive by Hypothesis' rules
def test_every_moment_lies_in_its_month_and_in_no_other(now: datetime, zone: str) -> None:
    start, end = month_bounds(month_of(now, zone), zone)
    assert start <= now < end
    assert month_of(start, zone) == month_of(end - timedelta(microseconds=1), zone) != month_of(end, zone)


async def test_a_count_is_kept_for_each_month(database: Database, caller: Caller, test_caller: Caller) -> None:
    april, may = date(2026, 4, 1), date(2026, 5, 1)
    async with database.transaction() as conn:
        await queries.set_month(conn, caller.workspace_id, april, 7)
        await queries.set_month(conn, caller.workspace_id, april, 9)
        assert await queries.sent_in(conn, caller.workspace_id, april) == 9
        assert await queries.sent_in(conn, caller.workspace_id, may) == 0
        assert await queries.sent_in(conn, test_caller.workspace_id, april) == 0
