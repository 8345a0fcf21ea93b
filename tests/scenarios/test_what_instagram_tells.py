"""What comes in from an Instagram that is a process of its own: signed webhooks, names, threads that are compared."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.core.db import Database
from iglayers.replies.actions_inbound import process_inbound
from iglayers.replies.asking import ask_names
from iglayers.senders.model import Sender
from iglayers.senders.receiving import take_posts_apart
from iglayers.senders.transports.instagram.graph import Graph
from iglayers.senders.transports.instagram.reconcile import reconcile
from tests.databases import PEPPER
from tests.doubles.control import FIELDS, Account, Instagram
from tests.replies.ledger import Ledger
from tests.senders.connected import PATH, configured, connect
from tests.senders.orders import a_sender
from tests.serving import serving


class Stage:
    """A connected account, the address that it delivers to, and a worker's steps one by one."""

    def __init__(self, double: Instagram, account: Account, services: Services, ledger: Ledger) -> None:
        self.double = double
        self.account = account
        self.services = services
        self.ledger = ledger
        self.graph = Graph(services.settings)

    async def read(self) -> None:
        """Everything delivered, read, with the names of people."""
        await self.double.settle()
        db = self.services.db
        await take_posts_apart(db)
        while await process_inbound(db, pepper=PEPPER) + await ask_names(self.services, self.graph):
            pass

    async def reconcile(self) -> None:
        async with self.services.db.connection() as conn:
            await conn.execute("UPDATE reconciliations SET due_at = now()")
        while await reconcile(self.services, self.graph, gap_s=0):
            pass
        await self.read()

    async def replies(self) -> dict[str | None, list[str]]:
        """What each person wrote."""
        found: dict[str | None, list[str]] = {}
        for row in await self.ledger.all("""
            SELECT c.username, r.text FROM replies r LEFT JOIN contacts c ON c.id = r.contact_id ORDER BY r.received_at
        """):
            found.setdefault(row["username"], []).append(row["text"])
        return found

    async def asked(self, part: str) -> int:
        return sum(part in each["path"] for each in await self.double.requests())


@pytest.fixture
async def stage(
    double: Instagram, http: aiohttp.ClientSession, services: Services, database: Database, caller: Caller
) -> AsyncIterator[Stage]:
    account = await double.account("acme.official", subscribed_fields=FIELDS)
    services = configured(services, instagram_graph_url=double.url)
    sender: Sender = await a_sender(database, caller)
    await connect(database, services, caller, sender, instagram_id=account.ig_id, token=account.access_token)
    await double.call("POST", "/settings", conversations_per_s=None)
    async with serving(services) as url:
        await double.call("POST", "/app", callback=url + PATH, is_live=True)
        yield Stage(double, account, services, Ledger(database, caller, sender))
        await double.call("POST", "/app", callback=None)


async def test_a_conversation_from_the_first_word_to_a_name(stage: Stage) -> None:
    written = await stage.ledger.wrote_to("jane.doe")
    await stage.double.person("jane.doe", name="Jane Doe")
    await stage.double.does("jane.doe", "writes", stage.account, text="Hello")
    await stage.read()
    assert await stage.replies() == {"jane.doe": ["Hello"]}
    assert (await stage.ledger.target(written))["state"] == "replied"
    said = await stage.double.does("jane.doe", "writes", stage.account, text="secret")
    await stage.double.does("jane.doe", "unsends", stage.account, mid=said["mid"])
    await stage.read()
    assert await stage.replies() == {"jane.doe": ["Hello", None]}
    assert await stage.asked(said["igsid"]) == 1  # for the name, once


@pytest.mark.parametrize(
    "behaviour",
    [
        {"copies": 3, "order": "shuffled"},
        {"batch_size": 1_000, "batch_wait_ms": 50, "order": "reversed"},
        {"array": True, "unknown_fields": True, "unit": "ms"},
        {"shape": "changes"},
        {"unit": "s"},
    ],
)
async def test_however_it_is_delivered(behaviour: dict[str, Any], stage: Stage) -> None:
    await stage.double.webhooks(**behaviour)
    for name in ("ann", "ben"):
        await stage.double.person(name)
        for word in ("one", "two é ❤️"):
            await stage.double.does(name, "writes", stage.account, text=word)
    await stage.read()
    assert {name: sorted(said) for name, said in (await stage.replies()).items()} == {
        "ann": ["one", "two é ❤️"], "ben": ["one", "two é ❤️"],
    }  # fmt: skip


