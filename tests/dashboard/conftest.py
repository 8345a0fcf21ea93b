"""Somebody of each role who is logged in to the live workspace, without a window."""

import aiohttp
import pytest

from iglayers.accounts.model import Mode
from iglayers.accounts.model_people import Role
from iglayers.core.db import Database
from iglayers.core.ids import WorkspaceId
from tests.browser.conftest import session_of
from tests.dashboard.visiting import Visit


@pytest.fixture
async def owner(
    http: aiohttp.ClientSession, base_url: str, database: Database, workspaces: dict[Mode, WorkspaceId]
) -> Visit:
    return Visit(http, base_url, await session_of(database, Role.OWNER, workspaces[Mode.LIVE]))


@pytest.fixture
async def operator(
    http: aiohttp.ClientSession, base_url: str, database: Database, workspaces: dict[Mode, WorkspaceId]
) -> Visit:
    return Visit(http, base_url, await session_of(database, Role.OPERATOR, workspaces[Mode.LIVE]))


@pytest.fixture
async def viewer(
    http: aiohttp.ClientSession, base_url: str, database: Database, workspaces: dict[Mode, WorkspaceId]
) -> Visit:
    return Visit(http, base_url, await session_of(database, Role.VIEWER, workspaces[Mode.LIVE]))
