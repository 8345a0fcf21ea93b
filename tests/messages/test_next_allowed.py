"""How soon the next message may go: each rule of pace at its boundary, and which of them wins."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from iglayers.core.clock import Moment
from iglayers.messages import pacing
from iglayers.messages.pacing import Budget, History, Limits, SenderPace, Verdict, next_allowed
from iglayers.messages.schedule import Day, Schedule, Window

NOW = datetime(2026, 5, 6, 12, 0, tzinfo=UTC)  # a Wednesday
HOUR, DAY, MS = timedelta(hours=1), timedelta(days=1), timedelta(milliseconds=1)
# At the provider's clock too: the limits hold for five seconds more than their hour and day.
MARGIN = timedelta(seconds=5)
OFFICE = Schedule(windows=[Window(days=list(Day)[:5], opens="09:00", closes="17:00")])


def ago(**units: float) -> datetime:
    return NOW - timedelta(**units)


def budget(name: str = "sender", *, limits: Limits | None = None, **history: Any) -> Budget:
    return Budget(name=name, limits=limits or Limits(), history=History(**history))


def test_nothing_begun_means_now() -> None:
    assert next_allowed(NOW, [budget()], None, "UTC") == Verdict(Moment.of(NOW), "now")


@pytest.mark.parametrize(
    ("history", "wait", "rule"),
    [
        ({"nth_in_hour": NOW - HOUR - MARGIN}, timedelta(0), "now"),
        ({"nth_in_hour": NOW - HOUR - MARGIN + MS}, MS, "sender.hourly"),
        ({"nth_in_hour": NOW}, HOUR + MARGIN, "sender.hourly"),
        ({"nth_in_day": NOW - DAY - MARGIN}, timedelta(0), "now"),
        ({"nth_in_day": NOW - DAY - MARGIN + MS}, MS, "sender.daily"),
        ({"nth_in_day": NOW}, DAY + MARGIN, "sender.daily"),
        ({"nth_in_hour": ago(minutes=30), "nth_in_day": ago(hours=23.9)}, timedelta(minutes=30, seconds=5), None),
        ({"nth_in_hour": ago(minutes=59), "nth_in_day": ago(hours=20)}, timedelta(hours=4, seconds=5), "sender.daily"),
        # Finer than milliseconds: never early.
        ({"nth_in_hour": NOW - HOUR - MARGIN + timedelta(microseconds=1)}, MS, "sender.hourly"),
    ],
)
def test_the_nth_latest_message_sets_the_moment(history: dict[str, Any], wait: timedelta, rule: str | None) -> None:
    verdict = next_allowed(NOW, [budget(**history)], None, "UTC")
    assert verdict == Verdict(Moment.of(NOW + wait), rule or "sender.hourly")


def test_the_latest_of_all_budgets_wins() -> None:
    budgets = [
        budget("sender", nth_in_hour=ago(minutes=50)),
        budget("campaign", nth_in_day=ago(hours=12)),
        budget("client", nth_in_hour=ago(minutes=10)),
    ]
    assert next_allowed(NOW, budgets, None, "UTC") == Verdict(Moment.of(NOW + DAY / 2 + MARGIN), "campaign.daily")
    assert next_allowed(NOW, budgets[::2], None, "UTC").rule == "client.hourly"
    assert next_allowed(NOW, budgets[:1], None, "UTC").rule == "sender.hourly"


@pytest.mark.parametrize(
    ("now", "nth_in_hour", "expected", "rule"),
    [
        # Closed now.
        ("2026-05-06T08:00", None, "2026-05-06T09:00", "schedule"),
        # Allowed again after the office has closed: not before it opens on Thursday.
        ("2026-05-06T16:50", "2026-05-06T16:30", "2026-05-07T09:00", "schedule"),
        # Friday evening: on Monday.
        ("2026-05-08T17:00", None, "2026-05-11T09:00", "schedule"),
        ("2026-05-06T12:00", "2026-05-06T11:30", "2026-05-06T12:30:05", "sender.hourly"),
    ],
)
def test_the_schedule_comes_on_top(now: str, nth_in_hour: str | None, expected: str, rule: str) -> None:
    begun = None if nth_in_hour is None else datetime.fromisoformat(nth_in_hour).replace(tzinfo=UTC)
    verdict = next_allowed(datetime.fromisoformat(now).replace(tzinfo=UTC), [budget(nth_in_hour=begun)], OFFICE, "UTC")
    assert verdict == Verdict(Moment.of(datetime.fromisoformat(expected).replace(tzinfo=UTC)), rule)


def test_a_limit_that_reaches_past_the_end_ends_the_schedule() -> None:
    ends_soon = Schedule(end_at=Moment.of(NOW + HOUR))
    assert next_allowed(NOW, [budget(nth_in_hour=NOW)], ends_soon, "UTC") == Verdict(None, "schedule")
    assert next_allowed(NOW, [budget(nth_in_hour=ago(minutes=30))], ends_soon, "UTC").rule == "sender.hourly"


def lane_that_draws(share: float, used: int) -> UUID:
    """A lane that after so many messages of this day draws about this share of the gap."""
    while True:
        drawn = uuid4()
        if abs(pacing._jitter(drawn, NOW.date(), used) - share) < 0.001:
            return drawn


@pytest.mark.parametrize(
    ("limits", "used", "schedule", "seconds"),
    [
        (Limits(), 1, None, 0),
        (Limits(min_gap_s=60), 1, None, 60),
        (Limits(hourly=10), 1, None, 360),
        (Limits(hourly=10, min_gap_s=900), 1, None, 900),
        # Noon: twelve hours are left of the day for this message and what is left of the limit.
        (Limits(daily=48), 1, None, 900),
        (Limits(daily=24), 1, None, 1_800),
        (Limits(hourly=10, daily=24), 1, None, 1_800),
        (Limits(hourly=1, daily=24), 1, None, 3_600),
        # The last but one: the last falls well before midnight.
        (Limits(daily=10), 9, None, 21_600),
        # Of an office five hours are left.
        (Limits(daily=25), 1, OFFICE, 720),
        # Nothing is left of the limit: the limit itself sets the moment.
        (Limits(daily=10, min_gap_s=7), 10, None, 7),
        (Limits(daily=10, min_gap_s=7), 11, None, 7),
    ],
)
def test_the_gap_is_the_largest_of_its_three(
    limits: Limits, used: int, schedule: Schedule | None, seconds: float
) -> None:
    shortest, longest = (
        pacing.gap(limits, NOW, used, lane_that_draws(share, used), schedule, "UTC") for share in (0.8, 1.2)
    )
    assert abs(shortest - timedelta(seconds=0.8 * seconds)) <= timedelta(seconds=0.001 * seconds)
    assert abs(longest - timedelta(seconds=1.2 * seconds)) <= timedelta(seconds=0.001 * seconds)


def test_what_is_left_of_the_day_goes_by_the_zone() -> None:
    berlin = pacing.gap(Limits(daily=10), NOW, 1, lane_that_draws(1.0, 1), None, "Europe/Berlin")
    assert abs(berlin - timedelta(hours=1)) < timedelta(seconds=10)  # 14:00 there: ten hours for ten


def test_looking_again_does_not_draw_again() -> None:
    waits = budget(limits=Limits(hourly=6), last_begun_at=NOW, lane_id=UUID(int=7), day_used=1)
    first = next_allowed(NOW, [waits], None, "UTC")
    assert first.at is not None
    assert first.rule == "sender.gap"
    assert timedelta(minutes=-12) <= NOW - first.at <= timedelta(minutes=-8)
    for share in (0.1, 0.5, 0.999):
        assert next_allowed(NOW - (NOW - first.at) * share, [waits], None, "UTC") == first
    assert next_allowed(first.at, [waits], None, "UTC") == Verdict(first.at, "now")


def pace(**fields: Any) -> SenderPace:
    given: dict[str, Any] = {
        "hourly_limit": 9, "daily_limit": 40, "min_gap_s": 60, "ramp": False, "sent_days": 0, "last_sent_on": None,
        "warned_until": None,
    }  # fmt: skip
    return SenderPace(**given | fields)


TODAY, YESTERDAY = date(2026, 5, 6), date(2026, 5, 5)


@pytest.mark.parametrize(
    ("fields", "hourly", "daily"),
    [
        ({}, 9, 40),
        # The ramp: 10 on the first day it sends, 5 more for each day before on which it sent, up to the ceiling.
        ({"ramp": True}, 9, 10),
        ({"ramp": True, "sent_days": 1, "last_sent_on": TODAY}, 9, 10),
        ({"ramp": True, "sent_days": 1, "last_sent_on": YESTERDAY}, 9, 15),
        ({"ramp": True, "sent_days": 2, "last_sent_on": TODAY}, 9, 15),
        ({"ramp": True, "sent_days": 6, "last_sent_on": YESTERDAY}, 9, 40),
        ({"ramp": True, "sent_days": 60, "last_sent_on": YESTERDAY}, 9, 40),
        ({"ramp": True, "daily_limit": 4}, 9, 4),
        # A warning: half of everything, never nothing.
        ({"warned_until": NOW + MS}, 4, 20),
        ({"warned_until": NOW}, 9, 40),
        ({"warned_until": NOW + DAY, "ramp": True}, 4, 5),
        ({"warned_until": NOW + DAY, "hourly_limit": 1, "daily_limit": 1}, 1, 1),
    ],
)
def test_a_senders_limits_today(fields: dict[str, Any], hourly: int, daily: int) -> None:
    assert pacing.sender_limits(pace(**fields), NOW, "UTC") == Limits(hourly=hourly, daily=daily, min_gap_s=60)


def test_the_ramps_day_is_the_workspaces() -> None:
    sent_today_in_tokyo = pace(ramp=True, sent_days=1, last_sent_on=date(2026, 5, 6))
    evening = datetime(2026, 5, 6, 15, 0, tzinfo=UTC)  # midnight in Tokyo
    assert pacing.sender_limits(sent_today_in_tokyo, evening - MS, "Asia/Tokyo").daily == 10
    assert pacing.sender_limits(sent_today_in_tokyo, evening, "Asia/Tokyo").daily == 15


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"warned_until": NOW}, None),
        ({"warned_until": NOW + HOUR}, NOW + HOUR),
        ({"ramp": True}, datetime(2026, 5, 7, tzinfo=UTC)),
        ({"ramp": True, "warned_until": NOW + HOUR}, NOW + HOUR),
        ({"ramp": True, "warned_until": NOW + DAY}, datetime(2026, 5, 7, tzinfo=UTC)),
    ],
)
def test_when_a_senders_limits_may_rise_by_themselves(fields: dict[str, Any], expected: datetime | None) -> None:
    assert pacing.sender_looks_again_at(pace(**fields), NOW, "UTC") == expected
