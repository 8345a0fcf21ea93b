"""Tokens, unknown things, headers, conversations, messages, profiles, discovery and subscriptions on the double."""

import json
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from tests.doubles.conftest import Wire, fault_of
from tests.doubles.control import Account, Instagram

DAY_S = 86_400


async def test_the_token_in_every_place_and_missing_or_wrong(double: Instagram, wire: Wire) -> None:
    token = wire.account.access_token
    assert (await wire.get("/v26.0/me"))[0] == 200
    assert (await wire.get("/v21.0/me"))[0] == 200
    assert (await wire.get("/me"))[0] == 200
    assert (await wire.call("GET", "/me", params={"access_token": token}, headers={}))[0] == 200
    assert fault_of(await wire.call("GET", "/me", headers={})) == (400, 104, None)
    assert fault_of(await wire.call("GET", "/me", headers={"Authorization": "Bearer nonsense"})) == (400, 190, None)
    await double.call("POST", "/settings", bad_token_status=401, missing_token_code=2500)
    assert fault_of(await wire.call("GET", "/me", headers={})) == (400, 2500, None)
    assert fault_of(await wire.call("GET", "/me", headers={"Authorization": "Bearer nonsense"})) == (401, 190, None)


async def test_unknown_objects_and_paths(double: Instagram, wire: Wire) -> None:
    other = await double.account("other.brand")
    for path in ("/v26.0/17849999999999999", f"/{other.ig_id}/conversations", f"/{other.ig_id}"):
        assert fault_of(await wire.get(path)) == (400, 100, 33)
    body = {"recipient": {"id": "1"}, "message": {"text": "x"}}
    assert fault_of(await wire.call("POST", f"/{other.ig_id}/messages", json=body)) == (400, 100, 33)
    assert fault_of(await wire.call("POST", "/me/nonsense"))[1] == 2500


async def test_headers(double: Instagram, wire: Wire) -> None:
    answer = await wire.get("/v26.0/1234567")
    assert wire.seen["Content-Type"] == "application/json; charset=UTF-8"
    assert wire.seen["x-fb-trace-id"] == answer[1]["error"]["fbtrace_id"]
    assert answer[1]["error"]["type"] == "IGApiException"
    assert set(json.loads(wire.seen["X-App-Usage"])) == {"call_count", "total_time", "total_cputime"}
    [usage] = json.loads(wire.seen["X-Business-Use-Case-Usage"])[wire.account.ig_id]
    assert usage["estimated_time_to_regain_access"] == 0
    await double.change(wire.account, usage={"call_count": 91})
    await double.call("POST", "/settings", app_usage=76)
    await wire.get("/me")
    assert json.loads(wire.seen["X-App-Usage"])["call_count"] == 76
    assert json.loads(wire.seen["X-Business-Use-Case-Usage"])[wire.account.ig_id][0]["call_count"] == 91


async def test_conversations_are_paged_by_cursor(double: Instagram, wire: Wire) -> None:
    await double.clock(speed=0)
    for number in range(5):
        await double.person(f"person{number}")
        await double.does(f"person{number}", "writes", wire.account, text="Hi")
        await double.clock(advance_s=10)
    seen: list[str] = []
    query = {"platform": "instagram", "fields": "id,updated_time,participants", "limit": "2"}
    while True:
        await double.clock(advance_s=1)
        _, page = await wire.get("/v26.0/me/conversations", **query)
        seen += [each["participants"]["data"][1]["username"] for each in page["data"]]
        if "next" not in page["paging"]:
            break
        assert parse_qs(urlsplit(page["paging"]["next"]).query)["after"] == [page["paging"]["cursors"]["after"]]
        assert "access_token=" in page["paging"]["next"]
        query["after"] = page["paging"]["cursors"]["after"]
    assert seen == ["person4", "person3", "person2", "person1", "person0"]
    assert page["data"][0]["updated_time"].endswith("+0000")


