"""What the metrics tell an operator of webhooks: what waits, since when, and which endpoints fail."""

from datetime import timedelta

import pytest

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.core.clock import real_now
from iglayers.core.db import Database
from iglayers.web import health
from tests.events.receiving import endpoint, happen
from tests.serving import Api


async def told(api: Api) -> dict[str, float]:
    """The webhook metrics by name, and the lane or state."""
    answer = await api.get("/metrics")
    assert (answer.status, answer.headers["Content-Type"].split(";")[0]) == (200, "text/plain")
    lines = [line.rsplit(" ", 1) for line in answer.raw.decode().splitlines() if line.startswith("iglayers_webhook")]
    return {name.removeprefix("iglayers_webhook_"): float(number) for name, number in lines}


async def test_nothing_waits_where_nothing_happened(api: Api) -> None:
    assert set((await told(api)).values()) == {0.0}


async def test_what_waits_is_counted_by_lane_and_endpoints_by_state(
    api: Api, services: Services, database: Database, caller: Caller
) -> None:
    failing = await endpoint(services, caller, "https://failing.example/", ["message.sent"])
    await happen(database, caller, times=3)
    async with database.transaction() as conn:
        await conn.execute("UPDATE deliveries SET due_at = now() + interval '5 minutes'")
        await conn.execute("UPDATE webhook_endpoints SET failing_since = now() WHERE id = $1", failing.id.uuid)
    held = await endpoint(services, caller, "https://held.example/", ["message.sent"])
    await endpoint(services, caller, "https://quick.example/", ["message.sent"])
    await happen(database, caller, times=2)
    await api.patch(f"/webhooks/{held.id}", {"state": "disabled"})
    found = await told(api)
    assert 0 <= found.pop("oldest_due_seconds") < 60
    assert found == {
        'deliveries_pending{lane="new"}': 4, 'deliveries_pending{lane="waiting"}': 3,
        'deliveries_pending{lane="held"}': 2, 'endpoints{state="enabled"}': 1, 'endpoints{state="failing"}': 1,
        'endpoints{state="disabled"}': 1,
    }  # fmt: skip


async def test_the_age_is_of_the_oldest_that_is_due_and_can_be_delivered(
    api: Api, services: Services, database: Database, caller: Caller
) -> None:
    made = await endpoint(services, caller, "https://example.com/")
    await happen(database, caller)
    for due_in, least in ((timedelta(hours=1), 0), (timedelta(hours=-2), 7_200)):
        async with database.transaction() as conn:
            await conn.execute("UPDATE deliveries SET due_at = $1", real_now() + due_in)
        assert least <= (await told(api))["oldest_due_seconds"] < least + 60
    # What a disabled endpoint is owed waits for a person, not for a worker.
    await api.patch(f"/webhooks/{made.id}", {"state": "disabled"})
    assert (await told(api))["oldest_due_seconds"] < 60


async def test_counting_ends_where_it_would_take_long(
    api: Api, services: Services, database: Database, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert health.MOST_COUNTED == 100_000
    monkeypatch.setattr(health, "MOST_COUNTED", 2)
    await endpoint(services, caller, "https://example.com/")
    await happen(database, caller, times=3)
    assert (await told(api))['deliveries_pending{lane="new"}'] == 2
