"""Sessions, forms of other sites, guessing of passwords, and the headers of every page."""

import re

import aiohttp
import msgspec
import pytest

from iglayers.accounts.model import Mode
from iglayers.accounts.model_people import FREE_FAILURES, Role, wait_s
from iglayers.accounts.services import Services
from iglayers.core.db import Database
from iglayers.core.ids import WorkspaceId
from iglayers.dashboard.request import SESSION_COOKIE
from tests.browser.conftest import PASSWORD, session_of
from tests.dashboard.visiting import Visit
from tests.serving import serving


@pytest.fixture
def nobody(http: aiohttp.ClientSession, base_url: str) -> Visit:
    return Visit(http, base_url)


async def test_nobody_is_led_to_the_login_and_back(nobody: Visit) -> None:
    status, _, headers = await nobody.get("/clients?q=a b")
    assert (status, headers["Location"]) == (303, "/login?next=/clients%3Fq%3Da%2Bb")
    for elsewhere in ("//evil.example/", "/\\evil.example", "https://evil.example/"):
        _, page, _ = await nobody.get(f"/login?next={elsewhere}")
        assert 'name="next" value="/"' in page


async def test_form_without_its_token_changes_nothing(operator: Visit) -> None:
    for token in ("", "0" * 64):
        status, page, _ = await operator.post("/clients", {"name": "Acme", "form_token": token})
        assert (status, "out of date" in page) == (403, True)
    assert "No clients yet" in (await operator.get("/clients"))[1]


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
    ],
)
async def test_form_of_another_site_is_refused(operator: Visit, headers: dict[str, str]) -> None:
    found = re.search(r'name="form_token" value="(\w+)"', (await operator.get("/clients/new"))[1])
    assert found
    status, page, _ = await operator.post("/clients", {"name": "Acme", "form_token": found[1]}, **headers)
    assert (status, "another site" in page) == (403, True)


async def test_guessing_has_to_wait_and_tells_nothing(nobody: Visit, operator: Visit, database: Database) -> None:
    told: dict[str, list[tuple[int, str]]] = {}
    for email in ("operator@example.com", "nobody@example.com"):
        for number in range(FREE_FAILURES["email"] + 1):
            if number == FREE_FAILURES["email"]:
                await _guessed_on(database)
            status, page, _ = await nobody.submit("/login", "/login", email=email, password="wrong password")
            said = re.search(r"E-mail or password is wrong|Too many logins have failed", page)
            assert said
            told.setdefault(email, []).append((status, said[0]))
    known, unknown = told.values()
    assert known == unknown
    assert known[0] == (422, "E-mail or password is wrong")
    assert known[-1] == (429, "Too many logins have failed")
    status, _, _ = await nobody.submit("/login", "/login", email="operator@example.com", password=PASSWORD)
    assert status == 429, "the right password has to wait, too"
    assert SESSION_COOKIE not in nobody.cookies


async def _guessed_on(database: Database) -> None:
    """So often that the wait is longer than any test takes; by e-mail only, which has failed the most."""
    async with database.connection() as conn:
        await conn.execute("""
            UPDATE login_failures SET failed = 20, last_at = now()
            WHERE failed = 5
        """)


def test_the_wait_grows_and_ends() -> None:
    assert [wait_s(failed, free=5) for failed in (0, 4, 5, 6, 8, 13, 14, 1_000)] == [0, 0, 1, 2, 8, 256, 300, 300]


async def test_login_makes_a_new_session_each_time(operator: Visit, nobody: Visit) -> None:
    before = operator.cookies[SESSION_COOKIE]
    status, _, headers = await nobody.submit("/login", "/login", email=" Operator@example.com", password=PASSWORD)
    assert (status, headers["Location"]) == (303, "/")
    assert nobody.cookies[SESSION_COOKIE] != before
    cookie = next(each for each in headers.getall("Set-Cookie") if each.startswith(SESSION_COOKIE))
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()


@pytest.mark.parametrize("sql", ["seen_at = now() - interval '73 hours'", "created_at = now() - interval '31 days'"])
async def test_session_ends_by_itself(operator: Visit, database: Database, sql: str) -> None:
    assert (await operator.get("/"))[0] == 200
    async with database.connection() as conn:
        await conn.execute(f"UPDATE sessions SET {sql}")
    assert (await operator.get("/"))[0] == 303


async def test_pages_are_not_kept_and_files_are(operator: Visit) -> None:
    _, page, headers = await operator.get("/")
    assert headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    found = re.search(r'href="(/static/\w+/app.css)"', page)
    assert found
    _, _, headers = await operator.get(found[1], Accept_Encoding="gzip")
    assert (headers["Content-Encoding"], "immutable" in headers["Cache-Control"]) == ("gzip", True)
    assert (await operator.get("/static/0/../pages.py"))[0] == 404
    assert (await operator.get("/static/0/..%2fpages.py"))[0] == 404


async def test_refusals_are_pages_for_people_and_json_for_programs(operator: Visit) -> None:
    status, page, _ = await operator.get("/nowhere")
    assert (status, "<h1>There is nothing here</h1>" in page) == (404, True)
    assert re.search(r"req_\w+", page)
    status, text, headers = await operator.get("/nowhere", Accept="*/*")
    assert (status, headers["Content-Type"]) == (404, "application/json")
    status, page, _ = await operator.get("/people")
    assert (status, "You may not do this" in page) == (403, True)
    assert text.startswith("{")


async def test_by_https_the_session_is_a_cookie_of_this_host_alone(
    services: Services, http: aiohttp.ClientSession, database: Database, workspaces: dict[Mode, WorkspaceId]
) -> None:
    await session_of(database, Role.OPERATOR, workspaces[Mode.LIVE])
    settings = msgspec.structs.replace(services.settings, public_url="https://outreach.example")
    async with serving(msgspec.structs.replace(services, settings=settings)) as url:
        visit = Visit(http, url)
        _, _, headers = await visit.submit("/login", "/login", email="operator@example.com", password=PASSWORD)
        session = next(each for each in headers.getall("Set-Cookie") if each.startswith("__Host-iglayers_session="))
        assert {"Secure", "HttpOnly", "Path=/"} <= {each.strip() for each in session.split(";")}
        assert "Domain" not in session
        assert (await visit.get("/"))[0] == 200
