"""Callers, scopes, workspaces and keys as values."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from iglayers.core.clock import Clock, Moment, real_now
from iglayers.core.errors import Conflict, Forbidden, LimitReached, NotFound, Unauthenticated
from iglayers.core.ids import AuditId, ClientId, KeyId, WorkspaceId


class Mode(StrEnum):
    LIVE = "live"
    TEST = "test"


class Scope(StrEnum):
    READ = "read"
    WRITE = "write"
    SEND = "send"
    ADMIN = "admin"


class InvalidApiKey(Unauthenticated):
    """One answer for missing, malformed, unknown, revoked and expired keys."""

    code = "invalid_api_key"

    def __init__(self) -> None:
        super().__init__("Invalid or revoked API key.")


class InsufficientScope(Forbidden):
    code = "insufficient_scope"


class RateLimitExceeded(LimitReached):
    code = "rate_limit_exceeded"

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s: int = retry_after_s


class IdempotencyKeyReused(Conflict):
    code = "idempotency_key_reused"
    remedy = "Use a new Idempotency-Key for a different request."


class IdempotencyInProgress(Conflict):
    code = "idempotency_in_progress"
    remedy = "Wait a second and send the same request again."


class WorkspaceNotFound(NotFound):
    code = "not_found"


class KeyNotFound(NotFound):
    code = "not_found"


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who is asking: every action takes one, and every query its workspace and client."""

    workspace_id: WorkspaceId
    mode: Mode
    scopes: frozenset[Scope]
    actor: str
    clock: Clock
    client_id: ClientId | None = None
    key_id: KeyId | None = None
    request_id: str | None = None

    @property
    def now(self) -> Moment:
        """The workspace's own time."""
        return self.clock.shows(real_now())

    def needs(self, scope: Scope) -> None:
        if scope not in self.scopes:
            raise InsufficientScope(f"This call needs the scope {scope.value}.")


class Workspace(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    id: WorkspaceId
    name: str
    mode: Mode
    monthly_limit: int | None
    timezone: str
    first_contact_scope: str
    retention_days: int
    created_at: datetime


class KeyAccess(msgspec.Struct, frozen=True, kw_only=True):
    """What a presented key grants, as found in the database."""

    id: KeyId
    workspace_id: WorkspaceId
    mode: Mode
    name: str
    scopes: list[Scope]
    client_id: ClientId | None
    addresses: list[str]
    expires_at: datetime | None
    revoked_at: datetime | None
    clock_real_at: datetime
    clock_at: datetime
    clock_speed: float


class ApiKey(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """A key as it is listed; the key itself is shown once, at creation."""

    id: KeyId
    name: str
    last4: str
    scopes: list[Scope]
    client_id: ClientId | None
    addresses: list[str]
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime


class CreatedKey(ApiKey, frozen=True, kw_only=True):
    key: str


class StoredAnswer(msgspec.Struct, frozen=True, kw_only=True):
    fingerprint: bytes
    status: int
    body: bytes


class AuditFilters(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines of the audit log are wanted; an action may be the first part alone, such as `campaign`."""

    action: str | None = None
    object_id: str | None = None
    actor: str | None = None
    since: datetime | None = None


class AuditEntry(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    id: AuditId
    at: datetime
    actor: str
    action: str
    object_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    reason: str | None
    request_id: str | None
