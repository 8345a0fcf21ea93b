"""A sender as a person reads it: with its health, and today's budget by the rules that the engine paces by."""

from collections.abc import Sequence
from datetime import date

import msgspec

from iglayers.accounts import queries as account_queries
from iglayers.accounts.model import Caller
from iglayers.core.clock import Moment
from iglayers.core.db import Connection
from iglayers.core.ids import SenderId
from iglayers.messages import pacing
from iglayers.senders import queries
from iglayers.senders.model import Allowance, Sender, SenderNotFound, SenderReport, SenderState, Today, health


async def by_id(conn: Connection, caller: Caller, sender_id: SenderId) -> SenderReport:
    sender = await queries.by_id(conn, caller.workspace_id, sender_id, only=caller.client_id)
    if sender is None:
        raise SenderNotFound("There is no such sender.")
    return await report(conn, caller, sender)


async def report(conn: Connection, caller: Caller, sender: Sender) -> SenderReport:
    return (await reports(conn, caller, [sender]))[0]


async def reports(conn: Connection, caller: Caller, senders: Sequence[Sender]) -> list[SenderReport]:
    """All of them, in two statements."""
    workspace = await account_queries.workspace(conn, caller.workspace_id)
    assert workspace is not None
    now, zone = caller.now, workspace.timezone
    limits = {each.id: pacing.sender_limits(_pace(each), now, zone) for each in senders}
    begun = await queries.begun(
        conn, caller.workspace_id, limits, hour_from=now - pacing.HOUR, day_from=now - pacing.DAY, zone=zone
    )
    return [
        SenderReport(
            **msgspec.structs.asdict(each),
            health=health(each, now),
            budget=_today(each, limits[each.id], begun[each.id], now, zone),
        )
        for each in senders
    ]


def _today(sender: Sender, limits: pacing.Limits, begun: queries.Begun, now: Moment, zone: str) -> Today:
    assert limits.hourly is not None
    assert limits.daily is not None
    history = pacing.History(
        nth_in_hour=begun.nth_in_hour, nth_in_day=begun.nth_in_day, day_used=begun.day_used,
        last_begun_at=begun.last_begun_at, lane_id=sender.id.uuid,
    )  # fmt: skip
    verdict = pacing.next_allowed(now, [pacing.Budget(name="sender", limits=limits, history=history)], None, zone)
    hourly, daily = _allowance(limits.hourly, begun.in_hour), _allowance(limits.daily, begun.in_day)
    if sender.state is not SenderState.ACTIVE or sender.archived_at is not None:
        return Today(hourly=hourly, daily=daily, ready_at=None, limited_by="sender.state")
    if verdict.at is not None and sender.rests_until is not None and sender.rests_until > verdict.at:
        return Today(hourly=hourly, daily=daily, ready_at=sender.rests_until, limited_by="sender.rest")
    return Today(hourly=hourly, daily=daily, ready_at=verdict.at, limited_by=verdict.rule)


def _pace(sender: Sender) -> pacing.SenderPace:
    return pacing.SenderPace(
        hourly_limit=sender.hourly_limit, daily_limit=sender.daily_limit, min_gap_s=sender.min_gap_seconds,
        ramp=sender.ramp, sent_days=sender.sent_days, warned_until=sender.warned_until,
        last_sent_on=None if sender.last_sent_on is None else date.fromisoformat(sender.last_sent_on),
    )  # fmt: skip


def _allowance(limit: int, sent: int) -> Allowance:
    return Allowance(limit=limit, sent=sent, remaining=max(0, limit - sent))
