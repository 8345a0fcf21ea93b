"""Connecting an Instagram account by the forms of the dashboard, against a double of Instagram that logs people in."""

import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from iglayers.accounts.model_people import Role
from iglayers.accounts.services import Services
from tests.dashboard.visiting import As, Visit
from tests.doubles.control import APP_ID, APP_SECRET, Account, Instagram
from tests.senders.instagram.orders import at_the_double
from tests.serving import Api

PAGE = "/senders/connect"
_LINK = re.compile(r'href="(http[^"]+/oauth/authorize\?[^"]+)"')


@pytest.fixture
def services(services: Services, double: Instagram) -> Services:
    return at_the_double(services, double)


@pytest.fixture
async def account(double: Instagram) -> Account:
    return await double.account("brand.example")


async def begun(visit: Visit) -> str:
    """The link to the login that the page shows after its button was pressed."""
    status, page, headers = await visit.submit(PAGE, PAGE)
    assert (status, headers["Cache-Control"], headers["Referrer-Policy"]) == (200, "no-store", "same-origin")
    found = _LINK.search(page)
    assert found, page
    return unescape(found[1])


async def back_from(http: aiohttp.ClientSession, link: str) -> str:
    """Where the browser of somebody who decided at Instagram is sent to, below this server's address."""
    async with http.get(link, allow_redirects=False) as answer:
        assert answer.status == 302, await answer.text()
        url = urlsplit(answer.headers["Location"])
    assert (url.netloc, url.path) == ("app.example", "/instagram/callback")
    return f"{url.path}?{url.query}"


@pytest.mark.parametrize("flat", [False, True])
async def test_from_the_button_to_a_sender_that_checks_out(
    flat: bool, owner: Visit, http: aiohttp.ClientSession, double: Instagram, account: Account
) -> None:
    await double.call("POST", "/login", flat=flat)
    link = await begun(owner)
    asked = parse_qs(urlsplit(link).query)
    assert (asked["client_id"], asked["response_type"]) == ([APP_ID], ["code"])
    # The owner of the account may be somebody else, in a browser that knows nothing of the dashboard.
    status, page, headers = await Visit(http, owner.base).get(await back_from(http, link))
    assert (status, "brand.example is connected" in page) == (200, True), page
    assert headers["Referrer-Policy"] == "no-referrer"
    calls = [(each["method"], each["path"].rpartition("/")[2]) for each in await double.requests()]
    assert calls[-5:] == [
        ("POST", "access_token"), ("GET", "access_token"), ("GET", "me"), ("POST", "subscribed_apps"),
        ("GET", "subscribed_apps"),
    ]  # fmt: skip
    [path] = set(re.findall(r'href="(/senders/snd_\w+)"', (await owner.get("/senders"))[1]))
    shown = (await owner.get(path))[1]
    assert "@brand.example" in shown
    checked = (await owner.submit(path, f"{path}/check"))[1]
    assert "Instagram tells this app of everything that it needs." in checked, checked
    for text in (page, shown, checked):
        assert "IGAA" not in text
        assert APP_SECRET not in text


async def test_whatever_goes_wrong_connects_nothing_and_says_what_to_do(
    owner: Visit, api: Api, http: aiohttp.ClientSession, double: Instagram, account: Account
) -> None:
    async def ended(path: str) -> tuple[int, str]:
        status, page, _ = await owner.get(path)
        assert "Not connected" in page
        assert (await api.get("/senders")).body["data"] == []
        return status, page

    back = await back_from(http, await begun(owner))
    state = parse_qs(urlsplit(back).query)["state"][0]
    told = await ended(back.replace(state, state[::-1]))
    assert (told[0], "Start again with connecting." in told[1]) == (409, True)
    # A stranger's guess has not used up the login; a code that Instagram no longer takes has.
    await double.clock(advance_s=3_700)
    told = await ended(back)
    assert (told[0], "would not exchange the login for an access" in told[1]) == (409, True), told[1]
    told = await ended(back)
    assert (told[0], "ended before" in told[1]) == (409, True)
    link = await begun(owner)
    await double.call("POST", "/login", deny=True)
    told = await ended(await back_from(http, link))
    assert (told[0], "was cancelled" in told[1]) == (400, True)
    # Refusing is no reason to begin anew: whoever changes their mind opens the same link.
    await double.call("POST", "/login", deny=False)
    assert (await owner.get(await back_from(http, link)))[0] == 200


async def test_only_who_may_and_only_where_instagram_is(visit: As, operator: Visit, account: Account) -> None:
    assert (await operator.get(PAGE))[0] == 403
    assert (await operator.post(PAGE, {}))[0] in (400, 403)
    status, page, _ = await (await visit(Role.OWNER)).submit(PAGE, PAGE)
    assert (status, "Switch to the live one" in page, _LINK.search(page)) == (409, True, None), page
