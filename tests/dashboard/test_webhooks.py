"""Webhooks, for owners: the secret once, a test with its answer, attempts, sending again, replays, on and off."""

import re

from aiohttp import web

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.core.db import Database
from tests.dashboard.visiting import Visit
from tests.events.receiving import Receiver, delivering, endpoint, happen, receiving, until
from tests.serving import Api


async def _new(owner: Visit, url: str, **fields: str) -> tuple[int, str]:
    status, page, _ = await owner.submit("/webhooks/new", "/webhooks", url=url, events="*", **fields)
    return status, page


async def _id(api: Api) -> str:
    return (await api.get("/webhooks")).body["data"][0]["id"]


async def test_secret_is_shown_once_with_the_way_to_verify(owner: Visit, api: Api) -> None:
    status, page = await _new(owner, "https://example.com/hook", description="Shop")
    found = re.search(r"whsec_[\w+/=]+", page)
    assert (status, bool(found)) == (200, True)
    assert found
    assert "standardwebhooks" in page
    webhook = await _id(api)
    assert found[0] not in (await owner.get(f"/webhooks/{webhook}"))[1]
    status, page, _ = await owner.submit(
        f"/webhooks/{webhook}", f"/webhooks/{webhook}/rotate-secret", overlapHours="24"
    )
    assert (status, found[0] in page, "signs beside it until" in page) == (200, False, True)


async def test_refusals_stand_at_their_fields(owner: Visit) -> None:
    for fields, at in (
        ({"url": "ftp://x"}, "url"),
        ({"url": "https://e.example/", "maxPerSecond": "x"}, "maxPerSecond"),
    ):
        status, page, _ = await owner.submit("/webhooks/new", "/webhooks", events="*", **fields)
        assert (status, f'id="{at}-error"' in page) == (422, True)
    status, page, _ = await owner.submit("/webhooks/new", "/webhooks", url="https://e.example/")
    assert (status, 'id="events-error"' in page) == (422, True)


async def test_what_the_endpoint_answers_to_a_test_is_shown(owner: Visit, api: Api) -> None:
    async with receiving() as receiver:
        await _new(owner, receiver.url)
        webhook = await _id(api)
        for text, status_code, told in (("fine <b>", 200, "took the test event"), ("no!", 503, "It answered 503")):
            receiver.respond = lambda _hit, text=text, code=status_code: web.Response(text=text, status=code)
            status, _, headers = await owner.submit(f"/webhooks/{webhook}", f"/webhooks/{webhook}/test")
            assert status == 303
            page = (await owner.get(headers["Location"]))[1]
            assert told in page
            assert text.replace("<b>", "&lt;b&gt;") in page


async def test_delivery_shows_what_was_sent_and_goes_out_again(
    owner: Visit, services: Services, caller: Caller, database: Database
) -> None:
    async with receiving() as receiver, delivering(services):
        made = await endpoint(services, caller, receiver.url)
        await happen(database, caller, data={"words": "<script>alert(1)</script>"})
        await until(lambda: len(receiver.hits) == 1)
        path = await _first_delivery(owner, f"/webhooks/{made.id}?state=delivered")
        page = (await owner.get(path))[1]
        assert f"webhook-id: {receiver.event_ids[0]}" in page
        assert receiver.hits[0].headers["webhook-signature"] in page.replace("&#43;", "+")
        assert "&lt;script&gt;" in page
        assert "<script>alert" not in page
        assert (await owner.submit(path, f"{path}/redeliver"))[0] == 303
        await until(lambda: len(receiver.hits) == 2)
        assert len(set(receiver.event_ids)) == 1
        assert "No such deliveries" in (await owner.get(f"/webhooks/{made.id}?state=failed"))[1]


async def _first_delivery(owner: Visit, path: str) -> str:
    """Once the answer is written down."""
    page = ""

    async def is_there() -> bool:
        nonlocal page
        page = (await owner.get(path))[1]
        return "/deliveries/" in page

    await until(is_there)
    found = re.search(r'class="row-link" href="(/deliveries/\w+)"', page)
    assert found
    return found[1]


async def test_replay_shows_how_far_it_is_and_is_cancelled(
    owner: Visit, services: Services, caller: Caller, database: Database, api: Api
) -> None:
    receiver = Receiver()
    receiver.url = "https://example.com/hook"
    made = await endpoint(services, caller, receiver.url)
    await happen(database, caller, times=3)
    path = f"/webhooks/{made.id}"
    status, _, _ = await owner.submit(path, f"{path}/replay", since="2001-01-01T00:00")
    assert status == 422
    page = (await owner.get(path))[1]
    since = re.search(r'name="since"[^>]*value="([^"]+)"', page)
    assert since
    assert (await owner.submit(path, f"{path}/replay", since=since[1]))[0] == 303
    page = (await owner.get(path))[1]
    progress = re.search(rf'hx-get="({path}/replays/\w+)"', page)
    assert progress
    status, part, _ = await owner.get(progress[1], HX_Request="true")
    assert (status, "0 of 3" in part, "<html" in part) == (200, True, False)
    assert (await owner.submit(path, f"{progress[1]}/cancel"))[0] == 303
    assert "every 2s" not in (await owner.get(progress[1], HX_Request="true"))[1]
    assert (await api.get(f"{path}/replays")).body["data"][0]["state"] == "cancelled"


async def test_switching_changing_and_deleting(owner: Visit, api: Api) -> None:
    await _new(owner, "https://example.com/hook")
    path = f"/webhooks/{await _id(api)}"
    await owner.submit(path, f"{path}/state", state="disabled")
    assert "Switched off" in (await owner.get("/webhooks"))[1]
    assert "1 webhook is switched off" in (await owner.get("/"))[1]
    status, page, _ = await owner.submit(path, f"{path}/replay", since="2001-01-01T00:00")
    assert (status, "Enable it first" in page) == (422, True)
    await owner.submit(path, f"{path}/state", state="enabled")
    status, _, _ = await owner.submit(
        f"{path}/edit", path, url="https://example.com/other", events="reply.received", description="", maxPerSecond="5"
    )
    changed = (await api.get(path)).body
    assert (status, changed["url"], changed["events"]) == (303, "https://example.com/other", ["reply.received"])
    assert (await owner.submit(path, f"{path}/delete"))[0] == 303
    assert "No webhooks yet" in (await owner.get("/webhooks"))[1]
    assert (await owner.get(path))[0] == 404
