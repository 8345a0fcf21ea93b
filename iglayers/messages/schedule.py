"""When a campaign may send: days, hours and a zone, and the dates between which it runs. Pure.

A window is judged by the wall clock at the moment of sending, so an hour that comes twice in an autumn night is
inside twice, and one that a spring night leaves out does not exist.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from iglayers.core.clock import Moment
from iglayers.core.errors import Invalid
from iglayers.core.fields import timezone

_DAY = timedelta(days=1)


class Day(StrEnum):
    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


_DAYS = list(Day)


class Window(
    msgspec.Struct, rename={"opens": "from", "closes": "to"}, frozen=True, forbid_unknown_fields=True, kw_only=True
):
    """From `opens` to `closes` (HH:MM, 24:00 for midnight), wall clock, on these days."""

    days: list[Day]
    opens: str
    closes: str


class Schedule(msgspec.Struct, rename="camel", frozen=True, forbid_unknown_fields=True, kw_only=True):
    timezone: str = "UTC"
    windows: list[Window] = []
    start_at: Moment | None = None
    end_at: Moment | None = None


class Opening(msgspec.Struct, frozen=True):
    """The next stretch in which sending is allowed."""

    opens_at: datetime
    closes_at: datetime


def check(schedule: Schedule) -> Schedule:
    """The schedule, if it can ever open; Invalid with the path of the field."""
    timezone(schedule.timezone, "schedule.timezone")
    for index, window in enumerate(schedule.windows):
        at = f"schedule.windows[{index}]"
        opens, closes = _minutes(window.opens, f"{at}.from"), _minutes(window.closes, f"{at}.to")
        if not window.days:
            raise Invalid(f"{at}.days must name at least one day.", param=f"{at}.days")
        if opens >= closes:
            raise Invalid(
                f"{at}.to must be after from.",
                param=f"{at}.to", remedy="Write hours across midnight as two windows: to 24:00, and from 00:00.",
            )  # fmt: skip
    if schedule.start_at and schedule.end_at and schedule.end_at <= schedule.start_at:
        raise Invalid("schedule.endAt must be after startAt.", param="schedule.endAt")
    return schedule


def has_ended(schedule: Schedule | None, at: datetime) -> bool:
    return schedule is not None and schedule.end_at is not None and at >= schedule.end_at


def next_opening(schedule: Schedule, at: datetime) -> Opening | None:
    """The stretch that holds `at`, or the first after it, at most to midnight; None when the schedule ends before."""
    at = max(at, schedule.start_at) if schedule.start_at else at
    zone = _zone(schedule.timezone)
    opens_at = at if _inside(schedule, zone, at) else _next_change(schedule, zone, at, into=True)
    if opens_at is None or has_ended(schedule, opens_at):
        return None
    closes_at = _next_change(schedule, zone, opens_at, into=False)
    day_ends_at = _midnight_after(opens_at, zone)
    closes_at = min(closes_at or day_ends_at, day_ends_at, schedule.end_at or day_ends_at)
    return Opening(opens_at, closes_at)


def _midnight_after(at: datetime, zone: ZoneInfo) -> datetime:
    tomorrow = at.astimezone(zone).date() + _DAY
    return datetime.combine(tomorrow, time(), zone).astimezone(UTC)


def local_day(at: datetime, zone_name: str) -> date:
    return at.astimezone(_zone(zone_name)).date()


def local_day_began(at: datetime, zone_name: str) -> datetime:
    """The moment at which the zone's calendar day of `at` began."""
    zone = _zone(zone_name)
    return datetime.combine(at.astimezone(zone).date(), time(), zone).astimezone(UTC)


def next_local_day(at: datetime, zone_name: str) -> datetime:
    """The moment at which the zone's next calendar day begins."""
    return _midnight_after(at, _zone(zone_name))


def _inside(schedule: Schedule, zone: ZoneInfo, at: datetime) -> bool:
    if not schedule.windows:
        return True
    local = at.astimezone(zone)
    day, minute = _DAYS[local.weekday()], local.hour * 60 + local.minute
    return any(
        day in window.days and _minutes(window.opens) <= minute < _minutes(window.closes) for window in schedule.windows
    )


def _next_change(schedule: Schedule, zone: ZoneInfo, at: datetime, *, into: bool) -> datetime | None:
    """The first moment after `at` at which the windows open (`into`) or close; None when they never do."""
    if not schedule.windows:
        return None
    first = at.astimezone(zone).date() - _DAY
    # A window comes back after a week, or after two where a spring night leaves it out; two more days for the edges.
    for offset in range(17):
        moments = sorted(each for each in _edges(schedule, zone, first + offset * _DAY) if each > at)
        for moment in moments:
            if _inside(schedule, zone, moment) is into:
                return moment
    return None


def _edges(schedule: Schedule, zone: ZoneInfo, day: date) -> Iterator[datetime]:
    """Every moment of this local day at which being inside may change."""
    for window in schedule.windows:
        if _DAYS[day.weekday()] in window.days:
            for minutes in (_minutes(window.opens), _minutes(window.closes)):
                wall = datetime.combine(day, time()) + timedelta(minutes=minutes)
                yield from (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    yield from _transitions(zone, day)


def _transitions(zone: ZoneInfo, day: date) -> Iterator[datetime]:
    """The moment in this local day at which the zone's offset changes, to the second."""
    low = datetime.combine(day, time(), zone).astimezone(UTC)
    high = datetime.combine(day + _DAY, time(), zone).astimezone(UTC)
    if low.astimezone(zone).utcoffset() == high.astimezone(zone).utcoffset():
        return
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    yield high


def _minutes(text: str, param: str | None = None) -> int:
    """Minutes since midnight of an HH:MM; checked when `param` names the field it came from."""
    if param is not None and not _is_wall_time(text):
        raise Invalid(f"{param} must be a time of day such as 09:30, at most 24:00.", param=param)
    return int(text[:2]) * 60 + int(text[3:])


def _is_wall_time(text: str) -> bool:
    if len(text) != 5 or text[2] != ":" or not (text.isascii() and text[:2].isdigit() and text[3:].isdigit()):
        return False
    return text == "24:00" or (int(text[:2]) < 24 and int(text[3:]) < 60)


@lru_cache(maxsize=1_000)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
