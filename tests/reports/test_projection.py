"""The projected end of a campaign against its real one, on a clock that is moved by hand."""

import os
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.campaigns import actions as campaigns
from iglayers.core.clock import Moment
from iglayers.core.db import Database
from iglayers.messages.pacing import Limits, SenderPace
from iglayers.messages.projection import Lane, Plan, Sender, project
from iglayers.messages.schedule import Day, Schedule, Window
from tests import make
from tests.reports.stepping import Stepping
from tests.senders.orders import a_sender
from tests.serving import Api
from tests.targets.uploads import campaign, people, upload

MONDAY = Moment(2031, 3, 24, 8, tzinfo=UTC)  # the week ends in a night with a change of clocks
WEEKDAYS = [Day.MON, Day.TUE, Day.WED, Day.THU, Day.FRI]
OFFICE = Schedule(timezone="Europe/Berlin", windows=[Window(days=WEEKDAYS, opens="09:00", closes="17:30")])


def some_campaign(chance: random.Random) -> tuple[dict[str, Any], list[dict[str, Any]], int, dict[str, Any]]:
    """A campaign's fields, its senders', its people's number; its client's limit and the delays of its follow-ups."""
    fields: dict[str, Any] = {
        "hourly_limit": chance.choice([None, 3, 8, 20]),
        "daily_limit": chance.choice([None, 15, 40]),
        "schedule": chance.choice([None, None, OFFICE]),
    }
    senders = [
        {
            "hourly_limit": chance.choice([4, 10, 30]),
            "daily_limit": chance.choice([12, 25, 50]),
            "ramp": chance.random() < 0.4,
            "min_gap_seconds": chance.choice([0, 60, 600]),
        }
        for _ in range(chance.choice([1, 1, 2, 3]))
    ]
    around = {"daily_limit": chance.choice([None, None, 30]), "delays_h": chance.choice([[], [], [20], [48, 30]])}
    return fields, senders, chance.choice([25, 60, 90]), around


@pytest.mark.parametrize("seed", range(int(os.environ.get("PROJECTED_CAMPAIGNS", "6"))))
async def test_the_projected_end_is_the_real_one(
    seed: int,
    test_api: Api,
    worker_services: Services,
    database: Database,
    test_caller: Caller,
    record_property: Callable[[str, object], None],
) -> None:
    fields, senders, count, around = some_campaign(random.Random(seed))
    client = await make.client(database, test_caller, daily_limit=around["daily_limit"])
    again = await make.template(database, test_caller)
    follow_ups = [campaigns.FollowUp(message_template_id=again.id, delay_hours=hours) for hours in around["delays_h"]]
    stepping = Stepping(worker_services, test_caller)
    await stepping.set_clock(MONDAY)
    for number, sender in enumerate(senders):
        await a_sender(database, test_caller, f"sender.{number}", **sender)
    spring = await campaign(database, test_caller, client_id=client.id, follow_ups=follow_ups, **fields)
    await upload(test_api, spring, people(*(f"sandbox.silent.{number}" for number in range(count))))
    told = (await test_api.post(f"/campaigns/{spring.id}/preflight")).body
    messages = count * (1 + len(follow_ups))
    assert (told["ok"], told["targets"], told["projection"]["messages"]) == (True, count, messages)
    async with database.transaction() as conn:
        await campaigns.start(conn, test_caller, spring.id)
    begun = await stepping.run(spring.id)
    assert len(begun) == messages
    projected_way = datetime.fromisoformat(told["projection"]["lastSendAt"]) - MONDAY
    real_way = begun[-1] - MONDAY
    record_property("off_percent", 100 * (projected_way / real_way - 1))  # --junitxml=FILE -o junit_family=xunit1
    assert abs(real_way - projected_way) < 0.02 * real_way


PACE = SenderPace(
    hourly_limit=10, daily_limit=50, min_gap_s=60, ramp=False, sent_days=9, last_sent_on=None, warned_until=None
)


def plan(**fields: Any) -> Plan:
    standard: dict[str, Any] = {
        "now": MONDAY, "zone": "UTC", "schedule": None, "limits": Limits(), "lane": Lane(), "client_limits": None,
        "client_lane": Lane(), "senders": [Sender(PACE, Lane(), MONDAY)], "firsts": 100, "delays_h": [],
    }  # fmt: skip
    return Plan(**(standard | fields))


def test_nobody_to_send_means_nothing_goes() -> None:
    told = project(plan(senders=[]))
    assert (told.first_send_at, told.last_send_at, told.messages_per_day, told.left_over) == (None, None, None, 100)


def test_what_the_schedule_leaves_out_is_counted() -> None:
    told = project(plan(schedule=Schedule(timezone="UTC", end_at=Moment.of(MONDAY + timedelta(days=1)))))
    assert told.left_over == 100 - 50
    assert not told.is_estimated


def test_follow_ups_are_part_of_the_way() -> None:
    told = project(plan(firsts=10, delays_h=[48, 72]))
    assert told.messages == 30
    assert told.last_send_at
    assert timedelta(days=5) < told.last_send_at - MONDAY < timedelta(days=6)


def test_a_used_up_month_waits_for_the_next() -> None:
    told = project(plan(firsts=5, monthly_limit=3, month_sent=3))
    assert told.first_send_at == datetime(2031, 4, 1, tzinfo=UTC)
    assert told.last_send_at
    assert told.last_send_at > datetime(2031, 5, 1, tzinfo=UTC)


def test_a_long_way_is_reckoned_from_its_rate() -> None:
    played, reckoned = project(plan(firsts=9_000)), project(plan(firsts=90_000))
    assert (played.is_estimated, reckoned.is_estimated) == (False, True)
    assert played.last_send_at
    assert reckoned.last_send_at
    tenfold = 10 * (played.last_send_at - MONDAY)
    assert abs(reckoned.last_send_at - MONDAY - tenfold) < 0.01 * tenfold
