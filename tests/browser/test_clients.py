"""Clients by clicks and keys: made, found, changed, archived."""

import re
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Page, expect

from iglayers.accounts.model import Caller
from iglayers.accounts.model_people import Role
from iglayers.core.db import Database
from tests import make

LogIn = Callable[..., Awaitable[Page]]


@pytest.mark.parametrize("script", [True, False])
async def test_client_is_made_changed_and_archived(log_in: LogIn, script: bool) -> None:
    page = await log_in(Role.OPERATOR, script=script)
    await page.goto("/clients")
    await page.get_by_role("link", name="New client").first.click()
    await page.get_by_label("Name").fill("Acme")
    await page.get_by_label("Messages a day").fill("many")
    await page.get_by_role("button", name="Create client").click()
    await expect(page.get_by_text("A whole number goes here, or nothing.")).to_be_visible()
    assert await page.get_by_label("Name").input_value() == "Acme"
    await page.get_by_label("Messages a day").fill("1,200")
    await page.get_by_role("button", name="Create client").click()
    await expect(page.get_by_role("heading", name="Acme")).to_be_visible()
    await expect(page.get_by_text("Acme is there.")).to_be_visible()
    await page.get_by_label("Messages a day").fill("")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Saved.")).to_be_visible()
    assert await page.get_by_label("Messages a day").input_value() == ""
    await page.get_by_text("Archive…").click()
    await expect(page.get_by_text("Acme leaves the lists")).to_be_visible()
    await page.get_by_role("button", name="Archive Acme").click()
    await expect(page.get_by_text("Acme is archived.")).to_be_visible()
    await page.get_by_role("link", name="Archived").click()
    await page.get_by_role("link", name="Acme").click()
    assert await page.get_by_label("Name").is_disabled()


async def test_external_id_that_is_taken_is_said_at_its_field(owner: Page, database: Database, caller: Caller) -> None:
    await make.client(database, caller, external_id="acme_001")
    await owner.goto("/clients/new")
    await owner.get_by_label("Name").fill("Other")
    await owner.get_by_label("External id").fill("acme_001")
    await owner.get_by_role("button", name="Create client").click()
    await expect(owner.locator("#externalId-error")).to_contain_text("belongs to the client")


async def test_list_is_searched_as_one_types_and_walked_by_keys(
    owner: Page, database: Database, caller: Caller
) -> None:
    for name in ("Acme", "Bolt", "Acme Two"):
        await make.client(database, caller, name)
    await owner.goto("/clients")
    await owner.keyboard.press("/")
    await owner.keyboard.type("acme")
    await expect(owner.locator(".row-link")).to_have_count(2)
    await expect(owner).to_have_url(re.compile(r"/clients\?q=acme$"))
    await owner.locator("h1").click()
    await owner.keyboard.press("j")
    await owner.keyboard.press("j")
    await owner.keyboard.press("Enter")
    await expect(owner.get_by_role("heading", name="Acme", exact=True)).to_be_visible()


@pytest.mark.parametrize("script", [True, False])
async def test_pages_of_the_list_follow_each_other(
    log_in: LogIn, database: Database, caller: Caller, script: bool
) -> None:
    for number in range(5):
        await make.client(database, caller, f"Client {number}")
    page = await log_in(script=script)
    await page.goto("/clients?limit=2")
    await page.get_by_role("link", name="Older").click()
    await expect(page.locator(".row-link")).to_have_text(["Client 2", "Client 1"])
    await page.get_by_role("link", name="Newest").click()
    await expect(page.locator(".row-link")).to_have_text(["Client 4", "Client 3"])
