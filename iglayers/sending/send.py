"""How one message gets sent. Read downward.

    pick      queries.py  the most overdue campaign and a free sender, locked
    look      looking.py  the next person, locked, and the ledger after that
    pace      pacing.py   every limit at once says: now, or when
    refuse    refuse.py   suppressed, contacted, no route, a missing word: final, nothing leaves
    switch    switch.py   the account of the campaign that has the better way to this person
    render    refuse.py   the frozen text and the person's fields
    begin     queries.py  the point of no return, committed before the network is touched
    deliver   transports  the only network call, one request with one deadline
    settle    settle.py   outcome, event and next step in one transaction

Pick to begin is one transaction. After begin a message is never sent again by itself: if the worker is lost
there, the lease ends, the message is shown as unknown, and evidence or a person decides.
"""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import structlog

from iglayers.core.clock import Clock, Moment, awake_seconds, real_now
from iglayers.core.config import Settings
from iglayers.core.db import Connection, Database
from iglayers.core.ids import EventId
from iglayers.core.wire import json_bytes
from iglayers.messages import pacing
from iglayers.senders.model import NotSent, Order, Outcome, Transport, Unknown
from iglayers.senders.ways import Open
from iglayers.sending import (
    planning,
    queries,
    queries_outbox,
    queries_rest,
    queries_switch,
    refuse,
    rest,
    settle,
    switch,
)
from iglayers.sending.looking import Look, look
from iglayers.sending.model import Attempt, Facts, Pick
from iglayers.sending.refuse import Refusal

log = structlog.get_logger("sending")

# A row that we need is held by another worker: look again this soon.
SOON = timedelta(milliseconds=20)


class Engine(msgspec.Struct, frozen=True):
    """What a worker needs to send."""

    db: Database
    settings: Settings
    transports: dict[str, Transport]
    settler: settle.Settler

    @property
    def machine_transports(self) -> list[str]:
        """Those that need no person."""
        return [name for name, each in self.transports.items() if not each.by_hand]


class Ready(msgspec.Struct, frozen=True):
    """A message that has begun and is about to leave."""

    attempt: Attempt
    order: Order
    transport: Transport
    commit_asked_at: float  # by a clock that counts sleep


async def begin_next(engine: Engine) -> Ready | bool:
    """Take one step for the most overdue campaign: a message that has begun, or whether there was anything to do."""
    ready: Ready | bool = False
    try:
        async with engine.db.transaction() as conn:
            pick = await queries.pick(conn, machine_transports=engine.machine_transports)
            if pick is not None:
                ready = await _plan(engine, conn, pick)
    except rest.MonthFull:
        return True
    except Exception:
        if isinstance(ready, Ready):
            # The commit failed or its answer was lost: whether or not it happened, nothing has left.
            await settle.settle(engine.db, ready.attempt, _given_up(ready.attempt, "The commit was not confirmed."))
        raise
    return ready


async def finish(engine: Engine, ready: Ready) -> None:
    """Deliver a message that has begun, and settle it whatever happens."""
    started = awake_seconds()
    try:
        outcome = await _deliver(engine, ready)
    except asyncio.CancelledError:
        outcome = Unknown("The worker was stopped while the message was on its way.")
        await asyncio.shield(settle.settle(engine.db, ready.attempt, outcome))
        raise
    await engine.settler.settle(ready.attempt, outcome)
    settle.report(ready.attempt, outcome, took_s=awake_seconds() - started)


async def _plan(engine: Engine, conn: Connection, pick: Pick) -> Ready | bool:
    """Everything between the locks and the commit."""
    if pick.sender_id is None:
        await rest.rest(conn, pick, machine_transports=engine.machine_transports)
        return True
    client = None
    if pick.client_has_limits:
        if not await queries.lock_client(conn, pick):
            return await _look_again(conn, pick)
        client = await queries.client_history(conn, pick)
    seen = await look(conn, pick, client)
    if seen.facts.dispatch != "running" or seen.facts.sender_busy or seen.facts.target_id is None or seen.is_stale:
        return await _look_again(conn, pick)
    if seen.facts.merged:  # while this waited for the person, who is another one now
        return await _look_again(conn, pick)
    if seen.month_is_full:
        await rest.wait_for_month(conn, pick, now=seen.now, month=seen.month)
        return True
    if seen.verdict.at is None or seen.verdict.at > seen.now:
        again_at = pacing.sender_looks_again_at(seen.pace, seen.now, pick.zone)
        await rest.postpone(conn, pick, seen.verdict, looks_again_at=again_at)
        return True
    return await _write_to(engine, conn, pick, seen)


