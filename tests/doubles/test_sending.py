"""What the double lets out and what it refuses: windows, sizes, tags, private replies, blocks, limits."""

from typing import Any

import pytest

from tests.doubles.conftest import Wire, fault_of
from tests.doubles.control import Account, Instagram

DAY_S = 86_400


async def test_a_message_is_stored_once_and_the_judge_has_it(double: Instagram, wire: Wire, jane: str) -> None:
    status, answer = await wire.send(jane, "Grüße ❤")
    assert status == 200
    assert answer["recipient_id"] == jane
    assert isinstance(answer["message_id"], str)
    assert len(answer["message_id"]) > 100
    [sent] = await double.sent()
    assert (sent["mid"], sent["account"], sent["recipient"]) == (answer["message_id"], wire.account.ig_id, jane)
    assert (sent["person"], sent["text"], sent["route"], sent["by"]) == ("jane.doe", "Grüße ❤", "standard", "api")
    assert await double.written_twice() == []
    await wire.send(jane, "Grüße ❤")
    assert await double.written_twice() == [(wire.account.ig_id, "jane.doe")], "there is no idempotency"


async def test_a_thousand_bytes_and_not_one_more(double: Instagram, wire: Wire, jane: str) -> None:
    assert (await wire.send(jane, "é" * 500))[0] == 200
    assert fault_of(await wire.send(jane, "é" * 500 + "x")) == (400, 100, 2534015)
    await double.call("POST", "/rules", too_long_subcode=None)
    assert fault_of(await wire.send(jane, "x" * 1001)) == (400, 100, None)
    assert len(await double.sent()) == 1


async def test_the_window_is_a_day(double: Instagram, wire: Wire, jane: str) -> None:
    await double.clock(advance_s=DAY_S - 60)
    assert (await wire.send(jane))[0] == 200
    await double.clock(advance_s=120)
    assert fault_of(await wire.send(jane)) == (403, 10, 2534022)
    await double.does("jane.doe", "writes", wire.account, text="again")
    assert (await wire.send(jane))[0] == 200


async def test_a_message_of_yesterday_can_be_made(double: Instagram, wire: Wire, account: Account) -> None:
    await double.person("late")
    made = await double.does("late", "writes", account, text="Hello", ago_s=DAY_S + 1)
    assert fault_of(await wire.send(made["igsid"])) == (403, 10, 2534022)


async def test_human_agent_needs_the_feature_and_ends_after_seven_days(
    double: Instagram, wire: Wire, jane: str
) -> None:
    assert fault_of(await wire.send(jane, tag="HUMAN_AGENT"))[1] == 10
    await double.change(wire.account, human_agent=True)
    await double.clock(advance_s=7 * DAY_S - 60)
    assert fault_of(await wire.send(jane)) == (403, 10, 2534022)
    assert (await wire.send(jane, tag="HUMAN_AGENT"))[0] == 200
    assert (await double.sent())[-1]["route"] == "human_agent"
    await double.clock(advance_s=120)
    assert fault_of(await wire.send(jane, tag="HUMAN_AGENT")) == (403, 10, 2534022)


@pytest.mark.parametrize("tag", ["CONFIRMED_EVENT_UPDATE", "ACCOUNT_UPDATE", "POST_PURCHASE_UPDATE"])
async def test_retired_tags(wire: Wire, jane: str, tag: str) -> None:
    assert fault_of(await wire.send(jane, tag=tag)) == (400, 100, None)


async def test_an_igsid_belongs_to_one_account(double: Instagram, wire: Wire, jane: str) -> None:
    other = await double.account("other.brand")
    theirs = (await double.does("jane.doe", "writes", other, text="Hi"))["igsid"]
    assert theirs != jane
    for stranger in (theirs, "123", (await double.call("GET", "/people/jane.doe"))["user_id"]):
        assert fault_of(await wire.send(stranger)) == (400, 100, 2534014)
    await double.person("stranger")
    unknown = (await double.call("GET", "/people/stranger"))["igsids"][wire.account.ig_id]
    assert fault_of(await wire.send(unknown)) == (400, 100, 2534014), "never interacted"


async def test_one_private_reply_a_comment_within_seven_days(double: Instagram, wire: Wire) -> None:
    await double.person("john")
    made = await double.does("john", "comments", wire.account, text="price?")
    status, answer = await wire.reply(made["comment_id"])
    assert (status, answer["recipient_id"]) == (200, made["igsid"])
    assert fault_of(await wire.reply(made["comment_id"])) == (500, -1, 2534023)
    assert fault_of(await wire.send(made["igsid"])) == (403, 10, 2534022), "no follow-up without an answer"
    await double.does("john", "writes", wire.account, text="thanks")
    assert (await wire.send(made["igsid"]))[0] == 200
    assert [each["route"] for each in await double.sent()] == ["private_reply", "standard"]
    assert (await double.sent())[0]["comment_id"] == made["comment_id"]

    old = await double.does("john", "comments", wire.account, text="and now?", ago_s=7 * DAY_S + 1)
    gone = await double.does("john", "comments", wire.account, text="no")
    await double.does("john", "deletes_comment", comment_id=gone["comment_id"])
    live = await double.does("john", "comments", wire.account, text="live", live=True, media="17900000000000555")
    await double.owner(wire.account, "ends_live", media="17900000000000555")
    for each in (old["comment_id"], gone["comment_id"], live["comment_id"], "17850000000000000"):
        assert fault_of(await wire.reply(each)) == (400, 100, 2534025)


