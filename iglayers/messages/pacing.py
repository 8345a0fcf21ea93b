"""How soon the next message may go: limits, history, schedule and now in; a moment and the rule that sets it out.

Pure, and the only place with rules of pace. Hourly and daily limits hold for every rolling 60 minutes and 24 hours
(and 5 s more, so that they hold by the provider's clock too): the n-th latest message tells the next moment exactly.
"""

import hashlib
from datetime import date, datetime, timedelta
from uuid import UUID

import msgspec

from iglayers.core.clock import Moment
from iglayers.messages.schedule import Schedule, local_day, next_local_day, next_opening

HOUR = timedelta(hours=1, seconds=5)
DAY = timedelta(hours=24, seconds=5)

# A new account writes to 10 people on its first day and to 5 more on each day after one on which it sent.
RAMP_START = 10
RAMP_STEP = 5


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The most messages in any rolling hour and 24 hours, and the least time between two."""

    hourly: int | None = None
    daily: int | None = None
    min_gap_s: int = 0


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger says about one sender, campaign or client. `not_sent` counts in `last_begun_at` only."""

    nth_in_hour: datetime | None = None  # when the `hourly`-th latest began
    nth_in_day: datetime | None = None  # when the `daily`-th latest began
    day_used: int = 0  # begun on the last one's day, up to and with it
    last_begun_at: datetime | None = None
    lane_id: UUID = UUID(int=0)  # of the sender, campaign or client


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """One of those whose limits hold at once: `sender`, `campaign` or `client`."""

    name: str
    limits: Limits
    history: History


class Verdict(msgspec.Struct, frozen=True):
    """The next allowed moment and the rule that sets it, such as `sender.daily`; None when the schedule is over."""

    at: Moment | None
    rule: str


def next_allowed(now: datetime, budgets: list[Budget], schedule: Schedule | None, zone: str) -> Verdict:
    """The first moment at which every rule allows a message; the latest rule wins."""
    at, rule = now, "now"
    for budget in budgets:
        for moment, name in _moments(budget, schedule, zone):
            if moment > at:
                at, rule = moment, f"{budget.name}.{name}"
    if schedule is not None:
        opening = next_opening(schedule, at)
        if opening is None:
            return Verdict(None, "schedule")
        if opening.opens_at > at:
            at, rule = opening.opens_at, "schedule"
    return Verdict(Moment.of(at) if at == now else _rounded_up(at), rule)


def _moments(budget: Budget, schedule: Schedule | None, zone: str) -> list[tuple[datetime, str]]:
    """What each rule of one budget says."""
    history = budget.history
    moments: list[tuple[datetime, str]] = []
    if history.nth_in_hour is not None:
        moments.append((history.nth_in_hour + HOUR, "hourly"))
    if history.nth_in_day is not None:
        moments.append((history.nth_in_day + DAY, "daily"))
    if history.last_begun_at is not None:
        pause = gap(budget.limits, history.last_begun_at, history.day_used, history.lane_id, schedule, zone)
        moments.append((history.last_begun_at + pause, "gap"))
    return moments


def gap(
    limits: Limits, begun_at: datetime, day_used: int, lane_id: UUID, schedule: Schedule | None, zone: str
) -> timedelta:
    """How long to wait after the message that began at `begun_at`, the `day_used`-th of its day.

    The largest of an even share of the hour, an even share of what was left of the window among this message and
    what was left of the day's, and the sender's own gap; times 0.8 to 1.2. That is drawn from the lane, the day and
    the number, so that looking again does not draw again, and a projection draws the same. The day is the calendar's,
    where the schedule is: among the rest of a rolling day, which in the morning is what was left the evening before,
    a morning would have no share and an afternoon all.
    """
    seconds = float(limits.min_gap_s)
    if limits.hourly:
        seconds = max(seconds, 3_600 / limits.hourly)
    if limits.daily and day_used < limits.daily:
        # The message just begun has a share too: without it the day's last would fall on the closing of the window,
        # and every other time behind it, where it is lost to the day.
        seconds = max(seconds, _left_of_window(begun_at, schedule, zone) / (limits.daily - day_used + 1))
    day = local_day(begun_at, zone if schedule is None else schedule.timezone)
    return timedelta(seconds=seconds * _jitter(lane_id, day, day_used))


def _left_of_window(at: datetime, schedule: Schedule | None, zone: str) -> float:
    opening = next_opening(schedule or Schedule(timezone=zone), at)
    if opening is None or opening.opens_at > at:
        return 0.0
    return (opening.closes_at - at).total_seconds()


def _jitter(lane_id: UUID, day: date, day_used: int) -> float:
    seed = lane_id.bytes + day.toordinal().to_bytes(4) + day_used.to_bytes(8)
    drawn = int.from_bytes(hashlib.blake2b(seed, digest_size=4).digest())
    return 0.8 + 0.4 * drawn / 0xFFFF_FFFF


def _rounded_up(at: datetime) -> Moment:
    return Moment.of(at + timedelta(microseconds=999))


class SenderPace(msgspec.Struct, frozen=True, kw_only=True):
    """What sets a sender's limits on a given day."""

    hourly_limit: int
    daily_limit: int
    min_gap_s: int
    ramp: bool
    sent_days: int
    last_sent_on: date | None
    warned_until: datetime | None


def sender_limits(pace: SenderPace, now: datetime, zone: str) -> Limits:
    """A sender's limits now: its ceiling, its ramp, and half of them while it is warned."""
    daily = pace.daily_limit
    if pace.ramp:
        days_before = pace.sent_days - (pace.last_sent_on == local_day(now, zone))
        daily = min(daily, RAMP_START + RAMP_STEP * days_before)
    hourly = pace.hourly_limit
    if pace.warned_until is not None and now < pace.warned_until:
        hourly, daily = max(1, hourly // 2), max(1, daily // 2)
    return Limits(hourly=hourly, daily=daily, min_gap_s=pace.min_gap_s)


def sender_looks_again_at(pace: SenderPace, now: datetime, zone: str) -> datetime | None:
    """When a sender's limits may rise by themselves: the end of a warning, or the next day of its ramp."""
    moments: list[datetime] = []
    if pace.warned_until is not None and now < pace.warned_until:
        moments.append(pace.warned_until)
    if pace.ramp:
        moments.append(next_local_day(now, zone))
    return min(moments, default=None)
