"""`make screenshots`: a picture of each page into screenshots/, light and dark, wide and narrow, of a filled workspace.

Run `python -m tests.browser.screenshots clients home` for some pages only.
"""

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
from playwright.async_api import BrowserContext

from iglayers.accounts import actions as accounts
from iglayers.accounts import queries as account_queries
from iglayers.accounts.model import Caller, Mode, Scope
from iglayers.accounts.model_people import Role
from iglayers.accounts.services import Services
from iglayers.core.config import Settings
from iglayers.core.crypto import Vault
from iglayers.core.db import Database, connect
from iglayers.core.migrate import migrate
from iglayers.dashboard.request import SESSION_COOKIE
from tests import databases
from tests.browser.chromium import NARROW, WIDE, chromium
from tests.browser.conftest import session_of
from tests.browser.filled import fill
from tests.browser.paths import PAGES, PUBLIC_PAGES
from tests.databases import PEPPER, SECRET_KEY
from tests.serving import Api, serving
from tests.web.world import World, populated

# Everything else is pictured of what `filled` made.
OF_THE_DRAFT = ("campaign-setup", "import")
FOLDER = Path(__file__).parents[2] / "screenshots"


async def main(wanted: list[str]) -> None:
    FOLDER.mkdir(exist_ok=True)
    with databases.server() as admin_url, TemporaryDirectory() as folder:
        url = databases.named(admin_url, await databases.create(admin_url))
        await migrate(url)
        db = await connect(url, size=20)
        settings = Settings(data_dir=Path(folder), database_url=url, secret_key=SECRET_KEY.hex())
        services = Services(settings=settings, db=db, vault=Vault(SECRET_KEY), pepper=PEPPER)
        async with db.transaction() as conn:
            await accounts.found_installation(conn, services.vault, new_pepper=PEPPER)
        async with serving(services) as base, chromium() as browser:
            world, shown, token = await _world(db, base)
            paths = {
                name: world.path(path, **({} if name in OF_THE_DRAFT else shown))
                for name, path in (PAGES | PUBLIC_PAGES).items()
                if not wanted or name in wanted
            }
            for width, viewport in (("wide", WIDE), ("narrow", NARROW)):
                for theme in ("light", "dark"):
                    context = await browser.new_context(viewport=viewport, color_scheme=theme, locale="en-GB")
                    await _pictures(context, base, paths, token, f"{width}-{theme}")
                    await context.close()
        await db.close()
    print(f"{len(list(FOLDER.glob('*.png')))} pictures in {FOLDER}")  # noqa: T201 it says what it made


async def _world(db: Database, base: str) -> tuple[World, dict[str, str], str]:
    async with db.transaction() as conn:
        workspace = await accounts.find_workspace(conn, Mode.TEST, None)
        clock = await account_queries.clock(conn, workspace.id)
        assert clock is not None
        caller = Caller(
            workspace_id=workspace.id, mode=Mode.TEST, scopes=frozenset(Scope), actor="key Demo", clock=clock
        )
        key = (await accounts.create_key(conn, caller, accounts.NewKey(name="Demo", scopes=list(Scope)))).key
    token = await session_of(db, Role.OWNER, workspace.id)
    await session_of(db, Role.OPERATOR, workspace.id)
    await session_of(db, Role.VIEWER, workspace.id)
    async with aiohttp.ClientSession() as http:
        api = Api(http, base, key)
        world = await populated(api, db)
        shown = await fill(api, db, workspace.id)
    return world, shown, token


async def _pictures(context: BrowserContext, base: str, paths: dict[str, str], token: str, kind: str) -> None:
    page = await context.new_page()
    size = page.viewport_size
    assert size is not None
    for name, path in paths.items():
        await context.clear_cookies()
        if name not in PUBLIC_PAGES:
            await context.add_cookies([{"name": SESSION_COOKIE, "value": token, "url": base}])
        await page.set_viewport_size(size)
        await page.goto(base + path)
        await page.wait_for_function("() => !document.querySelector('.htmx-request, [hx-trigger=load]')")
        # As high as the page is, so that what sticks to the window's edges stands at the page's.
        height = await page.evaluate("() => document.documentElement.scrollHeight")
        await page.set_viewport_size({"width": size["width"], "height": max(size["height"], height)})
        await page.screenshot(path=FOLDER / f"{name}-{kind}.png")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
