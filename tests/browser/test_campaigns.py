"""A long file through a browser, and a page that follows what happens, also when its server was away meanwhile."""

import re
from collections.abc import Awaitable, Callable

import aiohttp
from playwright.async_api import Browser, Page, expect

from iglayers.accounts.model import Mode
from iglayers.accounts.model_people import Role
from iglayers.accounts.services import Services
from iglayers.core.db import Database
from iglayers.core.ids import WorkspaceId
from iglayers.dashboard.request import SESSION_COOKIE
from tests.browser.conftest import session_of
from tests.dashboard.test_campaign_pages import draft
from tests.dashboard.visiting import Visit
from tests.serving import serving
from tests.targets.importing import work_off

LogIn = Callable[..., Awaitable[Page]]


async def test_a_long_file_is_sent_checked_and_added(log_in: LogIn, database: Database) -> None:
    page = await log_in(Role.OPERATOR)
    await page.goto("/campaigns/new")
    await page.get_by_label("Client", exact=True).fill("Acme")
    await page.get_by_label("Name of the campaign").fill("Spring")
    await page.get_by_label("Text", exact=True).fill("Hi there")
    await page.get_by_role("button", name="Save the draft, go on").click()
    rows = "".join(f"person.{number},{'x' * 100}\n" for number in range(10_001))
    await page.get_by_label("A CSV file").set_input_files(
        {"name": "people.csv", "mimeType": "text/csv", "buffer": f"Handle,Note\n{rows}bob smith,\n".encode()}
    )
    await expect(page.get_by_role("heading", name="Checking the file")).to_be_visible()
    await work_off(database)
    await expect(page.get_by_text("10,001 people would be added, 1 row left out")).to_be_visible()
    await page.get_by_label("What Note is").select_option("-")
    await page.get_by_role("button", name="Add 10,001 people").click()
    await expect(page.get_by_role("heading", name="Adding its people")).to_be_visible()
    await work_off(database)
    await page.get_by_role("link", name="Go on to the start").click()
    await expect(page.get_by_text("10,001 people wait")).to_be_visible()


async def test_the_page_follows_and_comes_back_with_the_server(
    services: Services, http: aiohttp.ClientSession, database: Database, workspaces: dict[Mode, WorkspaceId],
    browser: Browser,
) -> None:  # fmt: skip
    token = await session_of(database, Role.OPERATOR, workspaces[Mode.LIVE])
    context = await browser.new_context()
    async with serving(services) as url:
        visit = Visit(http, url, token)
        path = await draft(visit)
        await context.add_cookies([{"name": SESSION_COOKIE, "value": token, "url": url}])
        page = await context.new_page()
        await page.goto(url + path)
        await expect(page.get_by_text("The campaign has not been started.")).to_be_visible()
    await expect(page.locator(".campaign")).to_have_class(re.compile("is-stale"))
    async with serving(services, port=int(url.rpartition(":")[2])) as url:
        await Visit(http, url, token).submit(path, f"{path}/cancel")
        await expect(page.get_by_text("The campaign was cancelled")).to_be_visible(timeout=20_000)
        await expect(page.locator(".campaign")).not_to_have_class(re.compile("is-stale"))
        await context.close()
