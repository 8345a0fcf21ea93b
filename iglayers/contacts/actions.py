"""Verbs of suppression: suppress one, many or a file of people, and lift it again.

The people are locked before a suppression is written, and the engine asks again under the same lock: once
this has committed, nothing to them begins.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Annotated

import msgspec

from iglayers.accounts import actions as accounts
from iglayers.accounts.model import Caller, InsufficientScope
from iglayers.clients import queries as clients
from iglayers.clients.model import ClientNotFound
from iglayers.contacts import queries
from iglayers.contacts.model import ERASURE, OPT_OUT, Suppression, SuppressionKept, SuppressionNotFound
from iglayers.contacts.queries import NewSuppression, Written
from iglayers.contacts.usernames import canonical, handle_hash
from iglayers.core.clock import Moment
from iglayers.core.csv_text import MalformedRow, Sheet
from iglayers.core.db import Connection, keep_plans
from iglayers.core.errors import Error, Invalid, MissingField
from iglayers.core.fields import optional_line
from iglayers.core.ids import ClientId, ContactId, WorkspaceId, uuid7, uuid7_block
from iglayers.core.wire import decode_special

MOST_AT_ONCE = 10_000
MAX_LIST_BYTES = 10 << 20
MOST_REJECTS_SHOWN = 1_000
# Those of the export, so that one list can be read where another was written; `createdAt` is not kept.
_COLUMNS = ("instagramUsername", "clientId", "reason", "source", "expiresAt", "createdAt")


class WantedSuppression(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """One person, as a caller names them."""

    instagram_username: str
    client_id: ClientId | None = None
    reason: str | None = None
    source: str | None = None
    expires_at: Moment | None = None


class WantedSuppressions(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    suppressions: Annotated[list[WantedSuppression], msgspec.Meta(min_length=1, max_length=MOST_AT_ONCE)]


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """A wanted suppression whose person is certain."""

    username: str
    digest: bytes
    client_id: ClientId | None
    reason: str
    source: str | None
    expires_at: datetime | None


class Refused(msgspec.Struct, frozen=True):
    """A row that was refused: its index in the call or its line in the file, what stood there, and why."""

    place: int
    username: str
    error: Error


class Suppressed(msgspec.Struct, frozen=True):
    """What became of many: by place for accepted rows, and the refused ones."""

    accepted: dict[int, Written]
    refused: list[Refused]


class Reading(msgspec.Struct, frozen=True):
    """A list of people as it was read, nothing written yet; `param` is how the fields of a row are named."""

    named: dict[int, Named]
    refused: list[Refused]
    param: str = "{1}"

    def refuse(self, place: int, username: str, error: Error) -> None:
        error.param = self.param.format(place, error.param)
        self.refused.append(Refused(place, username, error))


async def suppress(conn: Connection, caller: Caller, wanted: WantedSuppression, *, pepper: bytes) -> Suppression:
    """Nobody writes to this person again (for one client, or at all) until it ends or is lifted."""
    named = _named(wanted, pepper=pepper, client_id=wanted.client_id or caller.client_id, now=caller.now)
    await check_client(conn, caller, named.client_id)
    written = await _write(conn, caller, [named], source="manual")
    done = written[named.digest, named.client_id]
    shown = _shown(done)
    await accounts.audit(
        conn, caller, "suppression.created" if done.is_new else "suppression.changed", shown.id, after=shown,
        reason=shown.reason or None, contact_id=done.contact_id.uuid,
    )  # fmt: skip
    return shown


async def suppress_many(
    conn: Connection, caller: Caller, wanted: Sequence[WantedSuppression], *, pepper: bytes
) -> Suppressed:
    """The same for up to 10,000 people; rows that name nobody are refused one by one."""
    now = caller.now
    reading = Reading({}, [], "suppressions[{}].{}")
    for place, each in enumerate(wanted):
        try:
            client_id = each.client_id or caller.client_id
            reading.named[place] = _named(each, pepper=pepper, client_id=client_id, now=now)
        except Invalid as error:
            reading.refuse(place, each.instagram_username, error)
    return await suppress_read(conn, caller, reading, source="manual")


def read_sheet(sheet: Sheet, *, pepper: bytes, client_id: ClientId | None, now: datetime) -> Reading:
    """A CSV list with the column instagramUsername, maybe others of an export of ours. Slow for long files.

    `client_id` is for lines that name none.
    """
    if unknown := [name for name in sheet.header if name not in _COLUMNS]:
        raise Invalid(
            f"Line 1: {unknown[0][:64]} is not a column of this list.", param="body",
            remedy=f"The columns are {', '.join(_COLUMNS)}.",
        )  # fmt: skip
    if "instagramUsername" not in sheet.header:
        raise MissingField("Line 1: the column instagramUsername is missing.", param="instagramUsername")
    reading = Reading({}, [])
    for line, cells in sheet.rows:
        if isinstance(cells, MalformedRow):
            reading.refused.append(Refused(line, "", cells))
            continue
        fields = dict(zip(sheet.header, cells, strict=True))
        try:
            wanted = WantedSuppression(
                instagram_username=fields["instagramUsername"], reason=fields.get("reason"),
                source=fields.get("source"), expires_at=_moment(fields.get("expiresAt", "")),
            )  # fmt: skip
            own_client = _client(fields.get("clientId", ""))
            reading.named[line] = _named(wanted, pepper=pepper, client_id=own_client or client_id, now=now)
        except Invalid as error:
            reading.refuse(line, fields["instagramUsername"], error)
    return reading


async def suppress_read(conn: Connection, caller: Caller, reading: Reading, *, source: str) -> Suppressed:
    """Write what was read; one line of the audit log for all of it."""
    await keep_plans(conn)
    await _refuse_unknown_clients(conn, caller, reading)
    written = await _write(conn, caller, reading.named.values(), source=source)
    accepted = {place: written[each.digest, each.client_id] for place, each in reading.named.items()}
    if accepted:
        after = {"suppressions": len(written), "source": source}
        await accounts.audit(conn, caller, "suppression.created_many", caller.workspace_id, after=after)
    return Suppressed(accepted, sorted(reading.refused, key=lambda each: each.place))


async def suppress_contact(  # noqa: PLR0913 one fact each
    conn: Connection,
    *,
    workspace_id: WorkspaceId,
    contact_id: ContactId,
    client_id: ClientId | None = None,
    reason: str,
    source: str,
    now: datetime,
) -> bool:
    """For other slices, such as an opt-out; the caller holds the contact's lock. Whether it is new."""
    new = NewSuppression(
        id=uuid7(), contact_id=contact_id, client_id=client_id, reason=reason, source=source, expires_at=None
    )
    written = await queries.suppress(conn, workspace_id, [new], now=now)
    return written[0].is_new


