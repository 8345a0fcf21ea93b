"""The product against a double of Meta's API, which keeps its own log and is the judge of what was sent."""

import pytest

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.senders.model import Sender
from iglayers.senders.transports.instagram.transport import InstagramTransport
from tests.doubles.control import Account, Instagram
from tests.senders.instagram.orders import at_the_double, connected


@pytest.fixture
def services(services: Services, double: Instagram) -> Services:
    return at_the_double(services, double)


@pytest.fixture
async def account(double: Instagram) -> Account:
    return await double.account("brand.example")


@pytest.fixture
async def sender(services: Services, caller: Caller, account: Account) -> Sender:
    """The account, connected with a token of the dashboard."""
    return await connected(services, caller, account)


@pytest.fixture
def transport(services: Services) -> InstagramTransport:
    return InstagramTransport(services)
