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
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import structlog

from iglayers.core.clock import Clock, Moment, awake_seconds, real_now
from iglayers.core.config import Settings
from iglayers.core.db import Connection, Database
from iglayers.core.ids import EventId, MessageId, uuid7
from iglayers.core.wire import json_bytes
from iglayers.messages import pacing
from iglayers.messages.pacing import Budget, History, SenderPace
from iglayers.senders.model import (
    Account,
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
from iglayers.sending import queries, rest, settle
from iglayers.sending.model import Attempt, ClientHistory, Facts, Pick
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
    except (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError):
        if isinstance(ready, Ready):
            # The commit's answer was lost: whether or not it happened, nothing has left.
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
    pace = _pace(pick)
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
    verdict = pacing.next_allowed(now, _budgets(pick, facts, limits, client), pick.schedule, pick.zone)
    if verdict.at is None or verdict.at > now:
        await rest.postpone(conn, pick, verdict, looks_again_at=pacing.sender_looks_again_at(pace, now, pick.zone))
        return True
    return await _write_to(engine, conn, pick, facts, now, limits)


async def _look_again(conn: Connection, pick: Pick) -> bool:
    """Somebody else holds what this step needs."""
    await queries.wait_for(conn, pick, due_at=real_now() + SOON, next_at=None, rule=None, blocker=None)
    return True


def _pace(pick: Pick) -> SenderPace:
    assert pick.sender_hourly_limit
    assert pick.sender_daily_limit
    assert pick.sent_days is not None
    return SenderPace(
        hourly_limit=pick.sender_hourly_limit, daily_limit=pick.sender_daily_limit, min_gap_s=pick.min_gap_s or 0,
        ramp=bool(pick.ramp), sent_days=pick.sent_days, last_sent_on=pick.last_sent_on, warned_until=pick.warned_until,
    )  # fmt: skip


def _budgets(pick: Pick, facts: Facts, limits: pacing.Limits, client: ClientHistory | None) -> list[Budget]:
    """Sender, campaign and client: all their limits hold at once."""
    budgets = [
        Budget(name="sender", limits=limits, history=History(
            nth_in_hour=facts.sender_nth_in_hour, nth_in_day=facts.sender_nth_in_day, day_used=facts.sender_day_used,
            last_begun_at=pick.sender_last_begun_at, last_message_id=pick.sender_last_message_id)),
        Budget(name="campaign", limits=pick.limits, history=History(
            nth_in_hour=facts.campaign_nth_in_hour, nth_in_day=facts.campaign_nth_in_day,
            day_used=facts.campaign_day_used, last_begun_at=pick.campaign_last_begun_at,
            last_message_id=pick.campaign_last_message_id)),
    ]  # fmt: skip
    if client is not None:
        budgets.append(Budget(
            name="client", limits=pacing.Limits(hourly=client.hourly_limit, daily=client.daily_limit),
            history=History(
                nth_in_hour=client.nth_in_hour, nth_in_day=client.nth_in_day, day_used=client.day_used,
                last_begun_at=client.last_begun_at, last_message_id=client.last_message_id),
        ))  # fmt: skip
    return budgets


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
    variant, body = _variant(facts)
    text = _render(pick, facts, body)
    if isinstance(text, Refusal):
        return await _skip(conn, pick, facts, text, now)
    attempt = _attempt(pick, facts, now, route=way.route)
    pause = _pause(pick, facts, limits, attempt)
    begun = await queries.begin(
        conn, attempt, text=text, variant=variant, lease_s=engine.settings.send_lease_s,
        workspace_is_scope=facts.workspace_is_scope, campaign_due_at=pick.clock.real(now + pause.campaign),
        sender_ready_at=now + pause.sender, sent_on=pacing.local_day(now, pick.zone),
        monthly_limit=facts.monthly_limit,
    )  # fmt: skip
    if begun.month_full:
        raise rest.MonthFull
    if not begun.begun:
        why = (
            Refusal("target_suppressed", "On the suppression list.") if begun.suppressed
            else Refusal("target_duplicate", "Already contacted for this client through another campaign.")
        )  # fmt: skip
        return await _skip(conn, pick, facts, why, now)
    order = _order(engine, pick, facts, attempt, text)
    return Ready(attempt, order, transport, commit_asked_at=awake_seconds())


def _refuse(transport: Transport, pick: Pick, facts: Facts, now: Moment) -> Permitted | Refusal:
    """The way that is open to this person, or why there is none."""
    assert facts.contact_id is not None
    if facts.merged:
        return Refusal("target_duplicate", "The same person as another contact.")
    if facts.username is None:
        return Refusal("target_suppressed", "The person's data was erased.")
    recipient = Recipient(contact_id=facts.contact_id, username=facts.username)
    known = None if facts.conversation is None else msgspec.convert(facts.conversation, Conversation)
    way = transport.permitted(recipient, known, now)
    if isinstance(way, NotPermitted):
        return Refusal("no_permitted_route", way.rule)
    if pick.routes and way.route not in pick.routes:
        return Refusal("no_permitted_route", f"Only the route {way.route} is open, and the campaign does not use it.")
    return way


def _variant(facts: Facts) -> tuple[int, str]:
    """The variant that this person's own hash draws, by weight, and its text."""
    assert facts.target_id is not None
    choices = [step for step in facts.steps if step["step"] == facts.step]
    drawn = int.from_bytes(facts.target_id.bytes[8:]) % sum(step["weight"] for step in choices)
    for step in choices:
        drawn -= step["weight"]
        if drawn < 0:
            return step["variant"], step["body"]
    raise AssertionError("weights add up")


def _recipient(pick: Pick, facts: Facts) -> render.Recipient:
    assert facts.username is not None
    return render.Recipient(
        username=facts.username, profile_url=facts.profile_url, full_name=facts.full_name,
        first_name=facts.first_name, category=facts.category, follower_count=facts.follower_count,
        variables=facts.variables, client_name=facts.client_name, sender_username=pick.sender_username,
    )  # fmt: skip


def _render(pick: Pick, facts: Facts, body: str) -> str | Refusal:
    text = render.render(render.parse(body), _recipient(pick, facts).values())
    if isinstance(text, render.Missing):
        return Refusal("missing_variable", f"No value and no fallback for {', '.join(text.names)}.")
    if (size := render.byte_length(text)) > render.MAX_MESSAGE_BYTES:
        return Refusal("message_too_long", f"The text has {size} bytes; Instagram takes {render.MAX_MESSAGE_BYTES}.")
    return text


class _Pause(msgspec.Struct, frozen=True):
    campaign: timedelta
    sender: timedelta


def _pause(pick: Pick, facts: Facts, limits: pacing.Limits, attempt: Attempt) -> _Pause:
    """How long campaign and sender wait at least after this message; the next look finds the exact moment."""

    def gap(of: pacing.Limits, used: int) -> timedelta:
        now, message = attempt.begun_at, attempt.message_id.uuid
        return pacing.gap(of, now, used + 1, message, pick.schedule, pick.zone)

    sender = gap(limits, facts.sender_day_used)
    campaign = gap(pick.limits, facts.campaign_day_used)
    return _Pause(max(campaign, sender) if pick.only_sender else campaign, sender)


def _attempt(pick: Pick, facts: Facts, now: Moment, *, route: str) -> Attempt:
    assert pick.sender_id
    assert facts.target_id
    assert facts.contact_id
    assert pick.sender_username
    assert facts.step is not None
    later = [step["delay_hours"] for step in facts.steps if step["step"] == facts.step + 1]
    limited = facts.monthly_limit is not None
    return Attempt(
        message_id=MessageId.new(), attempt_id=uuid7(), workspace_id=pick.workspace_id, client_id=pick.client_id,
        campaign_id=pick.campaign_id, target_id=facts.target_id, contact_id=facts.contact_id,
        sender_id=pick.sender_id, sender_username=pick.sender_username, step=facts.step,
        next_step_delay_h=later[0] if later else None, not_sent_before=facts.not_sent_before, route=route,
        begun_at=now, clock=pick.clock, usage_month=month_of(now, pick.zone) if limited else None,
        event=_event(pick, facts),
    )  # fmt: skip


def _event(pick: Pick, facts: Facts) -> dict[str, Any]:
    """Campaign and target as the events of this message show them."""
    return {
        "campaign": {
            "id": pick.campaign_id, "name": pick.campaign_name, "clientId": pick.client_id, "metadata": pick.metadata,
        },
        "target": {
            "id": facts.target_id, "instagramUsername": facts.username, "profileUrl": facts.profile_url,
            "fullName": facts.full_name, "firstName": facts.first_name, "category": facts.category,
            "followerCount": facts.follower_count, "variables": facts.variables or {},
        },
    }  # fmt: skip


def _order(engine: Engine, pick: Pick, facts: Facts, attempt: Attempt, text: str) -> Order:
    assert facts.username is not None
    return Order(
        message_id=attempt.message_id, reference=attempt.message_id.uuid, route=attempt.route, text=text,
        account=Account(id=attempt.sender_id, workspace_id=pick.workspace_id, username=attempt.sender_username),
        recipient=Recipient(contact_id=attempt.contact_id, username=facts.username),
        now=attempt.begun_at, deadline_s=engine.settings.send_deadline_s,
    )  # fmt: skip


async def _skip(conn: Connection, pick: Pick, facts: Facts, why: Refusal, now: Moment) -> bool:
    assert facts.target_id is not None
    assert facts.contact_id is not None
    assert facts.step is not None
    message = {"step": facts.step, "status": "skipped", "errorCode": why.code, "reason": why.reason}
    event: tuple[UUID, UUID, bytes] = (
        EventId.new().uuid, facts.contact_id.uuid, json_bytes(_event(pick, facts) | {"message": message})
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
