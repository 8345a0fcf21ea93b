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
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import structlog

from iglayers.core.clock import Clock, Moment, awake_seconds, real_now
from iglayers.core.config import Settings
from iglayers.core.db import Connection, Database
from iglayers.core.ids import EventId
from iglayers.core.wire import decode_special, json_bytes
from iglayers.messages import pacing
from iglayers.senders.model import (
    Conversation,
    NotPermitted,
    NotSent,
    Order,
    Outcome,
    Permitted,
    Recipient,
    Transport,
    Unknown,
)
from iglayers.sending import planning, queries, rest, settle
from iglayers.sending.model import Attempt, Begun, Facts, Pick
from iglayers.templates import render
from iglayers.usage.model import month_of

log = structlog.get_logger("sending")

# A row that we need is held by another worker: look again this soon.
SOON = timedelta(milliseconds=20)


class Engine(msgspec.Struct, frozen=True):
    """What a worker needs to send."""

    db: Database
    settings: Settings
    transports: dict[str, Transport]
    machine_transports: list[str]  # those that need no person


class Ready(msgspec.Struct, frozen=True):
    """A message that has begun and is about to leave."""

    attempt: Attempt
    order: Order
    transport: Transport
    commit_asked_at: float  # by a clock that counts sleep


class Refusal(msgspec.Struct, frozen=True):
    """Why a person is not written to."""

    code: str
    reason: str


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
    pace = planning.pace(pick)
    picked_at = pick.clock.shows(real_now())
    limits = pacing.sender_limits(pace, picked_at, pick.zone)
    month = month_of(picked_at, pick.zone)
    facts = await queries.facts(conn, pick, now=picked_at, sender=limits, month=month)
    assert facts is not None
    now = pick.clock.shows(facts.real_now)
    stale = facts.client_hourly_limit is not None or facts.client_daily_limit is not None
    if facts.dispatch != "running" or facts.sender_busy or facts.target_id is None or (stale and client is None):
        return await _look_again(conn, pick)
    if facts.monthly_limit is not None and facts.month_sent >= facts.monthly_limit:
        await rest.wait_for_month(conn, pick, now=now, month=month)
        return True
    verdict = pacing.next_allowed(now, planning.budgets(pick, facts, limits, client), pick.schedule, pick.zone)
    if verdict.at is None or verdict.at > now:
        await rest.postpone(conn, pick, verdict, looks_again_at=pacing.sender_looks_again_at(pace, now, pick.zone))
        return True
    return await _write_to(engine, conn, pick, facts, now, limits)


async def _look_again(conn: Connection, pick: Pick) -> bool:
    """Somebody else holds what this step needs."""
    await queries.wait_for(conn, pick, due_at=real_now() + SOON, next_at=None, rule=None, blocker=None)
    return True


async def _write_to(
    engine: Engine, conn: Connection, pick: Pick, facts: Facts, now: Moment, limits: pacing.Limits
) -> Ready | bool:
    """Refuse, or render and begin."""
    assert pick.transport is not None
    assert pick.sender_id is not None
    assert facts.contact_id is not None
    transport = engine.transports[pick.transport]
    way = _refuse(transport, pick, facts, now)
    if isinstance(way, Refusal):
        return await _skip(conn, pick, facts, way, now)
    variant, body = planning.variant(facts)
    text = _render(pick, facts, body)
    if isinstance(text, Refusal):
        return await _skip(conn, pick, facts, text, now)
    attempt = planning.attempt(pick, facts, now, route=way.route)
    pause = planning.pause(pick, facts, limits, attempt)
    begun = await queries.begin(
        conn, attempt, text=text, variant=variant, lease_s=engine.settings.send_lease_s,
        workspace_is_scope=facts.workspace_is_scope, campaign_due_at=pick.clock.real(now + pause.campaign),
        sender_ready_at=now + pause.sender, sent_on=pacing.local_day(now, pick.zone),
        monthly_limit=facts.monthly_limit,
    )  # fmt: skip
    if begun.month_full:
        raise rest.MonthFull
    if not begun.begun:
        return await _skip(conn, pick, facts, _found_at_begin(begun), now)
    order = planning.order(engine.settings, pick, facts, attempt, text)
    return Ready(attempt, order, transport, commit_asked_at=awake_seconds())


def _found_at_begin(begun: Begun) -> Refusal:
    """What only the point of no return could see, with the person locked."""
    if begun.suppressed:
        return Refusal("target_suppressed", "On the suppression list.")
    if begun.contacted:
        return Refusal("target_duplicate", "Already contacted for this client through another campaign.")
    return Refusal("replied", "The person has replied.")


def _refuse(transport: Transport, pick: Pick, facts: Facts, now: Moment) -> Permitted | Refusal:
    """The way that is open to this person, or why there is none."""
    assert facts.contact_id is not None
    if facts.merged:
        return Refusal("target_duplicate", "The same person as another contact.")
    if facts.username is None:
        return Refusal("target_suppressed", "The person's data was erased.")
    recipient = Recipient(contact_id=facts.contact_id, username=facts.username)
    known = (
        None
        if facts.conversation is None
        else msgspec.convert(facts.conversation, Conversation, dec_hook=decode_special)
    )
    way = transport.permitted(recipient, known, now)
    if isinstance(way, NotPermitted):
        return Refusal("no_permitted_route", way.rule)
    if pick.routes and way.route not in pick.routes:
        return Refusal("no_permitted_route", f"Only the route {way.route} is open, and the campaign does not use it.")
    return way


def _render(pick: Pick, facts: Facts, body: str) -> str | Refusal:
    text = render.render(render.parse(body), planning.recipient(pick, facts).values())
    if isinstance(text, render.Missing):
        return Refusal("missing_variable", f"No value and no fallback for {', '.join(text.names)}.")
    if (size := render.byte_length(text)) > render.MAX_MESSAGE_BYTES:
        return Refusal("message_too_long", f"The text has {size} bytes; Instagram takes {render.MAX_MESSAGE_BYTES}.")
    return text


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
