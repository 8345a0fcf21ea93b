"""A connection is looked at step by step, and each step that is not as it should be says what to do."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import msgspec
import pytest

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.core.clock import real_now
from iglayers.core.crypto import Vault
from iglayers.senders import queries_credentials
from iglayers.senders.model import Sender
from iglayers.senders.transports.instagram import check
from iglayers.senders.transports.instagram.graph import Graph
from tests.doubles.control import Account, Instagram
from tests.serving import Api


async def checked(api: Api, sender: Sender) -> dict[str, tuple[bool, str]]:
    answer = await api.post(f"/senders/{sender.id}/check")
    assert answer.status == 200
    return {each["step"]: (each["ok"], each["text"]) for each in answer.body["connection"]}


async def test_a_connection_that_works_says_so(api: Api, sender: Sender, account: Account) -> None:
    steps = await checked(api, sender)
    assert list(steps) == ["app", "webhook word", "public address", "access", "identity", "messages", "subscription"]
    assert all(ok for ok, _ in steps.values()), steps
    assert account.access_token not in repr(steps)


async def renamed(double: Instagram, account: Account) -> None:
    await double.change(account, username="brand.new")


async def killed(double: Instagram, account: Account) -> None:
    await double.owner(account, "kill_tokens", subcode=460)


async def unsubscribed(double: Instagram, account: Account) -> None:
    await double.change(account, subscribed_fields=["comments"])


def faulty(fault: str, call: str) -> Callable[[Instagram, Account], Awaitable[None]]:
    async def plant(double: Instagram, account: Account) -> None:
        await double.fault(fault, on=call, always=True)

    return plant


@pytest.mark.parametrize(
    ("trouble", "step", "says"),
    [
        (renamed, "identity", "is called brand.new now"),
        (killed, "identity", "190/460"),
        (faulty("html502", "me"), "identity", "it answered 502"),
        (faulty("messages_access_off", "conversations"), "messages", "Connected tools"),
        (unsubscribed, "subscription", "does not tell of messages"),
    ],
)
async def test_what_is_wrong_is_named(
    trouble: Callable[[Instagram, Account], Awaitable[None]], step: str, says: str, *, api: Api, double: Instagram,
    account: Account, sender: Sender,
) -> None:  # fmt: skip
    await trouble(double, account)
    ok, text = (await checked(api, sender))[step]
    assert not ok
    assert says in text


async def test_no_access_is_told(api: Api, sender: Sender, services: Services, caller: Caller) -> None:
    async with services.db.transaction() as conn:
        await queries_credentials.forget(conn, caller.workspace_id, sender.id)
    assert (await checked(api, sender))["access"][0] is False


async def steps_of(services: Services, *, in_days: int = 0) -> dict[str, tuple[bool, str]]:
    """The only connection, as the doctor looks at it then."""
    async with services.db.connection() as conn:
        (found,) = await queries_credentials.connected(conn)
    steps = await check.connection_steps(
        services, Graph(services.settings), found, username=found.username, now=real_now() + timedelta(days=in_days)
    )
    return {each.step: (each.ok, each.text) for each in steps}


async def test_an_access_that_grows_old_is_told(services: Services, sender: Sender) -> None:
    for days, ok, says in ((1, True, "Renewed 1 days ago"), (50, False, "before"), (60, False, "ended on")):
        is_ok, text = (await steps_of(services, in_days=days))["access"]
        assert (is_ok, says in text) == (ok, True)


async def test_another_secret_key_is_told(services: Services, sender: Sender) -> None:
    other = msgspec.structs.replace(services, vault=Vault(b"x" * 32))
    ok, text = (await steps_of(other))["access"]
    assert (ok, "secret key" in text) == (False, True)


def test_what_an_installation_lacks_is_told(services: Services) -> None:
    bare = msgspec.structs.replace(
        services.settings, instagram_app_id=None, instagram_verify_token=None, public_url=None
    )
    assert [each.ok for each in check.settings_steps(bare)] == [False, False, False]
    assert all("IGLAYERS_" in each.text for each in check.settings_steps(bare))
