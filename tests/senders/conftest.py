"""One double of Meta's API for all tests here, emptied before each."""

from collections.abc import AsyncIterator

import pytest

from tests.doubles.control import Instagram, instagram


@pytest.fixture(scope="session")
async def running_double() -> AsyncIterator[Instagram]:
    async with instagram() as double:
        yield double


@pytest.fixture
async def double(running_double: Instagram) -> Instagram:
    await running_double.reset()
    return running_double
