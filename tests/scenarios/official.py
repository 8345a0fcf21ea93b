"""A live workspace whose senders are accounts of the double, and the people who wrote to them or commented."""

import asyncio
from collections.abc import Iterable
from typing import Any

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.campaigns.model import Campaign
from iglayers.clients.model import Client
from iglayers.replies.asking import ask_names
from iglayers.senders.model import Sender
from iglayers.senders.transports.instagram.graph import Graph
from iglayers.senders.transports.instagram.reconcile import reconcile
from tests import make
from tests.doubles.control import Account, Instagram
from tests.senders.instagram.orders import connected
from tests.sending.world import World, until
from tests.serving import Api

_UNPACED: dict[str, Any] = {"ramp": False, "min_gap_seconds": 0}
# More than may be asked for, since real time passes here and an hour's thousand is one message in 3.6 s.
_NO_LIMIT = 1_000_000_000
_KNOWN_WITHIN_S = 40.0


class Stage:
    """Accounts, each with its sender and its people; the ledger is `world`, the judge is `double`."""

    def __init__(self, double: Instagram, services: Services, caller: Caller, api: Api) -> None:
        self.double: Instagram = double
        self.services: Services = services
        self.api: Api = api
        self.world: World = World(services, caller)
        self.accounts: dict[str, Account] = {}
        self.senders: dict[str, Sender] = {}
        self._client: Client | None = None
        self._graph: Graph = Graph(services.settings)

    async def connect(self, username: str, *, locale: str = "en", **wanted: Any) -> Account:
        """An account of the double as a sender of the workspace, by a token of the dashboard."""
        account = self.accounts[username] = await self.double.account(username, locale=locale)
        sender = self.senders[username] = await connected(
            self.services, self.world.caller, account, **(_UNPACED | wanted)
        )
        await self.world.all("UPDATE senders SET hourly_limit = $2, daily_limit = $2 WHERE id = $1",
                             sender.id.uuid, _NO_LIMIT)  # fmt: skip
        return account

    async def writes(self, username: str, account: Account, **more: Any) -> dict[str, Any]:
        await self.double.person(username)
        return await self.double.does(username, "writes", account, **({"text": "Hello"} | more))

    async def comments(self, username: str, account: Account, **more: Any) -> None:
        await self.double.person(username)
        await self.double.does(username, "comments", account, **({"text": "price?"} | more))

    async def hears(self) -> None:
        """Until workers have read everything that was delivered, with the names of those who wrote."""
        await self.double.settle()
        await until(self._is_heard, within_s=_KNOWN_WITHIN_S)

    async def _is_heard(self) -> bool:
        # A worker asks for one name of an account a second.
        await ask_names(self.services, self._graph)
        return await self.world.value("""
            SELECT NOT EXISTS (SELECT FROM inbound_posts)
               AND NOT EXISTS (SELECT FROM inbound WHERE processed_at IS NULL)
               AND NOT EXISTS (SELECT FROM conversations WHERE contact_id IS NULL)
        """)

    async def campaign(self, account: Account, people: Iterable[str], **fields: Any) -> Campaign:
        """One of this account's people alone: whoever wrote to an account is known to no other."""
        caller = self.world.caller
        self._client = self._client or await make.client(self.world.db, caller)
        sender = self.senders[account.username]
        return await self.world.campaign(
            list(people), started=False, client_id=self._client.id, sender_ids=[sender.id], **fields
        )

    async def ends_as(self, expected: dict[str, str], *, within_s: float = 60.0) -> None:
        """Until each person is in the expected state; if that does not come about, the assertion shows who is not."""
        others: dict[str, str | None] = {}
        try:
            async with asyncio.timeout(within_s):
                while others := await self._not_as(expected):  # noqa: ASYNC110 only the database knows
                    await asyncio.sleep(0.1)
        except TimeoutError:
            assert others == {}, f"these people are not as expected: {others}"

    async def _not_as(self, expected: dict[str, str]) -> dict[str, str | None]:
        found = await self.states()
        return {
            name: found.get(name) for name in expected.keys() | found.keys() if found.get(name) != expected.get(name)
        }

    async def states(self) -> dict[str, str]:
        found = await self.world.all("""
            SELECT k.username, t.state FROM targets t JOIN contacts k ON k.id = t.contact_id
        """)
        return {each["username"]: each["state"] for each in found}

    async def sender(self, account: Account) -> Any:
        """The sender's row as it is now."""
        [found] = await self.world.all("SELECT * FROM senders WHERE id = $1", self.senders[account.username].id.uuid)
        return found

    async def compare(self, account: Account) -> None:
        """What the Conversations API shows of this account's threads, read now and not within a quarter of an hour."""
        await self.world.all(
            "UPDATE reconciliations SET due_at = now() - interval '1 day', lease_until = NULL WHERE sender_id = $1",
            self.senders[account.username].id.uuid,
        )
        while await reconcile(self.services, self._graph, gap_s=0):
            pass
        await self.hears()

    async def forget_outcome(self, username: str) -> None:
        """As if the answer with Meta's id had been the last that was written down of this message: nobody knows."""
        await self.world.all("""
            WITH lost AS (
                UPDATE messages m SET state = 'unknown', error_code = 'outcome_unknown', evidence = '[]'
                FROM contacts k WHERE k.id = m.contact_id AND k.username = $1
                RETURNING m.target_id)
            UPDATE targets t SET state = 'unknown', sent_at = NULL FROM lost WHERE t.id = lost.target_id
        """, username)  # fmt: skip

    async def evidence(self, username: str) -> list[str]:
        """Of which kind the hints are that the only message to this person may have arrived."""
        found = await self.world.value("""
            SELECT coalesce(jsonb_agg(hint ->> 'kind') FILTER (WHERE hint IS NOT NULL), '[]')
            FROM messages m JOIN contacts k ON k.id = m.contact_id
            LEFT JOIN LATERAL jsonb_array_elements(m.evidence) AS hint ON true
            WHERE k.username = $1
        """, username)  # fmt: skip
        return list(found)

    async def orders_of(self, account: Account) -> int:
        """How many requests to send something the double got from this account."""
        return sum(
            each["method"] == "POST" and each["path"].endswith("/messages") and account.ig_id in each["path"]
            for each in await self.double.requests()
        )
