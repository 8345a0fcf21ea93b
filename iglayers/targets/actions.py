"""Verbs of targets: upload thousands, cancel one."""

from collections.abc import Iterable
from uuid import UUID

import msgspec

from iglayers.accounts import actions as accounts
from iglayers.accounts.model import Caller
from iglayers.contacts import queries as contacts
from iglayers.contacts.model import TargetSuppressed
from iglayers.contacts.usernames import handle_hash
from iglayers.core.clock import Moment
from iglayers.core.db import Connection
from iglayers.core.errors import Error, InvalidState
from iglayers.core.ids import CampaignId, TargetId, uuid7_block
from iglayers.core.wire import json_bytes
from iglayers.events import queries as events
from iglayers.events.model import EventType, NewEvent
from iglayers.targets import queries
from iglayers.targets.model import (
    ENDED_UNSENT,
    RefusedRow,
    RowError,
    RowResult,
    Target,
    TargetDuplicate,
    TargetNotFound,
    TargetRow,
    UploadCampaign,
    UploadedRows,
    UploadReport,
)

_UNNAMED = UUID(int=0)


class Accepted(msgspec.Struct, gc=False):
    """A row that is to become a target, or (`is_again`) to take the place of one that ended unsent."""

    index: int
    row: TargetRow
    contact_id: UUID
    target_id: UUID
    is_again: bool


class Upload(msgspec.Struct):
    """One call's rows on their way: each index ends in `refused` or in `accepted`."""

    conn: Connection
    caller: Caller
    campaign: UploadCampaign
    now: Moment
    given: UploadedRows
    refused: dict[int, Error]
    accepted: list[Accepted]


async def upload(
    conn: Connection,
    caller: Caller,
    campaign: UploadCampaign,
    rows: UploadedRows,
    *,
    pepper: bytes,
    dry_run: bool,
) -> UploadReport:
    """Queue these people in a campaign whose row the caller holds FOR KEY SHARE; a dry run stores nothing.

    A fixed number of statements, however many rows. Nobody is written to here, and the campaign is not woken.
    """
    if campaign.state == "cancelled":
        raise InvalidState("A cancelled campaign takes no targets.")
    this = Upload(conn, caller, campaign, caller.now, rows, {}, [])
    named = _first_of_each_name(this)
    people, known = await _meet(this, [row.username for _, row in named], pepper=pepper, dry_run=dry_run)
    await _judge(this, zip(named, people, strict=True), known)
    if not dry_run and this.accepted:
        await _queue_again(this)
        await _queue(this)
        await _record(this)
    return _report(this, dry_run=dry_run)


def _first_of_each_name(this: Upload) -> list[tuple[int, TargetRow]]:
    first: dict[str, int] = {}
    named: list[tuple[int, TargetRow]] = []
    for index, row in enumerate(this.given.rows):
        if isinstance(row, RefusedRow):
            this.refused[index] = row.error
        elif (seen := first.setdefault(row.username, index)) == index:
            named.append((index, row))
        else:
            this.refused[index] = _twice(this, row.username, seen)
    return named


def _twice(this: Upload, username: str, first: int) -> TargetDuplicate:
    return TargetDuplicate(f"{username} is in this call already, at {this.given.place(first)}.")


async def _meet(this: Upload, usernames: list[str], *, pepper: bytes, dry_run: bool) -> tuple[list[UUID], list[UUID]]:
    """The contact of each name, and those of them that were there before; a dry run invents the new ones."""
    workspace_id, fresh = this.caller.workspace_id, uuid7_block(len(usernames))
    hashes = [handle_hash(pepper, username) for username in usernames]
    if dry_run:
        met = {each.handle_hash: each.id.uuid for each in await contacts.by_hashes(this.conn, workspace_id, hashes)}
        people = [met.get(digest, new) for digest, new in zip(hashes, fresh, strict=True)]
    else:
        found = await contacts.upsert_many(
            this.conn, workspace_id, ids=fresh, hashes=hashes, usernames=usernames, now=this.now
        )
        people = [each.id.uuid for each in found]
    return people, [person for person, new in zip(people, fresh, strict=True) if person != new]


async def _judge(this: Upload, candidates: Iterable[tuple[tuple[int, TargetRow], UUID]], known: list[UUID]) -> None:
    """Accept or refuse each candidate by what is known of the person; of a stranger nothing is."""
    suppressed: set[UUID] = set()
    histories: dict[UUID, queries.History] = {}
    if known:
        conn, workspace_id, campaign = this.conn, this.caller.workspace_id, this.campaign
        suppressed = await contacts.suppressed_among(conn, workspace_id, known, campaign.client_id, this.now)
        histories = await queries.histories(
            conn, workspace_id, campaign.id, contact_ids=known, scopes=campaign.first_contact_scopes
        )
    first: dict[UUID, int] = {}
    for (index, row), person in candidates:
        history = histories.get(person)
        if (seen := first.setdefault(person, index)) != index:
            # Two names of one person, whose contacts were merged.
            this.refused[index] = _twice(this, row.username, seen)
        elif person in suppressed:
            this.refused[index] = TargetSuppressed(f"{row.username} is on the suppression list.")
        elif history is not None and (error := _refusal(row.username, history)) is not None:
            this.refused[index] = error
        else:
            again = history.target_id if history else None
            this.accepted.append(Accepted(index, row, person, again or _UNNAMED, again is not None))
    new = [each for each in this.accepted if not each.is_again]
    for each, target_id in zip(new, uuid7_block(len(new)), strict=True):
        each.target_id = target_id


