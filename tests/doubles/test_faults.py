"""Every fault that can be planted: what the caller sees, and whether the message exists."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from tests.doubles.conftest import Wire, fault_of
from tests.doubles.control import Instagram
from tests.events.receiving import until

ERRORS = [
    ("unknown", 500, 1, 99),
    ("temporary", 500, 2, 1545133),
    ("app_rate_limit", 400, 4, None),
    ("user_rate_limit", 400, 17, None),
    ("messaging_rate_limit", 400, 613, 2534040),
    ("business_rate_limit", 400, 80006, None),
    ("instagram_rate_limit", 400, 80002, None),
    ("abusive", 400, 613, 2018338),
    ("going_too_fast", 400, 368, 1390008),
    ("restricted", 400, 10, 1893063),
    ("blocked_from_api", 400, 100, 2534029),
    ("app_removed", 400, 190, 458),
    ("checkpoint", 400, 190, 459),
    ("password_changed", 400, 190, 460),
    ("token_expired", 400, 190, 463),
    ("unconfirmed", 400, 190, 464),
    ("logged_out", 400, 190, 467),
    ("messages_access_off", 400, 200, 2534041),
    ("no_advanced_access", 400, 200, None),
    ("unavailable", 400, 551, 1545041),
    ("cannot_receive", 400, 10, 2018108),
    ("stopped_notifications", 400, 10, 1893015),
    ("link_restricted", 400, 508, 2534122),
    ("ambiguous_not_stored", 500, 1, 1357046),
]


@pytest.mark.parametrize("expected", ERRORS, ids=[each[0] for each in ERRORS])
async def test_a_refusal_happens_once_and_stores_nothing(
    double: Instagram, wire: Wire, jane: str, expected: tuple[str, int, int, int | None]
) -> None:
    name, *told = expected
    await double.fault(name)
    assert fault_of(await wire.send(jane)) == tuple(told)
    assert await double.sent() == []
    assert (await wire.send(jane))[0] == 200


async def test_every_name_is_known_here(double: Instagram) -> None:
    names = set((await double.call("GET", "/faults"))["names"])
    others = {"error", "html502", "slow", "garbled", "ambiguous", "timeout_before_commit", "timeout_after_commit"}
    others |= {"disconnect_before_commit", "disconnect_after_commit"}
    assert names == {each[0] for each in ERRORS} | others


async def test_the_ambiguous_error_comes_with_the_message_stored(double: Instagram, wire: Wire, jane: str) -> None:
    await double.fault("ambiguous")
    assert fault_of(await wire.send(jane)) == (500, 1, 1357046)
    assert len(await double.sent()) == 1


async def test_html_instead_of_json(double: Instagram, wire: Wire, jane: str) -> None:
    await double.fault("html502")
    status, body = await wire.send(jane)
    assert (status, wire.seen["Content-Type"].split(";")[0]) == (502, "text/html")
    assert "<html>" in body
    assert await double.sent() == []
    await double.fault("html502", commit=True)
    assert (await wire.send(jane))[0] == 502
    assert len(await double.sent()) == 1


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_timeout_and_a_lost_connection(double: Instagram, wire: Wire, jane: str, when: str) -> None:
    is_stored = when == "after"
    await double.fault(f"timeout_{when}_commit")
    waiting = asyncio.create_task(wire.send(jane))
    await until(lambda: has_calls(double, 1))
    waiting.cancel()
    assert len(await double.sent()) == is_stored
    await double.fault(f"timeout_{when}_commit", hang_s=0.05)
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await wire.send(jane)
    await double.fault(f"disconnect_{when}_commit")
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await wire.send(jane)
    assert len(await double.sent()) == 3 * is_stored


async def has_calls(double: Instagram, count: int) -> bool:
    return len(await double.requests()) == count


async def test_half_an_answer_and_a_late_one(double: Instagram, wire: Wire, jane: str) -> None:
    await double.fault("garbled")
    with pytest.raises(json.JSONDecodeError):
        await wire.send(jane)
    await double.fault("slow", hang_s=0.05)
    assert (await wire.send(jane))[0] == 200
    assert len(await double.sent()) == 2


async def test_for_one_account_or_one_recipient_only(double: Instagram, wire: Wire, jane: str) -> None:
    await double.person("john")
    john = (await double.does("john", "writes", wire.account, text="Hi"))["igsid"]
    await double.account("other.brand")
    await double.call("POST", "/faults", fault="restricted", account="other.brand", always=True)
    await double.fault("unavailable", wire.account, recipient="john", always=True)
    assert (await wire.send(jane))[0] == 200
    assert [fault_of(await wire.send(john))[1] for _ in range(3)] == [551] * 3
    made = await double.does("john", "comments", wire.account, text="price?")
    assert fault_of(await wire.reply(made["comment_id"]))[1] == 551
    await double.no_faults()
    assert (await wire.send(john))[0] == 200


async def test_so_many_times_and_one_after_the_other(double: Instagram, wire: Wire, jane: str) -> None:
    await double.fault("temporary", times=2)
    planted = await double.fault("restricted")
    answers = [(await wire.send(jane))[1] for _ in range(4)]
    assert [each.get("error", {}).get("code") for each in answers] == [2, 2, 10, None]
    assert [each.get("fault_id") for each in await double.requests()][2] == planted


async def test_any_status_code_and_subcode(double: Instagram, wire: Wire, jane: str) -> None:
    await double.fault("error", status=418, code=2018300, subcode=7, message="New", is_transient=True, error_data="x")
    status, body = await wire.send(jane)
    assert status == 418
    assert (body["error"]["code"], body["error"]["error_subcode"], body["error"]["error_data"]) == (2018300, 7, "x")
    assert body["error"]["is_transient"] is True


@pytest.mark.parametrize(
    ("on", "method", "path"),
    [
        ("me", "GET", "/me"),
        ("conversations", "GET", "/me/conversations"),
        ("subscribe", "GET", "/me/subscribed_apps"),
        ("refresh", "GET", "/refresh_access_token"),
        ("exchange", "GET", "/access_token"),
        ("oauth_code", "POST", "/oauth/access_token"),
        ("authorize", "GET", "/oauth/authorize"),
        ("any", "GET", "/me"),
    ],
)
async def test_in_every_operation(double: Instagram, wire: Wire, on: str, method: str, path: str) -> None:
    await double.fault("html502", on=on)
    assert (await wire.call(method, path))[0] == 502


async def test_rate_limits_say_in_headers_when_they_end(double: Instagram, wire: Wire, jane: str) -> None:
    await double.fault("business_rate_limit", regain_minutes=17, retry_after="1020")
    await wire.send(jane)
    [usage] = json.loads(wire.seen["X-Business-Use-Case-Usage"])[wire.account.ig_id]
    assert (usage["type"], usage["call_count"], usage["estimated_time_to_regain_access"]) == ("messenger", 100, 17)
    assert wire.seen["Retry-After"] == "1020"
    await double.fault("app_rate_limit")
    await wire.send(jane)
    assert json.loads(wire.seen["X-App-Usage"])["call_count"] == 100


async def test_a_limit_that_lasts_and_grows_with_every_call(double: Instagram, wire: Wire, jane: str) -> None:
    await double.clock(speed=0)
    await double.fault("messaging_rate_limit", for_s=600, lengthen_s=60)

    async def minutes() -> int:
        assert fault_of(await wire.send(jane)) == (400, 613, 2534040)
        [usage] = json.loads(wire.seen["X-Business-Use-Case-Usage"])[wire.account.ig_id]
        return usage["estimated_time_to_regain_access"]

    assert [await minutes(), await minutes()] == [11, 12]
    await double.clock(advance_s=721)
    assert (await wire.send(jane))[0] == 200


async def test_messages_in_the_language_of_the_owner(double: Instagram, wire: Wire, jane: str) -> None:
    async def told() -> Any:
        await double.fault("restricted")
        return (await wire.send(jane))[1]["error"]

    english = await told()
    await double.change(wire.account, locale="ja")
    japanese = await told()
    assert english["message"] != japanese["message"]
    assert (japanese["code"], japanese["error_subcode"]) == (10, 1893063)
    assert not japanese["error_user_msg"].isascii()
