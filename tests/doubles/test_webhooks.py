"""What the double tells the app: handshake, signature, every event, and every way deliveries may misbehave."""

import asyncio
import hashlib
import hmac
import json
from typing import Any

import pytest
from aiohttp import web

from tests.doubles.conftest import Wire
from tests.doubles.control import APP_SECRET, META_SECRET, VERIFY_TOKEN, Account, Instagram
from tests.doubles.instagram.wire import as_meta_writes, signature
from tests.events.receiving import Hit, Receiver, until


def signed_by(hit: Hit, secret: str) -> bool:
    expected = "sha256=" + hmac.new(secret.encode(), hit.body, hashlib.sha256).hexdigest()
    return hit.headers.get("X-Hub-Signature-256") == expected


def items(receiver: Receiver) -> list[dict[str, Any]]:
    """Everything in all `messaging[]` so far."""
    return [item for hit in receiver.hits for entry in hit.event["entry"] for item in entry.get("messaging", [])]


async def last(double: Instagram, receiver: Receiver) -> dict[str, Any]:
    await double.settle()
    return items(receiver)[-1]


def test_known_bytes_and_their_signature() -> None:
    message = {"mid": "aWdfZAG1faXRlbToxTESTMID0001", "text": "café <3 https://example.test"}
    item = {
        "sender": {"id": "880000000000017"},
        "recipient": {"id": "17841400000000042"},
        "timestamp": 1790000000001,
        "message": message,
    }
    entry = {"time": 1790000000123, "id": "17841400000000042", "messaging": [item]}
    raw = as_meta_writes({"object": "instagram", "entry": [entry]})
    assert len(raw) == 289
    assert rb"caf\u00e9 <3 https:\/\/example.test" in raw
    digest = "902370e6a402af8a9ad9c6f0a9302d0c7ee672d7e747a7d012eeee8a905fea84"
    assert signature("ig-app-secret-for-tests-0001", raw) == f"sha256={digest}"


