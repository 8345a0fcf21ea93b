"""The judge of the simulation finds what it is there to find, and lets pass what is allowed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from iglayers.messages.schedule import Day, Schedule, Window
from tests.simulation.rules import Begun, Change, Pace, broken

T = datetime(2026, 5, 6, 12, 0, tzinfo=UTC)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
MORNING = Schedule(timezone="Europe/Berlin", windows=[Window(days=list(Day), opens="09:00", closes="14:30")])


def at(minutes: float, **fields: Any) -> Begun:
    given: dict[str, Any] = {"sender": "s", "campaign": "c", "client": "k", "person": f"p{minutes}"}
    return Begun(at=T + minutes * MINUTE, **given | fields)


def always(pace: Pace) -> list[Change]:
    return [Change(T - 1_000 * MINUTE, T - 1_000 * MINUTE, pace)]


CASES = [
    ([at(0), at(59), at(60)], {"s": always(Pace(hourly=2))}, []),
    ([at(0), at(58), at(59)], {"s": always(Pace(hourly=2))}, ["3 within a rolling hour"]),
    ([at(0), at(58, sender="t"), at(59)], {"s": always(Pace(hourly=2))}, []),
    ([at(0), at(58, sender="t"), at(59)], {"c": always(Pace(hourly=2))}, ["3 within a rolling hour"]),
    ([at(0, campaign="d"), at(59)], {"k": always(Pace(hourly=1))}, ["2 within a rolling hour"]),
    ([at(0), at(24 * 60)], {"s": always(Pace(daily=1))}, []),
    ([at(0), at(24 * 60 - 0.001)], {"s": always(Pace(daily=1))}, ["2 within a rolling day"]),
    ([at(0), at(0.8)], {"s": always(Pace(min_gap_s=60))}, []),
    ([at(0), at(0.79)], {"s": always(Pace(min_gap_s=60))}, ["60 s are the least"]),
    ([at(29.9)], {"c": always(Pace(schedule=MORNING))}, []),
    ([at(30)], {"c": always(Pace(schedule=MORNING))}, ["outside the schedule"]),
    ([at(0, person="p"), at(1, person="p")], {}, ["p got step 0 of c 2 times", "k wrote to p first 2 times"]),
    ([at(0, person="p"), at(1, person="p", campaign="d")], {}, ["k wrote to p first 2 times"]),
    ([at(0, person="p"), at(1, person="p", step=1)], {}, []),
    ([at(0, person="p"), at(1, person="p", campaign="d", client="l")], {}, []),
]


@pytest.mark.parametrize(("ledger", "rules", "found"), CASES)
def test_what_the_judge_says(ledger: list[Begun], rules: dict[str, list[Change]], found: list[str]) -> None:
    said = broken(ledger, rules)
    assert len(said) == len(found), said
    assert all(part in line for part, line in zip(found, said, strict=True)), said


@pytest.mark.parametrize(("minutes", "found"), [(9, 0), (10, 0), (10.5, 0), (11, 0), (11.1, 1), (29, 1)])
def test_a_change_holds_once_it_is_certain(minutes: float, found: int) -> None:
    pause = Change(T + 10 * MINUTE, T + 11 * MINUTE, Pace(may_begin=False))
    resume = Change(T + 30 * MINUTE, T + 31 * MINUTE, Pace())
    assert len(broken([at(minutes)], {"c": [*always(Pace()), pause, resume]})) == found
    later = msgspec.structs.replace(at(minutes), at=T + 32 * MINUTE)
    assert broken([later], {"c": [*always(Pace()), pause, resume]}) == []
