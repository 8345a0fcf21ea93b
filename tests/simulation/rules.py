"""What a ledger must never show, judged from it and from the rules that were in force, without the engine."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from iglayers.messages.schedule import Day, Schedule

HOUR, DAY = timedelta(hours=1), timedelta(hours=24)
_DAYS = list(Day)


class Begun(msgspec.Struct, frozen=True, kw_only=True):
    """A message that may have reached somebody. `scope` is within which a person is written to first once."""

    at: datetime
    sender: str
    campaign: str
    client: str
    person: str
    step: int = 0
    scope: str = ""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """What one sender, campaign or client may do."""

    hourly: int | None = None
    daily: int | None = None
    min_gap_s: int = 0
    schedule: Schedule | None = None
    may_begin: bool = True


class Change(msgspec.Struct, frozen=True):
    """A rule that came into force at some moment between the two, both included."""

    earliest: datetime
    latest: datetime
    pace: Pace


Rules = dict[str, list[Change]]  # by sender, campaign or client, oldest first


def broken(ledger: Sequence[Begun], rules: Rules) -> list[str]:
    """Every rule that this ledger breaks, in words."""
    ordered = sorted(ledger, key=lambda each: each.at)
    return [*_repeated(ordered), *too_fast(ordered, rules)]


def _repeated(ledger: Sequence[Begun]) -> Iterator[str]:
    steps = Counter((each.campaign, each.person, each.step) for each in ledger)
    yield from (f"{person} got step {step} of {of} {n} times" for (of, person, step), n in steps.items() if n > 1)
    firsts = Counter((each.scope or each.client, each.person) for each in ledger if each.step == 0)
    yield from (f"{client} wrote to {person} first {n} times" for (client, person), n in firsts.items() if n > 1)


def too_fast(ledger: Sequence[Begun], rules: Rules) -> Iterator[str]:
    """Messages that broke the pace of their sender, campaign or client; the ledger in its order."""
    moments: dict[str, list[datetime]] = defaultdict(list)
    for each in ledger:
        for subject in (each.sender, each.campaign, each.client):
            before = moments[subject]
            wrong = [_wrong(pace, before, each.at) for pace in _in_force(rules.get(subject, []), each.at)]
            # Where a change was just being made, either rule will do.
            if wrong and all(wrong):
                yield f"{subject} at {each.at}: {wrong[0]}"
            before.append(each.at)


def _in_force(changes: Sequence[Change], at: datetime) -> list[Pace]:
    certain = [each for each in changes if each.latest < at]
    possible = [each for each in changes if each.earliest <= at <= each.latest]
    return [each.pace for each in [*certain[-1:], *possible]]


def _wrong(pace: Pace, before: Sequence[datetime], at: datetime) -> str | None:
    for limit, span, name in ((pace.hourly, HOUR, "hour"), (pace.daily, DAY, "day")):
        count = 1 + sum(each > at - span for each in before)
        if limit is not None and count > limit:
            return f"{count} within a rolling {name}, {limit} are allowed"
    # A gap varies by a fifth.
    if before and (at - before[-1]).total_seconds() < 0.8 * pace.min_gap_s:
        return f"{at - before[-1]} after the one before, {pace.min_gap_s} s are the least"
    if pace.schedule is not None and not is_open(pace.schedule, at):
        return "outside the schedule"
    return None if pace.may_begin else "paused"


def is_open(schedule: Schedule, at: datetime) -> bool:
    """Whether a wall clock on the spot shows a time inside."""
    wall = at.astimezone(ZoneInfo(schedule.timezone))
    return not schedule.windows or any(
        _DAYS[wall.weekday()] in each.days and each.opens <= wall.strftime("%H:%M") < each.closes
        for each in schedule.windows
    )
