"""People who log in: their roles, and what a session says of them. Pure."""

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from iglayers.accounts.model import Mode, Scope
from iglayers.core.ids import UserId, WorkspaceId

# A session ends after so long without a request, and after so long in any case.
IDLE = timedelta(days=3)
LIFE = timedelta(days=30)
INVITATION_LIFE = timedelta(days=7)

# So many logins may fail, by e-mail and by address, before each further one has to wait, twice as long each time.
FREE_FAILURES = {"email": 5, "address": 30}
MOST_WAIT_S = 300
# Failures older than this are forgotten.
FAILURES_LAST = timedelta(hours=1)


class Role(StrEnum):
    OWNER = "owner"
    OPERATOR = "operator"
    VIEWER = "viewer"

    @property
    def scopes(self) -> frozenset[Scope]:
        """What a key would need to do what this role may."""
        match self:
            case Role.OWNER:
                return frozenset(Scope)
            case Role.OPERATOR:
                return frozenset({Scope.READ, Scope.WRITE, Scope.SEND})
            case Role.VIEWER:
                return frozenset({Scope.READ})


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    id: UserId
    email: str
    password_hash: str


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A person at work: who, in which workspace, in what role, by which clock."""

    user_id: UserId
    email: str
    role: Role
    workspace_id: WorkspaceId
    workspace_name: str
    mode: Mode
    timezone: str
    clock_real_at: datetime
    clock_at: datetime
    clock_speed: float


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace that a person may switch to."""

    workspace_id: WorkspaceId
    name: str
    mode: Mode
    role: Role


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A person of a pair of workspaces."""

    user_id: UserId
    email: str
    role: Role
    seen_at: datetime | None
    created_at: datetime


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    workspace_id: WorkspaceId
    workspace_name: str
    role: Role
    expires_at: datetime


def wait_s(failed: int, *, free: int) -> int:
    """How long a login has to wait after so many failures in a row."""
    return 0 if failed < free else min(MOST_WAIT_S, 2 ** min(failed - free, 16))
