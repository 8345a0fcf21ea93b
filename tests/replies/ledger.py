"""People who were written to, as rows that the engine would have left, and what came back for them."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec

from iglayers.accounts.model import Caller
from iglayers.contacts import queries as contacts
from iglayers.contacts.usernames import handle_hash
from iglayers.core.clock import Moment
from iglayers.core.db import Database
from iglayers.core.ids import CampaignId, ClientId, MessageId, TargetId, uuid7
from iglayers.replies.actions_inbound import process_inbound
from iglayers.senders import actions as senders
from iglayers.senders.model import Fact, Sender
from tests import make
from tests.conftest import PEPPER


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """One person in one campaign, and the attempt to write to them."""

    campaign_id: CampaignId
    client_id: ClientId
    target_id: TargetId
    message_id: MessageId
    attempt_id: UUID


class Ledger:
    """Writes rows for one workspace; all through one sender unless another is named."""

    def __init__(self, database: Database, caller: Caller, sender: Sender) -> None:
        self.database = database
        self.caller = caller
        self.sender = sender

    async def wrote_to(
        self,
        username: str,
        *,
        target: str = "sent",
        message: str = "sent",
        ago: timedelta = timedelta(hours=1),
        follow_up: bool = False,
        sender: Sender | None = None,
    ) -> Written:
        client = await make.client(self.database, self.caller)
        workspace_id, now = self.caller.workspace_id.uuid, self.caller.now
        campaign_id, target_id, message_id, attempt_id = uuid4(), uuid7(), uuid7(), uuid4()
        begun_at = now - ago
        due = now + timedelta(days=2) if follow_up else now if target == "queued" else None
        async with self.database.transaction() as conn:
            [contact] = await contacts.upsert_many(
                conn, self.caller.workspace_id, ids=[uuid7()], hashes=[handle_hash(PEPPER, username)],
                usernames=[username], now=now,
            )  # fmt: skip
            await conn.execute(
                """
                INSERT INTO campaigns (id, workspace_id, client_id, name, state, due_at, metadata, created_at,
                                       updated_at)
                VALUES ($1, $2, $3, 'May', 'running', now(), '{"source": "agent"}', $4, $4)
                """,
                campaign_id, workspace_id, client.id.uuid, now,
            )  # fmt: skip
            await conn.execute(
                """
                INSERT INTO targets (id, workspace_id, campaign_id, contact_id, first_name, follower_count, state,
                                     sender_id, next_step, next_due_at, created_at, updated_at)
                VALUES ($1, $2, $3, $4, 'Jane', 24000, $5, $6, $7, $8, $9, $9)
                """,
                target_id, workspace_id, campaign_id, contact.id.uuid, target, self.sender.id.uuid,
                int(follow_up), due, now,
            )  # fmt: skip
            await conn.execute(
                """
                INSERT INTO messages (id, workspace_id, client_id, campaign_id, target_id, contact_id, sender_id, route,
                                      body, state, attempt_id, lease_until, begun_at, author)
                VALUES ($1, $2, $3, $4, $5, $6, $7, 'sandbox', 'Hi!', $8, $9, now(), $10,
                        CASE $8 WHEN 'claimed' THEN 'user Ann' END)
                """,
                message_id, workspace_id, client.id.uuid, campaign_id, target_id, contact.id.uuid,
                (sender or self.sender).id.uuid, message, attempt_id, begun_at,
            )  # fmt: skip
        return Written(
            campaign_id=CampaignId(campaign_id), client_id=client.id, target_id=TargetId(target_id),
            message_id=MessageId(message_id), attempt_id=attempt_id,
        )  # fmt: skip

    async def came_in(
        self, username: str, text: str, *, at: datetime | None = None, key: str | None = None,
        sender: Sender | None = None,
    ) -> None:  # fmt: skip
        """A reply as a provider tells it; not read yet."""
        await self.told("reply", {"username": username, "text": text}, at=at, key=key, sender=sender)

    async def told(
        self, kind: str, fact: dict[str, Any], *, at: datetime | None = None, key: str | None = None,
        sender: Sender | None = None,
    ) -> None:  # fmt: skip
        moment = Moment.of(at or self.caller.now)
        async with self.database.transaction() as conn:
            await senders.receive(
                conn, self.caller.workspace_id, (sender or self.sender).id,
                [Fact(provider_key=key or uuid4().hex, kind=kind, occurred_at=moment, fact=fact)],
            )  # fmt: skip

    async def read(self) -> int:
        return await process_inbound(self.database, pepper=PEPPER)

    async def target(self, written: Written) -> Any:
        async with self.database.connection() as conn:
            return await conn.fetchrow("SELECT * FROM targets WHERE id = $1", written.target_id.uuid)

    async def events(self, kind: str) -> list[dict[str, Any]]:
        async with self.database.connection() as conn:
            found = await conn.fetch("SELECT data FROM events WHERE type = $1 ORDER BY sequence", kind)
        return [msgspec.json.decode(each["data"]) for each in found]

    async def all(self, sql: str) -> list[Any]:
        async with self.database.connection() as conn:
            return await conn.fetch(sql)
