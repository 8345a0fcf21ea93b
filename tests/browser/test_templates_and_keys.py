"""The preview follows what one types, and a new key can be copied; both without a script, too."""

from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Page, expect

from iglayers.accounts.model_people import Role

LogIn = Callable[..., Awaitable[Page]]


async def test_preview_follows_the_text_and_the_samples(operator: Page) -> None:
    await operator.goto("/templates/new")
    await operator.get_by_role("textbox", name="Text").press_sequentially("Hi {{firstName}}")
    bubble = operator.locator(".bubble")
    await expect(bubble).to_have_text("Hi Jane")
    sample = operator.get_by_label("firstName", exact=True)
    await sample.fill("Zo\u00eb")
    await expect(bubble).to_have_text("Hi Zo\u00eb")
    await expect(operator.get_by_text("7 of 1,000")).to_be_visible()
    await expect(sample).to_be_focused()
    await operator.get_by_role("textbox", name="Text").fill("Hi {{firstName")
    await expect(operator.locator("#preview")).to_contain_text("at line 1, character 4 is opened and never closed")
    await operator.get_by_role("textbox", name="Text").fill(
        "<script>{{firstName|there}}</script>" + "\u0627\u0644\u0627\u0633\u0645" * 40
    )
    await expect(bubble).to_contain_text("<script>Zo\u00eb</script>")


@pytest.mark.parametrize("script", [True, False])
async def test_key_is_made_and_shown_once(log_in: LogIn, script: bool) -> None:
    page = await log_in(Role.OWNER, script=script)
    await page.goto("/api-keys")
    await page.get_by_role("link", name="New key").first.click()
    await page.get_by_label("Name").fill("Shop")
    await page.get_by_role("checkbox", name="Send").uncheck()
    await page.get_by_role("button", name="Create key").click()
    key = await page.locator("#secret").input_value()
    assert key.startswith("sk_live_")
    await expect(page.locator("pre", has_text=key)).to_be_visible()
    if script:
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await page.locator(".secret").get_by_role("button", name="Copy").click()
        await expect(page.locator(".secret").get_by_text("Copied")).to_be_visible()
    await page.get_by_role("link", name="Done").click()
    row = page.get_by_role("row", name="Shop")
    await expect(row).to_contain_text("read, write")
    assert key not in await page.content()
    await row.get_by_text("Revoke…").click()
    await page.get_by_role("button", name="Revoke Shop").click()
    await expect(page.get_by_text("Shop is revoked.")).to_be_visible()
