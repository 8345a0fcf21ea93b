"""A workspace with one of everything, and the application called with a key of it."""

import aiohttp
import pytest

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.core.db import Database
from tests.serving import Api
from tests.web.stage import Stage
from tests.web.world import World, populated


@pytest.fixture
async def world(api: Api, database: Database) -> World:
    return await populated(api, database)


@pytest.fixture
def stage(
    api: Api, caller: Caller, world: World, http: aiohttp.ClientSession, services: Services, database_url: str
) -> Stage:
    return Stage(
        api=api, database=services.db, caller=caller, world=world, http=http, services=services,
        database_url=database_url,
    )  # fmt: skip
