"""Targets as values: their states, one as it is shown, and what an upload answers."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from iglayers.core.errors import Conflict, Error, Invalid, NotFound
from iglayers.core.ids import CampaignId, ClientId, SenderId, TargetId

MAX_ROWS = 10_000


class TargetNotFound(NotFound):
    code = "target_not_found"


class TargetDuplicate(Conflict):
    code = "target_duplicate"
    remedy = "Nothing to do: this person is in the campaign, or was written to before."


class TargetState(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    AWAITING_OPERATOR = "awaiting_operator"
    SENT = "sent"
    REPLIED = "replied"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


# Uploading one of these again queues it, unless somebody wrote to the person.
ENDED_UNSENT = (TargetState.FAILED, TargetState.SKIPPED, TargetState.CANCELLED)


def states_named(text: str | None) -> list[TargetState]:
    """The `?status=` of a list: states with commas between; all when absent."""
    if text is None:
        return list(TargetState)
    try:
        return [TargetState(name.strip()) for name in text.split(",")]
    except ValueError:
        known = ", ".join(TargetState)
        raise Invalid(f"status must be one or more of {known}.", param="status") from None


class Target(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    id: TargetId
    campaign_id: CampaignId
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
    sender_id: SenderId | None
    next_step: int
    next_due_at: datetime | None
    sent_at: datetime | None
    replied_at: datetime | None
    created_at: datetime
    updated_at: datetime


class TargetRow(msgspec.Struct, frozen=True, gc=False):
    """One uploaded row, checked and cleaned; the username is canonical."""

    username: str
    profile_url: str | None
    full_name: str | None
    first_name: str | None
    category: str | None
    follower_count: int | None
    variables: dict[str, str] | None


class RefusedRow(msgspec.Struct, frozen=True):
    """One uploaded row that cannot be a target; the username as it was sent."""

    username: str | None
    error: Error


class UploadedRows(msgspec.Struct, frozen=True):
    """All rows of one upload in the order sent; `lines` are those of a CSV file."""

    rows: list[TargetRow | RefusedRow]
    lines: list[int] | None = None

    def place(self, index: int) -> str:
        """How the sender of the rows finds this one."""
        return f"targets[{index}]" if self.lines is None else f"line {self.lines[index]}"


class UploadCampaign(msgspec.Struct, frozen=True, kw_only=True):
    """What an upload needs to know of its campaign, whose row the caller holds FOR KEY SHARE."""

    id: CampaignId
    client_id: ClientId
    name: str
    state: str
    first_contact_scopes: list[UUID]


class RowError(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    code: str
    message: str
    param: str | None = None


class RowResult(msgspec.Struct, rename="camel", omit_defaults=True, gc=False):
    """What became of one row. `id` is absent when it was rejected, or in a dry run."""

    index: int
    instagram_username: str | None
    status: str
    id: str | None = None
    error: RowError | None = None
    line: int | None = None


class UploadReport(msgspec.Struct, frozen=True):
    """Results in the order sent; `first_error` is that of the first rejected row."""

    accepted: int
    rejected: int
    results: list[RowResult]
    first_error: Error | None = None
