"""A person's answer in a conversation, as values: what decides about it, and what settling it needs."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from iglayers.core.clock import Clock, Moment
from iglayers.core.errors import Conflict, NotFound
from iglayers.core.ids import ClientId, ContactId, ConversationId, MessageId, SenderId, WorkspaceId
from iglayers.senders.model import Conversation, SenderState


class ConversationNotFound(NotFound):
    code = "not_found"


class NoPermittedRoute(Conflict):
    """The platform's rules let nobody write to this person through this account now."""

    code = "no_permitted_route"
    remedy = "Wait until the person writes again: that opens the window for 24 hours."


class NewAnswer(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """`by_hand`: a person has written it in Instagram already, and it is only written down."""

    text: str
    by_hand: bool = False


class Way(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """How an answer would go now, by which rule and until when; without a route, the rule that forbids it."""

    route: str | None
    rule: str
    until: datetime | None = None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides whether a conversation may be answered now."""

    id: ConversationId
    sender_id: SenderId
    sender_username: str
    instagram_id: str | None
    routes: list[str]
    sender_state: SenderState
    sender_state_reason: str | None
    is_archived: bool
    rests_until: datetime | None
    contact_id: ContactId | None
    username: str | None
    client_id: ClientId | None  # of the newest word between them
    igsid: str | None
    window_ends_at: datetime | None
    last_inbound_at: datetime | None
    comments: list[dict[str, Any]]
    is_merged: bool
    is_suppressed: bool
    opted_out: bool
    is_busy: bool  # a message of the sender is on its way
    dispatch: str

    @property
    def conversation(self) -> Conversation:
        return msgspec.convert(
            {
                "igsid": self.igsid, "comments": self.comments,
                "window_ends_at": self.window_ends_at and Moment.of(self.window_ends_at),
                "last_inbound_at": self.last_inbound_at and Moment.of(self.last_inbound_at),
            },
            Conversation,
        )  # fmt: skip


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that has begun, with all that settling it needs."""

    message_id: MessageId
    attempt_id: UUID
    workspace_id: WorkspaceId
    client_id: ClientId | None
    contact_id: ContactId
    username: str | None
    sender_id: SenderId
    sender_username: str
    conversation_id: ConversationId | None  # None: erased, or known no more
    route: str
    author: str
    begun_at: Moment
    clock: Clock


class AnswerRow(msgspec.Struct, frozen=True, kw_only=True):
    """An answer as the database tells it, the clock in pieces."""

    message_id: MessageId
    attempt_id: UUID
    workspace_id: WorkspaceId
    client_id: ClientId | None
    contact_id: ContactId
    username: str | None
    sender_id: SenderId
    sender_username: str
    conversation_id: ConversationId | None
    route: str
    author: str
    begun_at: Moment
    real_at: datetime
    at: datetime
    speed: float


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """What an outcome means for an answer."""

    state: str
    error_code: str | None = None
    reason: str | None = None
    provider_message_id: str | None = None
