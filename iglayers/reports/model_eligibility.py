"""Which way is open to whom, as values."""

from datetime import datetime

import msgspec

from iglayers.core.ids import ContactId, SenderId, TargetId
from iglayers.senders.model import Conversation


class Waits(msgspec.Struct, frozen=True, kw_only=True):
    """A person of a campaign; after a first message, the account that wrote it."""

    target_id: TargetId
    contact_id: ContactId
    username: str
    sender_id: SenderId | None


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A thread of an account with a person."""

    sender_id: SenderId
    contact_id: ContactId
    conversation: Conversation


class WayCount(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """How many people would be written to this way now; without a route, how many by none, and by which rule."""

    route: str | None
    targets: int
    rule: str


class WayNow(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """What one account may do for one person now: the route and until when, or the rule that forbids it."""

    sender_id: SenderId
    sender_username: str
    route: str | None
    rule: str
    until: datetime | None
