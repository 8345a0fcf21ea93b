"""Campaigns as values, their states and which may follow which."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

import msgspec

from iglayers.core.errors import Conflict, NotFound
from iglayers.core.ids import CampaignId, ClientId, SenderId, TemplateId
from iglayers.messages.schedule import Schedule


class CampaignNotFound(NotFound):
    code = "campaign_not_found"


class PreflightFailed(Conflict):
    code = "preflight_failed"
    remedy = "Give the named variables to every target, add fallbacks to the template, or set missingVariable to skip."


class CampaignState(StrEnum):
    DRAFT = "draft"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


FOLLOWS: dict[CampaignState, frozenset[CampaignState]] = {
    CampaignState.DRAFT: frozenset({CampaignState.RUNNING, CampaignState.CANCELLED}),
    CampaignState.RUNNING: frozenset({CampaignState.PAUSED, CampaignState.COMPLETED, CampaignState.CANCELLED}),
    CampaignState.PAUSED: frozenset({CampaignState.RUNNING, CampaignState.CANCELLED}),
    CampaignState.COMPLETED: frozenset({CampaignState.RUNNING}),
    CampaignState.CANCELLED: frozenset(),
}


class Blocker(StrEnum):
    """Why a running campaign waits for something other than its pace; it goes on by itself when that is gone."""

    SENDER_NOT_AVAILABLE = "sender_not_available"
    USAGE_LIMIT_EXCEEDED = "usage_limit_exceeded"
    OUTSIDE_SCHEDULE = "outside_schedule"


class Variant(msgspec.Struct, rename="camel", frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One of several texts of a step; who gets it is drawn by weight from a hash of the target."""

    message_template_id: TemplateId
    weight: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 1


class FollowUp(
    msgspec.Struct, rename="camel", frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True
):
    """A further message to those who did not reply, this many hours after the one before."""

    message_template_id: TemplateId
    delay_hours: int
    variants: list[Variant] = []


class Campaign(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """A campaign as the API shows it."""

    id: CampaignId
    client_id: ClientId
    name: str
    state: CampaignState = msgspec.field(name="status")
    message_template_id: TemplateId
    variants: list[Variant]
    follow_ups: list[FollowUp]
    hourly_limit: int | None
    daily_limit: int | None
    sender_ids: list[SenderId]
    routes: list[str]
    schedule: Schedule | None
    missing_variable: str
    metadata: dict[str, Any]
    blocked_reason: Blocker | None
    paused_reason: str | None
    limited_by: str | None
    next_at: datetime | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    cancelled_at: datetime | None
    archived_at: datetime | None


class Serving(msgspec.Struct, frozen=True):
    """How many senders may serve a campaign, by what they are able to do now."""

    active: int
    challenged: int
    others: int


def event_data(campaign: Campaign) -> dict[str, Any]:
    """The campaign as every event about it or its people shows it."""
    return {
        "id": campaign.id,
        "name": campaign.name,
        "clientId": campaign.client_id,
        "status": campaign.state,
        "metadata": campaign.metadata,
        **({"pausedReason": campaign.paused_reason} if campaign.paused_reason else {}),
    }
