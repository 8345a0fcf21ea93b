"""Messages as values, their states and which may follow which."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from iglayers.core.errors import NotFound
from iglayers.core.ids import CampaignId, ClientId, ContactId, MessageId, SenderId, TargetId


class MessageState(StrEnum):
    SENDING = "sending"
    HANDED_OVER = "handed_over"
    CLAIMED = "claimed"
    SENT = "sent"
    FAILED = "failed"
    SKIPPED = "skipped"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


# What may follow what. Nothing leads from `unknown` back to `sending`: a re-send is a new attempt that a person wants.
FOLLOWS: dict[MessageState, frozenset[MessageState]] = {
    MessageState.SENDING: frozenset(
        {MessageState.SENT, MessageState.FAILED, MessageState.NOT_SENT, MessageState.UNKNOWN}
    ),
    MessageState.HANDED_OVER: frozenset({MessageState.CLAIMED, MessageState.SKIPPED}),
    MessageState.CLAIMED: frozenset(
        {
            MessageState.SENT, MessageState.FAILED, MessageState.SKIPPED, MessageState.UNKNOWN,
            MessageState.HANDED_OVER,
        }
    ),
    MessageState.UNKNOWN: frozenset({MessageState.SENT, MessageState.NOT_SENT, MessageState.FAILED}),
    MessageState.SENT: frozenset(),
    MessageState.FAILED: frozenset(),
    MessageState.SKIPPED: frozenset(),
    MessageState.NOT_SENT: frozenset({MessageState.UNKNOWN}),  # evidence, before another attempt has begun
}  # fmt: skip


class MessageNotFound(NotFound):
    code = "not_found"


class Message(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """A message as the API shows it."""

    id: MessageId
    kind: str  # step, of a campaign; answer, of a person in a conversation
    campaign_id: CampaignId | None
    target_id: TargetId | None
    contact_id: ContactId
    instagram_username: str | None
    sender_id: SenderId
    sender_username: str
    step: int
    variant: int
    route: str
    text: str | None
    status: MessageState
    begun_at: datetime
    settled_at: datetime | None
    provider_message_id: str | None
    error_code: str | None
    reason: str | None
    evidence: list[dict[str, Any]]
    author: str | None


class ContactedTwice(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """A client, or (none) the workspace, that had written to one person under two names before they were merged."""

    client_id: ClientId | None
    kept_target_id: TargetId
    other_target_id: TargetId
