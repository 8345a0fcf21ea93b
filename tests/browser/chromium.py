"""A Chromium of this machine, driven by Playwright, and pages in it that note every fault."""

import asyncio
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
WIDE, NARROW = ViewportSize(width=1440, height=900), ViewportSize(width=360, height=740)
AXE = Path(__file__).parents[1] / "node" / "node_modules" / "axe-core" / "axe.min.js"
# A refusal that a test provokes is told by the console, too.
_REFUSAL = "Failed to load resource: the server responded with a status of"


def executable() -> str:
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    assert found, f"tests/browser needs one of these commands: {', '.join(NAMES)}. See `make browser`."
    return found


@asynccontextmanager
async def chromium() -> AsyncGenerator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable(), args=list(FLAGS))
        yield browser
        await browser.close()


class Watch:
    """What went wrong on any page of a context: console errors, exceptions, CSP violations, requests to others."""

    def __init__(self, host: str) -> None:
        self.faults: list[str] = []
        self._host: str = host

    def on(self, context: BrowserContext) -> None:
        context.on("console", lambda said: self._console(said.type, said.text))
        context.on("weberror", lambda error: self.faults.append(f"exception: {error.error}"))
        context.on("request", lambda request: self._request(request.url))

    def _console(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not text.startswith(_REFUSAL):
            self.faults.append(f"console {kind}: {text}")

    def _request(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.netloc != self._host:
            self.faults.append(f"request to another host: {url}")


async def assert_accessible(page: Page) -> None:
    """No serious or critical finding of axe-core on the page as it is now, WCAG 2.1 AA included."""
    source = await asyncio.to_thread(AXE.read_text)
    # As a script of the driver, past the page's CSP: the page itself stays as strict as it is.
    await page.evaluate(f"() => {{ {source} }}")
    result: dict[str, Any] = await page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    found = [
        f"{each['id']} ({each['impact']}): {each['help']}\n    {node['html'][:200]}\n    {node['failureSummary'][:300]}"
        for each in result["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]
    assert not found, f"{page.url}\n" + "\n".join(found)


async def assert_fits(page: Page) -> None:
    """Nothing makes the page wider than the window."""
    wide = await page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{page.url} is {wide} px wider than the window"
