"""Verbs of senders: add, change, pause, resume, remove, report trouble, receive what came in."""

from datetime import datetime, timedelta
from typing import Annotated, Any, assert_never

import msgspec

from iglayers.accounts import actions as accounts
from iglayers.accounts import queries as account_queries
from iglayers.accounts.model import Caller, InsufficientScope, Mode
from iglayers.contacts.usernames import InvalidUsername, canonical
from iglayers.core.db import Connection
from iglayers.core.errors import Conflict, Invalid, InvalidState
from iglayers.core.fields import optional_line
from iglayers.core.ids import ClientId, SenderId, WorkspaceId
from iglayers.events import queries as events
from iglayers.events.model import EventType, NewEvent
from iglayers.senders import queries, queries_inbound
from iglayers.senders.installed import allowed
from iglayers.senders.model import Fact, Received, Sender, SenderNotFound, SenderState, Trouble

Hourly = Annotated[int, msgspec.Meta(ge=1, le=1_000)]
Daily = Annotated[int, msgspec.Meta(ge=1, le=10_000)]
Gap = Annotated[int, msgspec.Meta(ge=0, le=86_400)]

WARNING_LASTS = timedelta(hours=24)
MAX_CLIENTS = 1_000


class NewSender(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    username: str
    transport: str
    access_token: Annotated[str, msgspec.Meta(min_length=1, max_length=2_000)] | None = None
    routes: list[str] | None = None
    client_ids: list[ClientId] = []
    hourly_limit: Hourly = 10
    daily_limit: Daily = 50
    ramp: bool | None = None
    min_gap_seconds: Gap | None = None


class SenderChange(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    routes: list[str] | msgspec.UnsetType = msgspec.UNSET
    client_ids: list[ClientId] | msgspec.UnsetType = msgspec.UNSET
    hourly_limit: Hourly | msgspec.UnsetType = msgspec.UNSET
    daily_limit: Daily | msgspec.UnsetType = msgspec.UNSET
    ramp: bool | msgspec.UnsetType = msgspec.UNSET
    min_gap_seconds: Gap | msgspec.UnsetType = msgspec.UNSET


class NoAccess(Invalid):
    """A sender of the transport instagram is an account that somebody has connected."""

    remedy = "Ask POST /senders/connect for the address to log in at, or send an accessToken of your app's dashboard."


class Resume(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    reason: str | None = None


async def add(conn: Connection, caller: Caller, new: NewSender, *, is_connected: bool = False) -> Sender:
    """A sender of the caller's workspace; one that was deleted comes back with its history.

    `is_connected`: the caller keeps an access for it in the same transaction.
    """
    refuse_bound(caller)
    transport = checked_transport(caller.mode, new.transport)
    if transport == "instagram" and not is_connected:
        raise NoAccess("A sender of the transport instagram needs an access to its account.", param="accessToken")
    is_live = caller.mode is Mode.LIVE
    now = caller.now
    wanted = Sender(
        id=SenderId.new(), username=canonical_username(new.username, "username"), transport=transport,
        routes=_routes(caller.mode, transport, [transport] if new.routes is None else new.routes),
        client_ids=await _clients(conn, caller, new.client_ids), state=SenderState.ACTIVE, state_reason=None,
        hourly_limit=new.hourly_limit, daily_limit=new.daily_limit, ramp=is_live if new.ramp is None else new.ramp,
        min_gap_seconds=60 * is_live if new.min_gap_seconds is None else new.min_gap_seconds,
        warned_until=None, sent_days=0, last_sent_on=None, last_begun_at=None, created_at=now, updated_at=now,
    )  # fmt: skip
    if not await queries.insert(conn, wanted, workspace_id=caller.workspace_id):
        return await _revive(conn, caller, wanted)
    await accounts.audit(conn, caller, "sender.added", wanted.id, after=wanted)
    await account_queries.wake(conn, caller.workspace_id)
    return wanted


def refuse_bound(caller: Caller) -> None:
    """A key of one client adds no senders."""
    if caller.client_id is not None:
        raise InsufficientScope("This key is bound to one client and cannot add senders.")


async def connect(
    conn: Connection, caller: Caller, sender_id: SenderId, wanted: SenderChange, *, username: str
) -> Sender:
    """A sender whose account was connected (again), under the name that it has now.

    What a person has to resume stays as it is, and so does every setting that `wanted` does not name.
    """
    before = await _locked(conn, caller, sender_id)
    fields = await _wanted(conn, caller, "instagram", wanted)
    if "routes" not in fields:
        fields["routes"] = list(dict.fromkeys(["instagram", *before.routes]))
    if before.archived_at is not None and before.state is SenderState.PAUSED:
        fields |= {"state": SenderState.ACTIVE, "state_reason": None}
    if username != before.username:
        other = await queries.id_of(conn, caller.workspace_id, username, only=None)
        if other is not None:
            raise Conflict(
                f"The account {before.username} is called {username} now, which is the sender {other}.",
                remedy="Delete that sender for good: it stands for an account that has another name by now.",
            )
        await queries.rename(conn, caller.workspace_id, sender_id, username=username)
    sender = msgspec.structs.replace(before, username=username, transport="instagram", archived_at=None, **fields)
    return await _store(conn, caller, "sender.connected", before, sender)


async def check_settings(conn: Connection, caller: Caller, transport: str, wanted: SenderChange) -> None:
    """Refuse now what could not be stored later, when an account is connected."""
    refuse_bound(caller)
    checked_transport(caller.mode, transport)
    await _wanted(conn, caller, transport, wanted)


async def _revive(conn: Connection, caller: Caller, wanted: Sender) -> Sender:
    """The deleted sender of this username, with the new settings. A challenge outlives deletion."""
    sender_id = await queries.id_of(conn, caller.workspace_id, wanted.username, only=None)
    assert sender_id is not None
    before = await _locked(conn, caller, sender_id)
    if before.archived_at is None:
        raise Conflict(
            f"The account {before.username} is the sender {before.id}.", param="username",
            remedy="Use the existing sender, or delete it first.", details={"existingId": str(before.id)},
        )  # fmt: skip
    stopped = before.state in (SenderState.CHALLENGED, SenderState.DISABLED)
    sender = msgspec.structs.replace(
        before, transport=wanted.transport, routes=wanted.routes, client_ids=wanted.client_ids,
        hourly_limit=wanted.hourly_limit, daily_limit=wanted.daily_limit, ramp=wanted.ramp,
        min_gap_seconds=wanted.min_gap_seconds, state=before.state if stopped else SenderState.ACTIVE,
        state_reason=before.state_reason if stopped else None, archived_at=None,
    )  # fmt: skip
    return await _store(conn, caller, "sender.added", before, sender)


async def change(conn: Connection, caller: Caller, sender_id: SenderId, wanted: SenderChange) -> Sender:
    """Change what `wanted` names; new limits hold from the next send."""
    before = await _locked(conn, caller, sender_id)
    _refuse_archived(before)
    fields = await _wanted(conn, caller, before.transport, wanted)
    return await _store(conn, caller, "sender.changed", before, msgspec.structs.replace(before, **fields))


async def _wanted(conn: Connection, caller: Caller, transport: str, wanted: SenderChange) -> dict[str, Any]:
    """The fields that `wanted` names, checked."""
    fields = {name: item for name, item in msgspec.structs.asdict(wanted).items() if item is not msgspec.UNSET}
    if "routes" in fields:
        fields["routes"] = _routes(caller.mode, transport, fields["routes"])
    if "client_ids" in fields:
        fields["client_ids"] = await _clients(conn, caller, fields["client_ids"])
    return fields


async def pause(conn: Connection, caller: Caller, sender_id: SenderId, *, reason: str | None = None) -> Sender:
    """Begin nothing more through this sender; a message on its way settles as usual.

    `reason` is given where no person asked for it; it is told as a warning.
    """
    before = await _locked(conn, caller, sender_id)
    _refuse_archived(before)
    match before.state:
        case SenderState.PAUSED:
            return before
        case SenderState.CHALLENGED | SenderState.DISABLED:
            raise InvalidState(f"The sender is {before.state.value} and sends nothing; it can be resumed.")
        case SenderState.ACTIVE:
            paused = msgspec.structs.replace(before, state=SenderState.PAUSED, state_reason=reason)
            if reason is not None:
                await _tell(conn, caller.workspace_id, EventType.SENDER_WARNING, paused, caller.now)
                await queries.count_anew(conn, caller.workspace_id, sender_id, since=caller.now)
            return await _store(conn, caller, "sender.paused", before, paused, reason=reason)
        case _:
            assert_never(before.state)


async def resume(conn: Connection, caller: Caller, sender_id: SenderId, wanted: Resume) -> Sender:
    """A person's decision that the account may send again, also after a challenge; written down with their name."""
    reason = optional_line(wanted.reason, "reason", most=500)
    before = await _locked(conn, caller, sender_id)
    _refuse_archived(before)
    if before.state is SenderState.ACTIVE:
        return before
    active = msgspec.structs.replace(before, state=SenderState.ACTIVE, state_reason=None, updated_at=caller.now)
    await _tell(conn, caller.workspace_id, EventType.SENDER_ACTIVE, active, caller.now)
    return await _store(conn, caller, "sender.resumed", before, active, reason=reason)


async def remove(conn: Connection, caller: Caller, sender_id: SenderId) -> Sender:
    """Take a sender out of use; its history stays, and counts again if it is added again."""
    before = await _locked(conn, caller, sender_id)
    if before.archived_at is not None:
        return before
    if await queries.in_flight(conn, caller.workspace_id, sender_id):
        raise InvalidState(
            "A message of this sender is on its way.",
            remedy="Pause the sender, wait until the message is settled, and delete it then.",
        )
    archived = msgspec.structs.replace(before, archived_at=caller.now)
    return await _store(conn, caller, "sender.deleted", before, archived)


async def report_trouble(
    conn: Connection, *, workspace_id: WorkspaceId, sender_id: SenderId, trouble: Trouble, reason: str, now: datetime
) -> None:
    """Store what an attempt showed about its sender, and tell it: a warning, a challenge, removed access.

    Call it last in the transaction, and with the sender locked before its targets: it ends with a wake-up, a row
    that every change of the workspace's plans takes.
    """
    before = await queries.lock(conn, workspace_id, sender_id)
    if before is None:
        raise SenderNotFound("There is no such sender.")
    match trouble:
        case Trouble.WARNING:
            kind = EventType.SENDER_WARNING
            stopped = before.state in (SenderState.CHALLENGED, SenderState.DISABLED)
            sender = msgspec.structs.replace(
                before, warned_until=now + WARNING_LASTS, state_reason=before.state_reason if stopped else reason
            )
        case Trouble.CHALLENGED:
            kind = EventType.SENDER_CHALLENGED
            if before.state is SenderState.DISABLED:  # there is nothing left to challenge
                return
            sender = msgspec.structs.replace(before, state=SenderState.CHALLENGED, state_reason=reason)
        case Trouble.DISABLED:
            kind = EventType.SENDER_DISABLED
            sender = msgspec.structs.replace(before, state=SenderState.DISABLED, state_reason=reason)
        case _:
            assert_never(trouble)
    sender = msgspec.structs.replace(sender, updated_at=now)
    await queries.report_trouble(conn, sender, workspace_id=workspace_id)
    if trouble is Trouble.WARNING or sender.state is not before.state:
        await _tell(conn, workspace_id, kind, sender, now)
        await account_queries.wake(conn, workspace_id)


async def warn(conn: Connection, *, workspace_id: WorkspaceId, sender_id: SenderId, reason: str, now: datetime) -> None:
    """Tell what a person should do before it stops the sender; its limits stay as they are."""
    before = await queries.lock(conn, workspace_id, sender_id)
    if before is not None:
        sender = msgspec.structs.replace(before, state_reason=reason)
        await _tell(conn, workspace_id, EventType.SENDER_WARNING, sender, now)


async def receive(conn: Connection, workspace_id: WorkspaceId, sender_id: SenderId, facts: list[Fact]) -> int:
    """Store what a provider told about one account; a key seen before is ignored. The number that was new."""
    return await receive_all(
        conn, [Received(workspace_id=workspace_id, sender_id=sender_id, fact=fact) for fact in facts]
    )


async def receive_all(conn: Connection, received: list[Received]) -> int:
    """`receive` for many accounts at once."""
    return await queries_inbound.insert(conn, received) if received else 0


def canonical_username(text: str, param: str) -> str:
    """The one spelling of a sender's username; Invalid names `param`."""
    try:
        return canonical(text)
    except InvalidUsername as error:
        message = error.message.replace("instagramUsername", param, 1)
        raise Invalid(message, param=param, remedy="Copy the username from the account's profile.") from None


async def _locked(conn: Connection, caller: Caller, sender_id: SenderId) -> Sender:
    """The sender, locked for a change; a key bound to a client may look at it, and no more."""
    if caller.client_id is not None:
        if await queries.by_id(conn, caller.workspace_id, sender_id, only=caller.client_id) is None:
            raise SenderNotFound("There is no such sender.")
        raise InsufficientScope("This key is bound to one client and cannot change senders.")
    sender = await queries.lock(conn, caller.workspace_id, sender_id)
    if sender is None:
        raise SenderNotFound("There is no such sender.")
    return sender


def _refuse_archived(sender: Sender) -> None:
    if sender.archived_at is not None:
        raise InvalidState("A deleted sender cannot be changed.", remedy="Add the same username again.")


async def _store(
    conn: Connection, caller: Caller, action: str, before: Sender, sender: Sender, *, reason: str | None = None
) -> Sender:
    """Keep a sender as a person wants it, and have the plans made anew."""
    sender = msgspec.structs.replace(sender, updated_at=caller.now)
    # The hint was made from the old limits; the history decides anyway.
    await queries.change(conn, sender, workspace_id=caller.workspace_id, ready_at=caller.now)
    old, new = accounts.changed(before, sender)
    await accounts.audit(conn, caller, action, sender.id, before=old, after=new, reason=reason)
    await account_queries.wake(conn, caller.workspace_id)
    return sender


async def _tell(conn: Connection, workspace_id: WorkspaceId, kind: EventType, sender: Sender, now: datetime) -> None:
    await events.record(conn, NewEvent(type=kind, workspace_id=workspace_id, at=now, data={"sender": sender}))


def checked_transport(mode: Mode, name: str) -> str:
    """A transport that the workspace may use."""
    names = allowed(mode)
    if name not in names:
        raise Invalid(f"transport must be one of {', '.join(names)} in a {mode.value} workspace.", param="transport")
    return name


def _routes(mode: Mode, transport: str, routes: list[str]) -> list[str]:
    """Routes are named by the transport that opens them."""
    names = [name for name in allowed(mode) if name != "instagram" or transport == "instagram"]
    for index, route in enumerate(routes):
        if route not in names:
            raise Invalid(f"routes[{index}] must be one of {', '.join(names)}.", param=f"routes[{index}]")
    if transport not in routes:
        raise Invalid(f"routes must hold the sender's own transport, {transport}.", param="routes")
    return list(dict.fromkeys(routes))


async def _clients(conn: Connection, caller: Caller, client_ids: list[ClientId]) -> list[ClientId]:
    if len(client_ids) > MAX_CLIENTS:
        raise Invalid(f"clientIds has {len(client_ids)} entries; at most {MAX_CLIENTS} are allowed.", param="clientIds")
    wanted = list(dict.fromkeys(client_ids))
    if missing := await queries.unknown_clients(conn, caller.workspace_id, wanted):
        index = client_ids.index(missing[0])
        raise Invalid(f"clientIds[{index}] names no client of this workspace.", param=f"clientIds[{index}]")
    return wanted