async def opt_out(
    conn: Connection, *, workspace_id: WorkspaceId, contact_id: ContactId, reason: str, now: datetime
) -> bool:
    """The person wants no messages from anybody in the workspace; whether that is news, and so to be told.

    The caller holds the contact's lock, and tells `contact.opted_out`.
    """
    known = await queries.of_contact(conn, workspace_id, contact_id)
    await suppress_contact(
        conn, workspace_id=workspace_id, contact_id=contact_id, reason=reason, source=OPT_OUT, now=now
    )
    return not any(each.client_id is None and each.source in (OPT_OUT, ERASURE) for each in known)


async def unsuppress(
    conn: Connection, caller: Caller, username: str, *, client_id: ClientId | None, pepper: bytes
) -> Suppression:
    """Lift the suppression of a person for the client, or the one for the whole workspace."""
    client_id = client_id or caller.client_id
    _refuse_other_client(caller, client_id)
    contact = await queries.by_username(conn, caller.workspace_id, canonical(username), pepper=pepper)
    if contact is None:
        raise SuppressionNotFound("This person is not suppressed.")
    await queries.lock(conn, caller.workspace_id, [contact.id])
    found = await queries.of_contact(conn, caller.workspace_id, contact.id)
    lifted = next((each for each in found if each.client_id == client_id), None)
    if lifted is None:
        raise _not_lifted(caller, found)
    if lifted.source == ERASURE:
        raise SuppressionKept("This person's data was erased; the suppression stays.")
    await queries.delete(conn, caller.workspace_id, lifted.id)
    await accounts.audit(conn, caller, "suppression.lifted", lifted.id, before=lifted, contact_id=contact.id.uuid)
    return lifted


def _not_lifted(caller: Caller, found: Sequence[Suppression]) -> SuppressionNotFound:
    others = [str(each.client_id or "the whole workspace") for each in found] if caller.client_id is None else []
    if not others:
        return SuppressionNotFound("This person is not suppressed.")
    return SuppressionNotFound(
        f"This person is suppressed only for {', '.join(others[:5])}.", param="clientId",
        remedy="Name the client in ?clientId=, or leave it out for the whole workspace.",
    )  # fmt: skip


