"""Events and webhook endpoints as values."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from iglayers.core.errors import NotFound
from iglayers.core.ids import CampaignId, ClientId, ContactId, EventId, WorkspaceId


class EventType(StrEnum):
    """Every event there is, `noun.verb`; the first thirteen as published."""

    CAMPAIGN_CREATED = "campaign.created"
    CAMPAIGN_STARTED = "campaign.started"
    CAMPAIGN_PAUSED = "campaign.paused"
    CAMPAIGN_RESUMED = "campaign.resumed"
    CAMPAIGN_COMPLETED = "campaign.completed"
    TARGET_QUEUED = "target.queued"
    MESSAGE_SENT = "message.sent"
    MESSAGE_FAILED = "message.failed"
    MESSAGE_SKIPPED = "message.skipped"
    REPLY_RECEIVED = "reply.received"
    SENDER_WARNING = "sender.warning"
    SENDER_CHALLENGED = "sender.challenged"
    SENDER_DISABLED = "sender.disabled"
    CAMPAIGN_CANCELLED = "campaign.cancelled"
    MESSAGE_UNKNOWN = "message.unknown"
    SENDER_ACTIVE = "sender.active"
    CONTACT_OPTED_OUT = "contact.opted_out"
    USAGE_WARNING = "usage.warning"
    WEBHOOK_DISABLED = "webhook.disabled"
    IMPORT_COMPLETED = "import.completed"
    REPLY_LABELLED = "reply.labelled"
    ANSWER_SENT = "answer.sent"
    ANSWER_FAILED = "answer.failed"
    ANSWER_UNKNOWN = "answer.unknown"


class EventNotFound(NotFound):
    code = "not_found"


class NewEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What happened, to be recorded with the change."""

    type: EventType
    workspace_id: WorkspaceId
    at: datetime
    data: dict[str, Any]
    client_id: ClientId | None = None
    campaign_id: CampaignId | None = None
    contact_id: ContactId | None = None


class Event(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """An event as the feed and the webhooks show it: the same id and the same bytes in both."""

    id: EventId
    type: EventType
    created_at: datetime
    workspace_id: WorkspaceId
    sequence: int
    data: msgspec.Raw
