"""A world of its own for each test."""

import pytest

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from tests.sending.world import World


@pytest.fixture
async def world(worker_services: Services, test_caller: Caller) -> World:
    """The test workspace, its clock standing still."""
    world = World(worker_services, test_caller)
    await world.speed(0)
    return world
