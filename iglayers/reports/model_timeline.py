"""What happened with one target, and why it stands where it stands, as values."""

from datetime import datetime
from typing import Any

import msgspec

from iglayers.core.clock import Moment
from iglayers.core.ids import MessageId, ReplyId
from iglayers.replies.labels import Label
from iglayers.reports.model_eligibility import WayNow
from iglayers.targets.model import Target


class Entry(msgspec.Struct, rename="camel", frozen=True, kw_only=True, omit_defaults=True):
    """Something that happened; `type` is the event's name where there is one."""

    at: Moment
    type: str
    actor: str | None = None
    message_id: str | None = None
    step: int | None = None
    variant: int | None = None
    sender_username: str | None = None
    route: str | None = None
    text: str | None = None
    error_code: str | None = None
    reason: str | None = None
    opted_out: bool = False
    label: Label | None = None


class Explanation(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """Why a target stands where it stands, what a person can do, and when it goes on by itself."""

    code: str
    reason: str
    remedy: str | None = None
    next_at: Moment | None = None


class TargetStory(Target, frozen=True, kw_only=True):
    """A target with its explanation and all that happened, oldest first."""

    explanation: Explanation
    timeline: list[Entry]
    routes: list[WayNow] = msgspec.field(default_factory=list[WayNow])


class MessageFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt, as the ledger has it."""

    id: MessageId
    step: int
    variant: int
    route: str
    sender_username: str
    text: str | None
    state: str
    begun_at: datetime
    settled_at: datetime | None
    error_code: str | None
    reason: str | None
    evidence: list[dict[str, Any]]
    author: str | None


class ReplyFacts(msgspec.Struct, frozen=True, kw_only=True):
    id: ReplyId
    received_at: datetime
    sender_username: str
    text: str | None
    opted_out: bool
    label: Label
    label_reason: str | None
    author: str | None


class AuditFacts(msgspec.Struct, frozen=True, kw_only=True):
    at: datetime
    actor: str
    action: str
    object_id: str
    reason: str | None
