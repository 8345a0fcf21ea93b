"""Results as values: one row for each target, with what was sent and what came back."""

from datetime import datetime

import msgspec

from iglayers.campaigns.model import Campaign
from iglayers.core.ids import TargetId
from iglayers.targets.model import TargetState


class Result(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """One target. `message` is the newest text that may have reached the person, `route` the way it went."""

    target_id: TargetId
    instagram_username: str | None
    profile_url: str | None
    full_name: str | None
    first_name: str | None
    category: str | None
    follower_count: int | None
    variables: dict[str, str] | None
    status: TargetState
    error_code: str | None
    reason: str | None
    sender_username: str | None
    route: str | None
    message: str | None
    sent_at: datetime | None
    replied_at: datetime | None
    last_reply: str | None
    updated_at: datetime


class Filters(msgspec.Struct, frozen=True):
    """Which results are asked for."""

    states: list[TargetState]
    updated_since: datetime | None


class Results(msgspec.Struct, rename="camel", frozen=True):
    """A page of results under their campaign and its counts by state."""

    campaign: Campaign
    summary: dict[str, int]
    data: list[Result]
    has_more: bool
    next_cursor: str | None