async def test_the_handshake(double: Instagram, receiver: Receiver) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.query["hub.verify_token"])
        is_right = request.query["hub.mode"] == "subscribe" and asked[-1] == VERIFY_TOKEN
        return web.Response(text=request.query["hub.challenge"] if is_right else "no", status=200 if is_right else 403)

    app = web.Application()
    app.router.add_get("/hook", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        await double.call("POST", "/app", callback=f"http://127.0.0.1:{runner.addresses[0][1]}/hook")
        assert (await double.call("POST", "/webhooks/verify"))["ok"] is True
        refused = await double.call("POST", "/webhooks/verify", token="wrong")
        assert (refused["ok"], refused["status"]) == (False, 403)
    finally:
        await runner.cleanup()


async def test_a_message_with_emoji_is_signed_over_its_raw_bytes(
    double: Instagram, receiver: Receiver, wire: Wire, jane: str
) -> None:
    made = await double.does("jane.doe", "writes", wire.account, text="Grüße 😀 https://a.example/b")
    item = await last(double, receiver)
    raw = receiver.hits[-1].body
    assert raw.isascii()
    assert rb"Gr\u00fc\u00dfe \ud83d\ude00 https:\/\/a.example\/b" in raw
    assert signed_by(receiver.hits[-1], APP_SECRET)
    assert receiver.hits[-1].headers["X-Hub-Signature"].startswith("sha1=")
    assert item["message"] == {"mid": made["mid"], "text": "Grüße 😀 https://a.example/b"}
    assert (item["sender"]["id"], item["recipient"]["id"]) == (jane, wire.account.ig_id)
    assert item["timestamp"] > 10**12
    assert receiver.hits[-1].event["entry"][0]["id"] == wire.account.ig_id


async def test_an_echo_has_the_mid_of_the_answer(double: Instagram, receiver: Receiver, wire: Wire, jane: str) -> None:
    _, sent = await wire.send(jane, "Hello Jane")
    item = await last(double, receiver)
    assert item["message"] == {"mid": sent["message_id"], "text": "Hello Jane", "is_echo": True}
    assert (item["sender"]["id"], item["recipient"]["id"]) == (wire.account.ig_id, jane)
    typed = await double.owner(wire.account, "types", to="jane.doe", text="By hand")
    item = await last(double, receiver)
    assert item["message"] == {"mid": typed["mid"], "text": "By hand", "is_echo": True}
    await double.owner(wire.account, "writes_to_itself", text="note")
    assert (await last(double, receiver))["message"]["is_self"] is True


async def test_an_ambiguous_error_still_echoes(double: Instagram, receiver: Receiver, wire: Wire, jane: str) -> None:
    await double.fault("ambiguous")
    await wire.send(jane, "perhaps")
    assert (await last(double, receiver))["message"]["text"] == "perhaps"


async def test_every_event_of_a_person(double: Instagram, receiver: Receiver, wire: Wire, jane: str) -> None:
    account = wire.account
    quick = [{"content_type": "text", "title": "Stop", "payload": "OPT_OUT"}]
    _, sent = await wire.message(jane, text="More?", quick_replies=quick)
    await double.settle()
    await double.does("jane.doe", "taps", account, mid=sent["message_id"], title="Stop")
    tapped = await last(double, receiver)
    assert (tapped["message"]["text"], tapped["message"]["quick_reply"]) == ("Stop", {"payload": "OPT_OUT"})
    mid = tapped["message"]["mid"]
    happened: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("edits", {"mid": mid, "text": "new"}, {"message_edit": {"mid": mid, "text": "new", "num_edit": 1}}),
        ("unsends", {"mid": mid}, {"message": {"mid": mid, "is_deleted": True}}),
        (
            "reacts",
            {"mid": sent["message_id"]},
            {"reaction": {"mid": sent["message_id"], "action": "react", "reaction": "love", "emoji": "❤️"}},
        ),
        (
            "reacts",
            {"mid": sent["message_id"], "reaction": None},
            {"reaction": {"mid": sent["message_id"], "action": "unreact"}},
        ),
        ("sees", {}, {"read": {"mid": sent["message_id"]}}),
        (
            "opens_link",
            {"ref": "spring"},
            {"referral": {"ref": "spring", "source": "SHORTLINKS", "type": "OPEN_THREAD"}},
        ),
    ]
    for verb, given, expected in happened:
        await double.does("jane.doe", verb, account, **given)
        item = await last(double, receiver)
        assert {name: item[name] for name in expected} == expected
    await double.does("jane.doe", "writes", account, unsupported=True)
    assert (await last(double, receiver))["message"]["is_unsupported"] is True
    mention = [{"type": "story_mention", "payload": {"url": "https://cdn.example/s"}}]
    await double.does("jane.doe", "writes", account, attachments=mention)
    assert (await last(double, receiver))["message"]["attachments"] == mention
    await double.does("jane.doe", "postback", account, title="Prices", payload="ICE_PRICES")
    assert (await last(double, receiver))["postback"]["payload"] == "ICE_PRICES"


async def test_a_button_is_tapped(double: Instagram, receiver: Receiver, wire: Wire, jane: str) -> None:
    button = {"type": "postback", "title": "Call me", "payload": "CALL_ME"}
    template = {"template_type": "button", "text": "Pick", "buttons": [button]}
    _, sent = await wire.message(jane, attachment={"type": "template", "payload": template})
    await double.settle()
    await double.does("jane.doe", "taps", wire.account, mid=sent["message_id"], title="Call me")
    assert (await last(double, receiver))["postback"]["payload"] == "CALL_ME"


async def test_comments(double: Instagram, receiver: Receiver, account: Account) -> None:
    await double.person("john")
    made = await double.does("john", "comments", account, text="price?", ad={"ad_id": "6001"})
    await double.settle()
    entry = receiver.hits[-1].event["entry"][0]
    [change] = entry["changes"]
    assert entry["time"] < 10**11, "seconds"
    assert change["field"] == "comments"
    assert change["value"]["from"] == {"id": made["igsid"], "username": "john"}
    assert (change["value"]["id"], change["value"]["media"]["ad_id"]) == (made["comment_id"], "6001")
    await double.owner(account, "comments", text="our own")
    await double.settle()
    own = receiver.hits[-1].event["entry"][0]["changes"][0]["value"]
    assert own["from"]["id"] == account.ig_id
    assert "self_ig_scoped_id" in own["from"]


