"""What the engine reads and decides, as values."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from iglayers.core.clock import Clock, Moment
from iglayers.core.ids import CampaignId, ClientId, ContactId, MessageId, SenderId, TargetId, WorkspaceId
from iglayers.messages.pacing import Limits, SenderPace
from iglayers.messages.schedule import Schedule


class Pick(msgspec.Struct, frozen=True, kw_only=True):
    """A due campaign, locked, and a sender that is free for it, locked; no sender when none is."""

    campaign_id: CampaignId
    workspace_id: WorkspaceId
    client_id: ClientId
    campaign_name: str
    metadata: dict[str, Any]
    hourly_limit: int | None
    daily_limit: int | None
    campaign_last_begun_at: datetime | None
    client_has_limits: bool
    routes: list[str]
    schedule: Schedule | None
    zone: str
    real_at: datetime
    at: datetime
    speed: float
    only_sender: bool
    sender_id: SenderId | None
    sender_username: str | None
    sender_instagram_id: str | None
    sender_routes: list[str] | None
    sender_hourly_limit: int | None
    sender_daily_limit: int | None
    ramp: bool | None
    min_gap_s: int | None
    warned_until: datetime | None
    sent_days: int | None
    last_sent_on: date | None
    sender_last_begun_at: datetime | None

    @property
    def clock(self) -> Clock:
        return Clock(real_at=self.real_at, at=self.at, speed=self.speed)

    @property
    def day_zone(self) -> str:
        """The zone in which a day of this campaign begins and ends."""
        return self.zone if self.schedule is None else self.schedule.timezone

    @property
    def limits(self) -> Limits:
        return Limits(hourly=self.hourly_limit, daily=self.daily_limit)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Whose next person is looked for, as of which moment, and how far back the ledger decides."""

    pick: Pick
    at: datetime
    month: date
    pace: SenderPace
    limits: Limits  # the sender's at that moment
    target_id: TargetId | None = None  # this person, instead of the next


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides about one person, read after all locks were taken."""

    campaign_id: CampaignId
    real_now: datetime
    dispatch: str
    monthly_limit: int | None
    month_sent: int
    workspace_is_scope: bool
    client_name: str
    client_hourly_limit: int | None
    client_daily_limit: int | None
    sender_busy: bool
    sender_nth_in_hour: datetime | None
    sender_nth_in_day: datetime | None
    sender_day_used: int
    campaign_nth_in_hour: datetime | None
    campaign_nth_in_day: datetime | None
    campaign_day_used: int
    target_id: TargetId | None
    step: int | None
    profile_url: str | None
    full_name: str | None
    first_name: str | None
    category: str | None
    follower_count: int | None
    variables: dict[str, str] | None
    contact_id: ContactId | None
    username: str | None
    merged: bool
    not_sent_before: int
    conversation: dict[str, Any] | None
    steps: list[dict[str, Any]]


class ClientHistory(msgspec.Struct, frozen=True, kw_only=True):
    """The ledger of a campaign's client, read while the client is locked."""

    campaign_id: CampaignId
    hourly_limit: int | None
    daily_limit: int | None
    nth_in_hour: datetime | None
    nth_in_day: datetime | None
    day_used: int
    last_begun_at: datetime | None


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """A message that has begun, with all that settling it needs."""

    message_id: MessageId
    attempt_id: UUID
    workspace_id: WorkspaceId
    client_id: ClientId
    campaign_id: CampaignId
    target_id: TargetId
    contact_id: ContactId
    sender_id: SenderId
    sender_username: str
    step: int
    next_step_delay_h: int | None
    not_sent_before: int
    route: str
    begun_at: Moment
    clock: Clock
    usage_month: date | None
    event: dict[str, Any]


class NewMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message about to begin, and what its begin plans for campaign and sender."""

    attempt: Attempt
    variant: int
    text: str
    comment_id: str | None
    workspace_is_scope: bool
    monthly_limit: int | None
    campaign_due_at: datetime
    sender_ready_at: datetime
    sent_on: date


class Begun(msgspec.Struct, frozen=True):
    """What the point of no return said: the message is in the ledger, or why it is not."""

    message_id: MessageId
    begun: bool
    suppressed: bool
    contacted: bool
    replied: bool
    month_full: bool


class AttemptRow(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt as the database tells it, the clock in pieces."""

    message_id: MessageId
    attempt_id: UUID
    workspace_id: WorkspaceId
    client_id: ClientId
    campaign_id: CampaignId
    target_id: TargetId
    contact_id: ContactId
    sender_id: SenderId
    sender_username: str
    step: int
    next_step_delay_h: int | None
    not_sent_before: int
    route: str
    begun_at: datetime
    usage_month: date | None
    event: dict[str, Any]
    real_at: datetime
    at: datetime
    speed: float


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """What an outcome means for message and target; one row of `settle.py`'s table."""

    message_state: str
    target_state: str
    error_code: str | None = None
    reason: str | None = None
    provider_message_id: str | None = None
    next_step: int | None = None
    next_due_at: Moment | None = None
    gives_back: bool = False  # usage and the first contact: proof that the person got nothing


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt ended, and what is told of it."""

    attempt: Attempt
    end: Settlement
    at: Moment
    event: tuple[UUID, str, bytes] | None


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """Why a due campaign found nobody to write to or no sender to write with."""

    next_due_at: datetime | None
    first_is_due: bool
    in_flight: bool
    in_hands: bool  # cards in the outbox
    able_senders: int
    full_senders: int  # worked by hand, with as many cards in the outbox as may wait there
    ready_at: datetime | None
    busy: int
