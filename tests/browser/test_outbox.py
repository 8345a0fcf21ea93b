"""The outbox in a browser: two people at once, by thumb on a phone, by keys on a wide screen, and without a script."""

import re
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Page, expect

from iglayers.accounts.model import Caller, Mode
from iglayers.accounts.model_people import Role
from iglayers.accounts.services import Services
from tests.browser.chromium import NARROW, assert_accessible, assert_fits
from tests.sending.world import World

LogIn = Callable[..., Awaitable[Page]]
HOSTILE = "<script>alert(1)</script>" + "x" * 80 + "الاسم😀"


@pytest.fixture
async def world(services: Services, test_caller: Caller) -> World:
    """A test workspace with two cards, its clock standing still."""
    world = World(services, test_caller)
    await world.speed(0)
    await world.sender(transport="assisted")
    await world.campaign(["jane", "mario"])
    await world.send()
    return world


async def test_two_people_at_once_get_two_cards(log_in: LogIn, world: World) -> None:
    ana = await log_in(Role.OPERATOR, mode=Mode.TEST, viewport=NARROW)
    ben = await log_in(Role.OWNER, mode=Mode.TEST)
    for page in (ana, ben):
        await page.goto("/outbox")
        await expect(page.get_by_role("heading", name="@jane")).to_be_visible()
        assert await page.get_by_text("Hi there").count() == 0
    await ana.get_by_role("button", name="Copy and open profile").click()
    await expect(ana.get_by_role("region", name="The text to send")).to_have_text("Hi there")
    await world.later(minutes=1)
    await ben.get_by_role("button", name="Copy and open profile").click()
    await expect(ben.get_by_role("alert")).to_contain_text("The card is claimed by operator@example.com")
    await expect(ben.get_by_role("heading", name="@mario")).to_be_visible()
    await ben.get_by_role("button", name="Copy and open profile").click()
    await expect(ben.get_by_role("region", name="The text to send")).to_be_visible()
    await assert_fits(ana)
    await assert_accessible(ana)
    assert sorted(await world.attempts("jane") + await world.attempts("mario")) == ["claimed", "claimed"]


async def test_card_is_worked_by_keys_and_its_text_is_copied(log_in: LogIn, world: World) -> None:
    await world.all("UPDATE targets SET category = $1, full_name = $1", HOSTILE)
    page = await log_in(Role.OPERATOR, mode=Mode.TEST)
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.goto("/outbox")
    await expect(page.get_by_text("<script>alert(1)</script>").first).to_be_visible()
    await page.keyboard.press("c")
    await expect(page.get_by_text("Copied. Copy again")).to_be_visible()
    assert await page.evaluate("() => navigator.clipboard.readText()") == "Hi there"
    await expect(page.get_by_role("link", name="Open @jane")).to_have_attribute("href", "/practice/jane")
    await _press(page, "f")
    await _press(page, "2")
    await expect(page.get_by_text("Could not be sent: @jane")).to_be_visible()
    await _press(page, "u")
    await expect(page.get_by_role("heading", name="@jane")).to_be_visible()
    await _press(page, "s")
    await expect(page.get_by_text("Sent: @jane")).to_be_visible()
    await expect(page.get_by_text(re.compile("Next card at"))).to_be_visible()


async def test_outbox_works_without_a_script(log_in: LogIn, world: World) -> None:
    page = await log_in(Role.OPERATOR, mode=Mode.TEST, script=False, viewport=NARROW)
    await page.goto("/outbox")
    await page.get_by_role("button", name="Copy and open profile").click()
    await expect(page.get_by_role("region", name="The text to send")).to_have_text("Hi there")
    await page.get_by_role("link", name="Open @jane").wait_for()
    await page.get_by_text("Could not").click()
    await page.get_by_role("button", name="Takes no messages").click()
    await page.get_by_role("button", name="Undo").click()
    await page.get_by_role("button", name="Sent").click()
    await expect(page.get_by_text("Sent: @jane")).to_be_visible()


async def _press(page: Page, key: str) -> None:
    """A key, once the card that came last takes keys."""
    await expect(page.locator("#desk:not([inert])")).to_be_visible()
    await page.keyboard.press(key)