async def test_a_name_that_may_not_be_asked_is_asked_again_when_the_person_speaks(stage: Stage) -> None:
    await stage.double.person("jane.doe")
    await stage.double.fault("error", stage.account, on="profile", status=403, code=230)
    await stage.double.does("jane.doe", "writes", stage.account, text="one")
    await stage.read()
    assert await stage.replies() == {None: ["one"]}
    assert await stage.ledger.all("SELECT id FROM conversations WHERE name_due_at IS NOT NULL") == []
    await stage.double.does("jane.doe", "writes", stage.account, text="two")
    await stage.read()
    assert await stage.replies() == {"jane.doe": ["one", "two"]}


async def test_a_failed_question_waits_longer_each_time(stage: Stage) -> None:
    await stage.double.person("jane.doe")
    await stage.double.fault("temporary", stage.account, on="profile", always=True)
    await stage.double.does("jane.doe", "writes", stage.account, text="one")
    await stage.read()
    waits: list[float] = []
    for _ in range(3):
        [row] = await stage.ledger.all("SELECT extract(epoch FROM name_due_at - now())::float8 AS s FROM conversations")
        waits.append(row["s"])
        async with stage.services.db.connection() as conn:
            await conn.execute("UPDATE conversations SET name_due_at = now()")
        await ask_names(stage.services, stage.graph)
    assert waits[0] > 30
    assert waits[2] > waits[1] > waits[0]


async def test_what_never_came_is_found_and_nothing_is_read_twice(stage: Stage) -> None:
    await stage.double.person("ann")
    await stage.double.does("ann", "writes", stage.account, text="came")
    await stage.read()
    for number in range(23):
        await stage.double.person(f"p{number}")
        await stage.double.does(f"p{number}", "writes", stage.account, text="lost", silent=True)
    await stage.double.does("ann", "writes", stage.account, text="lost too", silent=True)
    await stage.reconcile()
    found = {name: sorted(texts) for name, texts in (await stage.replies()).items()}
    assert found == {"ann": ["came", "lost too"]} | {f"p{number}": ["lost"] for number in range(23)}
    # The names came with the threads.
    assert await stage.asked("/conversations") >= 3
    facts = await stage.ledger.all("SELECT id FROM inbound")
    await stage.reconcile()
    assert await stage.ledger.all("SELECT id FROM inbound") == facts
    [mark] = await stage.ledger.all("SELECT * FROM reconciliations")
    assert (mark["after"], mark["since"], mark["lease_until"], mark["failures"]) == (None, None, None, 0)
    assert mark["done_until"] is not None


async def test_a_run_that_was_cut_off_goes_on_at_its_page(stage: Stage) -> None:
    for number in range(25):
        await stage.double.person(f"p{number}")
        await stage.double.does(f"p{number}", "writes", stage.account, text="lost", silent=True)
    assert await reconcile(stage.services, stage.graph, gap_s=0) == 1  # one page, and nobody else has it meanwhile
    [mark] = await stage.ledger.all("SELECT after, lease_until FROM reconciliations")
    assert mark["after"] is not None
    assert "access_token" not in mark["after"]
    await stage.double.fault("html502", stage.account, on="conversations")
    assert await reconcile(stage.services, stage.graph, gap_s=0) == 1
    [failed] = await stage.ledger.all("SELECT after, failures, due_at > now() AS waits FROM reconciliations")
    assert (failed["after"], failed["failures"], failed["waits"]) == (mark["after"], 1, True)
    await stage.reconcile()
    assert len(await stage.replies()) == 25


async def test_an_unknown_message_that_is_there_gets_its_hint(stage: Stage) -> None:
    await stage.double.person("jane.doe")
    await stage.double.does("jane.doe", "writes", stage.account, text="Hello")
    await stage.read()
    await stage.double.webhooks(echoes=False)
    await stage.double.owner(stage.account, "types", to="jane.doe", text="Hi!")
    written = await stage.ledger.wrote_to("jane.doe", target="unknown", message="unknown", ago=timedelta(seconds=20))
    await stage.reconcile()
    async with stage.services.db.connection() as conn:
        row = await conn.fetchrow("SELECT state, evidence FROM messages WHERE id = $1", written.message_id.uuid)
    assert row is not None
    assert (row["state"], [each["kind"] for each in row["evidence"]]) == ("unknown", ["similar_echo"])


async def test_two_calls_a_second_at_most(stage: Stage) -> None:
    await stage.double.call("POST", "/settings", conversations_per_s=2)
    for number in range(4):
        await stage.double.person(f"p{number}")
        await stage.double.does(f"p{number}", "writes", stage.account, text="lost", silent=True)
    assert await reconcile(stage.services, stage.graph) == 1
    [mark] = await stage.ledger.all("SELECT failures, done_until FROM reconciliations")
    assert (mark["failures"], mark["done_until"] is not None) == (0, True)
