"""Preflight, status and a target's story tell which way a message would take now, by the rules that the engine asks."""

from typing import Any

import pytest

from tests.serving import Api


@pytest.fixture
async def mixed(test_api: Api) -> str:
    """A campaign of an account that sends by itself what it may, and by hand the rest."""

    async def made(path: str, **fields: Any) -> Any:
        answer = await test_api.post(path, fields)
        assert answer.status == 201, answer
        return answer.body

    await made("/senders", username="acme.official", transport="sandbox", routes=["sandbox", "assisted"])
    client = await made("/clients", name="Acme")
    template = await made("/message-templates", name="Intro", body="Hi")
    campaign = await made("/campaigns", clientId=client["id"], name="Spring", messageTemplateId=template["id"])
    people = ["jane", "mario", "sandbox.noroute"]
    await made(f"/campaigns/{campaign['id']}/targets", targets=[{"instagramUsername": each} for each in people])
    return campaign["id"]


async def test_people_are_counted_by_the_way_that_is_open(test_api: Api, mixed: str) -> None:
    by_machine = {"route": "sandbox", "targets": 2, "rule": "the sandbox lets everybody be written to"}
    by_hand = {"route": "assisted", "targets": 1, "rule": "a person sends it by hand"}
    preflight = (await test_api.post(f"/campaigns/{mixed}/preflight")).body
    assert preflight["routes"] == [by_machine, by_hand]
    assert (await test_api.get(f"/campaigns/{mixed}/status")).body["routes"] == [by_machine, by_hand]


async def test_a_campaign_that_wants_one_route_says_whom_it_leaves_out(test_api: Api, mixed: str) -> None:
    assert (await test_api.patch(f"/campaigns/{mixed}", {"routes": ["sandbox"]})).status == 200
    [_, none] = (await test_api.post(f"/campaigns/{mixed}/preflight")).body["routes"]
    assert none == {"route": None, "targets": 1, "rule": "The sandbox opens no route to this person."}


async def test_a_target_tells_its_way(test_api: Api, mixed: str) -> None:
    targets = (await test_api.get(f"/campaigns/{mixed}/targets")).body["data"]
    told = {}
    for each in targets:
        story = (await test_api.get(f"/campaigns/{mixed}/targets/{each['id']}")).body
        [way] = story["routes"]
        told[each["instagramUsername"]] = way["route"]
    assert told == {"jane": "sandbox", "mario": "sandbox", "sandbox.noroute": "assisted"}
