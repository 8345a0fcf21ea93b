"""Senders and orders for tests, and what the sandbox's own log and schedule say."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from iglayers.accounts import queries as account_queries
from iglayers.accounts.model import Caller
from iglayers.core.clock import Clock, Moment, real_now
from iglayers.core.db import Database
from iglayers.core.ids import ContactId, MessageId, WorkspaceId
from iglayers.senders import actions
from iglayers.senders.model import Account, Order, Recipient, Sender


async def a_sender(database: Database, caller: Caller, username: str = "acme.official", **fields: Any) -> Sender:
    wanted: dict[str, Any] = {"transport": "sandbox" if caller.mode == "test" else "assisted"} | fields
    async with database.transaction() as conn:
        return await actions.add(conn, caller, actions.NewSender(username=username, **wanted))


def order_to(caller: Caller, sender: Sender, username: str, *, deadline_s: float = 5, text: str = "Hi!") -> Order:
    return Order(
        message_id=MessageId.new(), reference=uuid4(), route="sandbox", text=text, now=caller.now,
        deadline_s=deadline_s,
        account=Account(id=sender.id, workspace_id=caller.workspace_id, username=sender.username),
        recipient=Recipient(contact_id=ContactId.new(), username=username),
    )  # fmt: skip


async def logged(database: Database, username: str) -> list[str]:
    """The ids under which the sandbox delivered to this person."""
    async with database.connection() as conn:
        found = await conn.fetch("SELECT id FROM sandbox_messages WHERE recipient = $1 ORDER BY id", username)
    return [str(each["id"]) for each in found]


async def count(database: Database, table: str) -> int:
    async with database.connection() as conn:
        return await conn.fetchval(f"SELECT count(*) FROM {table}")


async def move_clock(database: Database, workspace_id: WorkspaceId, by: timedelta) -> None:
    """Let a test workspace's clock stand `by` later."""
    now = real_now()
    async with database.transaction() as conn:
        clock = await account_queries.clock(conn, workspace_id)
        assert clock is not None
        await account_queries.set_clock(
            conn, workspace_id, Clock(real_at=now, at=Moment.of(clock.shows(now) + by), speed=clock.speed)
        )
