"""What the conformance suite needs of each transport: its people, orders to them, and what was really delivered."""

from typing import Any, Protocol

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.core.db import Database
from iglayers.senders.model import Order, Sender, Transport
from iglayers.senders.transports.assisted.transport import AssistedTransport
from iglayers.senders.transports.instagram.transport import InstagramTransport
from iglayers.senders.transports.sandbox.transport import SandboxTransport
from tests.doubles.control import Account, Instagram
from tests.senders.instagram.orders import (
    at_the_double,
    begun,
    comments,
    connected,
    taken,
    to_comment,
    to_igsid,
    writes,
)
from tests.senders.orders import a_sender, logged, order_to


class Subject(Protocol):
    """One transport with people of whom everybody does something else."""

    transport: Transport
    people: tuple[str, ...]
    routes: tuple[str, ...]
    unlucky: tuple[str, ...]  # who does the same at the second time

    async def order(self, username: str, **more: Any) -> Order: ...

    async def delivered(self, username: str) -> list[str]:
        """By the other side's own log: the ids under which it took messages to this person."""
        ...

    async def remember(self, order: Order) -> None:
        """What the ledger keeps of an order, so that it can be looked up."""
        ...

    def without_database(self) -> Transport | None:
        """The same transport when its database is away; None where it has none."""
        ...

    async def late(self) -> tuple[Transport, Order] | None:
        """An order that is taken and answered after its deadline; None where nothing is waited for."""
        ...


class Lost:
    def connection(self) -> None:
        raise ConnectionResetError("the connection went away")


class Sandbox:
    people: tuple[str, ...] = (
        "jane.doe", "mario_rossi", "sandbox.replies", "sandbox.optout", "sandbox.silent", "sandbox.private",
        "sandbox.notfound", "sandbox.ratelimit", "sandbox.challenge", "sandbox.disabled", "sandbox.timeout.sent",
        "sandbox.timeout.lost", "sandbox.error", "sandbox.error.2", "sandbox.error.3", "sandbox.noroute",
        "sandbox.slow",
    )  # fmt: skip
    routes: tuple[str, ...] = ("sandbox",)
    unlucky: tuple[str, ...] = ("sandbox.private", "sandbox.timeout.lost", "jane.doe")

    def __init__(self, database: Database, caller: Caller, sender: Sender) -> None:
        self._database: Database = database
        self._caller: Caller = caller
        self._sender: Sender = sender
        self.transport: Transport = SandboxTransport(database, slow_s=0.01)

    async def order(self, username: str, **more: Any) -> Order:
        return order_to(self._caller, self._sender, username, **more)

    async def delivered(self, username: str) -> list[str]:
        return await logged(self._database, username)

    async def remember(self, order: Order) -> None:
        """The sandbox forgets nothing."""

    def without_database(self) -> Transport | None:
        return SandboxTransport(Lost())  # type: ignore[arg-type]

    async def late(self) -> tuple[Transport, Order] | None:
        return SandboxTransport(self._database, slow_s=30), await self.order("sandbox.slow", deadline_s=0.5)


class Assisted(Sandbox):
    routes: tuple[str, ...] = ("assisted",)

    def __init__(self, database: Database, caller: Caller, sender: Sender) -> None:
        super().__init__(database, caller, sender)
        self.transport: Transport = AssistedTransport()

    def without_database(self) -> Transport | None:
        return None

    async def late(self) -> tuple[Transport, Order] | None:
        return None


class OfInstagram:
    """Against the double: whoever is named after a fault meets it."""

    people: tuple[str, ...] = (
        "jane.doe", "mario_rossi", "comments", "blocks", "stranger", "html502", "disconnect_before_commit",
        "disconnect_after_commit", "timeout_before_commit", "timeout_after_commit", "garbled", "ambiguous",
        "ambiguous_not_stored", "temporary", "messaging_rate_limit", "restricted", "checkpoint", "unavailable",
        "stopped_notifications",
    )  # fmt: skip
    routes: tuple[str, ...] = ("instagram.window", "instagram.comment", "instagram.human_agent")
    unlucky: tuple[str, ...] = ("blocks", "stranger", "jane.doe")

    def __init__(self, services: Services, caller: Caller, sender: Sender, double: Instagram, account: Account) -> None:
        self._caller: Caller = caller
        self._sender: Sender = sender
        self._double: Instagram = double
        self._account: Account = account
        self._services: Services = services
        self._igsids: dict[str, str] = {}
        self.transport: Transport = InstagramTransport(services)

    @classmethod
    async def connected(cls, double: Instagram, services: Services, caller: Caller) -> "OfInstagram":
        services, account = at_the_double(services, double), await double.account("brand.example")
        return cls(services, caller, await connected(services, caller, account), double, account)

    async def order(self, username: str, **more: Any) -> Order:
        if username == "comments":
            comment = await comments(self._double, self._account, username)
            return to_comment(self._caller, self._sender, username, comment, **more)
        if username not in self._igsids:
            self._igsids[username] = await self._meet(username)
        wanted = {"deadline_s": 1.0} if "timeout" in username else {}
        return to_igsid(self._caller, self._sender, username, self._igsids[username], **wanted | more)

    async def _meet(self, username: str) -> str:
        if username == "stranger":
            return "880000000000000"
        igsid = await writes(self._double, self._account, username)
        if username == "blocks":
            await self._double.does(username, "blocks", self._account)
        elif username not in ("jane.doe", "mario_rossi") and not username.startswith("person"):
            hangs: dict[str, Any] = {"hang_s": 3} if "timeout" in username else {}
            await self._double.fault(username, on="send", recipient=username, always=True, **hangs)
        return igsid

    async def delivered(self, username: str) -> list[str]:
        return await taken(self._double, username)

    async def remember(self, order: Order) -> None:
        await begun(self._services.db, order)

    def without_database(self) -> Transport | None:
        settings, vault, pepper = self._services.settings, self._services.vault, self._services.pepper
        return InstagramTransport(Services(settings=settings, db=Lost(), vault=vault, pepper=pepper))  # type: ignore[arg-type]

    async def late(self) -> tuple[Transport, Order] | None:
        return self.transport, await self.order("timeout_after_commit", deadline_s=0.5)


async def of_test_workspace(database: Database, caller: Caller, kind: type[Sandbox]) -> Sandbox:
    return kind(database, caller, await a_sender(database, caller))