async def test_the_conversation_with_one_person(double: Instagram, wire: Wire, jane: str) -> None:
    _, sent = await wire.send(jane, "Our answer")
    await double.person("other")
    await double.does("other", "writes", wire.account, text="Hi")
    _, found = await wire.get("/me/conversations", platform="instagram", user_id=jane)
    assert len(found["data"]) == 1
    fields = "messages{id,created_time,from,to,message}"
    _, whole = await wire.get(f"/v26.0/{found['data'][0]['id']}", fields=fields)
    assert [each["message"] for each in whole["messages"]["data"]] == ["Our answer", "Hello"]
    assert whole["messages"]["data"][0]["id"] == sent["message_id"]
    assert whole["messages"]["data"][0]["from"] == {"id": wire.account.ig_id, "username": "brand.example"}
    assert whole["messages"]["data"][0]["to"]["data"] == [{"id": jane, "username": "jane.doe"}]
    _, nested = await wire.get("/me/conversations", user_id=jane, fields=f"id,{fields}")
    assert [each["message"] for each in nested["data"][0]["messages"]["data"]] == ["Our answer", "Hello"]
    _, one = await wire.get(f"/{sent['message_id']}", fields="id,created_time,from,to,message")
    assert one["message"] == "Our answer"


async def test_two_calls_a_second(double: Instagram, wire: Wire) -> None:
    await double.clock(speed=0)
    answers = [await wire.get("/me/conversations") for _ in range(3)]
    assert [status for status, _ in answers] == [200, 200, 400]
    assert fault_of(answers[2]) == (400, 80006, None)
    assert json.loads(wire.seen["X-Business-Use-Case-Usage"])[wire.account.ig_id][0]["call_count"] == 100
    await double.clock(advance_s=2)
    assert (await wire.get("/me/conversations"))[0] == 200


async def test_details_of_the_twenty_newest_only(double: Instagram, wire: Wire, jane: str) -> None:
    for number in range(21):
        await double.does("jane.doe", "writes", wire.account, text=f"{number}")
    thread = await double.call("GET", f"/threads/{wire.account.ig_id}/jane.doe")
    mids = [each["mid"] for each in thread["messages"]]
    assert len(mids) == 22
    assert (await wire.get(f"/{mids[2]}", fields="message"))[1]["message"] == "1"
    for mid in mids[:2]:
        assert fault_of(await wire.get(f"/{mid}", fields="message")) == (400, 9000001, None)
    _, listed = await wire.get(f"/{thread['id']}", fields="messages.limit(50){id,message}")
    texts = [each.get("message") for each in listed["messages"]["data"]]
    assert texts == [*(f"{number}" for number in range(20, 0, -1)), None, None]
    _, rest = await wire.get(f"/{thread['id']}/messages", limit="10")
    _, next_page = await wire.get(f"/{thread['id']}/messages", limit="10", after=rest["paging"]["cursors"]["after"])
    assert [each["id"] for each in next_page["data"]] == mids[11:1:-1]


async def test_an_unsent_message_is_gone(double: Instagram, wire: Wire, jane: str) -> None:
    made = await double.does("jane.doe", "writes", wire.account, text="oops")
    await double.does("jane.doe", "unsends", wire.account, mid=made["mid"])
    assert fault_of(await wire.get(f"/{made['mid']}")) == (400, 9000001, None)


async def test_requests_without_activity_for_thirty_days_are_left_out(double: Instagram, wire: Wire, jane: str) -> None:
    await double.person("answered")
    igsid = (await double.does("answered", "writes", wire.account, text="Hi"))["igsid"]
    await wire.send(igsid)
    await double.person("fan", follows=["brand.example"])
    await double.does("fan", "writes", wire.account, text="Hi")
    await double.clock(advance_s=31 * DAY_S)
    _, found = await wire.get("/me/conversations", fields="participants,folder")
    left = {each["participants"]["data"][1]["username"]: each["folder"] for each in found["data"]}
    assert left == {"fan": "primary", "answered": "general"}