async def test_nothing_comes_unless_app_field_and_account_are_subscribed(
    double: Instagram, receiver: Receiver, wire: Wire, jane: str
) -> None:
    await double.settle()
    receiver.hits.clear()
    path = f"/{wire.account.ig_id}/subscribed_apps"

    async def heard() -> int:
        receiver.hits.clear()
        await double.does("jane.doe", "writes", wire.account, text="Hi")
        await double.settle()
        return len(receiver.hits)

    assert await heard() == 1
    await wire.call("POST", path, params={"subscribed_fields": "comments"})
    assert await heard() == 0
    await wire.call("POST", path, params={"subscribed_fields": "messages"})
    await double.call("POST", "/app", fields=["comments"])
    assert await heard() == 0
    await double.call("POST", "/app", fields=["messages", "comments"], is_live=False)
    assert await heard() == 0
    await double.call("POST", "/app", is_live=True)
    assert await heard() == 1
    await wire.call("DELETE", path)
    assert await heard() == 0


async def test_duplicates_order_and_batches(double: Instagram, receiver: Receiver, wire: Wire, jane: str) -> None:
    await double.settle()
    receiver.hits.clear()
    await double.webhooks(paused=True, copies=2, order="reversed", batch_size=1000)
    for number in range(3):
        await double.does("jane.doe", "writes", wire.account, text=f"{number}")
    assert receiver.hits == []
    await double.webhooks(paused=False)
    await double.settle()
    assert [each["message"]["text"] for each in items(receiver)] == ["2", "2", "1", "1", "0", "0"]
    assert len(receiver.hits) == 1
    [delivery] = [each for each in await double.deliveries() if each["updates"] == 6]
    await double.call("POST", "/webhooks/again", delivery=delivery["id"])
    await double.settle()
    assert receiver.hits[0].body == receiver.hits[1].body


async def test_a_batch_waits_until_it_is_full_or_its_time_is_over(
    double: Instagram, receiver: Receiver, wire: Wire, jane: str
) -> None:
    await double.settle()
    receiver.hits.clear()
    await double.webhooks(batch_size=2, batch_wait_ms=3_600_000)
    for number in range(3):
        await double.does("jane.doe", "writes", wire.account, text=f"{number}")
    await until(lambda: len(receiver.hits) == 1)
    await double.webhooks(batch_wait_ms=0)
    await double.settle()
    assert [len(hit.event["entry"][0]["messaging"]) for hit in receiver.hits] == [2, 1]


async def test_shapes_and_units(double: Instagram, receiver: Receiver, wire: Wire, jane: str) -> None:
    async def one(**behaviour: Any) -> Any:
        await double.settle()
        await double.webhooks(shape="documented", unit="documented", array=False, unknown_fields=False)
        await double.webhooks(**behaviour)
        await double.does("jane.doe", "writes", wire.account, text="Hi")
        await double.settle()
        assert signed_by(receiver.hits[-1], APP_SECRET)
        return receiver.hits[-1].event

    assert isinstance(await one(array=True), list)
    flat = (await one(shape="flat"))["entry"][0]
    assert (flat["field"], flat["value"]["message"]["text"]) == ("messages", "Hi")
    changed = (await one(shape="changes"))["entry"][0]["changes"][0]
    assert (changed["field"], changed["value"]["message"]["text"]) == ("messages", "Hi")
    seconds = (await one(unit="s"))["entry"][0]
    assert max(seconds["time"], seconds["messaging"][0]["timestamp"]) < 10**11
    milliseconds = (await one(unit="ms"))["entry"][0]
    assert min(milliseconds["time"], milliseconds["messaging"][0]["timestamp"]) > 10**11
    strange = await one(unknown_fields=True)
    assert {"delivery_hint"} < set(strange)
    assert "not_seen_before" in strange["entry"][0]["messaging"][0]


