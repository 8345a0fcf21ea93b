"""A ledger of the test workspace with one sandbox sender."""

import msgspec
import pytest

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.core.db import Database
from tests.replies.instagram import Inbox
from tests.replies.ledger import Ledger
from tests.senders.orders import a_sender
from tests.sending.conftest import world

__all__ = ["world"]


@pytest.fixture
def services(services: Services) -> Services:
    """Without a cache of keys, so that a clock that a test moves is seen by the next call."""
    return msgspec.structs.replace(services, settings=msgspec.structs.replace(services.settings, key_cache_s=0))


@pytest.fixture
async def ledger(database: Database, test_caller: Caller) -> Ledger:
    return Ledger(database, test_caller, await a_sender(database, test_caller))


@pytest.fixture
async def inbox(database: Database, services: Services, caller: Caller) -> Inbox:
    """A connected account of the live workspace."""
    return await Inbox.opened(database, services, caller)
