"""Why a campaign writes or does not, what is left of every limit, and what would stand in its way, as values."""

from datetime import datetime
from uuid import UUID

import msgspec

from iglayers.core.clock import Moment
from iglayers.core.ids import CampaignId, SenderId
from iglayers.messages.projection import Projection
from iglayers.reports.model_eligibility import WayCount


class Budget(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """One limit as it is now. `rule` is what `limitedBy` names, such as `campaign.hourly`."""

    rule: str
    limit: int
    used: int
    remaining: int
    frees_at: Moment | None  # when there is room again; None when there is room now


class SenderLine(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """A sender that may serve the campaign."""

    id: SenderId
    username: str
    status: str
    reason: str | None
    next_at: Moment | None  # None: it waits for a person
    limited_by: str | None
    budgets: list[Budget]


class CampaignStatus(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """Why a campaign is or is not sending."""

    campaign_id: CampaignId
    status: str
    code: str
    reason: str
    remedy: str | None
    limited_by: str | None
    next_at: datetime | None
    counts: dict[str, int]
    budgets: list[Budget]
    senders: list[SenderLine]
    projection: Projection
    routes: list[WayCount] = msgspec.field(default_factory=list[WayCount])


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A blocker or a warning; `targets` says how many people it is about."""

    code: str
    message: str
    remedy: str | None = None
    targets: int | None = None


class Preflight(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """What would stop a campaign, what a person should know before it starts, and how long it will take."""

    campaign_id: CampaignId
    ok: bool
    blockers: list[Finding]
    warnings: list[Finding]
    targets: int
    projection: Projection
    routes: list[WayCount] = msgspec.field(default_factory=list[WayCount])


class SenderFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A sender that may serve a campaign, with the moments of its last 25 hours."""

    id: SenderId
    username: str
    transport: str
    routes: list[str]
    state: str
    state_reason: str | None
    hourly_limit: int
    daily_limit: int
    min_gap_s: int
    ramp: bool
    sent_days: int
    last_sent_on: str | None
    warned_until: datetime | None
    begun: list[datetime]


class LaneFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of a campaign or client, and the moments of its last 25 hours."""

    id: UUID
    hourly_limit: int | None
    daily_limit: int | None
    begun: list[datetime]


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """People of a campaign that are still to be written to."""

    firsts: int
    follow_ups: list[datetime]
    follow_up_senders: list[str | None]
    follow_up_steps: list[int]
