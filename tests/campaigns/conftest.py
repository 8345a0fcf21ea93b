"""A sender that could send, in the live workspace."""

import pytest

from iglayers.accounts.model import Caller
from iglayers.core.db import Database
from iglayers.senders.model import Sender
from tests.senders.orders import a_sender


@pytest.fixture
async def sender(database: Database, caller: Caller) -> Sender:
    return await a_sender(database, caller)
