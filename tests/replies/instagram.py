"""An account of the live workspace that is connected to Instagram, told what a webhook would tell."""

from typing import Any

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.core.clock import real_now
from iglayers.core.db import Database
from iglayers.replies import names
from iglayers.senders.model import Sender
from iglayers.senders.receiving import receive_from_instagram
from tests.conftest import PEPPER
from tests.replies.ledger import Ledger
from tests.senders.connected import ACCOUNT, JANE, connect, envelope
from tests.senders.orders import a_sender


class Inbox(Ledger):
    """A ledger whose sender is the account."""

    @classmethod
    async def opened(cls, database: Database, services: Services, caller: Caller) -> "Inbox":
        sender = await a_sender(database, caller)
        await connect(database, services, caller, sender)
        return cls(database, caller, sender)

    async def gets(self, *events: dict[str, Any], **entry: Any) -> None:
        """One delivery; nothing is read yet."""
        async with self.database.connection() as conn:
            await receive_from_instagram(conn, envelope(*events, account=ACCOUNT, **entry), now=real_now())

    async def got(self, *events: dict[str, Any], **entry: Any) -> None:
        """One delivery, read as often as there is something to read."""
        await self.gets(*events, **entry)
        await self.read_all()

    async def read_all(self) -> None:
        while await self.read():
            pass

    async def learns(self, username: str, igsid: str = JANE, *, sender: Sender | None = None) -> None:
        """Instagram tells who this is."""
        async with self.database.transaction() as conn:
            await names.learn(
                conn, self.caller.workspace_id, (sender or self.sender).id, igsid=igsid, username=username,
                pepper=PEPPER, now=self.caller.now,
            )  # fmt: skip
        await self.read_all()

    async def thread(self, igsid: str = JANE) -> Any:
        async with self.database.connection() as conn:
            return await conn.fetchrow(
                """
                SELECT v.*, c.username AS contact FROM conversations v LEFT JOIN contacts c ON c.id = v.contact_id
                WHERE v.igsid = $1 AND v.sender_id = $2
                """,
                igsid, self.sender.id.uuid,
            )  # fmt: skip

    async def replies(self) -> list[Any]:
        return await self.all("""
            SELECT r.*, c.username FROM replies r LEFT JOIN contacts c ON c.id = r.contact_id ORDER BY r.received_at
        """)
