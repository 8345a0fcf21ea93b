"""A workspace with one of everything, and the application called with a key of it."""

import pytest

from iglayers.core.db import Database
from tests.serving import Api
from tests.web.world import World, populated


@pytest.fixture
async def world(api: Api, database: Database) -> World:
    return await populated(api, database)
