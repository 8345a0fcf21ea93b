"""An account becomes a sender: by a login that ends once, or by a token; who it is comes from Instagram alone."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
import structlog

from iglayers.accounts import actions as accounts
from iglayers.accounts.model import Caller, Scope
from iglayers.accounts.services import Services
from iglayers.core.db import Database
from iglayers.senders import actions, queries_credentials
from iglayers.senders.model import Sender, Trouble
from iglayers.senders.transports.instagram.connect import FIELDS
from iglayers.senders.transports.instagram.credentials import opened
from tests.doubles.control import APP_SECRET, Account, Instagram
from tests.senders.instagram.orders import connected
from tests.senders.orders import a_sender
from tests.serving import Api


async def logged_in(http: aiohttp.ClientSession, url: str) -> dict[str, str]:
    """What the browser of somebody who agrees comes back with."""
    async with http.get(url, allow_redirects=False) as answer:
        assert answer.status == 302, await answer.text()
        back = urlsplit(answer.headers["Location"])
    assert f"{back.scheme}://{back.netloc}{back.path}" == "https://app.example/instagram/callback"
    return {name: values[0] for name, values in parse_qs(back.query).items()}


async def ended(http: aiohttp.ClientSession, api: Api, query: dict[str, str]) -> tuple[int, str]:
    async with http.get(f"{api.base}/instagram/callback", params=query) as answer:
        return answer.status, await answer.text()


async def started(api: Api, **wanted: Any) -> str:
    status, body = await api.post("/senders/connect", wanted)
    assert status == 201
    return body["url"]


async def only_sender(api: Api) -> dict[str, Any]:
    _, body = await api.get("/senders")
    (sender,) = body["data"]
    return sender


async def token_of(services: Services, caller: Caller, sender_id: Any) -> str:
    async with services.db.connection() as conn:
        credential = await queries_credentials.of_sender(
            conn, caller.workspace_id, actions.SenderId.parse(str(sender_id))
        )
    assert credential is not None
    assert credential.secret.find(b"IGAA") == -1
    return opened(services.vault, credential)


async def test_a_login_makes_a_sender(
    api: Api, http: aiohttp.ClientSession, double: Instagram, account: Account, services: Services, caller: Caller
) -> None:
    query = await logged_in(http, await started(api, hourlyLimit=7))
    with structlog.testing.capture_logs() as lines:
        status, page = await ended(http, api, query)
    assert status == 200, page
    assert "brand.example is connected" in page
    sender = await only_sender(api)
    assert (sender["username"], sender["transport"], sender["state"]) == ("brand.example", "instagram", "active")
    assert (sender["hourlyLimit"], sender["routes"]) == (7, ["instagram"])
    (told,) = await double.call("GET", "/accounts")
    assert set(FIELDS) <= set(told["subscribed_fields"])
    token = await token_of(services, caller, sender["id"])
    assert token.startswith("IGAA")
    _, audit = await api.get("/audit-log")
    for text in (page, str(sender), str(audit), repr(lines)):
        assert token not in text
        assert APP_SECRET not in text
        assert query["code"] not in text


@pytest.mark.parametrize("switch", [{"flat": True}, {"user_id_as_number": True}])
async def test_every_form_of_the_answer_is_read(
    switch: dict[str, Any], api: Api, http: aiohttp.ClientSession, double: Instagram, account: Account
) -> None:
    await double.call("POST", "/login", **switch)
    status, page = await ended(http, api, await logged_in(http, await started(api)))
    assert status == 200, page


async def test_a_login_ends_once(api: Api, http: aiohttp.ClientSession, account: Account) -> None:
    query = await logged_in(http, await started(api))
    assert (await ended(http, api, query))[0] == 200
    for used in (query, query | {"state": "another"}, {"code": "x"}, {"state": query["state"]}, {}):
        status, page = await ended(http, api, used)
        assert status == 409, page
        assert "Not connected" in page


async def test_a_login_ends_within_an_hour(
    api: Api, http: aiohttp.ClientSession, account: Account, database: Database
) -> None:
    query = await logged_in(http, await started(api))
    async with database.connection() as conn:
        await conn.execute("UPDATE instagram_logins SET expires_at = now() - interval '1 second'")
    status, page = await ended(http, api, query)
    assert (status, "older than an hour" in page) == (409, True)
    assert (await api.get("/senders")).body["data"] == []


async def test_a_login_that_was_refused_says_so(
    api: Api, http: aiohttp.ClientSession, double: Instagram, account: Account
) -> None:
    url = await started(api)
    await double.call("POST", "/login", deny=True)
    status, page = await ended(http, api, await logged_in(http, url))
    assert (status, "was cancelled" in page) == (400, True)


async def test_a_switch_that_was_left_off_is_named(
    api: Api, http: aiohttp.ClientSession, double: Instagram, account: Account
) -> None:
    await double.call("POST", "/login", grant=["instagram_business_basic"])
    status, page = await ended(http, api, await logged_in(http, await started(api)))
    assert status == 409
    assert "did not grant instagram_business_manage_messages, instagram_business_manage_comments" in page


@pytest.mark.parametrize("call", ["oauth_code", "exchange", "me", "subscribe"])
@pytest.mark.parametrize("fault", ["html502", "app_rate_limit"])
async def test_whatever_fails_at_instagram_connects_nothing(
    call: str, fault: str, api: Api, http: aiohttp.ClientSession, double: Instagram, account: Account
) -> None:
    query = await logged_in(http, await started(api))
    await double.fault(fault, on=call, always=True)
    status, page = await ended(http, api, query)
    assert (status, "Not connected" in page) == (409, True)
    assert (await api.get("/senders")).body["data"] == []


async def test_what_was_challenged_stays_so_until_a_person_resumes_it(
    api: Api, http: aiohttp.ClientSession, services: Services, caller: Caller, sender: Sender
) -> None:
    async with services.db.transaction() as conn:
        await actions.report_trouble(
            conn, workspace_id=caller.workspace_id, sender_id=sender.id, trouble=Trouble.CHALLENGED, reason="Look.",
            now=caller.now,
        )  # fmt: skip
    old = await token_of(services, caller, sender.id)
    status, page = await ended(http, api, await logged_in(http, await started(api, dailyLimit=9)))
    assert (status, "resume it to go on" in page) == (200, True)
    again = await only_sender(api)
    assert (again["id"], again["state"], again["dailyLimit"]) == (str(sender.id), "challenged", 9)
    assert again["hourlyLimit"] == sender.hourly_limit
    assert await token_of(services, caller, sender.id) != old


async def test_an_account_with_a_new_name_is_the_same_sender(
    api: Api, double: Instagram, services: Services, caller: Caller, sender: Sender, account: Account
) -> None:
    await double.change(account, username="brand.new")
    again = await connected(services, caller, account)
    assert (again.id, again.username) == (sender.id, "brand.new")
    other = await double.account("brand.example")
    assert (await connected(services, caller, other)).id != sender.id


async def test_a_name_that_went_to_another_account_is_not_taken_for_it(
    double: Instagram, services: Services, caller: Caller, sender: Sender, account: Account
) -> None:
    await double.change(account, username="brand.new")
    other = await double.account("brand.example")
    with pytest.raises(actions.Conflict, match="another Instagram account"):
        await connected(services, caller, other)


async def test_an_assisted_sender_keeps_its_hands(
    database: Database, services: Services, caller: Caller, account: Account
) -> None:
    by_hand = await a_sender(database, caller, "brand.example")
    again = await connected(services, caller, account)
    assert (again.id, again.transport, again.routes) == (by_hand.id, "instagram", ["instagram", "assisted"])


async def test_a_deleted_sender_comes_back_by_connecting(
    services: Services, caller: Caller, sender: Sender, account: Account
) -> None:
    async with services.db.transaction() as conn:
        await actions.remove(conn, caller, sender.id)
    again = await connected(services, caller, account)
    assert (again.id, again.archived_at, again.state) == (sender.id, None, "active")


async def test_a_token_of_the_dashboard_will_do(api: Api, account: Account, services: Services, caller: Caller) -> None:
    new = {"username": "@Brand.Example", "transport": "instagram", "accessToken": account.access_token}
    answer = await api.post("/senders", new)
    assert answer.status == 201
    assert account.access_token not in str(answer.raw)
    assert await token_of(services, caller, answer.body["id"]) == account.access_token
    assert (await api.post("/senders", new | {"hourlyLimit": 3})).body["hourlyLimit"] == 3


async def test_a_token_is_checked_before_anything_is_kept(api: Api, double: Instagram, account: Account) -> None:
    good = {"username": "brand.example", "transport": "instagram", "accessToken": account.access_token}
    for change, status, says in (
        ({"accessToken": None}, 400, "needs an access"),
        ({"username": "another"}, 400, "belongs to the account brand.example"),
        ({"accessToken": "a b"}, 400, "no access token has"),
        ({"accessToken": "IGAAnobody0000000000"}, 409, "would not say whose access this is"),
        ({"transport": "assisted"}, 400, "instagram only"),
        ({"transport": "sandbox"}, 400, "in a live workspace"),
    ):
        answer = await api.post("/senders", good | change)
        assert answer.status == status, answer
        assert says in answer.body["error"]["message"]
        assert "IGAA" not in str(answer.raw)
    await double.fault("html502", on="me")
    assert (await api.post("/senders", good)).status == 503
    assert (await api.get("/senders")).body["data"] == []


async def test_only_a_live_workspace_reaches_instagram(test_api: Api, account: Account) -> None:
    token = {"username": "brand.example", "transport": "instagram", "accessToken": account.access_token}
    assert (await test_api.post("/senders", token)).status == 400
    assert (await test_api.post("/senders/connect", {})).status == 400


async def test_connecting_needs_admin_and_no_bound_key(api: Api, database: Database, caller: Caller) -> None:
    async with database.transaction() as conn:
        weak = await accounts.create_key(conn, caller, accounts.NewKey(name="App", scopes=[Scope.READ, Scope.WRITE]))
    assert (await api.with_key(weak.key).post("/senders/connect", {})).status == 403


async def test_settings_are_checked_before_anybody_logs_in(api: Api) -> None:
    answer = await api.post("/senders/connect", {"routes": ["assisted"]})
    assert (answer.status, answer.body["error"]["param"]) == (400, "routes")


async def test_logins_that_nobody_ended_go_away(api: Api, database: Database) -> None:
    for _ in range(2):
        await started(api)
        async with database.connection() as conn:
            await conn.execute("UPDATE instagram_logins SET expires_at = now() - interval '1 second'")
    async with database.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM instagram_logins") == 1
