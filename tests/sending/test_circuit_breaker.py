"""Too much that goes wrong pauses a campaign or a sender, once, and a person's word to go on holds."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.core.clock import Clock, real_now
from iglayers.core.db import Database
from iglayers.replies import actions as replies
from iglayers.sending import breaker
from tests.databases import PEPPER
from tests.reports.stepping import Stepping
from tests.senders.orders import a_sender
from tests.serving import Api
from tests.targets.uploads import campaign, people, upload

GOOD = [f"sandbox.silent.{n}" for n in range(30)]


@pytest.fixture
def strict(services: Services) -> Services:
    """Ten messages are enough to judge."""
    return msgspec.structs.replace(services, settings=msgspec.structs.replace(services.settings, breaker_least=10))


async def ran(
    services: Services, api: Api, database: Database, caller: Caller, names: list[str], *, looks: int
) -> tuple[Stepping, Any]:
    stepping = Stepping(services, caller)
    await stepping.set_clock(caller.now + timedelta(minutes=1))
    await a_sender(database, caller, hourly_limit=1_000, daily_limit=10_000)
    spring = await campaign(database, caller)
    assert (await upload(api, spring, people(*names))).body["accepted"] == len(names)
    await api.post(f"/campaigns/{spring.id}/start")
    for _ in range(looks):
        await stepping.look(1)
        stepping.advance(minutes=10)
    return stepping, spring


@pytest.mark.parametrize(
    ("bad", "count", "told"),
    [
        ("sandbox.notfound", 4, "4 of 12 messages of the last seven days failed."),
        ("sandbox.error", 2, "2 of 12 messages of the last seven days have an unknown outcome."),
    ],
)
async def test_too_much_pauses_campaign_and_sender(  # noqa: PLR0917 a row of the table, and where it happens
    bad: str, count: int, told: str,
    strict: Services, test_api: Api, database: Database, test_caller: Caller,
) -> None:  # fmt: skip
    names = [f"{bad}.{n}" for n in range(count)] + GOOD[: 12 - count] + ["late.one", "late.two"]
    stepping, spring = await ran(strict, test_api, database, test_caller, names, looks=12)
    assert await breaker.watch(database, strict.settings) == 2
    shown = (await test_api.get(f"/campaigns/{spring.id}")).body
    assert (shown["status"], shown["pausedReason"]) == ("paused", told)
    assert told in (await test_api.get(f"/campaigns/{spring.id}/status")).body["reason"]
    [sender] = (await test_api.get("/senders")).body["data"]
    assert (sender["state"], sender["stateReason"]) == ("paused", told)
    types = [each["type"] for each in (await test_api.get("/events", limit=1_000)).body["data"]]
    assert (types.count("campaign.paused"), types.count("sender.warning")) == (1, 1)

    await test_api.post(f"/senders/{sender['id']}/resume", {"reason": "I looked."})
    assert (await test_api.post(f"/campaigns/{spring.id}/resume")).body["pausedReason"] is None
    assert await breaker.watch(database, strict.settings) == 0
    await stepping.look(1)
    assert (await test_api.get(f"/campaigns/{spring.id}")).body["status"] == "running"


async def test_opt_outs_count_too(strict: Services, test_api: Api, database: Database, test_caller: Caller) -> None:
    stepping, spring = await ran(strict, test_api, database, test_caller, [*GOOD[:12], "later"], looks=12)
    # The API's cached clock may be behind these messages, and nobody answers what was not yet written.
    clock = Clock(real_at=real_now(), at=stepping.now, speed=0)
    for name in GOOD[:2]:
        said = replies.NewReply(instagram_username=name, sender_username="acme.official", text="stop")
        async with database.transaction() as conn:
            await replies.log_by_hand(conn, msgspec.structs.replace(test_caller, clock=clock), said, pepper=PEPPER)
    await breaker.watch(database, strict.settings)
    reason = (await test_api.get(f"/campaigns/{spring.id}")).body["pausedReason"]
    assert reason == "2 of 12 messages of the last seven days were answered with an opt-out."


@pytest.mark.parametrize(
    ("looks", "names"),
    [(9, [f"sandbox.notfound.{n}" for n in range(9)]), (20, ["sandbox.notfound.1", *GOOD])],
)
async def test_few_messages_or_few_failures_pause_nothing(
    looks: int, names: list[str], strict: Services, test_api: Api, database: Database, test_caller: Caller
) -> None:
    _, spring = await ran(strict, test_api, database, test_caller, [*names, "later"], looks=looks)
    assert await breaker.watch(database, strict.settings) == 0
    assert (await test_api.get(f"/campaigns/{spring.id}")).body["status"] == "running"
