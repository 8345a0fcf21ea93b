"""Transports are found by name: ours, and those of other packages, which serve live workspaces only."""

from collections.abc import Iterator
from importlib.metadata import EntryPoint

import pytest

from iglayers.accounts.model import Mode
from iglayers.accounts.services import Services
from iglayers.senders import installed, transports
from tests.serving import Api


@pytest.fixture
def pigeon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package that brings the transport `pigeon`, and tries to bring another `sandbox`."""
    points = [
        EntryPoint(name, "tests.senders.test_installed_transports:make_pigeon", installed.GROUP)
        for name in ("pigeon", "sandbox")
    ]
    installed.plugins.cache_clear()
    monkeypatch.setattr(installed, "entry_points", lambda **_: points)
    yield
    installed.plugins.cache_clear()


def make_pigeon(services: Services) -> object:
    return f"a pigeon of {type(services).__name__}"


def test_ours(services: Services) -> None:
    built = transports.build(services)
    assert {name: each.name for name, each in built.items()} == {
        name: name for name in ("sandbox", "assisted", "instagram")
    }


@pytest.mark.usefixtures("pigeon")
def test_one_of_another_package(services: Services) -> None:
    built = transports.build(services)
    assert str(built["pigeon"]) == "a pigeon of Services"
    assert built["sandbox"].name == "sandbox"
    assert installed.allowed(Mode.TEST) == ["sandbox", "assisted"]


@pytest.mark.usefixtures("pigeon")
async def test_a_sender_can_use_it_in_a_live_workspace_only(api: Api, test_api: Api) -> None:
    wanted = {"username": "acme", "transport": "pigeon"}
    assert (await api.post("/senders", wanted)).status == 201
    assert (await test_api.post("/senders", wanted)).status == 400
