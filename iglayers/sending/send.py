"""How one message gets sent. Read downward.

    pick      here        the most overdue campaign, a free sender, the next person, all locked
    pace      pacing.py   every limit at once says: now, or when
    refuse    here        suppressed, contacted, no route, a missing word: final, nothing leaves
    render    here        the frozen text and the person's fields
    begin     queries.py  the point of no return, committed before the network is touched
    deliver   transports  the only network call, one request with one deadline
    settle    settle.py   outcome, event and next step in one transaction

Pick to begin is one transaction. After begin a message is never sent again by itself: if the worker is lost
there, the lease ends, the message is shown as unknown, and evidence or a person decides.
"""

import asyncio
from datetime import date, datetime, timedelta
from uuid import UUID

import msgspec
import structlog

from iglayers.core.clock import Clock, Moment, awake_seconds, real_now
from iglayers.core.config import Settings
from iglayers.core.db import Connection, Database
from iglayers.core.ids import EventId, TargetId
from iglayers.core.wire import json_bytes
from iglayers.messages import pacing
from iglayers.senders.model import NotSent, Order, Outcome, Transport, Unknown
from iglayers.sending import planning, queries, queries_outbox, queries_rest, queries_switch, refuse, rest, settle
from iglayers.sending.model import Attempt, ClientHistory, Facts, Pick
from iglayers.sending.refuse import Refusal
from iglayers.usage.model import month_of

log = structlog.get_logger("sending")

# A row that we need is held by another worker: look again this soon.
SOON = timedelta(milliseconds=20)
# The one account that may write to a person is busy, rests or must wait: the person's turn comes this much later.
RESTS = timedelta(seconds=30)


class Engine(msgspec.Struct, frozen=True):
    """What a worker needs to send."""

    db: Database
    settings: Settings
    transports: dict[str, Transport]

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
    await settle.settle(engine.db, ready.attempt, outcome)
    settle.report(ready.attempt, outcome, took_s=awake_seconds() - started)


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What a person's turn looks like with everything locked: the facts, the limits, and when they let it go."""

    facts: Facts
    limits: pacing.Limits
    pace: pacing.SenderPace
    now: Moment
    month: date
    client: ClientHistory | None
    verdict: pacing.Verdict

    @property
    def month_is_full(self) -> bool:
        return self.facts.monthly_limit is not None and self.facts.month_sent >= self.facts.monthly_limit

    @property
    def is_stale(self) -> bool:
        """The client got limits after it was read without them."""
        facts = self.facts
        return self.client is None and (facts.client_hourly_limit is not None or facts.client_daily_limit is not None)


async def look(
    conn: Connection, pick: Pick, client: ClientHistory | None, *, target_id: TargetId | None = None
) -> Look:
    """Lock the next person, or the one who is named, and read the ledger and the clock after that."""
    pace = planning.pace(pick)
    picked_at = pick.clock.shows(real_now())
    limits = pacing.sender_limits(pace, picked_at, pick.zone)
    month = month_of(picked_at, pick.zone)
    facts = await queries.facts(conn, pick, now=picked_at, sender=limits, month=month, target_id=target_id)
    assert facts is not None
    now = pick.clock.shows(facts.real_now)
    verdict = pacing.next_allowed(now, planning.budgets(pick, facts, limits, client), pick.schedule, pick.zone)
    return Look(facts=facts, limits=limits, pace=pace, now=now, month=month, client=client, verdict=verdict)


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
    """Refuse, or render and begin; where only a person may send it, hand a card to the outbox."""
    facts, now = seen.facts, seen.now
    way = refuse.way(engine.transports, pick, facts, now)
    if isinstance(way, Refusal):
        return await _through_another(engine, conn, pick, seen, way)
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


async def _through_another(engine: Engine, conn: Connection, pick: Pick, seen: Look, why: Refusal) -> Ready | bool:
    """Where this sender may not write to the person, the one may to whom they spoke; else they are skipped."""
    facts, now = seen.facts, seen.now
    assert facts.contact_id is not None
    assert facts.target_id is not None
    known_by = None
    if facts.step == 0 and why.code == "no_permitted_route":  # a follow-up goes out from the account that wrote first
        known_by = await queries_switch.knows(conn, pick, facts.contact_id, now=now)
    if known_by is None:
        return await _skip(conn, pick, facts, why, now)
    other = await queries_switch.hold(conn, pick, known_by, now=now)
    if other is None:
        await queries_switch.put_off(conn, pick, facts.target_id, until=now + RESTS)
        return True
    pick = msgspec.structs.replace(pick, **msgspec.structs.asdict(other))
    seen = await look(conn, pick, seen.client, target_id=facts.target_id)
    if isinstance(refuse.way(engine.transports, pick, seen.facts, seen.now), Refusal):
        return await _skip(conn, pick, seen.facts, why, seen.now)
    at = seen.verdict.at
    if at is None or at > seen.now or seen.facts.sender_busy:
        await queries_switch.put_off(conn, pick, facts.target_id, until=max(at or seen.now, seen.now + RESTS))
        return True
    return await _write_to(engine, conn, pick, seen)


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
