"""A running server, people of each role, and pages in a real Chromium. Every page visited is checked for faults."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, BrowserContext, Page

from iglayers.accounts import actions as accounts
from iglayers.accounts import actions_people as people
from iglayers.accounts.model import Mode
from iglayers.accounts.model_people import Role
from iglayers.core.db import Database
from iglayers.core.ids import WorkspaceId
from iglayers.dashboard.request import SESSION_COOKIE
from tests.browser.chromium import WIDE, Watch, chromium

NewPage = Callable[..., Awaitable[Page]]

PASSWORD = "correct horse battery"


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as opened:
        yield opened


@pytest.fixture
async def new_page(browser: Browser, base_url: str) -> AsyncIterator[NewPage]:
    """Opens a page in a context of its own: with or without `script`, of a `viewport`, `dark`, with a session `token`.

    At the end: no console error, no CSP violation, no request to another host, on any of them.
    """
    watch = Watch(urlsplit(base_url).netloc)
    contexts: list[BrowserContext] = []

    async def open_page(*, script: bool = True, viewport: Any = WIDE, dark: bool = False, token: str = "") -> Page:
        context = await browser.new_context(
            base_url=base_url, java_script_enabled=script, viewport=viewport, timezone_id="Europe/Madrid",
            locale="en-GB", color_scheme="dark" if dark else "light",
        )  # fmt: skip
        contexts.append(context)
        watch.on(context)
        if token:
            await context.add_cookies([{"name": SESSION_COOKIE, "value": token, "url": base_url}])
        page = await context.new_page()
        page.set_default_timeout(10_000)
        return page

    yield open_page
    for context in contexts:
        await context.close()
    assert not watch.faults, "\n".join(watch.faults)


@pytest.fixture
async def log_in(
    new_page: NewPage, database: Database, workspaces: dict[Mode, WorkspaceId]
) -> Callable[..., Awaitable[Page]]:
    """Opens a page of somebody of a role who is logged in, in a workspace of a mode; other options go to `new_page`.

    Their e-mail is `<role>@example.com`, their password PASSWORD.
    """

    async def log_in_as(role: Role = Role.OWNER, *, mode: Mode = Mode.LIVE, **options: Any) -> Page:
        token = await session_of(database, role, workspaces[mode])
        return await new_page(token=token, **options)

    return log_in_as


async def session_of(database: Database, role: Role, workspace_id: WorkspaceId) -> str:
    """The token of a session of a person of this role, who is made when missing."""
    email = f"{role}@example.com"
    async with database.transaction() as conn:
        found = await people.queries_people.by_email(conn, email)
        user_id = found.id if found else await accounts.create_user(conn, email=email, password=PASSWORD, role=role)
        return await people.enter(conn, user_id, at=workspace_id)


@pytest.fixture
async def owner(log_in: Callable[..., Awaitable[Page]]) -> Page:
    """A wide page of an owner in the live workspace."""
    return await log_in(Role.OWNER)


@pytest.fixture
async def operator(log_in: Callable[..., Awaitable[Page]]) -> Page:
    return await log_in(Role.OPERATOR)


@pytest.fixture
async def viewer(log_in: Callable[..., Awaitable[Page]]) -> Page:
    return await log_in(Role.VIEWER)
