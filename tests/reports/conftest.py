"""What the tests of reports share."""

from datetime import timedelta

import pytest

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from tests.reports.stepping import Stepping


@pytest.fixture
async def stepping(worker_services: Services, test_caller: Caller) -> Stepping:
    """The engine on a clock that stands a minute ahead of what a test does."""
    made = Stepping(worker_services, test_caller)
    await made.set_clock(test_caller.now + timedelta(minutes=1))
    return made
