"""Verbs of people who log in: set up, log in and out, change a password, invite, change a role, remove.

A login is two short transactions round the slow check of the password: `knock`, `matches`, `prove` and `enter`.
"""

import secrets
from math import ceil

import msgspec
from argon2.exceptions import InvalidHashError, VerificationError

from iglayers.accounts import actions, queries, queries_people
from iglayers.accounts.model import Caller, Mode, RateLimitExceeded, Scope
from iglayers.accounts.model_people import (
    FAILURES_LAST,
    FREE_FAILURES,
    IDLE,
    INVITATION_LIFE,
    LIFE,
    Credentials,
    Role,
    wait_s,
)
from iglayers.core.clock import real_now
from iglayers.core.crypto import token_hash
from iglayers.core.db import Connection
from iglayers.core.errors import Conflict, Forbidden, Invalid, NotFound
from iglayers.core.ids import UserId, WorkspaceId

# Checked where there is no such user, so that the answer takes as long.
_NOBODY = actions.PASSWORDS.hash(secrets.token_urlsafe(16))


class NewPerson(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    email: str
    password: str


class NewPassword(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    current: str
    password: str


async def offer_setup(conn: Connection) -> str | None:
    """A new token for the link that creates the first user; None once there is one. Older links end."""
    token = secrets.token_urlsafe(32)
    return token if await queries_people.set_setup_token(conn, token_hash(token)) else None


async def set_up(conn: Connection, token: str, new: NewPerson) -> UserId:
    """The first user, owner of every workspace; the link is used up."""
    if not await queries_people.take_setup_token(conn, token_hash(token)):
        raise NotFound("This link was used or has been replaced.", remedy="`iglayers serve` says a new one.")
    return await actions.create_user(conn, email=new.email, password=new.password)


async def knock(conn: Connection, email: str, *, address: str) -> Credentials | None:
    """Who wants to log in; the login counts as failed until `prove`. Commit it, whatever comes of the login.

    RateLimitExceeded is the same for an e-mail that nobody has.
    """
    waits = [0.0]
    for kind, text in (("email", email), ("address", address)):
        before = await queries_people.count_failure(conn, _failure_key(kind, text), forget_after=FAILURES_LAST)
        waits.append(wait_s(before.failed, free=FREE_FAILURES[kind]) - before.ago_s)
    if max(waits) > 0:
        seconds = ceil(max(waits))
        raise RateLimitExceeded(f"Too many logins have failed. Try again in {seconds} s.", retry_after_s=seconds)
    return await queries_people.by_email(conn, email)


def matches(found: Credentials | None, password: str) -> bool:
    """Whether it is the password. Takes some 30 ms of one core: call it in a thread, outside a transaction."""
    try:
        return actions.PASSWORDS.verify(found.password_hash if found else _NOBODY, password[:1_000]) and bool(found)
    except (VerificationError, InvalidHashError):
        return False


async def prove(conn: Connection, email: str, *, address: str) -> None:
    """The login that `knock` counted as failed was a good one."""
    await queries_people.forget_failures(
        conn, email_hash=_failure_key("email", email), address_hash=_failure_key("address", address),
        older_than=FAILURES_LAST,
    )  # fmt: skip


async def enter(
    conn: Connection, user_id: UserId, *, instead_of: str | None = None, at: WorkspaceId | None = None
) -> str:
    """The token of a new session, never that of an older one; it shows the person's first workspace, or `at`.

    Forbidden for somebody who is no longer a member of anything.
    """
    found = await queries_people.memberships(conn, user_id)
    shown = next((each.workspace_id for each in found if at is None or each.workspace_id == at), None)
    if shown is None:
        raise Forbidden("You are no longer a member of any workspace.", remedy="Ask an owner for an invitation.")
    await queries_people.end_old_sessions(conn, idle=IDLE, life=LIFE)
    if instead_of is not None:
        await queries_people.end_session(conn, token_hash(instead_of))
    token = secrets.token_urlsafe(32)
    await queries_people.insert_session(conn, token_hash(token), user_id=user_id, workspace_id=shown, at=real_now())
    return token


def _failure_key(kind: str, text: str) -> bytes:
    return token_hash(f"{kind} {text}")


async def change_password(conn: Connection, caller: Caller, user_id: UserId, new: NewPassword) -> None:
    """Ends every session of the person, this one too: the caller opens a new one."""
    found = await queries_people.by_id(conn, user_id)
    if found is None or not matches(found, new.current):
        raise Invalid("That is not your password.", param="current")
    await queries_people.set_password(conn, user_id, actions.password_hash(new.password))
    await queries_people.end_sessions(conn, user_id)
    await actions.audit(conn, caller, "user.password_changed", user_id)


async def invite(conn: Connection, caller: Caller, role: Role) -> str:
    """The token of a link that makes one person a member of this workspace and its twin."""
    caller.needs(Scope.ADMIN)
    token = secrets.token_urlsafe(32)
    await queries_people.insert_invitation(
        conn, token_hash(token), workspace_id=caller.workspace_id, role=role, expires_at=real_now() + INVITATION_LIFE
    )
    await actions.audit(conn, caller, "invitation.created", str(role), after={"role": role})
    return token


async def accept(conn: Connection, token: str, new: NewPerson, *, request_id: str | None) -> UserId:
    """A new user from an invitation, which is used up."""
    found = await queries_people.invitation(conn, token_hash(token))
    if found is None or not await queries_people.use_invitation(conn, token_hash(token)):
        raise NotFound("This invitation was used or has ended.", remedy="Ask an owner for a new one.")
    user_id = await actions.insert_user(conn, email=new.email, password=new.password)
    await queries_people.lock_pair(conn, found.workspace_id)
    await queries_people.add_to_pair(conn, found.workspace_id, user_id, role=found.role)
    clock = await queries.clock(conn, found.workspace_id)
    assert clock is not None
    joined = Caller(
        workspace_id=found.workspace_id, mode=Mode.LIVE, scopes=frozenset(), actor=new.email.strip().lower(),
        clock=clock, request_id=request_id,
    )  # fmt: skip
    await actions.audit(conn, joined, "user.joined", user_id, after={"role": found.role})
    return user_id


async def change_role(conn: Connection, caller: Caller, user_id: UserId, role: Role) -> None:
    """What a member may do from the next request on; an owner always stays."""
    caller.needs(Scope.ADMIN)
    before = await _member_role(conn, caller, user_id)
    if before is role:
        return
    if before is Role.OWNER:
        await _keep_an_owner(conn, caller, user_id)
    await queries_people.add_to_pair(conn, caller.workspace_id, user_id, role=role)
    await actions.audit(conn, caller, "user.role_changed", user_id, before={"role": before}, after={"role": role})


async def remove(conn: Connection, caller: Caller, user_id: UserId) -> None:
    """Out of this workspace and its twin, at once; an owner always stays."""
    caller.needs(Scope.ADMIN)
    before = await _member_role(conn, caller, user_id)
    if before is Role.OWNER:
        await _keep_an_owner(conn, caller, user_id)
    await queries_people.remove_from_pair(conn, caller.workspace_id, user_id)
    await actions.audit(conn, caller, "user.removed", user_id, before={"role": before})


async def _member_role(conn: Connection, caller: Caller, user_id: UserId) -> Role:
    """The member's role, with the pair locked."""
    await queries_people.lock_pair(conn, caller.workspace_id)
    for each in await queries_people.members(conn, caller.workspace_id):
        if each.user_id == user_id:
            return each.role
    raise NotFound("There is no such member of this workspace.")


async def _keep_an_owner(conn: Connection, caller: Caller, user_id: UserId) -> None:
    found = await queries_people.members(conn, caller.workspace_id)
    if not any(each.role is Role.OWNER and each.user_id != user_id for each in found):
        raise Conflict("A workspace keeps at least one owner.", remedy="Make somebody else an owner first.")
