"""Every event: when it happens, and what its `data` holds, as structs for their schemas and examples."""

from datetime import datetime
from typing import Any

import msgspec

from iglayers.core.ids import CampaignId, ClientId, ConversationId, MessageId, ReplyId, SenderId, TargetId
from iglayers.events.model import EventType
from iglayers.events.model_webhooks import Endpoint
from iglayers.replies.labels import Label
from iglayers.senders.model import Sender
from iglayers.targets.model_imports import Import


class EventCampaign(msgspec.Struct, rename="camel", kw_only=True, omit_defaults=True):
    """The campaign.

    `status` comes with events about the campaign itself, `metadata` with all but `target.queued`, `pausedReason` with
    a pause that no person asked for.
    """

    id: CampaignId
    name: str
    client_id: ClientId
    status: str | None = None
    metadata: dict[str, Any] = {}
    paused_reason: str | None = None


class EventTarget(msgspec.Struct, rename="camel", kw_only=True, omit_defaults=True):
    """The person, with the published fields. `target.queued` leaves `variables` out."""

    id: TargetId
    instagram_username: str | None
    profile_url: str | None
    full_name: str | None
    first_name: str | None
    category: str | None
    follower_count: int | None
    variables: dict[str, str] = {}


class EventMessage(msgspec.Struct, rename="camel", kw_only=True):
    """One attempt, and how it ended."""

    id: MessageId
    step: int
    status: str
    route: str
    sender_username: str
    begun_at: datetime
    sent_at: datetime | None
    error_code: str | None
    reason: str | None


class SkippedMessage(msgspec.Struct, rename="camel", kw_only=True):
    """A message that was not begun, and why."""

    step: int
    status: str
    error_code: str
    reason: str


class AnsweredMessage(msgspec.Struct, rename="camel", kw_only=True):
    """The message that a reply answers."""

    id: MessageId
    step: int
    route: str
    text: str | None


class EventReply(msgspec.Struct, rename="camel", kw_only=True):
    id: ReplyId
    text: str | None
    received_at: datetime
    opted_out: bool
    label: Label
    label_reason: str | None


class EventSender(msgspec.Struct, rename="camel", kw_only=True):
    id: SenderId
    username: str


class CampaignData(msgspec.Struct):
    campaign: EventCampaign


class TargetData(msgspec.Struct):
    campaign: EventCampaign
    target: EventTarget


class MessageData(msgspec.Struct):
    campaign: EventCampaign
    target: EventTarget
    message: EventMessage


class SkippedData(msgspec.Struct):
    campaign: EventCampaign
    target: EventTarget
    message: SkippedMessage


class ReplyData(msgspec.Struct):
    campaign: EventCampaign
    target: EventTarget
    message: AnsweredMessage
    reply: EventReply
    sender: EventSender


class SenderData(msgspec.Struct):
    sender: Sender


class OptedOutData(msgspec.Struct, rename="camel"):
    """`campaignId` names the campaign that the reply answered, if it answered one.

    Without a `reply` Instagram told that the person has blocked the account.
    """

    instagram_username: str | None
    campaign_id: CampaignId | None
    reply: EventReply | None
    sender: EventSender


class EventConversation(msgspec.Struct, rename="camel", kw_only=True):
    id: ConversationId | None
    instagram_username: str | None


class EventAnswer(msgspec.Struct, rename="camel", kw_only=True):
    """A person's answer, and how it ended."""

    id: MessageId
    status: str
    route: str
    author: str
    sender_username: str
    begun_at: datetime
    sent_at: datetime | None
    error_code: str | None
    reason: str | None


class AnswerData(msgspec.Struct):
    conversation: EventConversation
    message: EventAnswer
    sender: EventSender


class WebhookData(msgspec.Struct):
    webhook: Endpoint


class ImportData(msgspec.Struct, rename={"ended": "import"}):
    campaign: EventCampaign
    ended: Import


class MonthUsed(msgspec.Struct):
    month: str
    sent: int
    limit: int


class UsageData(msgspec.Struct):
    usage: MonthUsed


