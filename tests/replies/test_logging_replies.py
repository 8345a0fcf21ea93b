"""A reply that somebody read on Instagram is logged by hand and does what one coming in by itself does."""

from datetime import timedelta
from typing import Any

import pytest

from iglayers.core.clock import Moment
from iglayers.core.ids import CampaignId
from tests.replies.ledger import Ledger
from tests.senders.test_pausing_senders import bound_key
from tests.serving import Api


async def test_a_logged_reply_marks_its_target(test_api: Api, ledger: Ledger) -> None:
    written = await ledger.wrote_to("jane.doe")
    at = Moment.of(ledger.caller.now - timedelta(minutes=20)).rfc3339()
    body = {"instagramUsername": "@Jane.Doe", "senderUsername": "acme.official", "text": "Sure!", "receivedAt": at}
    status, reply = await test_api.post("/replies", body, idempotency_key="one")
    assert status == 201
    names = ("instagramUsername", "targetId", "campaignId", "text", "receivedAt", "optedOut")
    assert {name: reply[name] for name in names} == {
        "instagramUsername": "jane.doe", "targetId": str(written.target_id), "campaignId": str(written.campaign_id),
        "text": "Sure!", "receivedAt": at, "optedOut": False,
    }  # fmt: skip
    assert reply["author"] == "key Tests"
    assert (await ledger.target(written))["state"] == "replied"
    assert (await test_api.post("/replies", body, idempotency_key="one")).body == reply
    assert (await test_api.get(f"/replies/{reply['id']}")).body == reply
    assert len(await ledger.events("reply.received")) == 1
    assert (await test_api.get("/audit-log")).body["data"][0]["action"] == "reply.logged"


async def test_a_logged_stop_suppresses(test_api: Api, ledger: Ledger) -> None:
    body = {"instagramUsername": "jane.doe", "senderId": ledger.sender.id, "text": "Please stop"}
    assert (await test_api.post("/replies", body)).body["optedOut"]
    assert len(await ledger.all("SELECT id FROM suppressions")) == 1


@pytest.mark.parametrize(
    ("change", "status", "param"),
    [
        ({"instagramUsername": "not a name"}, 400, "instagramUsername"),
        ({"text": " "}, 400, "text"),
        ({"text": None}, 400, "text"),
        ({"senderUsername": None}, 400, "senderUsername"),
        ({"senderUsername": "nobody"}, 404, "senderUsername"),
        ({"senderUsername": "two words"}, 400, "senderUsername"),
        ({"senderId": "snd_" + "0" * 32}, 400, "senderId"),
        ({"receivedAt": "2199-01-01T00:00:00Z"}, 400, "receivedAt"),
        ({"receivedAt": "yesterday"}, 400, "receivedAt"),
        ({"colour": "red"}, 400, "colour"),
    ],
)
async def test_a_bad_field_is_named(
    change: dict[str, Any], status: int, param: str, test_api: Api, ledger: Ledger
) -> None:
    body = {"instagramUsername": "jane.doe", "senderUsername": "acme.official", "text": "Sure!"} | change
    answered = await test_api.post("/replies", body)
    assert (answered.status, answered.body["error"]["param"]) == (status, param)


async def test_lists_are_narrowed_newest_first(test_api: Api, ledger: Ledger) -> None:
    written = await ledger.wrote_to("jane.doe")
    for username, text in (("jane.doe", "one"), ("mario", "two"), ("jane.doe", "three")):
        await ledger.came_in(username, text)
    await ledger.read()

    async def found(**query: Any) -> list[str]:
        return [each["text"] for each in (await test_api.get("/replies", **query)).body["data"]]

    assert await found() == ["three", "two", "one"]
    assert await found(campaignId=written.campaign_id) == ["three", "one"]
    assert await found(targetId=written.target_id) == ["three", "one"]
    assert await found(senderId=ledger.sender.id, instagramUsername="@MARIO") == ["two"]
    assert await found(instagramUsername="never.seen") == []
    assert await found(campaignId=CampaignId.new()) == []
    first = (await test_api.get("/replies", limit=2)).body
    assert await found(limit=2, cursor=first["nextCursor"]) == ["one"]


async def test_a_key_of_one_client_sees_its_own_replies(test_api: Api, api: Api, ledger: Ledger) -> None:
    mine, theirs = await ledger.wrote_to("jane.doe"), await ledger.wrote_to("mario")
    await ledger.came_in("jane.doe", "mine")
    await ledger.came_in("mario", "theirs")
    await ledger.read()
    bound = test_api.with_key(await bound_key(ledger.database, ledger.caller, mine.client_id))
    assert [each["text"] for each in (await bound.get("/replies")).body["data"]] == ["mine"]
    everything = (await test_api.get("/replies")).body["data"]
    for each in everything:
        status = (await bound.get(f"/replies/{each['id']}")).status
        assert status == (200 if each["text"] == "mine" else 404)
        assert (await api.get(f"/replies/{each['id']}")).status == 404

    # Logging through such a key answers messages of its own client only.
    body = {"instagramUsername": "mario", "senderUsername": "acme.official", "text": "again"}
    status, reply = await bound.post("/replies", body)
    assert (status, reply["targetId"], reply["clientId"]) == (201, None, str(mine.client_id))
    assert theirs.target_id is not None
