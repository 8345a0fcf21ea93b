"""A first campaign by clicks alone, and a page that follows what happens, also when its server was away meanwhile."""

import re
from collections.abc import Awaitable, Callable

import aiohttp
from playwright.async_api import Browser, Page, expect

from iglayers.accounts.model import Mode
from iglayers.accounts.model_people import Role
from iglayers.accounts.request import Services
from iglayers.core.db import Database
from iglayers.core.ids import WorkspaceId
from iglayers.dashboard.request import SESSION_COOKIE
from tests.browser.conftest import session_of
from tests.dashboard.test_campaign_pages import draft
from tests.dashboard.visiting import Visit
from tests.serving import Api, serving

LogIn = Callable[..., Awaitable[Page]]
FILE = b"Handle,First name\nann,Ann\nbob,\nann,Ann\n"


async def test_from_nothing_to_a_running_campaign_by_clicks(log_in: LogIn, test_api: Api) -> None:
    await test_api.post("/senders", {"username": "acme.team", "transport": "sandbox"})
    page = await log_in(Role.OPERATOR, mode=Mode.TEST)
    await page.goto("/campaigns")
    await page.get_by_role("link", name="New campaign").last.click()
    await page.get_by_label("Name of the campaign").fill("Spring")
    await page.get_by_label("Name of a new client").fill("Acme")
    await page.get_by_label("New text").fill("Hi {{firstName}}, how are you?")
    await expect(page.get_by_text("Hi Jane, how are you?")).to_be_visible()
    await page.get_by_role("button", name="Save the draft, go on").click()
    await page.get_by_label("A CSV file").set_input_files(
        {"name": "people.csv", "mimeType": "text/csv", "buffer": FILE}
    )
    await expect(page.get_by_text("2 people would be added, 1 row left out")).to_be_visible()
    await page.get_by_role("button", name="Add 2 people").click()
    await expect(page.get_by_text("1 targets have no firstName")).to_be_visible()
    await page.get_by_role("button", name="Start: write to 2 people").click()
    await expect(page.get_by_text("Spring is running.")).to_be_visible()
    await page.get_by_role("button", name="Pause").click()
    await expect(page.get_by_role("button", name="Resume")).to_be_visible()


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
