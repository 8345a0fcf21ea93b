"""Instagram Login on the double: codes, the two token forms, refresh rules, and the callbacks of the app."""

import base64
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from aiohttp import web

from tests.doubles.conftest import Wire, fault_of
from tests.doubles.control import APP_ID, APP_SECRET, Account, Instagram
from tests.doubles.instagram.wire import signed_request
from tests.events.receiving import Receiver

BACK = "https://app.example/cb"
SCOPE = "instagram_business_basic,instagram_business_manage_messages"
DAY_S = 86_400


async def authorize(http: aiohttp.ClientSession, double: Instagram, **changes: str) -> tuple[int, str]:
    query = {"client_id": APP_ID, "redirect_uri": BACK, "response_type": "code", "scope": SCOPE, "state": "s1"}
    async with http.get(f"{double.url}/oauth/authorize", params=query | changes, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Location") or await answer.text()


async def code_for(http: aiohttp.ClientSession, double: Instagram, **changes: str) -> str:
    _, location = await authorize(http, double, **changes)
    return parse_qs(urlsplit(location).query)["code"][0]


async def redeem(http: aiohttp.ClientSession, double: Instagram, code: str, **changes: str) -> tuple[int, Any]:
    form = {"client_id": APP_ID, "client_secret": APP_SECRET, "grant_type": "authorization_code"}
    form |= {"redirect_uri": BACK, "code": code} | changes
    async with http.post(f"{double.url}/oauth/access_token", data=form) as answer:
        return answer.status, await answer.json()


async def exchange(wire: Wire, token: str, secret: str = APP_SECRET) -> tuple[int, Any]:
    query = {"grant_type": "ig_exchange_token", "client_secret": secret, "access_token": token}
    return await wire.call("GET", "/access_token", params=query, headers={})


async def refresh(wire: Wire, token: str) -> tuple[int, Any]:
    query = {"grant_type": "ig_refresh_token", "access_token": token}
    return await wire.call("GET", "/refresh_access_token", params=query, headers={})


async def test_the_whole_way_to_a_long_token(http: aiohttp.ClientSession, double: Instagram, wire: Wire) -> None:
    status, location = await authorize(http, double)
    assert status == 302
    assert location.startswith(f"{BACK}?code=")
    assert location.endswith("&state=s1#_")
    code = parse_qs(urlsplit(location).query)["code"][0]
    status, short = await redeem(http, double, code)
    assert status == 200
    assert short["data"][0]["user_id"] == wire.account.app_scoped_id
    assert short["data"][0]["permissions"] == SCOPE
    status, long = await exchange(wire, short["data"][0]["access_token"])
    assert (status, long["token_type"]) == (200, "bearer")
    assert 59 * DAY_S < long["expires_in"] <= 60 * DAY_S
    headers = {"Authorization": f"Bearer {long['access_token']}"}
    fields = {"fields": "user_id,username,account_type"}
    status, me = await wire.call("GET", "/v26.0/me", params=fields, headers=headers)
    assert me == {
        "user_id": wire.account.ig_id,
        "username": "brand.example",
        "account_type": "Business",
        "id": wire.account.app_scoped_id,
    }


async def test_a_code_works_once_and_for_an_hour(
    http: aiohttp.ClientSession, double: Instagram, account: Account
) -> None:
    code = await code_for(http, double)
    assert (await redeem(http, double, code, redirect_uri=f"{BACK}/"))[0] == 400
    assert (await redeem(http, double, code))[0] == 200
    status, refused = await redeem(http, double, code)
    assert (status, refused["error_type"], refused["code"]) == (400, "OAuthException", 400)
    assert "used" in refused["error_message"]
    late = await code_for(http, double)
    await double.clock(advance_s=3_601)
    assert "expired" in (await redeem(http, double, late))[1]["error_message"]
    assert (await redeem(http, double, "made-up"))[1]["error_message"] == "Invalid authorization code"


async def test_the_flat_form_and_a_user_id_as_number(
    http: aiohttp.ClientSession, double: Instagram, account: Account
) -> None:
    await double.call("POST", "/login", flat=True, user_id_as_number=True)
    _, short = await redeem(http, double, await code_for(http, double))
    assert short["user_id"] == int(account.app_scoped_id)


async def test_a_denial_and_requests_that_are_wrong(
    http: aiohttp.ClientSession, double: Instagram, account: Account
) -> None:
    assert "Invalid Scopes" in (await authorize(http, double, scope="business_basic"))[1]
    assert "platform app" in (await authorize(http, double, client_id="1"))[1]
    await double.call("POST", "/app", redirect_uris=["https://app.example/other"])
    assert (await authorize(http, double))[0] == 400
    await double.call("POST", "/app", redirect_uris=[BACK])
    await double.call("POST", "/login", deny=True)
    status, location = await authorize(http, double)
    assert status == 302
    assert parse_qs(urlsplit(location).query)["error_reason"] == ["user_denied"]


async def test_a_short_token_lives_an_hour(http: aiohttp.ClientSession, double: Instagram, wire: Wire) -> None:
    _, short = await redeem(http, double, await code_for(http, double))
    token = short["data"][0]["access_token"]
    assert (await exchange(wire, token, secret="wrong"))[0] == 400
    await double.clock(advance_s=3_601)
    assert fault_of(await exchange(wire, token)) == (400, 190, 463)


async def test_refresh_is_refused_on_the_first_day_and_after_the_end(double: Instagram, wire: Wire) -> None:
    assert fault_of(await refresh(wire, wire.account.access_token))[1] == 100
    await double.clock(advance_s=DAY_S + 1)
    status, fresh = await refresh(wire, wire.account.access_token)
    assert (status, fresh["token_type"]) == (200, "bearer")
    assert (await wire.get("/me"))[0] == 200, "the old one goes on"
    await double.clock(advance_s=59 * DAY_S)
    assert fault_of(await wire.get("/me")) == (400, 190, 463)
    assert fault_of(await refresh(wire, wire.account.access_token)) == (400, 190, 463)
    assert (await refresh(wire, fresh["access_token"]))[0] == 200
    token = await double.owner(wire.account, "token", scopes=["instagram_business_manage_messages"], age_s=DAY_S * 2)
    assert fault_of(await refresh(wire, token["access_token"]))[1] == 10


@pytest.mark.parametrize("subcode", [458, 459, 460, 463, 464, 467])
async def test_tokens_that_were_killed(double: Instagram, wire: Wire, subcode: int) -> None:
    await double.owner(wire.account, "kill_tokens", subcode=subcode)
    answer = await wire.get("/me")
    assert fault_of(answer) == (400, 190, subcode)
    assert ("error_data" in answer[1]["error"]) == (subcode == 459)
    await double.owner(wire.account, "kill_tokens", subcode=None)
    assert (await wire.get("/me"))[0] == 200


async def test_expired_by_hand(double: Instagram, wire: Wire) -> None:
    await double.owner(wire.account, "expire_tokens")
    assert fault_of(await wire.get("/me")) == (400, 190, 463)


def test_a_signed_request_with_known_bytes() -> None:
    vector = (
        "eRIvqso0SySG-A_Avh4TRMWRPg5wt3O3c0icTzr1hJk.eyJ1c2VyX2lkIjoiODgwMDAwMDAwMDAwMDk5IiwiYWxnb3JpdGhtIjoiSE1BQy1T"
        "SEEyNTYiLCJpc3N1ZWRfYXQiOjE3OTAwMDAwMDB9"
    )
    payload = {"user_id": "880000000000099", "algorithm": "HMAC-SHA256", "issued_at": 1790000000}
    assert signed_request("ig-app-secret-for-tests-0001", payload) == vector


async def test_deauthorize_and_deletion_callbacks(double: Instagram, wire: Wire, receiver: Receiver) -> None:
    receiver.respond = lambda _hit: web.json_response({"url": "https://app.example/d", "confirmation_code": "ab12"})
    await double.call("POST", "/app", deauthorize_url=receiver.url, deletion_url=receiver.url)
    answer = await double.owner(wire.account, "asks_for_deletion")
    assert json.loads(answer["body"])["confirmation_code"] == "ab12"
    signature, payload = parse_qs(receiver.hits[-1].body.decode())["signed_request"][0].split(".")
    expected = hmac.new(APP_SECRET.encode(), payload.encode(), hashlib.sha256).digest()
    assert base64.urlsafe_b64encode(expected).decode().rstrip("=") == signature
    await double.owner(wire.account, "removes_app")
    assert len(receiver.hits) == 2
    assert fault_of(await wire.get("/me")) == (400, 190, 458)