async def test_somebody_who_blocked(double: Instagram, wire: Wire, jane: str) -> None:
    await double.does("jane.doe", "blocks", wire.account)
    assert fault_of(await wire.send(jane)) == (400, 551, 1545041)
    await double.call("POST", "/rules", blocked_code=2)
    assert fault_of(await wire.send(jane)) == (500, 2, None)
    await double.does("jane.doe", "blocks", wire.account, undo=True)
    assert (await wire.send(jane))[0] == 200


async def test_access_and_permissions(double: Instagram, wire: Wire, jane: str) -> None:
    await double.change(wire.account, messages_access=False)
    assert fault_of(await wire.send(jane)) == (400, 200, 2534041)
    await double.change(wire.account, messages_access=True)
    basic = await double.owner(wire.account, "token", scopes=["instagram_business_basic"])
    body = {"recipient": {"id": jane}, "message": {"text": "x"}, "access_token": basic["access_token"]}
    answer = await wire.call("POST", "/me/messages", json=body, headers={})
    assert fault_of(answer) == (400, 200, None)


IMAGE = {"type": "image", "payload": {"url": "https://cdn.example/1.jpg"}}
BUTTONS: dict[str, Any] = {
    "template_type": "button",
    "text": "Pick one",
    "buttons": [
        {"type": "web_url", "url": "https://shop.example", "title": "Open"},
        {"type": "postback", "title": "Call me", "payload": "CALL_ME"},
    ],
}


@pytest.mark.parametrize(
    "message",
    [
        {"attachment": IMAGE},
        {"attachments": IMAGE},
        {"attachments": [IMAGE] * 10},
        {"attachment": {"type": "like_heart"}},
        {"attachment": {"type": "template", "payload": BUTTONS}},
        {"attachment": {"type": "template", "payload": {"template_type": "generic", "elements": [{"title": "A"}]}}},
        {"text": "Yes?", "quick_replies": [{"content_type": "text", "title": "Yes", "payload": "Y"}]},
    ],
)
async def test_kinds_of_messages(wire: Wire, jane: str, message: dict[str, Any]) -> None:
    assert (await wire.message(jane, **message))[0] == 200


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"text": ""},
        {"text": "x", "attachment": IMAGE},
        {"attachments": [IMAGE] * 11},
        {"attachments": [IMAGE, {"type": "file", "payload": {"url": "https://cdn.example/1.pdf"}}]},
        {"attachment": {"type": "image", "payload": {"url": "nowhere"}}},
        {"attachment": {"type": "hologram", "payload": {"url": "https://cdn.example/1"}}},
        {"attachment": {"type": "MEDIA_SHARE", "payload": {"id": "17900000000000000"}}},
        {"attachment": {"type": "template", "payload": BUTTONS | {"buttons": BUTTONS["buttons"] * 2}}},
        {"text": "x", "quick_replies": [{"content_type": "user_email"}]},
        {"text": "x", "quick_replies": [{"content_type": "text", "title": "T", "payload": "P"}] * 14},
    ],
)
async def test_messages_that_are_wrong(double: Instagram, wire: Wire, jane: str, message: dict[str, Any]) -> None:
    assert fault_of(await wire.message(jane, **message))[:2] == (400, 100)
    assert await double.sent() == []


async def test_bodies_that_are_wrong(wire: Wire, jane: str) -> None:
    text = {"text": "x"}
    for body in (
        {"message": text},
        {"recipient": {"id": jane, "comment_id": "1"}, "message": text},
        {"recipient": {"id": jane}, "message": text, "sender_action": "typing_on"},
        {"recipient": {"id": jane}},
        {"recipient": {"id": jane}, "sender_action": "dance"},
        {"recipient": {"id": jane}, "message": text, "reply_to": {"mid": "unknown"}},
    ):
        assert fault_of(await wire.body(body))[:2] == (400, 100)


async def test_sender_actions_reactions_and_replies_to_a_message(double: Instagram, wire: Wire, jane: str) -> None:
    _, sent = await wire.send(jane)
    for action in ("typing_on", "typing_off", "mark_seen"):
        assert await wire.body({"recipient": {"id": jane}, "sender_action": action}) == (200, {"recipient_id": jane})
    payload = {"message_id": sent["message_id"], "reaction": "love"}
    status, answer = await wire.body({"recipient": {"id": jane}, "sender_action": "react", "payload": payload})
    assert (status, answer) == (200, {"recipient_id": jane})
    assert (await wire.send(jane, "About this:", reply_to={"mid": sent["message_id"]}))[0] == 200
    assert len(await double.sent()) == 2


async def test_uploaded_once_and_used_again(wire: Wire, jane: str) -> None:
    path = f"/v26.0/{wire.account.ig_id}/message_attachments"
    _, made = await wire.call("POST", path, json={"message": {"attachment": IMAGE}})
    payload = {"attachment_id": made["attachment_id"]}
    assert (await wire.message(jane, attachment={"type": "image", "payload": payload}))[0] == 200
    assert fault_of(await wire.message(jane, attachment={"type": "image", "payload": {"attachment_id": "1"}}))[1] == 100


async def test_a_form_body_carries_objects_as_text(wire: Wire, jane: str) -> None:
    form = {"recipient": f'{{"id":"{jane}"}}', "message": '{"text":"from a form"}'}
    assert (await wire.call("POST", "/me/messages", data=form))[0] == 200


async def test_the_account_may_write_to_itself(wire: Wire) -> None:
    assert (await wire.send(wire.account.ig_id, "note"))[0] == 200


async def test_a_hundred_a_second(double: Instagram, wire: Wire, jane: str) -> None:
    await double.clock(speed=0)
    answers = [await wire.send(jane, f"{number}") for number in range(101)]
    assert [status for status, _ in answers] == [200] * 100 + [400]
    assert fault_of(answers[-1]) == (400, 613, 2534040)
    await double.clock(advance_s=1.1)
    assert (await wire.send(jane))[0] == 200
