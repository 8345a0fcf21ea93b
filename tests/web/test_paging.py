"""Every list, page by page, while rows are added: each row that was there once, newest first, none twice."""

from typing import Any

import pytest

from iglayers.core.db import Database
from tests.serving import Api
from tests.targets.uploads import people
from tests.web.routes import every_route
from tests.web.world import World

# List -> what makes one more row of it.
MAKERS: dict[str, tuple[str, Any]] = {
    "/clients": ("/clients", {"name": "Acme"}),
    "/message-templates": ("/message-templates", {"name": "Intro", "body": "Hi"}),
    "/campaigns": ("/campaigns", {"clientId": "{clients}", "name": "May", "messageTemplateId": "{message-templates}"}),
    "/campaigns/{campaigns}/targets": ("/campaigns/{campaigns}/targets", {"targets": people("person{number}")}),
    "/senders": ("/senders", {"username": "sender{number}", "transport": "assisted"}),
    "/suppressions": ("/suppressions", {"instagramUsername": "person{number}"}),
    "/replies": ("/replies", {"instagramUsername": "p{number}", "senderId": "{senders}", "text": "Hello"}),
    "/webhooks": ("/webhooks", {"url": "https://example.com/{number}", "events": ["*"]}),
    "/api-keys": ("/api-keys", {"name": "App"}),
    "/audit-log": ("/clients", {"name": "Acme"}),
}


def filled(item: Any, world: World, number: int) -> Any:
    if isinstance(item, dict):
        return {name: filled(value, world, number) for name, value in item.items()}
    if isinstance(item, list):
        return [filled(value, world, number) for value in item]
    return item.format(number=number, **world.ids)


async def add(api: Api, world: World, made: tuple[str, Any], numbers: range) -> None:
    for number in numbers:
        answer = await api.post(filled(made[0], world, number), filled(made[1], world, number))
        assert answer.status == 201, answer


@pytest.mark.parametrize("path", MAKERS)
async def test_a_list_is_read_whole_while_rows_are_added(api: Api, database: Database, world: World, path: str) -> None:
    await add(api, world, MAKERS[path], range(5))
    listed = path.format(**world.ids)
    whole = [each["id"] for each in (await api.get(listed, limit=1_000)).body["data"]]
    assert len(whole) >= 5
    assert whole == sorted(whole, reverse=True)
    read: list[str] = []
    cursor: str | None = None
    for number in range(5, 105):
        page = (await api.get(listed, limit=2, cursor=cursor)).body
        assert len(page["data"]) == 2 or not page["hasMore"]
        read += [each["id"] for each in page["data"]]
        cursor = page["nextCursor"]
        assert (cursor is not None) is page["hasMore"]
        if cursor is None:
            break
        await add(api, world, MAKERS[path], range(number, number + 1))
    assert read == whole


BAD: dict[str, list[str]] = {
    "limit": ["0", "-1", "1001", "ten", "", "1.5", "１", "9" * 30, "1e2", " 1"],
    "cursor": ["", "nope", "cl_", "evt_" + "0" * 32, "0" * 32, "\x00", "' OR 1=1 --"],
}


@pytest.mark.parametrize("name", BAD)
async def test_a_place_in_a_list_that_cannot_be_is_refused_by_every_list(api: Api, world: World, name: str) -> None:
    for path in MAKERS:
        for text in BAD[name]:
            answer = await api.call("GET", path.format(**world.ids), query={name: text})
            assert (answer.status, answer.body["error"]["param"]) == (400, name), (path, text)


async def test_a_parameter_given_twice_or_with_a_nul_is_refused(api: Api) -> None:
    for query in ("limit=1&limit=2", "externalId=a&externalId=b", "externalId=a%00b", "limit=1&LIMIT=2"):
        answer = await api.get(f"/clients?{query}")
        assert (answer.status, answer.body["error"]["code"]) == (400, "invalid_field"), query


# Not lists, or read by tests of their own: the oldest first in `/events` and `/outbox`, the newest word in the third.
NO_PAGES = {"/conversations", "/outbox", "/me", "/workspace", "/usage", "/events", "/messages"}


def test_no_list_is_forgotten() -> None:
    assert {each.path for each in every_route() if each.method == "GET" and not each.collections} - NO_PAGES <= set(
        MAKERS
    )
