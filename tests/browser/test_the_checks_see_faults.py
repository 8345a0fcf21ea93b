"""The checks of every page see what they are there for, planted into a page."""

from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, Route

from tests.browser.chromium import Watch, assert_accessible, assert_fits

PLANTED = "<style>p{color:#eee}</style><p>Hardly seen</p><input><img src='http://127.0.0.1:9/x.png'><script>x</script>"


@pytest.fixture
async def spoiled(browser: Browser, base_url: str) -> Page:
    """The login page with faults in it, under its own policy."""
    context = await browser.new_context(base_url=base_url)

    async def plant(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, body=(await answer.text()).replace("</main>", f"{PLANTED}</main>"))

    page = await context.new_page()
    await page.route("**/login", plant)
    return page


async def test_faults_of_a_page_are_seen(spoiled: Page, base_url: str) -> None:
    watch = Watch(urlsplit(base_url).netloc)
    watch.on(spoiled.context)
    await spoiled.goto("/login", wait_until="networkidle")
    told = "\n".join(watch.faults)
    assert "inline style" in told
    assert "inline script" in told
    assert "127.0.0.1:9" in told
    with pytest.raises(AssertionError, match="label"):
        await assert_accessible(spoiled)
    await spoiled.evaluate("() => { document.body.style.minWidth = '5000px'; }")
    with pytest.raises(AssertionError, match="wider than the window"):
        await assert_fits(spoiled)
    await spoiled.context.close()