@pytest.mark.parametrize(
    ("behaviour", "secret", "is_good"),
    [
        ({"signature": "wrong"}, APP_SECRET, False),
        ({"signature": "missing"}, APP_SECRET, False),
        ({"signature": "sha1_only"}, APP_SECRET, False),
        ({"secret": "meta"}, META_SECRET, True),
        ({"secret": "another"}, "another", True),
    ],
)
async def test_signatures(
    double: Instagram, receiver: Receiver, wire: Wire, behaviour: dict[str, str], secret: str, *, is_good: bool
) -> None:
    await double.webhooks(**behaviour)
    await double.person("jane.doe")
    await double.does("jane.doe", "writes", wire.account, text="Hi")
    await double.settle()
    assert signed_by(receiver.hits[-1], secret) is is_good
    assert ("X-Hub-Signature" in receiver.hits[-1].headers) is (behaviour.get("signature") != "missing")


async def test_the_test_button_and_raw_payloads(double: Instagram, receiver: Receiver) -> None:
    await double.call("POST", "/webhooks/test_button")
    await double.call("POST", "/webhooks/raw", body={"object": "instagram", "entry": [], "x": "é/"})
    await double.call("POST", "/webhooks/raw", text="not json")
    await double.settle()
    bodies = {hit.body for hit in receiver.hits}
    assert {b"not json", b'{"object":"instagram","entry":[],"x":"\\u00e9\\/"}'} < bodies
    [button] = [json.loads(body) for body in bodies if b"random_mid" in body]
    assert button["value"]["timestamp"] == "1527459824"
    assert all(signed_by(hit, APP_SECRET) for hit in receiver.hits)


async def test_retries_until_accepted_or_dropped(double: Instagram, receiver: Receiver, wire: Wire) -> None:
    await double.webhooks(retry_factor=1_000_000)
    receiver.respond = lambda _hit: web.Response(status=500 if len(receiver.hits) < 4 else 200)
    await double.person("jane.doe")
    await double.does("jane.doe", "writes", wire.account, text="Hi")
    await double.settle()
    delivery = (await double.deliveries())[-1]
    assert ([each["status"] for each in delivery["attempts"]], delivery["state"]) == ([500, 500, 500, 200], "delivered")
    assert len({hit.body for hit in receiver.hits}) == 1
    receiver.respond = lambda _hit: web.Response(status=503)
    await double.does("jane.doe", "writes", wire.account, text="Never")
    await double.settle()
    delivery = (await double.deliveries())[-1]
    assert (len(delivery["attempts"]), delivery["state"]) == (13, "dropped")


async def test_a_slow_receiver_counts_as_none(double: Instagram, receiver: Receiver, wire: Wire) -> None:
    await double.webhooks(timeout_s=0.05, retry_factor=1_000_000)
    receiver.respond = slowly
    await double.person("jane.doe")
    await double.does("jane.doe", "writes", wire.account, text="Hi")
    await double.settle()
    assert (await double.deliveries())[-1]["attempts"][0]["error"] == "TimeoutError"


async def test_nothing_of_an_old_world_arrives_in_a_new_one(double: Instagram, wire: Wire, receiver: Receiver) -> None:
    receiver.respond = lambda _hit: web.Response(status=500)
    await double.person("jane.doe")
    await double.does("jane.doe", "writes", wire.account, text="Hi")
    await until(lambda: len(receiver.hits) >= 2)
    await double.reset()
    await double.call("POST", "/app", callback=receiver.url)
    await double.settle()
    seen = len(receiver.hits)
    assert await double.deliveries() == []
    account = await double.account("new.brand", subscribed_fields=["messages"])
    await double.person("john")
    receiver.respond = lambda _hit: web.Response()
    await double.does("john", "writes", account, text="New")
    await double.settle()
    assert [each["message"]["text"] for each in items(receiver)[seen:]] == ["New"]


async def slowly(_hit: Hit) -> web.StreamResponse:
    await asyncio.sleep(5)
    return web.Response()


async def test_what_waits_can_be_lost(double: Instagram, receiver: Receiver, wire: Wire, jane: str) -> None:
    await double.settle()
    receiver.hits.clear()
    await double.webhooks(paused=True)
    await wire.send(jane)
    assert (await double.call("POST", "/webhooks/drop"))["dropped"] == 1
    await double.webhooks(paused=False, echoes=False)
    await wire.send(jane)
    await double.does("jane.doe", "writes", wire.account, text="unheard", silent=True)
    await double.settle()
    assert receiver.hits == []
