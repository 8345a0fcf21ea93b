"""Webhook endpoints, deliveries, attempts and replays as values, and the rules of trying again (pure)."""

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from iglayers.core.errors import Conflict, InvalidState, NotFound, Unavailable
from iglayers.core.ids import AttemptId, ClientId, DeliveryId, EndpointId, EventId, ReplayId

# After the first, second, ... failure; one more failure than there are delays ends the delivery.
RETRY_DELAYS_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
JITTER = 0.2
MAX_RETRY_AFTER = timedelta(hours=24)
FAILING_FOR = timedelta(days=5)
MAX_ROTATION_OVERLAP = timedelta(days=7)
MAX_REPLAY = timedelta(days=14)
# An event's id may be older than its commit by as long as a transaction lasts; and a person needs time to read.
BEFORE_DISABLED = timedelta(minutes=1)
TIME_TO_REPLAY = timedelta(hours=1)
KEPT_FOR = timedelta(days=30)
MAX_ENDPOINTS = 100
ALL_EVENTS = "*"


class WebhookNotFound(NotFound):
    code = "webhook_not_found"


class DeliveryNotFound(NotFound):
    code = "not_found"


class ReplayNotFound(NotFound):
    code = "not_found"


class WebhookDeliveryFailed(Unavailable):
    code = "webhook_delivery_failed"
    remedy = "See delivery for what the endpoint answered, correct it, and test again."


class TooManyEndpoints(Conflict):
    code = "conflict"
    remedy = "Delete one that nobody uses."


class ReplayRunning(InvalidState):
    remedy = "Wait until it has ended, or cancel it."


class EndpointState(StrEnum):
    ENABLED = "enabled"
    DISABLED = "disabled"


class DisabledReason(StrEnum):
    GONE = "gone"
    FAILING = "failing"
    BY_PERSON = "by_person"


class DeliveryState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Cause(StrEnum):
    AUTOMATIC = "automatic"
    MANUAL = "manual"
    REPLAY = "replay"
    TEST = "test"


class ReplayState(StrEnum):
    RUNNING = "running"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class Endpoint(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """An endpoint as it is shown; its secret is shown once, at creation and at rotation."""

    id: EndpointId
    url: str
    description: str
    events: list[str]
    client_id: ClientId | None
    max_per_second: int | None
    state: EndpointState
    disabled_reason: DisabledReason | None
    disabled_at: datetime | None
    failing_since: datetime | None
    previous_secret_until: datetime | None
    created_at: datetime
    updated_at: datetime


class EndpointWithSecret(Endpoint, frozen=True, kw_only=True):
    secret: str


class Missed(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """What happened while an endpoint was disabled and is not queued for it; a replay since `since` brings it."""

    since: datetime
    events: int


class EndpointWithMissed(Endpoint, frozen=True, kw_only=True):
    """An endpoint after a change; `missed` when it was enabled by it."""

    missed: Missed | None


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """What signs an endpoint's deliveries, as it is stored: encrypted."""

    secret: bytes
    previous_secret: bytes | None
    previous_until: datetime | None


class Delivery(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """One event to one endpoint, as it is listed."""

    id: DeliveryId
    endpoint_id: EndpointId
    event_id: EventId
    type: str
    cause: Cause
    state: DeliveryState
    attempts: int
    next_attempt_at: datetime | None
    status: int | None
    error: str | None
    error_code: str | None
    replay_id: ReplayId | None
    ended_at: datetime | None


class Attempt(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """One request, and what came of it. `address` is the one that answered, `error` a word of `Failure`."""

    id: AttemptId
    cause: Cause
    started_at: datetime
    duration_ms: int
    address: str | None
    status: int | None
    error: str | None
    response: str | None


class DeliveryWithLog(Delivery, frozen=True, kw_only=True):
    log: list[Attempt]


class Replay(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """A replay as it is shown: `queued` of `total` events have been given out, `pending` of them are not there yet."""

    id: ReplayId
    endpoint_id: EndpointId
    since: datetime
    types: list[str] | None
    state: ReplayState
    total: int
    queued: int
    pending: int
    created_at: datetime
    ended_at: datetime | None


def replayable_since(disabled_at: datetime, *, now: datetime) -> datetime:
    """The real moment since which a replay brings what a disabled endpoint missed, as far back as replays reach."""
    return max(disabled_at - BEFORE_DISABLED, now - MAX_REPLAY + TIME_TO_REPLAY)


class Verdict(msgspec.Struct, frozen=True):
    """What becomes of a delivery after an attempt; `due_at` when it is tried again."""

    state: DeliveryState
    due_at: datetime | None = None


def after_failure(
    failures: int, *, now: datetime, delays_s: tuple[int, ...], chance: float, retry_after: str | None = None
) -> Verdict:
    """When to try again after the n-th failure in a row; never earlier than the endpoint asked for."""
    if failures > len(delays_s):
        return Verdict(DeliveryState.FAILED)
    wait = timedelta(seconds=delays_s[failures - 1] * (1 - JITTER + 2 * JITTER * chance))
    return Verdict(DeliveryState.PENDING, now + max(wait, asked_to_wait(retry_after, now=now)))


def asked_to_wait(retry_after: str | None, *, now: datetime) -> timedelta:
    """What a Retry-After header asks for, in either of its forms, at most a day; nothing when it makes no sense."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        seconds = timedelta(seconds=int(text)) if len(text) <= 9 else MAX_RETRY_AFTER
        return min(seconds, MAX_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(text)
        return max(timedelta(0), min(moment - now, MAX_RETRY_AFTER))
    except (ValueError, TypeError, OverflowError, IndexError):
        return timedelta(0)


def chance_of(attempt_id: UUID) -> float:
    """From 0 to 1, by the attempt's random bits: looking again does not redraw."""
    return (attempt_id.int & 0xFFFF) / 0xFFFF
