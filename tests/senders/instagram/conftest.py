"""The product against a double of Meta's API, which keeps its own log and is the judge of what was sent."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from iglayers.accounts.model import Caller
from iglayers.accounts.request import Services
from iglayers.senders.model import Sender
from iglayers.senders.transports.instagram import connect
from iglayers.senders.transports.instagram.graph import Graph
from iglayers.senders.transports.instagram.transport import InstagramTransport
from tests.doubles.control import APP_ID, APP_SECRET, META_SECRET, VERIFY_TOKEN, Account, Instagram, instagram


@pytest.fixture(scope="session")
async def running_double() -> AsyncIterator[Instagram]:
    async with instagram() as double:
        yield double


@pytest.fixture
async def double(running_double: Instagram) -> Instagram:
    await running_double.reset()
    return running_double


@pytest.fixture
def services(services: Services, double: Instagram) -> Services:
    """An installation that takes the double for Meta."""
    settings = msgspec.structs.replace(
        services.settings, instagram_app_id=APP_ID, instagram_app_secret=APP_SECRET,
        instagram_meta_app_secret=META_SECRET, instagram_verify_token=VERIFY_TOKEN, instagram_graph_url=double.url,
        instagram_api_url=double.url, instagram_www_url=double.url, public_url="https://app.example",
    )  # fmt: skip
    return msgspec.structs.replace(services, settings=settings)


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


async def connected(services: Services, caller: Caller, account: Account, **wanted: Any) -> Sender:
    found = await connect.by_token(Graph(services.settings), account.access_token)
    async with services.db.transaction() as conn:
        return await connect.keep(conn, caller, services, found, connect.actions.SenderChange(**wanted))
