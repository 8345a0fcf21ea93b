"""Orders to people of the double, through whatever way is open to them, and what the double really took."""

from typing import Any
from uuid import uuid4

from iglayers.accounts.model import Caller
from iglayers.core.clock import Moment
from iglayers.core.ids import ContactId, MessageId
from iglayers.senders import model
from iglayers.senders.model import Address, Comment, Conversation, Order, Permitted, Recipient, Sender
from iglayers.senders.transports.instagram import eligibility
from tests.doubles.control import Account, Instagram


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
