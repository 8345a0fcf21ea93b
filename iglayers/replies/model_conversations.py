"""Conversations as values: a person said something to an account, and what both wrote, in the order of time."""

from datetime import datetime

import msgspec

from iglayers.core.ids import CampaignId, ClientId, ContactId, ConversationId, Id, MessageId, ReplyId, SenderId
from iglayers.replies.labels import Label
from iglayers.sending.model_answers import Way


class Conversation(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """A conversation as a list shows it.

    `label` is that of the newest reply that says something clear, `needsAnswer` whether the person wrote last.
    """

    id: ConversationId
    instagram_username: str | None
    sender_id: SenderId
    sender_username: str
    label: Label | None
    needs_answer: bool
    last_reply: str | None
    last_inbound_at: datetime | None
    last_answer_at: datetime | None
    window_ends_at: datetime | None
    window_open: bool
    active_at: datetime


class Word(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """One thing that was written; `direction` is out for what we wrote, in for the person's.

    What a campaign wrote names it, with the step; what a person of ours wrote has an author. A reply has its label.
    """

    direction: str
    at: datetime
    text: str | None
    message_id: MessageId | None
    reply_id: ReplyId | None
    author: str | None
    campaign_id: CampaignId | None
    campaign_name: str | None
    step: int | None
    route: str | None
    status: str | None
    error_code: str | None
    reason: str | None
    label: Label | None
    opted_out: bool

    @property
    def id(self) -> Id:
        """Of the row, by which words of the same moment stand in order."""
        found = self.message_id or self.reply_id
        assert found is not None
        return found


class Thread(Conversation, frozen=True, kw_only=True):
    """A conversation with what was written, oldest first; `nextCursor` leads to what was written before."""

    answer: Way
    words: list[Word]
    has_more: bool
    next_cursor: str | None


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What a list of conversations is narrowed by; None: not narrowed."""

    only: ClientId | None
    sender_id: SenderId | None = None
    contact_id: ContactId | None = None
    label: Label | None = None
    window_open: bool | None = None
    needs_answer: bool | None = None
