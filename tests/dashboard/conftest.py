"""People who visit pages without a window, of each role, in the live workspace or in a test one moved by hand."""

import aiohttp
import pytest

from iglayers.accounts.model import Caller, Mode
from iglayers.accounts.model_people import Role
from iglayers.accounts.services import Services
from iglayers.core.db import Database
from iglayers.core.ids import WorkspaceId
from tests.browser.conftest import session_of
from tests.dashboard.visiting import As, Visit
from tests.sending.world import World


@pytest.fixture
async def world(services: Services, test_caller: Caller) -> World:
    """The test workspace, its clock standing still."""
    world = World(services, test_caller)
    await world.speed(0)
    return world


@pytest.fixture
def visit(http: aiohttp.ClientSession, base_url: str, database: Database, workspaces: dict[Mode, WorkspaceId]) -> As:
    """Somebody of a role in the test workspace; each role is a person of its own."""

    async def visit_as(role: Role) -> Visit:
        return Visit(http, base_url, await session_of(database, role, workspaces[Mode.TEST]))

    return visit_as


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
