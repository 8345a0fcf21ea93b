"""Senders, and the plain values that every transport takes and gives."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol, assert_never
from uuid import UUID

import msgspec

from iglayers.core.clock import Moment
from iglayers.core.errors import Conflict, NotFound
from iglayers.core.ids import ClientId, ContactId, MessageId, SenderId, WorkspaceId


class SenderNotFound(NotFound):
    code = "sender_not_found"


class SenderNotAvailable(Conflict):
    code = "sender_not_available"
    remedy = "Add a sender that serves this client, or resume one."


class InstagramChallengeDetected(Conflict):
    code = "instagram_challenge_detected"
    remedy = "Open Instagram as this account, do what it asks, then resume the sender."


class SenderState(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"  # by a person
    CHALLENGED = "challenged"  # Instagram asked for something; a person resumes it
    DISABLED = "disabled"  # access was removed


class Trouble(StrEnum):
    """What an attempt showed about its sender, beyond this one message."""

    WARNING = "warning"  # slow down: limits are halved for 24 h
    CHALLENGED = "challenged"
    DISABLED = "disabled"


class Rest(msgspec.Struct, frozen=True):
    """The provider asked an account to wait, or is about to: nothing more leaves through it until then."""

    until: datetime  # the workspace's time
    reason: str


class Sent(msgspec.Struct, frozen=True):
    """The provider took the message and named it."""

    provider_message_id: str | None  # None: a person said so
    rest: Rest | None = None


class HandedOver(msgspec.Struct, frozen=True):
    """A person will send it: the outbox shows a card."""


class NotSent(msgspec.Struct, frozen=True, kw_only=True):
    """Proof that nothing reached the person: a failure before the first byte, or a documented rejection.

    With `retry_at` the target is queued again; without it, this is final. `opted_out`: the person has blocked the
    account or stopped its messages, and must not be written to by anybody.
    """

    code: str
    reason: str
    retry_at: datetime | None = None
    trouble: Trouble | None = None
    rest: Rest | None = None
    opted_out: bool = False


class Unknown(msgspec.Struct, frozen=True):
    """Nobody knows whether it arrived; no machine tries again."""

    reason: str


Outcome = Sent | HandedOver | NotSent | Unknown


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """The sender's side of an order."""

    id: SenderId
    workspace_id: WorkspaceId
    username: str
    instagram_id: str | None = None


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """The person's side of an order."""

    contact_id: ContactId
    username: str


