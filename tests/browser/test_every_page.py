"""What holds on every page: accessible and within the window in both themes and widths, readable without a script.

Every field of the workspace holds text that means harm: as text it is shown; as anything else it would make a fault, or
make the page wider than a phone.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Page

from iglayers.core.db import Database
from tests.browser.chromium import NARROW, WIDE, assert_accessible, assert_fits
from tests.browser.conftest import NewPage
from tests.browser.hostile import MARK, spoil
from tests.browser.paths import PAGES, PUBLIC_PAGES
from tests.serving import Api
from tests.web.world import World, populated

# Forms that nobody could send without a script: no token, no address, or no button that is seen.
UNSENDABLE = """() => [...document.forms].filter((form) => {
    const buttons = [...form.elements].filter((each) => each.matches("button:not([type=button])"));
    const shown = buttons.some((each) => getComputedStyle(each).display !== "none");
    return !shown || !form.getAttribute("action") || (form.method === "post" && !form.elements["form_token"]?.value);
}).map((form) => form.outerHTML.slice(0, 300))"""
LogIn = Callable[..., Awaitable[Page]]
# Pages on which something of it must be read.
TELL = {
    "campaigns", "campaign", "campaign-setup", "campaign-pace", "import", "target", "unknown", "contact", "templates",
    "template", "clients", "suppressions", "webhooks", "webhook", "delivery", "api-keys", "inbox", "thread",
    "sender", "audit-log", "people"
}  # fmt: skip


@pytest.fixture
async def world(api: Api, database: Database) -> World:
    made = await populated(api, database)
    await spoil(database)
    return made


# Each width and each theme once: colours do not change with the width.
@pytest.mark.parametrize(("viewport", "dark"), [(WIDE, False), (NARROW, True)], ids=["wide-light", "narrow-dark"])
async def test_pages_are_accessible_and_fit(log_in: LogIn, world: World, viewport: Any, dark: bool) -> None:
    page = await log_in(viewport=viewport, dark=dark)
    told: set[str] = set()
    for name, path in PAGES.items():
        answer = await page.goto(world.path(path))
        assert answer
        assert answer.status == 200, name
        await assert_accessible(page)
        await assert_fits(page)
        if MARK in await page.locator("main").inner_text():
            told.add(name)
    assert told >= TELL, f"hostile text is not seen on {TELL - told}"


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
async def test_pages_of_nobody_are_accessible_and_fit(new_page: NewPage, viewport: Any, world: World) -> None:
    page = await new_page(viewport=viewport)
    for path in PUBLIC_PAGES.values():
        await page.goto(path)
        await assert_accessible(page)
        await assert_fits(page)


async def test_pages_can_be_read_without_a_script(log_in: LogIn, world: World) -> None:
    page = await log_in(script=False)
    for path in PAGES.values():
        answer = await page.goto(world.path(path))
        assert answer
        assert answer.status == 200, path
        assert await page.locator("h1").inner_text()
        assert await page.evaluate(UNSENDABLE) == [], path


async def test_a_cold_page_moves_less_than_150_kb(log_in: LogIn, world: World) -> None:
    page = await log_in()
    moved: list[int] = []

    async def count(request: Any) -> None:
        sizes = await request.sizes()
        moved.append(sizes["responseBodySize"] + sizes["responseHeadersSize"])

    page.on("requestfinished", count)
    await page.goto("/", wait_until="networkidle")
    assert len(moved) > 4
    assert sum(moved) < 150_000
