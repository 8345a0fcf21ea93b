"""At random limits, schedules and histories every moment that the pace allows breaks no rule, and is the first such.

One millisecond earlier a rule would have been broken: nobody waits for nothing.
"""

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import event, given, settings
from hypothesis import strategies as st

from iglayers.core.clock import Moment
from iglayers.messages import pacing
from iglayers.messages.pacing import Budget, History, Limits, next_allowed
from iglayers.messages.schedule import Day, Schedule, Window

MS, MARGIN = timedelta(milliseconds=1), timedelta(seconds=5)
HOUR, DAY = timedelta(hours=1), timedelta(hours=24)
DAYS = list(Day)
# The nights in which the clocks of these zones change.
ZONES = {
    "Europe/Berlin": ["2026-03-28T12:00", "2026-10-24T12:00"],
    "America/New_York": ["2026-03-07T12:00", "2026-10-31T12:00"],
    "Australia/Lord_Howe": ["2026-04-04T00:00", "2026-10-03T00:00"],
    "UTC": ["2026-05-06T12:00"],
}
LANE = UUID(int=7)
QUARTER = timedelta(minutes=15)


class Sent(msgspec.Struct):
    """What one sender, campaign or client has begun, oldest first."""

    limits: Limits
    begun: list[datetime]

    def budget(self, name: str, zone: str) -> Budget:
        def nth(limit: int | None) -> datetime | None:
            return self.begun[-limit] if limit is not None and len(self.begun) >= limit else None

        return Budget(name=name, limits=self.limits, history=History(
            nth_in_hour=nth(self.limits.hourly), nth_in_day=nth(self.limits.daily), day_used=self.day_used(zone),
            last_begun_at=self.begun[-1] if self.begun else None, lane_id=LANE,
        ))  # fmt: skip

    def day_used(self, zone: str) -> int:
        """What was begun on the calendar day of the last one."""
        days = [each.astimezone(ZoneInfo(zone)).date() for each in self.begun]
        return days.count(days[-1]) if days else 0

    def broken_at(self, at: datetime, schedule: Schedule | None, zone: str) -> list[str]:
        """The rules that a message at this moment would break."""
        broken: list[str] = []
        for limit, span, name in ((self.limits.hourly, HOUR, "hourly"), (self.limits.daily, DAY, "daily")):
            if limit is not None and len(self.begun) - bisect_right(self.begun, at - span - MARGIN) >= limit:
                broken.append(name)
        if self.begun:
            last = self.begun[-1]
            if at < last + pacing.gap(self.limits, last, self.day_used(zone), LANE, schedule, zone):
                broken.append("gap")
        return broken


def is_open(schedule: Schedule | None, at: datetime) -> bool:
    """Whether a wall clock on the spot would show a time inside."""
    if schedule is None:
        return True
    if (schedule.start_at and at < schedule.start_at) or (schedule.end_at and at >= schedule.end_at):
        return False
    wall = at.astimezone(ZoneInfo(schedule.timezone))
    return not schedule.windows or any(
        DAYS[wall.weekday()] in each.days and each.opens <= wall.strftime("%H:%M") < each.closes
        for each in schedule.windows
    )


def wall_time(quarter: int) -> str:
    return f"{quarter // 4:02}:{quarter % 4 * 15:02}"


@st.composite
def windows(draw: st.DrawFn) -> Window:
    opens = draw(st.integers(0, 95))
    closes = draw(st.integers(opens + 1, 96))
    days = draw(st.sets(st.sampled_from(DAYS), min_size=1))
    return Window(days=sorted(days), opens=wall_time(opens), closes=wall_time(closes))


@st.composite
def schedules(draw: st.DrawFn, zone: str, begins_at: datetime) -> Schedule:
    start_at = draw(st.none() | st.timedeltas(timedelta(days=-1), timedelta(days=2)))
    lasts = draw(st.none() | st.timedeltas(timedelta(hours=1), timedelta(days=6)))
    start = None if start_at is None else Moment.of(begins_at + start_at)
    end = None if lasts is None else Moment.of((start or begins_at) + lasts)
    return Schedule(timezone=zone, windows=draw(st.lists(windows(), max_size=3)), start_at=start, end_at=end)


LIMITS = st.builds(
    Limits,
    hourly=st.none() | st.integers(1, 6),
    daily=st.none() | st.integers(1, 12),
    min_gap_s=st.sampled_from([0, 0, 1, 60, 3_000]),
)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[datetime, list[Sent], Schedule | None, str]:
    zone = draw(st.sampled_from(list(ZONES)))
    night = datetime.fromisoformat(draw(st.sampled_from(ZONES[zone]))).replace(tzinfo=UTC)
    now = night + draw(st.timedeltas(timedelta(hours=-12), timedelta(hours=30)))
    schedule = draw(st.none() | schedules(zone, now))
    sent: list[Sent] = []
    for limits in draw(st.lists(LIMITS, min_size=1, max_size=3)):
        before = draw(st.lists(st.timedeltas(timedelta(0), timedelta(hours=30)), max_size=8))
        sent.append(Sent(limits, sorted(Moment.of(now - each) for each in before)))
    return Moment.of(now), sent, schedule, zone


@settings(max_examples=400)
@given(world=worlds(), late=st.lists(st.sampled_from([0, 0, 1, 50, 600_000]), min_size=1, max_size=8))
def test_each_allowed_moment_breaks_no_rule_and_is_the_first(
    world: tuple[datetime, list[Sent], Schedule | None, str], late: list[int]
) -> None:
    now, sent, schedule, zone = world
    for turn in range(24):
        verdict = next_allowed(now, [each.budget(f"{n}", zone) for n, each in enumerate(sent)], schedule, zone)
        event(verdict.rule.rpartition(".")[2])
        if verdict.at is None:
            assert_never_again(now, sent, schedule, zone)
            return
        assert verdict.at >= now
        assert is_open(schedule, verdict.at)
        assert [each.broken_at(verdict.at, schedule, zone) for each in sent] == [[]] * len(sent)
        if verdict.at > now:
            earlier = verdict.at - MS
            assert not is_open(schedule, earlier) or any(each.broken_at(earlier, schedule, zone) for each in sent)
        # The worker comes a little late, as workers do, and only sends if it still may.
        now = verdict.at + late[turn % len(late)] * MS
        if is_open(schedule, now):
            for each in sent:
                each.begun.append(now)


def assert_never_again(now: datetime, sent: list[Sent], schedule: Schedule | None, zone: str) -> None:
    """No moment is left at which the schedule is open and every limit allows it."""
    assert schedule is not None
    assert schedule.end_at is not None
    at = max(now, *(each.begun[-1] for each in sent if each.begun)) if any(each.begun for each in sent) else now
    quarter = datetime(at.year, at.month, at.day, at.hour, at.minute // 15 * 15, tzinfo=UTC)
    moments = [at, schedule.end_at - MS]
    while (quarter := quarter + QUARTER) < schedule.end_at:
        moments += [quarter, quarter - MS]
    for moment in moments:
        if moment >= now and is_open(schedule, moment):
            assert any(each.broken_at(moment, schedule, zone) for each in sent), moment