class Told(msgspec.Struct, frozen=True):
    """What an event tells: a sentence, the struct of its data, and what in the example differs from the usual."""

    note: str
    data: type[msgspec.Struct]
    shown: dict[str, dict[str, Any]] = {}


def _campaign(note: str, status: str) -> Told:
    return Told(note, CampaignData, {"campaign": {"status": status}})


_FAILED = {"status": "failed", "sentAt": None, "errorCode": "recipient_unavailable"}
_UNKNOWN = {"status": "unknown", "sentAt": None, "errorCode": "outcome_unknown", "reason": "No answer within 20 s."}

TOLD: dict[EventType, Told] = {
    EventType.CAMPAIGN_CREATED: _campaign("A campaign was created.", "draft"),
    EventType.CAMPAIGN_STARTED: _campaign("A campaign was started.", "running"),
    EventType.CAMPAIGN_PAUSED: _campaign("A campaign was paused.", "paused"),
    EventType.CAMPAIGN_RESUMED: _campaign("A campaign was resumed.", "running"),
    EventType.CAMPAIGN_COMPLETED: _campaign("Nobody of a campaign is left to write to.", "completed"),
    EventType.TARGET_QUEUED: Told("A person was added to a campaign.", TargetData),
    EventType.MESSAGE_SENT: Told("A message arrived.", MessageData),
    EventType.MESSAGE_FAILED: Told(
        "A message could not be sent, and will not be.", MessageData,
        {"message": _FAILED | {"reason": "The person takes no messages from this account."}},
    ),
    EventType.MESSAGE_SKIPPED: Told("A message was left out, before it was begun.", SkippedData),
    EventType.REPLY_RECEIVED: Told("A person answered.", ReplyData),
    EventType.REPLY_LABELLED: Told("A person said what a reply amounts to.", ReplyData),
    EventType.ANSWER_SENT: Told("A person's answer in a conversation arrived.", AnswerData),
    EventType.ANSWER_FAILED: Told(
        "A person's answer could not be sent, and will not be.", AnswerData,
        {"message": _FAILED | {"reason": "The window is closed."}},
    ),
    EventType.ANSWER_UNKNOWN: Told(
        "Nobody knows whether a person's answer arrived; no machine sends it again.", AnswerData, {"message": _UNKNOWN}
    ),
    EventType.SENDER_WARNING: Told(
        "Instagram asked an account to slow down: its limits are halved for 24 hours.", SenderData,
        {"sender": {"warnedUntil": "2026-05-05T09:30:00.000Z", "stateReason": "slow down"}},
    ),
    EventType.SENDER_CHALLENGED: Told(
        "Instagram asked an account for something: it stops until a person resumes it.", SenderData,
        {"sender": {"state": "challenged", "stateReason": "confirm the phone number"}},
    ),
    EventType.SENDER_DISABLED: Told(
        "Access to an account was removed: it stops until a person resumes it.", SenderData,
        {"sender": {"state": "disabled", "stateReason": "access was removed"}},
    ),
    EventType.CAMPAIGN_CANCELLED: _campaign("A campaign was cancelled.", "cancelled"),
    EventType.MESSAGE_UNKNOWN: Told(
        "Nobody knows whether a message arrived; no machine sends it again.", MessageData, {"message": _UNKNOWN}
    ),
    EventType.SENDER_ACTIVE: Told("An account that was stopped may send again.", SenderData),
    EventType.CONTACT_OPTED_OUT: Told(
        "A person asked not to be written to, and is suppressed in the whole workspace.", OptedOutData,
        {"reply": {"text": "Please stop", "optedOut": True}},
    ),
    EventType.IMPORT_COMPLETED: Told(
        "An import has ended; `state` says how.", ImportData, {"import": {"state": "completed"}}
    ),
    EventType.USAGE_WARNING: Told("80 % of the month's messages are used, or all of them.", UsageData),
    EventType.WEBHOOK_DISABLED: Told(
        "An endpoint is called no more: it answered 410, failed for five days, or was disabled by a person.",
        WebhookData, {"webhook": {"state": "disabled", "disabledReason": "failing"}},
    ),
}  # fmt: skip
