"""When a schedule is open: days, hours and dates in a zone, also in the two nights in which the clocks change."""

from datetime import UTC, datetime

import pytest

from iglayers.core.clock import Moment
from iglayers.core.errors import Invalid
from iglayers.messages.schedule import Day, Opening, Schedule, Window, check, has_ended, next_local_day, next_opening

WEEKDAYS = [Day.MON, Day.TUE, Day.WED, Day.THU, Day.FRI]
EVERY_DAY = list(Day)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def daily(zone: str, opens: str, closes: str, days: list[Day] = EVERY_DAY) -> Schedule:
    return Schedule(timezone=zone, windows=[Window(days=days, opens=opens, closes=closes)])


OFFICE = daily("Europe/Berlin", "09:00", "17:00", WEEKDAYS)
NIGHT = daily("Europe/Berlin", "02:00", "03:00")
LATE = daily("America/New_York", "01:00", "02:00")
LORD_HOWE = daily("Australia/Lord_Howe", "01:30", "02:15")

# Asked at, opens at, closes at; all in UTC.
OPENINGS = [
    # An office in summer (two hours ahead) and in winter (one), over a weekend.
    (OFFICE, "2026-07-01 06:59:59.999", "2026-07-01 07:00", "2026-07-01 15:00"),
    (OFFICE, "2026-07-01 07:00", "2026-07-01 07:00", "2026-07-01 15:00"),
    (OFFICE, "2026-07-01 14:59:59.999", "2026-07-01 14:59:59.999", "2026-07-01 15:00"),
    (OFFICE, "2026-07-01 15:00", "2026-07-02 07:00", "2026-07-02 15:00"),
    (OFFICE, "2026-01-09 16:00", "2026-01-12 08:00", "2026-01-12 16:00"),
    # The Friday before and the Monday after the spring change.
    (OFFICE, "2026-03-27 16:00", "2026-03-30 07:00", "2026-03-30 15:00"),
    # Spring, Berlin: 02:00 to 03:00 does not exist on 29 March.
    (NIGHT, "2026-03-28 02:00", "2026-03-30 00:00", "2026-03-30 01:00"),
    # Autumn, Berlin: 02:00 to 03:00 comes twice on 25 October.
    (NIGHT, "2026-10-24 12:00", "2026-10-25 00:00", "2026-10-25 02:00"),
    (NIGHT, "2026-10-25 01:30", "2026-10-25 01:30", "2026-10-25 02:00"),
    (daily("Europe/Berlin", "02:15", "02:45"), "2026-10-25 00:45", "2026-10-25 01:15", "2026-10-25 01:45"),
    # Spring, New York: 02:00 to 03:00 does not exist on 8 March, the hour before does.
    (LATE, "2026-03-07 12:00", "2026-03-08 06:00", "2026-03-08 07:00"),
    (daily("America/New_York", "01:30", "03:30"), "2026-03-08 00:00", "2026-03-08 06:30", "2026-03-08 07:30"),
    # Autumn, New York: 01:00 to 02:00 comes twice on 1 November.
    (LATE, "2026-10-31 12:00", "2026-11-01 05:00", "2026-11-01 07:00"),
    # Autumn: the hour before ends where the repeated one begins, and does not come back.
    (daily("America/New_York", "00:00", "01:00"), "2026-10-31 12:00", "2026-11-01 04:00", "2026-11-01 05:00"),
    (daily("America/New_York", "00:00", "01:00"), "2026-11-01 05:00", "2026-11-02 05:00", "2026-11-02 06:00"),
    # Lord Howe turns by half an hour: back from 02:00 to 01:30 on 5 April, on from 02:00 to 02:30 on 4 October.
    (LORD_HOWE, "2026-04-04 12:00", "2026-04-04 14:30", "2026-04-04 15:45"),
    (LORD_HOWE, "2026-10-03 12:00", "2026-10-03 15:00", "2026-10-03 15:30"),
    # A whole window that the spring night leaves out comes a week later.
    (daily("Europe/Berlin", "02:00", "03:00", [Day.SUN]), "2026-03-22 02:30", "2026-04-05 00:00", "2026-04-05 01:00"),
    (
        daily("Australia/Lord_Howe", "02:00", "02:30", [Day.SUN]),
        "2026-09-28 00:00", "2026-10-10 15:00", "2026-10-10 15:30",
    ),
    # Without windows the day is open to its midnight, which the zone sets: 23 hours in spring, 25 in autumn.
    (Schedule(timezone="Europe/Berlin"), "2026-03-28 23:00", "2026-03-28 23:00", "2026-03-29 22:00"),
    (Schedule(timezone="Europe/Berlin"), "2026-10-24 22:00", "2026-10-24 22:00", "2026-10-25 23:00"),
    # In Santiago the day of the spring change begins at 01:00.
    (daily("America/Santiago", "00:00", "02:00"), "2026-09-05 12:00", "2026-09-06 04:00", "2026-09-06 05:00"),
    # 24:00 is midnight; two windows that meet there are open without a break, told day by day.
    (daily("UTC", "22:00", "24:00"), "2026-05-01 00:00", "2026-05-01 22:00", "2026-05-02 00:00"),
    (
        Schedule(windows=[
            Window(days=[Day.FRI], opens="22:00", closes="24:00"), Window(days=[Day.SAT], opens="00:00", closes="02:00")
        ]),
        "2026-05-01 23:59:59.999", "2026-05-01 23:59:59.999", "2026-05-02 00:00",
    ),
    # Windows that overlap are one.
    (
        Schedule(windows=[
            Window(days=EVERY_DAY, opens="08:00", closes="12:00"), Window(days=EVERY_DAY, opens="10:00", closes="14:00")
        ]),
        "2026-05-01 00:00", "2026-05-01 08:00", "2026-05-01 14:00",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("schedule", "asked_at", "opens_at", "closes_at"), OPENINGS)
def test_the_next_opening(schedule: Schedule, asked_at: str, opens_at: str, closes_at: str) -> None:
    assert next_opening(check(schedule), at(asked_at)) == Opening(at(opens_at), at(closes_at))


START, END = Moment.of(at("2026-05-04 10:00")), Moment.of(at("2026-05-05 12:00"))
DATED = Schedule(
    timezone="Europe/Berlin",
    windows=[Window(days=EVERY_DAY, opens="09:00", closes="17:00")],
    start_at=START,
    end_at=END,
)


@pytest.mark.parametrize(
    ("asked_at", "opens_at", "closes_at"),
    [
        ("2026-01-01 00:00", "2026-05-04 10:00", "2026-05-04 15:00"),
        ("2026-05-04 16:00", "2026-05-05 07:00", "2026-05-05 12:00"),
        ("2026-05-05 11:59:59.999", "2026-05-05 11:59:59.999", "2026-05-05 12:00"),
        ("2026-05-05 12:00", None, None),
        ("2030-01-01 00:00", None, None),
    ],
)
def test_nothing_is_open_before_the_start_and_from_the_end_on(
    asked_at: str, opens_at: str | None, closes_at: str | None
) -> None:
    found = next_opening(DATED, at(asked_at))
    assert found == (Opening(at(opens_at), at(closes_at)) if opens_at and closes_at else None)


def test_a_schedule_ends_at_its_end() -> None:
    assert [has_ended(DATED, at(f"2026-05-05 {hour}")) for hour in ("11:59:59.999", "12:00")] == [False, True]
    assert not has_ended(OFFICE, at("2100-01-01"))
    assert not has_ended(None, at("2100-01-01"))


def test_no_window_opens_before_the_end() -> None:
    over_the_weekend = Schedule(windows=OFFICE.windows, end_at=Moment.of(at("2026-05-04 08:00")))
    assert next_opening(over_the_weekend, at("2026-05-02 12:00")) is None


@pytest.mark.parametrize(
    ("zone", "asked_at", "begins_at"),
    [
        ("Europe/Berlin", "2026-03-29 00:30", "2026-03-29 22:00"),
        ("Europe/Berlin", "2026-10-25 00:30", "2026-10-25 23:00"),
        ("Australia/Lord_Howe", "2026-04-04 13:00", "2026-04-05 13:30"),
        ("America/Santiago", "2026-09-05 12:00", "2026-09-06 04:00"),
    ],
)
def test_the_next_day_begins_where_the_zone_says(zone: str, asked_at: str, begins_at: str) -> None:
    assert next_local_day(at(asked_at), zone) == at(begins_at)


@pytest.mark.parametrize(
    ("schedule", "param"),
    [
        (daily("Mars/Olympus", "09:00", "17:00"), "schedule.timezone"),
        (daily("UTC", "17:00", "09:00"), "schedule.windows[0].to"),
        (daily("UTC", "09:00", "09:00"), "schedule.windows[0].to"),
        (daily("UTC", "9:00", "17:00"), "schedule.windows[0].from"),
        (daily("UTC", "24:00", "24:00"), "schedule.windows[0].to"),
        (daily("UTC", "09:00", "24:01"), "schedule.windows[0].to"),
        (daily("UTC", "09:60", "17:00"), "schedule.windows[0].from"),
        (daily("UTC", "٠٩:00", "17:00"), "schedule.windows[0].from"),
        (daily("UTC", "09:00", "17:00", []), "schedule.windows[0].days"),
        (Schedule(start_at=END, end_at=START), "schedule.endAt"),
        (Schedule(start_at=START, end_at=START), "schedule.endAt"),
    ],
)
def test_a_schedule_that_can_never_open_is_refused(schedule: Schedule, param: str) -> None:
    with pytest.raises(Invalid) as refused:
        check(schedule)
    assert refused.value.param == param
