"""A ledger of the test workspace with one sandbox sender."""

import pytest

from iglayers.accounts.model import Caller
from iglayers.core.db import Database
from tests.replies.ledger import Ledger
from tests.senders.orders import a_sender
from tests.sending.conftest import world

__all__ = ["world"]


@pytest.fixture
async def ledger(database: Database, test_caller: Caller) -> Ledger:
    return Ledger(database, test_caller, await a_sender(database, test_caller))
