"""The test workspace with a fast clock, as real processes see it."""

import pytest

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from tests.sending.world import World

SPEED = 20_000


@pytest.fixture
async def world(services: Services, test_caller: Caller) -> World:
    world = World(services, test_caller)
    await world.speed(SPEED)
    return world
