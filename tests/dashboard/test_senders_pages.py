"""Senders on their pages: added, changed, paused, resumed with words, deleted; the ramp in numbers."""

import re
from datetime import UTC, date, datetime

import msgspec

from iglayers.accounts.model_people import Role
from iglayers.core.clock import Moment
from iglayers.dashboard.queries_senders import SentDay
from iglayers.dashboard.senders import ramp
from iglayers.senders import reading
from iglayers.senders.model import SenderReport
from tests import make
from tests.dashboard.visiting import As
from tests.sending.world import World


async def test_sender_is_added_changed_and_deleted(world: World, visit: As) -> None:
    client = await make.client(world.db, world.caller)
    ana = await visit(Role.OPERATOR)
    fields = {"username": "@Acme.Official", "transport": "sandbox", "hourlyLimit": "5", "dailyLimit": "20"}
    status, _, headers = await ana.submit("/senders/new", "/senders", **fields, ramp="on")
    assert status == 303
    path = headers["Location"]
    page = (await ana.get(path))[1]
    assert "@acme.official is there." in page
    assert "0 of 5" in page
    assert "0 of 10" in page, "the ramp holds"
    boxes = {"route:sandbox": "on", "route:assisted": "on", f"client:{client.id}": "on"}
    await ana.submit(path, path, hourlyLimit="7", dailyLimit="30", **boxes)
    row = (await world.all("SELECT hourly_limit, ramp, routes, client_ids FROM senders"))[0]
    assert (row["hourly_limit"], row["ramp"], row["routes"]) == (7, False, ["sandbox", "assisted"])
    assert row["client_ids"] == [client.id.uuid]
    status, page, _ = await ana.submit(path, path, hourlyLimit="0", dailyLimit="30", **boxes)
    assert (status, 'id="hourlyLimit-error"' in page) == (422, True)
    status, _, headers = await ana.submit(path, f"{path}/delete")
    assert (status, headers["Location"]) == (303, "/senders")
    assert "No senders yet" in (await ana.get("/senders"))[1]


async def test_same_username_twice_is_said_at_its_field(world: World, visit: As) -> None:
    await world.sender()
    ana = await visit(Role.OPERATOR)
    fields = {"username": "acme.official", "transport": "sandbox", "hourlyLimit": "5", "dailyLimit": "20"}
    status, page, _ = await ana.submit("/senders/new", "/senders", **fields)
    assert (status, 'id="username-error"' in page) == (422, True)


async def test_challenged_sender_asks_what_was_done(world: World, visit: As) -> None:
    sender = await world.sender()
    await world.all("UPDATE senders SET state = 'challenged', state_reason = 'Confirm your phone'")
    ana = await visit(Role.OPERATOR)
    path = f"/senders/{sender.id}"
    page = (await ana.get("/senders?state=challenged"))[1]
    assert "@acme.official" in page
    assert "when it is resumed" in page
    page = (await ana.get(path))[1]
    assert "Confirm your phone" in page
    assert "Open Instagram as this account, do what it asks, then resume" in page
    status, page, _ = await ana.submit(path, f"{path}/resume")
    assert (status, 'id="reason-error"' in page) == (422, True)
    status, _, _ = await ana.submit(path, f"{path}/resume", reason="verified by SMS")
    assert status == 303
    page = (await ana.get(path))[1]
    assert "verified by SMS" in page
    assert await world.value("SELECT state FROM senders") == "active"


async def test_pause_and_resume_without_words(world: World, visit: As) -> None:
    sender = await world.sender()
    ana = await visit(Role.OPERATOR)
    path = f"/senders/{sender.id}"
    await ana.submit(path, f"{path}/pause")
    assert "Paused by a person" in (await ana.get(path))[1]
    await ana.submit(path, f"{path}/resume")
    assert await world.value("SELECT state FROM senders") == "active"


async def test_page_shows_what_was_written_and_hostile_names_as_text(world: World, visit: As) -> None:
    await world.sender()
    client = await make.client(world.db, world.caller, "<script>alert(1)</script>")
    await world.campaign(["jane"], client_id=client.id)
    await world.send()
    ana = await visit(Role.OPERATOR)
    path = re.search(r"/senders/snd_\w+", (await ana.get("/senders"))[1])
    assert path
    page = (await ana.get(path[0]))[1]
    assert "@jane" in page
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


async def test_connecting_says_what_is_missing_and_only_owners_may(world: World, visit: As) -> None:
    owner, ana = await visit(Role.OWNER), await visit(Role.OPERATOR)
    assert "professional one" in (await owner.get("/senders/connect"))[1]
    status, page, _ = await owner.submit("/senders/connect", "/senders/connect")
    assert (status, 'role="alert"' in page) == (409, True)
    assert (await ana.get("/senders/connect"))[0] == 403


async def test_check_of_an_account_with_nothing_outside(world: World, visit: As) -> None:
    sender = await world.sender()
    ana = await visit(Role.OPERATOR)
    status, page, _ = await ana.submit(f"/senders/{sender.id}", f"/senders/{sender.id}/check")
    assert (status, "Nothing outside has to be asked" in page) == (200, True)


async def test_viewer_changes_nothing(world: World, visit: As) -> None:
    sender = await world.sender()
    viewer = await visit(Role.VIEWER)
    path = f"/senders/{sender.id}"
    page = (await viewer.get(path))[1]
    assert "/pause" not in page.partition('<details class="api"')[0]
    assert (await viewer.submit(path, f"{path}/pause"))[0] == 403
    assert (await viewer.get("/senders/new"))[0] == 403


async def test_ramp_tells_the_way_to_the_ceiling(world: World) -> None:
    today = datetime(2026, 3, 10, tzinfo=UTC)
    sender = await _report(world, daily_limit=30, ramp=True, sent_days=2, last_sent_on="2026-03-09")
    found = ramp(sender, [SentDay(day=date(2026, 3, 7), begun=10), SentDay(day=date(2026, 3, 9), begun=14)], today)
    assert found.days[0] == "2026-03-07"
    assert found.planned == [10, 15, 15, 20, 25, 30]
    assert found.sent == [10, 0, 14, 0, 0, 0]
    assert found.ceiling_on == date(2026, 3, 12)


async def test_without_a_ramp_each_day_has_the_ceiling(world: World) -> None:
    today = datetime(2026, 3, 10, tzinfo=UTC)
    sender = await _report(world, daily_limit=30, ramp=False, sent_days=0, last_sent_on=None)
    found = ramp(sender, [], today)
    assert (found.days[-1], set(found.planned), found.ceiling_on) == ("2026-03-10", {30}, None)


async def _report(world: World, **fields: object) -> SenderReport:
    sender = await world.sender()
    async with world.db.connection() as conn:
        report = await reading.by_id(conn, world.caller, sender.id)
    return msgspec.structs.replace(report, created_at=Moment.of(datetime(2026, 3, 1, tzinfo=UTC)), **fields)
