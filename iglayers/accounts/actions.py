"""Verbs of accounts: make workspaces, users and keys, revoke and rotate keys, write the audit log."""

from collections.abc import Sequence
from datetime import timedelta
from ipaddress import ip_network
from uuid import UUID

import msgspec
from argon2 import PasswordHasher

from iglayers.accounts import queries
from iglayers.accounts.model import (
    ApiKey,
    AuditEntry,
    Caller,
    CreatedKey,
    KeyNotFound,
    Mode,
    Scope,
    Workspace,
    WorkspaceNotFound,
)
from iglayers.core.clock import Clock, Moment, real_now
from iglayers.core.crypto import Vault, new_api_key, token_hash
from iglayers.core.db import Connection
from iglayers.core.errors import Conflict, Invalid, InvalidState
from iglayers.core.fields import line
from iglayers.core.ids import AuditId, ClientId, Id, KeyId, UserId, WorkspaceId, uuid7
from iglayers.core.text import clean_line
from iglayers.core.wire import json_bytes

# OWASP Password Storage: argon2id with 19 MiB, two passes, one lane.
PASSWORDS = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
MAX_ROTATION_OVERLAP_HOURS = 24
MAX_ADDRESSES = 50


class NewKey(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    name: str
    scopes: list[Scope] = msgspec.field(default_factory=lambda: [Scope.READ, Scope.WRITE, Scope.SEND])
    client_id: ClientId | None = None
    addresses: list[str] = []
    expires_at: Moment | None = None


async def found_installation(conn: Connection, vault: Vault, *, new_pepper: bytes) -> bytes:
    """The pepper; on the very first start also the installation row and one pair of workspaces."""
    sealed = vault.seal(new_pepper, bound_to="installation.pepper")
    if await queries.insert_installation(conn, pepper=sealed):
        await create_pair(conn, "Main")
        return new_pepper
    stored = await queries.pepper(conn)
    assert stored is not None
    return vault.open(stored, bound_to="installation.pepper")


async def add_pair(conn: Connection, name: str) -> list[WorkspaceId]:
    """A further pair, of a name that no other has: names are how the command line tells workspaces apart.

    Whoever owns every workspace owns it too.
    """
    await queries.lock_installation(conn)
    if any(each.name == clean_line(name) for each in await queries.workspaces(conn)):
        raise Conflict(f"There is a workspace {clean_line(name)} already.", remedy="Choose another name.")
    owners = await queries.owners_of_all(conn)
    made = await create_pair(conn, name)
    for workspace_id in made:
        for user_id in owners:
            await queries.insert_member(conn, workspace_id, user_id, role="owner")
    return made


async def create_pair(conn: Connection, name: str) -> list[WorkspaceId]:
    """A live and a test workspace of one name."""
    pair_id = uuid7()
    made = [WorkspaceId.new(), WorkspaceId.new()]
    for workspace_id, mode in zip(made, Mode, strict=True):
        await queries.insert_workspace(conn, workspace_id, pair_id=pair_id, name=clean_line(name), mode=mode)
    return made


async def find_workspace(conn: Connection, mode: Mode, named: str | None) -> Workspace:
    """The workspace that a command line means: by id or name; the only one of its mode when not named."""
    found = [
        each
        for each in await queries.workspaces(conn)
        if each.mode is mode and (named is None or named in (each.name, str(each.id)))
    ]
    if len(found) == 1:
        return found[0]
    if not found:
        raise WorkspaceNotFound(
            f"There is no {mode.value} workspace {named or ''}.".replace(" .", "."),
            remedy="See: iglayers workspaces list.",
        )
    raise Invalid(
        f"{len(found)} {mode.value} workspaces fit.", param="workspace", remedy="Name one: iglayers workspaces list."
    )


async def set_speed(conn: Connection, workspace_id: WorkspaceId, speed: float) -> None:
    """Let a test workspace's clock run `speed` times as fast from now on."""
    clock = await queries.clock(conn, workspace_id)
    if clock is None or clock.speed == speed:
        return
    now = real_now()
    await queries.set_clock(conn, workspace_id, Clock(real_at=now, at=clock.shows(now), speed=speed))
    await queries.wake(conn, workspace_id)


async def create_key(conn: Connection, caller: Caller, new: NewKey) -> CreatedKey:
    """A key, shown in the answer and never again."""
    if not new.scopes:
        raise Invalid("scopes must name at least one scope.", param="scopes")
    if new.client_id is not None and Scope.ADMIN in new.scopes:
        raise Invalid("A key that is bound to a client cannot have the scope admin.", param="scopes")
    if new.client_id is not None and not await queries.client_exists(conn, caller.workspace_id, new.client_id):
        raise Invalid("clientId names no client of this workspace.", param="clientId")
    if new.expires_at is not None and new.expires_at <= real_now():
        raise Invalid("expiresAt lies in the past.", param="expiresAt")
    secret = new_api_key(caller.mode.value)
    key = ApiKey(
        id=KeyId.new(), name=line(new.name, "name"), last4=secret[-4:], scopes=sorted(set(new.scopes)),
        client_id=new.client_id, addresses=_networks(new.addresses),
        expires_at=new.expires_at, revoked_at=None, last_used_at=None, created_at=real_now(),
    )  # fmt: skip
    await queries.insert_key(conn, key, workspace_id=caller.workspace_id, key_hash=token_hash(secret))
    await audit(conn, caller, "api_key.created", key.id, after=key)
    return CreatedKey(**msgspec.structs.asdict(key), key=secret)


def _networks(texts: list[str]) -> list[str]:
    """Addresses and networks in their one spelling."""
    if len(texts) > MAX_ADDRESSES:
        raise Invalid(f"addresses has {len(texts)} entries; at most {MAX_ADDRESSES} are allowed.", param="addresses")
    networks: list[str] = []
    for index, text in enumerate(texts):
        try:
            networks.append(str(ip_network(text)))
        except ValueError:
            at = f"addresses[{index}]"
            raise Invalid(f"{at} must be an address or a network such as 192.0.2.0/24.", param=at) from None
    return list(dict.fromkeys(networks))


async def revoke_key(conn: Connection, caller: Caller, key_id: KeyId) -> ApiKey:
    """End a key at once; doing it again changes nothing."""
    key = await _key(conn, caller, key_id)
    if key.revoked_at is None:
        key = msgspec.structs.replace(key, revoked_at=real_now())
        assert key.revoked_at is not None
        await queries.revoke_key(conn, caller.workspace_id, key_id, at=key.revoked_at)
        await audit(conn, caller, "api_key.revoked", key_id)
    return key


async def rotate_key(conn: Connection, caller: Caller, key_id: KeyId, *, overlap_hours: float) -> CreatedKey:
    """A new key with the old one's name, scopes and client; the old one ends after the overlap."""
    if not 0 <= overlap_hours <= MAX_ROTATION_OVERLAP_HOURS:
        raise Invalid(f"overlapHours must be from 0 to {MAX_ROTATION_OVERLAP_HOURS}.", param="overlapHours")
    old = await _key(conn, caller, key_id)
    now = real_now()
    if old.revoked_at is not None or (old.expires_at is not None and old.expires_at <= now):
        raise InvalidState("A revoked or expired key cannot be rotated.", remedy="Create a new one.")
    new = NewKey(
        name=old.name,
        scopes=old.scopes,
        client_id=old.client_id,
        addresses=old.addresses,
        expires_at=old.expires_at and Moment.of(old.expires_at),
    )
    made = await create_key(conn, caller, new)
    await queries.expire_key(conn, caller.workspace_id, key_id, at=now + timedelta(hours=overlap_hours))
    await audit(conn, caller, "api_key.rotated", key_id, after={"newKeyId": str(made.id)})
    return made


async def _key(conn: Connection, caller: Caller, key_id: KeyId) -> ApiKey:
    key = await queries.key(conn, caller.workspace_id, key_id)
    if key is None:
        raise KeyNotFound("There is no such API key.")
    return key


async def create_user(conn: Connection, *, email: str, password: str, role: str = "owner") -> UserId:
    """A user of the dashboard, member of every workspace of the installation."""
    user_id = await insert_user(conn, email=email, password=password)
    for each in await queries.workspaces(conn):
        await queries.insert_member(conn, each.id, user_id.uuid, role=role)
    return user_id


async def insert_user(conn: Connection, *, email: str, password: str) -> UserId:
    """A user of the dashboard, not yet member of anything."""
    email = line(email, "email", most=254).lower()
    if email.count("@") != 1 or not all(email.split("@")):
        raise Invalid("email is not an e-mail address.", param="email")
    user_id = UserId.new()
    if not await queries.insert_user(conn, user_id.uuid, email=email, password_hash=password_hash(password)):
        raise Conflict(f"There is already a user with the e-mail {email}.", param="email")
    return user_id


def password_hash(password: str) -> str:
    """How a password is stored; Invalid for one that is too short or too long."""
    if not 8 <= len(password) <= 1_000:
        raise Invalid("The password must have 8 to 1,000 characters; 15 or more are better.", param="password")
    return PASSWORDS.hash(password)


async def audit(  # noqa: PLR0913 an audit line has this many facts
    conn: Connection,
    caller: Caller,
    action: str,
    object_id: Id | str,
    *,
    before: object = None,
    after: object = None,
    reason: str | None = None,
    contact_id: UUID | None = None,
) -> None:
    """Write down who did what to which object, in the transaction of the change."""
    entry = AuditEntry(
        id=AuditId.new(), at=real_now(), actor=caller.actor, action=action, object_id=str(object_id),
        before=_tree(before), after=_tree(after), reason=reason, request_id=caller.request_id,
    )  # fmt: skip
    await queries.insert_audit(conn, entry, workspace_id=caller.workspace_id, contact_id=contact_id)


def changed(before: object, after: object, *, only: Sequence[str] = ()) -> tuple[dict[str, object], dict[str, object]]:
    """What differs between two structs, as the audit log keeps it."""
    old, new = _tree(before) or {}, _tree(after) or {}
    names = [name for name in new if old.get(name) != new[name] and (not only or name in only)]
    return {name: old.get(name) for name in names}, {name: new[name] for name in names}


def _tree(item: object) -> dict[str, object] | None:
    return None if item is None else msgspec.json.decode(json_bytes(item), type=dict[str, object])
