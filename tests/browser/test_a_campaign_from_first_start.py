"""The whole way by clicks alone: from the link of the first start to the results of a campaign that is completed."""

import re
from pathlib import Path

from playwright.async_api import Page, expect

from iglayers.accounts import actions_people as people
from iglayers.accounts.model import Caller, Mode
from iglayers.accounts.services import Services
from iglayers.core.db import Database
from iglayers.core.ids import WorkspaceId
from tests.browser.conftest import PASSWORD, NewPage
from tests.sending.world import World, working

FILE = "Insta;First name;City\n@ann;Ann;Madrid\nbob;Bob;Porto\nann;Ann;Madrid\nno one;;\n"


async def drop(page: Page, name: str, text: str) -> None:
    """A file let fall onto the place for it, as a hand does."""
    dropped = await page.evaluate_handle(
        """([name, text]) => {
            const dropped = new DataTransfer();
            dropped.items.add(new File([text], name, {type: "text/csv"}));
            return dropped;
        }""",
        [name, text],
    )
    for event in ("dragover", "drop"):
        await page.dispatch_event("[data-drop]", event, {"dataTransfer": dropped})


async def test_from_the_first_link_to_the_results(
    new_page: NewPage, database: Database, workspaces: dict[Mode, WorkspaceId],
    worker_services: Services, test_caller: Caller, tmp_path: Path,
) -> None:  # fmt: skip
    await World(worker_services, test_caller).speed(3_600)
    async with database.transaction() as conn:
        token = await people.offer_setup(conn)
    page = await new_page()
    await page.goto(f"/setup?token={token}")
    await page.get_by_label("E-mail").fill("ana@example.com")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Create the owner").click()
    await page.locator(".side summary").click()
    await page.locator(".side .workspace", has_text="TEST").click()
    await page.locator(".side-nav").get_by_role("link", name="Campaigns").click()
    await page.get_by_role("link", name="New campaign").last.click()
    await _write_the_draft(page)
    await _add_people(page)
    await _add_a_sender(page)
    await expect(page.get_by_text("2 people will be written to")).to_be_visible()
    await page.get_by_role("button", name="Start: write to 2 people").click()
    await expect(page.get_by_text("Spring is running.")).to_be_visible()
    async with working(worker_services, tmp_path):
        await expect(page.locator("#live-head .state")).to_have_text("Completed", timeout=30_000)
    await expect(page.locator("#live-head")).to_contain_text("2 of 2 written to.")
    async with page.expect_download() as download:
        await page.get_by_role("link", name="CSV", exact=True).click()
    lines = (await (await download.value).path()).read_text().splitlines()
    assert (len(lines), "ann" in lines[1] + lines[2]) == (3, True)
    await page.get_by_role("link", name="@ann").click()
    await expect(page.get_by_text("Hi Ann, how is Madrid?")).to_be_visible()


async def _write_the_draft(page: Page) -> None:
    await page.get_by_label("Client", exact=True).fill("Acme")
    await page.get_by_label("Name of the campaign").fill("Spring")
    await page.get_by_label("Text", exact=True).fill("Hi {{firstName}}, how is {{city}}?")
    await expect(page.locator("#preview")).to_contain_text("Hi Jane, how is")
    await page.get_by_role("button", name="Save the draft, go on").click()


async def _add_people(page: Page) -> None:
    await drop(page, "people.csv", FILE)
    await expect(page.get_by_text("2 people would be added, 2 rows left out")).to_be_visible()
    await expect(page.get_by_role("row", name=re.compile("no one"))).to_contain_text("Left out")
    await page.get_by_label("What City is").select_option("-")
    await page.get_by_role("button", name="Check again").click()
    await expect(page.get_by_label("What City is")).to_have_value("-")
    await page.get_by_label("What City is").select_option("variable")
    await page.get_by_role("button", name="Add 2 people").click()
    await expect(page.get_by_text("2 people were added, 2 were left out.")).to_be_visible()


async def _add_a_sender(page: Page) -> None:
    await page.get_by_role("link", name="Add a sender").click()
    await page.get_by_label("Instagram username").fill("acme.team")
    await expect(page.get_by_label("How its messages leave")).to_have_value("sandbox")
    await page.get_by_role("button", name="Add sender").click()
    await expect(page.get_by_text("@acme.team is there.")).to_be_visible()
