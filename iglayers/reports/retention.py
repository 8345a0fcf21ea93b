"""Retention: a person in whom nothing has happened for longer than the workspace keeps people is forgotten.

Once a day a workspace's people are looked through in batches, each of which is one transaction that also moves the
mark. What is personal goes, as in an erasure; that they were written to, and what suppresses them, stays with the hash
of the handle. Whoever names such a person again (an upload, a suppression, their own word) makes them known again.
"""

from datetime import datetime, timedelta

import structlog

from iglayers.accounts import actions as accounts
from iglayers.accounts import queries as account_queries
from iglayers.accounts.model import Caller
from iglayers.contacts import queries_retention as contacts
from iglayers.contacts.model import ContactRow
from iglayers.contacts.queries_retention import Run
from iglayers.core.clock import real_now
from iglayers.core.db import Connection, Database
from iglayers.core.ids import ContactId
from iglayers.events import queries as events
from iglayers.reports import people, queries_retention
from iglayers.senders import queries_inbound
from iglayers.targets import queries_lifecycle, queries_merge

log = structlog.get_logger("retention")
ACTOR = "retention"
BATCH = 1_000
EVERY = timedelta(days=1)
# What a person of a draft or a completed campaign who was never written to has become.
REASON = "retention_ended"


async def forget_quiet(db: Database, *, batch: int = BATCH) -> int:
    """Go on with every run that is due until none is; how many people were forgotten."""
    async with db.connection() as conn:
        await contacts.plan_new(conn)
    total = 0
    while (done := await go_on(db, batch=batch)) is not None:
        total += done
    return total


async def go_on(db: Database, *, batch: int = BATCH) -> int | None:
    """One batch of one run: how many people were forgotten; None when no run is due."""
    async with db.transaction() as conn:
        run = await contacts.take(conn)
        if run is None:
            return None
        await contacts.plan_in_bulk(conn)
        caller = await _caller(conn, run)
        before = caller.now - timedelta(days=run.retention_days)
        met = await contacts.page(conn, run.workspace_id, after_hash=run.after_hash, before=before, limit=batch)
        done = await _forget(conn, caller, [each.id for each in met if each.is_candidate], before=before)
        is_last = len(met) < batch
        await contacts.move_mark(
            conn, run.workspace_id, after_hash=b"" if is_last else met[-1].handle_hash, forgotten=done,
            next_due_at=real_now() + EVERY if is_last else None,
        )  # fmt: skip
        if is_last and (people_forgotten := run.forgotten + done):
            await _tell(conn, caller, run, people_forgotten)
    return done


async def _forget(conn: Connection, caller: Caller, candidates: list[ContactId], *, before: datetime) -> int:
    """Forget those of these people in whom nothing happens any more; whoever somebody holds waits for another day."""
    workspace_id, now = caller.workspace_id, caller.now
    seen = await queries_retention.quiet(conn, workspace_id, candidates, before=before)
    if not seen:
        return 0
    handles = await contacts.handles_of(conn, workspace_id, seen)
    ids = [each.id for rows in handles.values() for each in rows]
    # Targets before people, as everywhere; what came in between is found by looking once more.
    await queries_merge.lock_of(conn, workspace_id, ids)
    held = await contacts.hold(conn, workspace_id, ids)
    whole = [person for person, rows in handles.items() if held.issuperset(each.id.uuid for each in rows)]
    if await contacts.handles_of(conn, workspace_id, whole) != {person: handles[person] for person in whole}:
        return 0  # two were merged just now
    gone = await queries_retention.quiet(conn, workspace_id, whole, before=before)
    told_of = await events.reach_back(conn, workspace_id, before=before)
    if told_of:
        waited_for = await events.undelivered_of(conn, workspace_id, gone)
        gone = [each for each in gone if not waited_for.intersection(row.id.uuid for row in handles[each])]
    names = [row.username for each in gone for row in handles[each] if row.username is not None]
    unread = await queries_inbound.unread_of(conn, workspace_id, ids, names)
    gone = [each for each in gone if not any({row.id.uuid, row.username} & unread for row in handles[each])]
    rows = [row for each in gone for row in handles[each]]
    await _take_out(conn, caller, rows, told_of=told_of)
    await contacts.forget(conn, workspace_id, [each.id for each in rows], at=now)
    return len(gone)


async def _take_out(conn: Connection, caller: Caller, handles: list[ContactRow], *, told_of: bool) -> None:
    ids = [each.id for each in handles]
    await queries_lifecycle.erase(conn, caller.workspace_id, ids, at=caller.now, code=None, reason=REASON)
    await people.take_out(conn, caller.workspace_id, handles)
    if told_of:
        await events.erase(conn, caller.workspace_id, ids)


async def _tell(conn: Connection, caller: Caller, run: Run, forgotten: int) -> None:
    after = {"people": forgotten, "retentionDays": run.retention_days}
    await accounts.audit(conn, caller, "contact.forgotten_many", run.workspace_id, after=after)
    log.info("retention.forgotten", workspace_id=str(run.workspace_id), people=forgotten)


async def _caller(conn: Connection, run: Run) -> Caller:
    workspace = await account_queries.workspace(conn, run.workspace_id)
    clock = await account_queries.clock(conn, run.workspace_id)
    assert workspace is not None
    assert clock is not None
    return Caller(workspace_id=workspace.id, mode=workspace.mode, scopes=frozenset(), actor=ACTOR, clock=clock)
