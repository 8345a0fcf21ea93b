"""How one message gets sent. Read downward.

    pick      queries.py  the most overdue campaigns, each with a free sender, locked
    look      looking.py  the next person of each, locked, and the ledger after that
    pace      pacing.py   every limit at once says: now, or when
    refuse    refuse.py   suppressed, contacted, no route, a missing word: final, nothing leaves
    switch    switch.py   the account of the campaign that has the better way to this person
    render    refuse.py   the frozen text and the person's fields
    begin     queries.py  the point of no return, committed before the network is touched
    deliver   transports  the only network call, one request with one deadline
    settle    settle.py   outcome, event and next step in one transaction

Pick to begin is one transaction, for up to eight campaigns: what may go of them begins together, and since many rows
are held there, it waits for nobody. After begin a message is never sent again by itself: if the worker is lost there,
the lease ends, the message is shown as unknown, and evidence or a person decides.
"""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import structlog

from iglayers.core.clock import Clock, awake_seconds, real_now
from iglayers.core.config import Settings
from iglayers.core.db import Connection, Database
from iglayers.core.ids import ClientId, ContactId, EventId, SenderId
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
from iglayers.sending.looking import Look, look_at_next
from iglayers.sending.model import Attempt, NewMessage, Pick
from iglayers.sending.refuse import Refusal

log = structlog.get_logger("sending")

# A row that we need is held by another worker: look again this soon.
SOON = timedelta(milliseconds=20)
# A campaign for which a step failed, alone: a bug of ours, which must not hold up all others.
BROKEN = timedelta(seconds=5)


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


class Step(msgspec.Struct, frozen=True):
    """What has begun, and how many campaigns are left as they are: due, each for a step of its own."""

    ready: list[Ready]
    left: int


async def begin_next(engine: Engine, *, at_most: int = 1) -> Step | None:
    """Take one step for so many of the most overdue campaigns: their next messages, begun; None where none is due."""
    picks: list[Pick] = []
    ready: list[Ready] = []
    try:
        async with engine.db.transaction() as conn:
            picks = await queries.pick(conn, machine_transports=engine.machine_transports, at_most=at_most)
            going, left = await _plan(engine, conn, picks)
            ready = await _begin(engine, conn, going)
    except rest.MonthFull:
        return Step([], left=len(picks))
    except asyncio.CancelledError:
        await asyncio.shield(_give_up(engine, ready))
        raise
    except Exception as error:
        await _give_up(engine, ready)
        if isinstance(error, settle.DATABASE_AWAY) or not picks:
            raise
        ids = [str(each.campaign_id) for each in picks]
        log.warning("step.failed", campaign_ids=ids, error=str(error), kind=type(error).__name__)
        if len(picks) > 1:
            return Step([], left=len(picks))
        async with engine.db.connection() as conn:
            await _look_again(conn, picks[0], after=BROKEN)
        raise
    return Step(ready, left) if picks else None


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


class Going(msgspec.Struct, frozen=True):
    """A message as it will begin, if nothing is found against it then."""

    pick: Pick
    seen: Look
    way: Open
    message: NewMessage
    order: Order

    @property
    def takes(self) -> set[SenderId | ContactId | ClientId]:
        """Whose limits and ledger it changes: no other message of the same statement may stand on them."""
        attempt = self.message.attempt
        taken: set[SenderId | ContactId | ClientId] = {attempt.sender_id, attempt.contact_id}
        return taken if self.seen.client is None else taken | {attempt.client_id}


async def _plan(engine: Engine, conn: Connection, picks: list[Pick]) -> tuple[list[Going], int]:
    """Everything between the locks and begin: who goes, and how many campaigns need a transaction of their own."""
    seen = await look_at_next(conn, [each for each in picks if each.sender_id is not None])
    going: list[Going] = []
    taken: set[SenderId | ContactId | ClientId] = set()
    left = 0
    for pick in picks:
        planned = await _turn(engine, conn, pick, seen.get(pick.campaign_id), alone=len(picks) == 1)
        if not isinstance(planned, Going):
            left += not planned
        elif taken.isdisjoint(planned.takes):  # else it stays due
            taken |= planned.takes
            going.append(planned)
    return going, left


async def _turn(engine: Engine, conn: Connection, pick: Pick, seen: Look | None, *, alone: bool) -> Going | bool:
    """One campaign: a message that may go, or whether this was its turn; False where it must be `alone` for it."""
    if pick.sender_id is None:
        return await rest.rest(conn, pick, machine_transports=engine.machine_transports, alone=alone)
    if seen is None or seen.is_stale:  # somebody else holds, uses or has changed what this needs
        await _look_again(conn, pick, after=SOON)
        return True
    if seen.month_is_full:
        await rest.wait_for_month(conn, pick, now=seen.now, month=seen.month)
        return True
    if seen.verdict.at is None or seen.verdict.at > seen.now:
        again_at = pacing.sender_looks_again_at(seen.pace, seen.now, pick.zone)
        return await rest.postpone(conn, pick, seen.verdict, looks_again_at=again_at, alone=alone)
    return await _write_to(engine, conn, pick, seen)