class Comment(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """A comment of a person below a post of the account; it may be answered by one private message."""

    id: str
    at: Moment  # when it was written, or first seen where the provider does not tell
    media_id: str | None = None


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """What a sender knows of its thread with a person, in the workspace's time."""

    igsid: str | None = None
    window_ends_at: Moment | None = None
    last_inbound_at: Moment | None = None
    comments: list[Comment] = []  # those that were not answered yet


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a provider finds the person: by its own id for the thread, or by the comment that is answered."""

    igsid: str | None = None
    comment_id: str | None = None


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to deliver one text to one person. `reference` comes back in an echo."""

    message_id: MessageId
    reference: UUID
    account: Account
    recipient: Recipient
    address: Address = Address()
    route: str
    text: str
    now: Moment
    deadline_s: float


class Permitted(msgspec.Struct, frozen=True, kw_only=True):
    """The way that is open to this person now, by which rule, and until when.

    A route is a transport's name, or that and the provider's own route: `instagram.window`, `instagram.comment`.
    """

    route: str
    rule: str
    until: datetime | None = None
    address: Address = Address()


class NotPermitted(msgspec.Struct, frozen=True):
    """No way is open to this person now, and the rule that forbids it."""

    rule: str


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """Something that came in, once for each provider key.

    `fact` of whatever a person did holds `username` where the provider tells it, or `igsid`, the person's id for this
    account; of a reply also `text`. Of an echo, the provider's report of a message of the account's:
    `providerMessageId`, and the order's `reference` where the provider carries it back.
    """

    provider_key: str
    kind: str  # reply, echo, deletion, edit, reaction, read, comment, referral, other
    occurred_at: Moment
    fact: dict[str, Any]


class Transport(Protocol):
    """A way for messages to leave. One folder each; all pass `tests/senders/test_conformance.py`."""

    name: str
    by_hand: bool  # a person sends; messages wait for one in the outbox

    def permitted(
        self, recipient: Recipient, conversation: Conversation | None, now: datetime
    ) -> Permitted | NotPermitted:
        """What the platform permits for this person at this moment; no input or output."""
        ...

    async def deliver(self, order: Order) -> Outcome:
        """One request, one deadline, no retry. Never raises: what it cannot classify is Unknown."""
        ...

    async def look_up(self, order_reference: UUID, provider_message_id: str | None) -> Sent | None:
        """Evidence that an unknown message arrived; None when the provider cannot tell."""
        ...

    def parse_inbound(self, raw: dict[str, Any]) -> list[Fact]:
        """Raw input as facts, each with the provider's own key."""
        ...


class Sender(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """A sender as the API shows it; today's budget is added by the route."""

    id: SenderId
    username: str
    transport: str
    routes: list[str]
    client_ids: list[ClientId]
    state: SenderState
    state_reason: str | None
    hourly_limit: int
    daily_limit: int
    ramp: bool
    min_gap_seconds: int
    warned_until: datetime | None
    rests_until: datetime | None = None
    rest_reason: str | None = None
    sent_days: int
    last_sent_on: str | None
    last_begun_at: datetime | None
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None = None


class Health(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """Whether a sender can write now, and every reason why not or not as much as usual."""

    status: str  # ok, limited, stopped
    reasons: list[str]


class Allowance(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """One limit as it is now, what was begun in its rolling window, and what is left."""

    limit: int
    sent: int
    remaining: int


class Today(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """What a sender may still write: the last 60 minutes, the last 24 hours, and when the next message may go."""

    hourly: Allowance
    daily: Allowance
    ready_at: datetime | None  # None: stopped until a person resumes it
    limited_by: str


class SenderReport(Sender, frozen=True, kw_only=True):
    """A sender with its health and today's budget."""

    health: Health
    budget: Today


class CheckStep(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """One step of looking at a connection; `text` says what to do where it is not ok."""

    step: str
    ok: bool
    text: str


class SenderChecked(SenderReport, frozen=True, kw_only=True):
    """A sender as it is now, and what its provider says when it is asked; no steps where there is nothing to ask."""

    connection: list[CheckStep]


class Inbound(msgspec.Struct, frozen=True, kw_only=True):
    """A stored fact that the replies slice has not read yet."""

    id: UUID
    workspace_id: WorkspaceId
    sender_id: SenderId
    provider_key: str
    kind: str
    fact: dict[str, Any]
    occurred_at: Moment


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """A fact and the account it came in for."""

    workspace_id: WorkspaceId
    sender_id: SenderId
    fact: Fact


def health(sender: Sender, now: datetime) -> Health:
    """What a person should know about this account, worst first."""
    reasons: list[str] = []
    because = f": {sender.state_reason}" if sender.state_reason else "."
    if sender.archived_at is not None:
        reasons.append("Deleted. Add the same username again to use it.")
    match sender.state:
        case SenderState.ACTIVE:
            pass
        case SenderState.PAUSED:
            told = f"Paused{because} Resume it to go on." if sender.state_reason else None
            reasons.append(told or "Paused by a person; resume it to go on.")
        case SenderState.CHALLENGED:
            reasons.append(f"Instagram asked this account for something{because} Do it, then resume the sender.")
        case SenderState.DISABLED:
            reasons.append(f"Access to this account was removed{because} Restore it, then resume the sender.")
        case _:
            assert_never(sender.state)
    status = "stopped" if reasons else "ok"
    if sender.warned_until is not None and sender.warned_until > now:
        because = f" ({sender.state_reason})" if sender.state_reason and sender.state is SenderState.ACTIVE else ""
        reasons.append(f"Instagram asked to slow down{because}: limits are halved until {_shown(sender.warned_until)}.")
        status = "limited" if status == "ok" else status
    if sender.rests_until is not None and sender.rests_until > now:
        reasons.append(f"It rests until {_shown(sender.rests_until)}: {sender.rest_reason}")
        status = "limited" if status == "ok" else status
    return Health(status=status, reasons=reasons)


def _shown(moment: datetime) -> str:
    return Moment.of(moment).rfc3339()