async def _look_again(conn: Connection, pick: Pick) -> bool:
    """Somebody else holds what this step needs."""
    await queries_rest.wait_for(conn, pick, due_at=real_now() + SOON, next_at=None, rule=None, blocker=None)
    return True


async def _write_to(engine: Engine, conn: Connection, pick: Pick, seen: Look) -> Ready | bool:
    """Refuse, or go the way that is open; where there is none, or a person's hands alone, another account's first."""
    way = refuse.way(engine.transports, pick, seen.facts, seen.now)
    if isinstance(way, Open) and not way.transport.by_hand:
        return await _go(engine, conn, pick, seen, way)
    another = await switch.to_another(conn, pick, seen, way, transports=engine.transports)
    if isinstance(another, switch.Other):
        return await _go(engine, conn, another.pick, another.seen, another.way)
    if isinstance(another, switch.Later):
        assert seen.facts.target_id is not None
        await queries_switch.put_off(conn, pick, seen.facts.target_id, until=another.until)
        return True
    if isinstance(way, Refusal):
        return await _skip(conn, pick, seen.facts, way, seen.now)
    return await _go(engine, conn, pick, seen, way)


async def _go(engine: Engine, conn: Connection, pick: Pick, seen: Look, way: Open) -> Ready | bool:
    """Render and begin; where only a person may send it, hand a card to the outbox."""
    facts, now = seen.facts, seen.now
    address = way.permitted.address
    variant, body = planning.variant(facts)
    text = refuse.text(pick, facts, body)
    if isinstance(text, Refusal):
        return await _skip(conn, pick, facts, text, now)
    attempt = planning.attempt(pick, facts, now, route=way.permitted.route)
    if way.transport.by_hand:
        await queries_outbox.hand_over(conn, attempt, variant=variant)
        return True
    message = planning.message(pick, facts, seen.limits, attempt, variant=variant, text=text, address=address)
    begun = await queries.begin(conn, message, lease_s=engine.settings.send_lease_s)
    if begun.month_full:
        raise rest.MonthFull
    if not begun.begun:
        return await _skip(conn, pick, facts, refuse.found_at_begin(begun), now)
    order = planning.order(engine.settings, pick, facts, attempt, address=address, text=text)
    return Ready(attempt, order, way.transport, commit_asked_at=awake_seconds())


async def _skip(conn: Connection, pick: Pick, facts: Facts, why: Refusal, now: Moment) -> bool:
    assert facts.target_id is not None
    assert facts.contact_id is not None
    assert facts.step is not None
    message = {"step": facts.step, "status": "skipped", "errorCode": why.code, "reason": why.reason}
    event: tuple[UUID, UUID, bytes] = (
        EventId.new().uuid, facts.contact_id.uuid, json_bytes(planning.event(pick, facts) | {"message": message})
    )  # fmt: skip
    await queries.skip(
        conn, pick, facts.target_id, step=facts.step, code=why.code, reason=why.reason, at=now, event=event
    )
    return True


async def _deliver(engine: Engine, ready: Ready) -> Outcome:
    """The only network call. A worker that was stopped or frozen around the commit gives up before the first byte."""
    waited_s = awake_seconds() - ready.commit_asked_at
    if waited_s > engine.settings.commit_patience_s:
        return _given_up(ready.attempt, f"The commit took {waited_s:.1f} s.")
    try:
        async with asyncio.timeout(engine.settings.send_deadline_s):
            return await ready.transport.deliver(ready.order)
    except TimeoutError:
        return Unknown(f"No answer within {engine.settings.send_deadline_s:g} s.")
    except Exception:
        log.exception("message.transport_broke", message_id=str(ready.attempt.message_id))
        return Unknown("The transport failed in a way it does not know.")


def _given_up(attempt: Attempt, reason: str) -> NotSent:
    """Nothing has left and nothing will: the person may be written to again at once."""
    return NotSent(code="provider_error", reason=reason, retry_at=_now(attempt.clock))


def _now(clock: Clock) -> datetime:
    return clock.shows(real_now())
