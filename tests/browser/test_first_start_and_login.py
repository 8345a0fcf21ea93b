"""The first owner's link, login and logout, invitations, roles, the workspace switch; without a script, too."""

import re
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Page, expect

from iglayers.accounts import actions_people as people
from iglayers.accounts.model import Mode
from iglayers.accounts.model_people import Role
from iglayers.core.db import Database
from iglayers.core.ids import WorkspaceId
from tests.browser.conftest import PASSWORD, NewPage, session_of

LogIn = Callable[..., Awaitable[Page]]


@pytest.mark.parametrize("script", [True, False])
async def test_the_link_makes_the_owner_once(
    new_page: NewPage, database: Database, workspaces: dict[Mode, WorkspaceId], script: bool
) -> None:
    async with database.transaction() as conn:
        token = await people.offer_setup(conn)
    page = await new_page(script=script)
    await page.goto(f"/setup?token={token}")
    await page.get_by_label("E-mail").fill("Ana@example.com")
    await page.get_by_label("Password").fill("short")
    await page.get_by_role("button", name="Create the owner").click()
    await expect(page.get_by_text("must have 8 to 1,000 characters")).to_be_visible()
    assert await page.get_by_label("E-mail").input_value() == "Ana@example.com"
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Create the owner").click()
    await expect(page.get_by_role("heading", name="Home")).to_be_visible()
    await expect(page.get_by_text("This installation is yours")).to_be_visible()
    other = await new_page(script=script)
    answer = await other.goto(f"/setup?token={token}")
    assert answer
    assert answer.status == 404
    async with database.transaction() as conn:
        assert await people.offer_setup(conn) is None


async def test_login_leads_to_the_page_that_was_wanted_and_logout_ends_it(
    new_page: NewPage, database: Database, workspaces: dict[Mode, WorkspaceId]
) -> None:
    await session_of(database, Role.OPERATOR, workspaces[Mode.LIVE])
    page = await new_page()
    await page.goto("/clients?q=acme")
    await expect(page).to_have_url(re.compile(r"/login\?next="))
    await page.get_by_label("E-mail").fill("operator@example.com")
    await page.get_by_label("Password").fill("not the password")
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_text("E-mail or password is wrong.")).to_be_visible()
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await expect(page).to_have_url(re.compile(r"/clients\?q=acme$"))
    cookies = {each.get("name"): each for each in await page.context.cookies()}
    session = cookies["iglayers_session"]
    assert (session.get("httpOnly"), session.get("sameSite")) == (True, "Lax")
    await page.locator(".side").get_by_role("button", name="Log out").click()
    await expect(page.get_by_text("You are logged out.")).to_be_visible()
    await page.context.add_cookies([{"name": "iglayers_session", "value": session.get("value", ""), "url": page.url}])
    await page.goto("/clients")
    await expect(page).to_have_url(re.compile("/login"))


async def test_an_invitation_makes_a_viewer_who_only_reads(owner: Page, new_page: NewPage) -> None:
    await owner.goto("/people")
    await owner.get_by_label("Role", exact=True).select_option("viewer")
    await owner.get_by_role("button", name="Make an invitation link").click()
    link = await owner.locator("#secret").input_value()
    page = await new_page(script=False)
    await page.goto(link)
    await page.get_by_label("E-mail").fill("new@example.com")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Join").click()
    await page.goto("/clients")
    assert await page.get_by_role("link", name="New client").count() == 0
    assert await page.get_by_role("link", name="Audit log").count() == 0
    for path in ("/clients/new", "/people", "/audit-log"):
        answer = await page.goto(path)
        assert answer
        assert answer.status == 403, path
    again = await page.goto(link)
    assert again
    assert again.status == 404
    await owner.goto("/people")
    await owner.get_by_text("Remove…").last.click()
    await expect(owner.get_by_role("button", name=re.compile("^Remove "))).to_have_count(1)


async def test_an_owner_always_stays(owner: Page) -> None:
    await owner.goto("/people")
    await owner.get_by_label("Role of owner@example.com").select_option("viewer")
    await owner.get_by_role("button", name="Change").click()
    await expect(owner.get_by_role("alert")).to_contain_text("A workspace keeps at least one owner.")


async def test_the_test_workspace_cannot_be_mistaken(log_in: LogIn) -> None:
    page = await log_in(script=False)
    await page.goto("/")
    band = page.get_by_text("Test workspace: nobody is written to")
    await expect(band).to_have_count(0)
    await page.locator(".side summary").click()
    await page.locator(".side .workspace", has_text="TEST").click()
    await expect(band).to_be_visible()


async def test_a_form_of_another_workspace_changes_nothing(log_in: LogIn) -> None:
    page = await log_in()
    await page.goto("/clients/new")
    await page.get_by_label("Name").fill("Meant for live")
    other = await page.context.new_page()
    await other.goto("/")
    await other.locator(".side summary").click()
    await other.locator(".side .workspace", has_text="TEST").click()
    await expect(other.get_by_text("Test workspace")).to_be_visible()
    await page.get_by_role("button", name="Create client").click()
    await expect(page.get_by_text("This form is out of date")).to_be_visible()
    await other.goto("/clients")
    await expect(other.get_by_text("No clients yet")).to_be_visible()


async def test_a_new_password_ends_every_other_session(log_in: LogIn) -> None:
    elsewhere, page = await log_in(), await log_in(script=False)
    await page.goto("/account")
    await page.get_by_label("Password now").fill("not the password")
    await page.get_by_label("New password").fill("a much longer one")
    await page.get_by_role("button", name="Change password").click()
    await expect(page.get_by_text("That is not your password.")).to_be_visible()
    await page.get_by_label("Password now").fill(PASSWORD)
    await page.get_by_label("New password").fill("a much longer one")
    await page.get_by_role("button", name="Change password").click()
    await expect(page.get_by_text("Your password is changed.")).to_be_visible()
    await elsewhere.goto("/")
    await expect(elsewhere).to_have_url(re.compile("/login"))


async def test_the_theme_is_kept(owner: Page) -> None:
    await owner.goto("/clients?q=x")
    await owner.locator(".side").get_by_role("button", name="Dark").click()
    await expect(owner.locator("html")).to_have_attribute("data-theme", "dark")
    await expect(owner).to_have_url(re.compile(r"/clients\?q=x$"))