async def test_a_profile_needs_consent(double: Instagram, wire: Wire, jane: str) -> None:
    fields = "name,username,profile_pic,follower_count,is_user_follow_business"
    _, profile = await wire.get(f"/v26.0/{jane}", fields=fields)
    assert (profile["name"], profile["username"], profile["id"]) == ("Jane Doe", "jane.doe", jane)
    await double.person("commenter")
    made = await double.does("commenter", "comments", wire.account, text="nice")
    assert fault_of(await wire.get(f"/{made['igsid']}", fields=fields)) == (400, 230, None)
    await double.call("POST", "/settings", consent_status=403)
    assert fault_of(await wire.get(f"/{made['igsid']}", fields=fields)) == (403, 230, None)
    await double.does("commenter", "postback", wire.account, title="Prices", payload="ICE")
    assert "name" not in (await wire.get(f"/{made['igsid']}", fields=fields))[1]
    await double.does("jane.doe", "blocks", wire.account)
    assert fault_of(await wire.get(f"/{jane}", fields=fields)) == (403, 230, None)


async def test_picture_links_end(double: Instagram, wire: Wire, jane: str, http: aiohttp.ClientSession) -> None:
    _, profile = await wire.get(f"/{jane}", fields="profile_pic")
    async with http.get(profile["profile_pic"]) as answer:
        assert (answer.status, answer.content_type) == (200, "image/jpeg")
    await double.clock(advance_s=4 * DAY_S)
    async with http.get(profile["profile_pic"]) as answer:
        assert answer.status == 403


async def test_business_discovery(double: Instagram, wire: Wire) -> None:
    made = await double.person("creator.one", is_professional=True, followers_count=5120)
    await double.person("private.one")

    async def discover(username: str) -> tuple[int, object]:
        fields = f"business_discovery.username({username}){{id,username,followers_count}}"
        return await wire.get(f"/v26.0/{wire.account.ig_id}", fields=fields)

    found = {"id": made["user_id"], "username": "creator.one", "followers_count": 5120}
    assert await discover("creator.one") == (200, {"business_discovery": found, "id": wire.account.ig_id})
    assert fault_of(await discover("private.one")) == (400, 110, 2207013)
    assert fault_of(await discover("nobody")) == (400, 110, 2207013)
    assert fault_of(await wire.send(made["user_id"])) == (400, 100, 2534014)
    await double.does("creator.one", "renames", username="creator.two")
    assert (await discover("creator.two"))[0] == 200


async def test_a_comment_has_its_time(double: Instagram, wire: Wire) -> None:
    await double.person("john")
    made = await double.does("john", "comments", wire.account, text="price?", ago_s=3_600)
    _, comment = await wire.get(f"/v26.0/{made['comment_id']}", fields="timestamp,text")
    assert comment["text"] == "price?"
    assert comment["timestamp"].endswith("+0000")


async def test_subscribing_is_all_or_nothing(wire: Wire, account: Account) -> None:
    path = f"/v26.0/{account.ig_id}/subscribed_apps"
    assert await wire.call("DELETE", path) == (200, {"success": True})
    assert await wire.get(path) == (200, {"data": []})
    for field in ("message_echoes", "messaging_policy_enforcement", "nonsense"):
        answer = await wire.call("POST", path, params={"subscribed_fields": f"messages,{field}"})
        assert fault_of(answer)[:2] == (400, 100)
        assert "messaging_seen" in answer[1]["error"]["message"]
    assert await wire.get(path) == (200, {"data": []})
    assert await wire.call("POST", path, params={"subscribed_fields": "messages,comments"}) == (200, {"success": True})
    assert (await wire.get(path))[1]["data"][0]["subscribed_fields"] == ["messages", "comments"]
    assert await wire.call("POST", path, json={"subscribed_fields": ["messages"]}) == (200, {"success": True})


@pytest.mark.parametrize("fields", ["messages{id", "id}x"])
async def test_fields_that_cannot_be_read(wire: Wire, fields: str) -> None:
    assert fault_of(await wire.get("/me", fields=fields))[1] == 2500


async def test_the_log_of_requests_has_no_secrets(double: Instagram, wire: Wire, jane: str) -> None:
    await wire.call("GET", "/me", params={"access_token": wire.account.access_token, "fields": "id"}, headers={})
    await wire.send(jane, "Hello")
    requests = await double.requests()
    assert wire.account.access_token not in json.dumps(requests)
    assert [(each["method"], each["token_in"], each["status"]) for each in requests] == [
        ("GET", "query", 200),
        ("POST", "header", 200),
    ]
    assert requests[1]["body"]["recipient"] == {"id": jane}
