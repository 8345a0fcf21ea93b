"""Months as a workspace counts them. Pure."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from iglayers.core.errors import Forbidden


class UsageLimitExceeded(Forbidden):
    code = "usage_limit_exceeded"
    remedy = "Raise the workspace's monthlyLimit, or wait for the next month."


def month_of(now: datetime, timezone: str) -> date:
    """The first day of the month that `now` falls into, in the workspace's zone."""
    return now.astimezone(ZoneInfo(timezone)).date().replace(day=1)


def month_bounds(month: date, timezone: str) -> tuple[datetime, datetime]:
    """When the month begins and when the next one does, in UTC."""
    return _start(month, timezone), _start(_next(month), timezone)


def _next(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def _start(month: date, timezone: str) -> datetime:
    return datetime(month.year, month.month, 1, tzinfo=ZoneInfo(timezone)).astimezone(UTC)