async def _look_again(conn: Connection, pick: Pick, *, after: timedelta) -> None:
    await queries_rest.wait_for(conn, pick, due_at=real_now() + after, next_at=None, rule=None, blocker=None)


async def _write_to(engine: Engine, conn: Connection, pick: Pick, seen: Look) -> Going | bool:
    """Refuse, or go the way that is open; where there is none, or a person's hands alone, another account's first."""
    way = refuse.way(engine.transports, pick, seen.facts, seen.now)
    if isinstance(way, Open) and not way.transport.by_hand:
        return await _write(engine, conn, pick, seen, way)
    another = await switch.to_another(conn, pick, seen, way, transports=engine.transports)
    if isinstance(another, switch.Other):
        return await _write(engine, conn, another.pick, another.seen, another.way)
    if isinstance(another, switch.Later):
        assert seen.facts.target_id is not None
        await queries_switch.put_off(conn, pick, seen.facts.target_id, until=another.until)
        return True
    if isinstance(way, Refusal):
        return await _skip(conn, pick, seen, way)
    return await _write(engine, conn, pick, seen, way)


async def _write(engine: Engine, conn: Connection, pick: Pick, seen: Look, way: Open) -> Going | bool:
    """Render the text of this person, which is frozen with everything that begins with it."""
    facts, address = seen.facts, way.permitted.address
    variant, body = planning.variant(facts)
    text = refuse.text(pick, facts, body)
    if isinstance(text, Refusal):
        return await _skip(conn, pick, seen, text)
    attempt = planning.attempt(pick, facts, seen.now, route=way.permitted.route)
    message = planning.message(pick, facts, seen.limits, attempt, variant=variant, text=text, address=address)
    order = planning.order(engine.settings, pick, facts, attempt, address=address, text=text)
    return Going(pick, seen, way, message, order)


async def _begin(engine: Engine, conn: Connection, going: list[Going]) -> list[Ready]:
    """The point of no return; what only a person may send becomes a card in the outbox."""
    for each in going:
        if each.way.transport.by_hand:
            await queries_outbox.hand_over(conn, each.message.attempt, variant=each.message.variant)
    going = [each for each in going if not each.way.transport.by_hand]
    if not going:
        return []
    begun = await queries.begin(conn, [each.message for each in going], lease_s=engine.settings.send_lease_s)
    if any(each.month_full for each in begun):
        raise rest.MonthFull
    ready: list[Ready] = []
    for each, found in zip(going, begun, strict=True):
        if found.begun:
            ready.append(Ready(each.message.attempt, each.order, each.way.transport, commit_asked_at=awake_seconds()))
        else:
            await _skip(conn, each.pick, each.seen, refuse.found_at_begin(found))
    return ready


async def _skip(conn: Connection, pick: Pick, seen: Look, why: Refusal) -> bool:
    facts = seen.facts
    assert facts.target_id is not None
    assert facts.contact_id is not None
    assert facts.step is not None
    message = {"step": facts.step, "status": "skipped", "errorCode": why.code, "reason": why.reason}
    event: tuple[UUID, UUID, bytes] = (
        EventId.new().uuid, facts.contact_id.uuid, json_bytes(planning.event(pick, facts) | {"message": message})
    )  # fmt: skip
    await queries.skip(
        conn, pick, facts.target_id, step=facts.step, code=why.code, reason=why.reason, at=seen.now, event=event
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


async def _give_up(engine: Engine, ready: list[Ready]) -> None:
    """The commit failed or its answer was lost: whether or not it happened, nothing has left."""
    outcomes = [(each.attempt, _given_up(each.attempt, "The commit was not confirmed.")) for each in ready]
    settled = await asyncio.gather(*(settle.settle(engine.db, *each) for each in outcomes), return_exceptions=True)
    for error in settled:
        if isinstance(error, BaseException):  # its lease ends, and then it is unknown
            log.error("message.not_given_up", error=str(error), kind=type(error).__name__)


def _given_up(attempt: Attempt, reason: str) -> NotSent:
    """Nothing has left and nothing will: the person may be written to again at once."""
    return NotSent(code="provider_error", reason=reason, retry_at=_now(attempt.clock))


def _now(clock: Clock) -> datetime:
    return clock.shows(real_now())
