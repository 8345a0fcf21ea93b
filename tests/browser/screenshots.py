"""`make screenshots`: a picture of each page into screenshots/, light and dark, wide and narrow, of a filled workspace.

Run `python -m tests.browser.screenshots clients home` for some pages only.
"""

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
from playwright.async_api import Browser

from iglayers.accounts import actions as accounts
from iglayers.accounts import queries as account_queries
from iglayers.accounts.model import Caller, Mode, Scope
from iglayers.accounts.model_people import Role
from iglayers.accounts.request import Services
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
            world, token = await _world(db, base)
            for name, path in (PAGES | PUBLIC_PAGES).items():
                if not wanted or name in wanted:
                    await _picture(browser, base, name, world.path(path), "" if name in PUBLIC_PAGES else token)
        await db.close()
    print(f"{len(list(FOLDER.glob('*.png')))} pictures in {FOLDER}")  # noqa: T201 it says what it made


async def _world(db: Database, base: str) -> tuple[World, str]:
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
        await fill(api, db, workspace.id)
    return world, token


async def _picture(browser: Browser, base: str, name: str, path: str, token: str) -> None:
    for width, viewport in (("wide", WIDE), ("narrow", NARROW)):
        for theme in ("light", "dark"):
            context = await browser.new_context(viewport=viewport, color_scheme=theme, locale="en-GB")
            if token:
                await context.add_cookies([{"name": SESSION_COOKIE, "value": token, "url": base}])
            page = await context.new_page()
            await page.goto(base + path, wait_until="networkidle")
            await page.screenshot(path=FOLDER / f"{name}-{width}-{theme}.png", full_page=True)
            await context.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
