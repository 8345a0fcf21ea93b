"""Connected accounts, orders to people of the double by whatever way is open, and what the double really took."""

from typing import Any
from uuid import uuid4

import msgspec

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.core.clock import Moment
from iglayers.core.db import Database
from iglayers.core.ids import ContactId, MessageId, uuid7
from iglayers.senders import actions, model
from iglayers.senders.model import Address, Comment, Conversation, Order, Permitted, Recipient, Sender
from iglayers.senders.transports.instagram import connect, eligibility
from iglayers.senders.transports.instagram.graph import Graph
from tests.doubles.control import APP_ID, APP_SECRET, META_SECRET, VERIFY_TOKEN, Account, Instagram


def at_the_double(services: Services, double: Instagram) -> Services:
    """An installation that takes the double for Meta."""
    settings = msgspec.structs.replace(
        services.settings, instagram_app_id=APP_ID, instagram_app_secret=APP_SECRET,
        instagram_meta_app_secret=META_SECRET, instagram_verify_token=VERIFY_TOKEN, instagram_graph_url=double.url,
        instagram_api_url=double.url, instagram_www_url=double.url, public_url="https://app.example",
    )  # fmt: skip
    return msgspec.structs.replace(services, settings=settings)


async def connected(services: Services, caller: Caller, account: Account, **wanted: Any) -> Sender:
    """The sender of an account, with a token of the dashboard."""
    found = await connect.by_token(Graph(services.settings), account.access_token)
    async with services.db.transaction() as conn:
        return await connect.keep(conn, caller, services, found, actions.SenderChange(**wanted))


async def writes(double: Instagram, account: Account, username: str, **more: Any) -> str:
    """Somebody who has just written; their id for the account."""
    await double.person(username)
    return (await double.does(username, "writes", account, text="Hello", **more))["igsid"]


async def comments(double: Instagram, account: Account, username: str, **more: Any) -> str:
    """Somebody who has commented; the comment's id."""
    await double.person(username)
    return (await double.does(username, "comments", account, text="price?", **more))["comment_id"]


def order_by(caller: Caller, sender: Sender, username: str, way: Permitted, **more: Any) -> Order:
    fields: dict[str, Any] = {"text": f"Hi {username}!", "deadline_s": 5.0} | more
    return Order(
        message_id=MessageId.new(), reference=uuid4(), route=way.route, address=way.address, now=caller.now,
        account=model.Account(id=sender.id, workspace_id=caller.workspace_id, username=sender.username),
        recipient=Recipient(contact_id=ContactId.new(), username=username), **fields,
    )  # fmt: skip


def to_igsid(caller: Caller, sender: Sender, username: str, igsid: str, **more: Any) -> Order:
    """To somebody who has just written."""
    window = Moment.of(caller.now + eligibility.COMMENT_OPEN)
    way = eligibility.permitted(Conversation(igsid=igsid, window_ends_at=window), caller.now)
    assert isinstance(way, Permitted)
    return order_by(caller, sender, username, way, **more)


def to_comment(caller: Caller, sender: Sender, username: str, comment_id: str, **more: Any) -> Order:
    way = eligibility.permitted(Conversation(comments=[Comment(id=comment_id, at=caller.now)]), caller.now)
    assert isinstance(way, Permitted)
    return order_by(caller, sender, username, way, **more)


def by_hand(caller: Caller, sender: Sender, username: str, igsid: str) -> Order:
    way = Permitted(route=eligibility.HUMAN_AGENT, rule="a person wrote it", address=Address(igsid=igsid))
    return order_by(caller, sender, username, way)


async def taken(double: Instagram, username: str) -> list[str]:
    """The ids under which the double has really stored messages to this person."""
    return [each["mid"] for each in await double.sent() if each["person"] == username]


async def known(database: Database, order: Order, **columns: Any) -> None:
    """The conversation of an order, as it was known before."""
    async with database.connection() as conn:
        await conn.execute(
            "INSERT INTO contacts (id, workspace_id, handle_hash, username, created_at) VALUES ($1, $2, $3, $4, now())",
            order.recipient.contact_id.uuid, order.account.workspace_id.uuid, order.recipient.contact_id.uuid.bytes,
            order.recipient.username,
        )  # fmt: skip
        await conn.execute(
            "INSERT INTO conversations (id, workspace_id, sender_id, contact_id, window_ends_at, comments, created_at) "
            "VALUES ($1, $2, $3, $4, $5, $6, now())",
            uuid7(), order.account.workspace_id.uuid, order.account.id.uuid, order.recipient.contact_id.uuid,
            columns.get("window_ends_at"), columns.get("comments", []),
        )  # fmt: skip


async def begun(database: Database, order: Order) -> None:
    """The row that the ledger keeps of an order."""
    await known(database, order)
    async with database.connection() as conn:
        await conn.execute(
            "INSERT INTO messages (id, workspace_id, kind, contact_id, sender_id, route, state, attempt_id, begun_at) "
            "VALUES ($1, $2, 'answer', $3, $4, $5, 'unknown', $1, now())",
            order.reference, order.account.workspace_id.uuid, order.recipient.contact_id.uuid, order.account.id.uuid,
            order.route,
        )  # fmt: skip