def _refusal(username: str, history: queries.History) -> TargetDuplicate | None:
    """Why this person may not be queued; None for one whose target ended with nobody written to."""
    if history.target_id is not None and history.state not in ENDED_UNSENT:
        return TargetDuplicate(f"{username} is in this campaign already ({history.state}).")
    if history.is_written_to:
        return TargetDuplicate(f"{username} was written to in this campaign ({history.state}).")
    if history.is_contacted:
        return TargetDuplicate(f"{username} was already contacted for this client.")
    return None


async def _queue_again(this: Upload) -> None:
    again = [each for each in this.accepted if each.is_again]
    if not again:
        return
    ids = [each.target_id for each in again]
    await queries.lock(this.conn, this.caller.workspace_id, ids)
    queued = await queries.queue_again(
        this.conn, this.caller.workspace_id, ids=ids, people=[each.row for each in again], now=this.now
    )
    _refuse_late(this, set(ids) - queued)


async def _queue(this: Upload) -> None:
    new = [each for each in this.accepted if not each.is_again]
    if not new:
        return
    missed = await queries.insert(
        this.conn, this.caller.workspace_id, this.campaign.id, ids=[each.target_id for each in new],
        contact_ids=[each.contact_id for each in new], people=[each.row for each in new], now=this.now,
    )  # fmt: skip
    _refuse_late(this, missed)


def _refuse_late(this: Upload, ids: set[UUID]) -> None:
    """Another upload, committed while this one waited, has these."""
    if not ids:
        return
    for each in this.accepted:
        if each.target_id in ids:
            this.refused[each.index] = TargetDuplicate(f"{each.row.username} is in this campaign already (queued).")
    this.accepted = [each for each in this.accepted if each.target_id not in ids]


async def _record(this: Upload) -> None:
    campaign = this.campaign
    shown = json_bytes({"id": campaign.id, "name": campaign.name, "clientId": campaign.client_id})
    head = b'{"campaign":' + shown + b',"target":'
    first = NewEvent(
        type=EventType.TARGET_QUEUED, workspace_id=this.caller.workspace_id, at=this.now, data={},
        client_id=campaign.client_id, campaign_id=campaign.id,
    )  # fmt: skip
    await events.record_many(
        this.conn, first, ids=uuid7_block(len(this.accepted)), contact_ids=[each.contact_id for each in this.accepted],
        data=[head + json_bytes(_published(each)) + b"}" for each in this.accepted],
    )  # fmt: skip


class Published(msgspec.Struct, rename="camel", frozen=True, gc=False):
    """A target as `target.queued` tells of it: its id and its published fields."""

    id: str
    instagram_username: str
    profile_url: str | None
    full_name: str | None
    first_name: str | None
    category: str | None
    follower_count: int | None


def _published(each: Accepted) -> Published:
    row = each.row
    return Published(
        f"tgt_{each.target_id.hex}", row.username, row.profile_url, row.full_name, row.first_name, row.category,
        row.follower_count,
    )  # fmt: skip


def _report(this: Upload, *, dry_run: bool) -> UploadReport:
    rows, lines = this.given.rows, this.given.lines
    results = [RowResult(index, row.username, "rejected") for index, row in enumerate(rows)]
    for each in this.accepted:
        result = results[each.index]
        result.status = "accepted"
        if not dry_run:
            result.id = f"tgt_{each.target_id.hex}"
    for index, error in this.refused.items():
        results[index].error = RowError(error.code, error.message, error.param)
    for result, line in zip(results, lines or [], strict=False):
        result.line = line
    first = this.refused[min(this.refused)] if this.refused else None
    return UploadReport(len(this.accepted), len(this.refused), results, first)


def refuse_if_none_accepted(report: UploadReport, *, shown: list[RowResult]) -> None:
    """Raise the first row's error, with the results, when no row was accepted."""
    error = report.first_error
    if report.accepted or error is None:
        return
    details: dict[str, object] = {"accepted": 0, "rejected": report.rejected, "results": shown}
    raise type(error)(error.message, param=error.param, remedy=error.next_step, details=details)


async def cancel(conn: Connection, caller: Caller, campaign_id: CampaignId, target_id: TargetId) -> Target:
    """Take a queued target out of its campaign; it stays in the results as cancelled."""
    cancelled = await queries.cancel_queued(conn, caller.workspace_id, campaign_id, target_id, now=caller.now)
    target = await queries.by_id(conn, caller.workspace_id, campaign_id, target_id)
    if target is None:
        raise TargetNotFound("There is no such target in this campaign.")
    if not cancelled:
        raise InvalidState(f"The target is {target.status.value}; only a queued one can be cancelled.")
    await accounts.audit(conn, caller, "target.cancelled", target_id)
    return target