def _named(wanted: WantedSuppression, *, pepper: bytes, client_id: ClientId | None, now: datetime) -> Named:
    if not wanted.instagram_username.strip():
        raise MissingField("instagramUsername is required.", param="instagramUsername")
    username = canonical(wanted.instagram_username)
    if wanted.expires_at is not None and wanted.expires_at <= now:
        raise Invalid("expiresAt must lie in the future.", param="expiresAt")
    source = optional_line(wanted.source, "source", most=50)
    if source == ERASURE:
        raise Invalid(
            f"source cannot be {ERASURE}, which erasing a person alone writes.", param="source",
            remedy="Erase the person: DELETE /contacts/{username}.",
        )  # fmt: skip
    return Named(
        username=username, digest=handle_hash(pepper, username), client_id=client_id,
        reason=optional_line(wanted.reason, "reason", most=500) or "", source=source, expires_at=wanted.expires_at,
    )  # fmt: skip


def _moment(text: str) -> Moment | None:
    try:
        return msgspec.convert(text.strip(), Moment, dec_hook=decode_special) if text.strip() else None
    except msgspec.ValidationError as error:
        raise Invalid(f"expiresAt: {error}.", param="expiresAt") from None


def _client(text: str) -> ClientId | None:
    try:
        return ClientId.parse(text.strip()) if text.strip() else None
    except ValueError:
        return ClientId.of_nothing()


async def check_client(conn: Connection, caller: Caller, client_id: ClientId | None) -> None:
    """Refuse a client for which the caller can suppress nobody."""
    _refuse_other_client(caller, client_id)
    if client_id is not None and await _unknown_clients(conn, caller, {client_id}):
        raise ClientNotFound("clientId names no client.", param="clientId")


async def _unknown_clients(conn: Connection, caller: Caller, named: set[ClientId]) -> set[ClientId]:
    return named - await clients.among(conn, caller.workspace_id, named, only=caller.client_id) if named else set()


async def _refuse_unknown_clients(conn: Connection, caller: Caller, reading: Reading) -> None:
    """Take the rows out that name a client which is not there."""
    named = {each.client_id for each in reading.named.values()}
    for client_id in named:
        _refuse_other_client(caller, client_id)
    unknown = await _unknown_clients(conn, caller, {each for each in named if each is not None})
    for place, each in list(reading.named.items()):
        if each.client_id in unknown:
            del reading.named[place]
            reading.refuse(place, each.username, ClientNotFound("clientId names no client.", param="clientId"))


def _refuse_other_client(caller: Caller, client_id: ClientId | None) -> None:
    if caller.client_id is not None and client_id != caller.client_id:
        raise InsufficientScope("This key is bound to one client and can suppress only for it.", param="clientId")


async def _write(
    conn: Connection, caller: Caller, named: Collection[Named], *, source: str
) -> dict[tuple[bytes, ClientId | None], Written]:
    """Find or insert the people, lock them, write; of a person named twice the last row holds."""
    last = {(each.digest, each.client_id): each for each in named}
    written: dict[tuple[bytes, ClientId | None], Written] = {}
    # One order over the whole list: its parts lock after each other, like two lists at once.
    for part in _parts(sorted(last.values(), key=lambda each: each.digest)):
        people = {each.digest: each.username for each in part}
        found = await queries.upsert_many(
            conn, caller.workspace_id, ids=uuid7_block(len(people)), hashes=list(people),
            usernames=list(people.values()), now=caller.now,
        )  # fmt: skip
        contacts = {each.handle_hash: each.id for each in found}
        await queries.lock(conn, caller.workspace_id, list(contacts.values()))
        # Two handles may be one person since a merge.
        new = {
            (contacts[each.digest], each.client_id): NewSuppression(
                id=new_id, contact_id=contacts[each.digest], client_id=each.client_id, reason=each.reason,
                source=each.source or source, expires_at=each.expires_at,
            )
            for each, new_id in zip(part, uuid7_block(len(part)), strict=True)
        }  # fmt: skip
        done = await queries.suppress(conn, caller.workspace_id, list(new.values()), now=caller.now)
        by_person = {(each.contact_id, each.client_id): each for each in done}
        written |= {(each.digest, each.client_id): by_person[contacts[each.digest], each.client_id] for each in part}
    return written


def _parts(named: list[Named]) -> Iterator[list[Named]]:
    for start in range(0, len(named), MOST_AT_ONCE):
        yield named[start : start + MOST_AT_ONCE]


def _shown(written: Written) -> Suppression:
    return Suppression(
        id=written.id, username=written.username, client_id=written.client_id, reason=written.reason,
        source=written.source, expires_at=written.expires_at, created_at=written.created_at,
    )  # fmt: skip
