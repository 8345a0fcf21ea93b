"""From what the locks showed to what is sent: limits, text, attempt and order of one message. Pure."""

import hashlib
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from iglayers.core.clock import Moment
from iglayers.core.config import Settings
from iglayers.core.ids import MessageId, uuid7
from iglayers.messages import pacing
from iglayers.messages.pacing import Budget, History, SenderPace
from iglayers.messages.schedule import local_day
from iglayers.senders.model import Account, Address, Order, Recipient
from iglayers.sending.model import Attempt, ClientHistory, Facts, NewMessage, Pick
from iglayers.templates import render
from iglayers.usage.model import month_of


def pace(pick: Pick) -> SenderPace:
    assert pick.sender_hourly_limit
    assert pick.sender_daily_limit
    assert pick.sent_days is not None
    return SenderPace(
        hourly_limit=pick.sender_hourly_limit, daily_limit=pick.sender_daily_limit, min_gap_s=pick.min_gap_s or 0,
        ramp=bool(pick.ramp), sent_days=pick.sent_days, last_sent_on=pick.last_sent_on, warned_until=pick.warned_until,
    )  # fmt: skip


def budgets(pick: Pick, facts: Facts, limits: pacing.Limits, client: ClientHistory | None) -> list[Budget]:
    """Sender, campaign and client: all their limits hold at once."""
    assert pick.sender_id is not None
    budgets = [
        Budget(name="sender", limits=limits, history=History(
            nth_in_hour=facts.sender_nth_in_hour, nth_in_day=facts.sender_nth_in_day, day_used=facts.sender_day_used,
            last_begun_at=pick.sender_last_begun_at, lane_id=pick.sender_id.uuid)),
        Budget(name="campaign", limits=pick.limits, history=History(
            nth_in_hour=facts.campaign_nth_in_hour, nth_in_day=facts.campaign_nth_in_day,
            day_used=facts.campaign_day_used, last_begun_at=pick.campaign_last_begun_at,
            lane_id=pick.campaign_id.uuid)),
    ]  # fmt: skip
    if client is not None:
        budgets.append(Budget(
            name="client", limits=pacing.Limits(hourly=client.hourly_limit, daily=client.daily_limit),
            history=History(
                nth_in_hour=client.nth_in_hour, nth_in_day=client.nth_in_day, day_used=client.day_used,
                last_begun_at=client.last_begun_at, lane_id=pick.client_id.uuid),
        ))  # fmt: skip
    return budgets


class Pause(msgspec.Struct, frozen=True):
    campaign: timedelta
    sender: timedelta


def pause(pick: Pick, facts: Facts, limits: pacing.Limits, attempt: Attempt) -> Pause:
    """How long campaign and sender wait at least after this message; the next look finds the exact moment."""

    def gap(of: pacing.Limits, lane_id: UUID, last_begun_at: datetime | None, last_day_used: int) -> timedelta:
        now, zone = attempt.begun_at, pick.day_zone
        is_same_day = last_begun_at is not None and local_day(last_begun_at, zone) == local_day(now, zone)
        day_used = 1 + (last_day_used if is_same_day else 0)
        return pacing.gap(of, now, day_used, lane_id, pick.schedule, pick.zone)

    sender = gap(limits, attempt.sender_id.uuid, pick.sender_last_begun_at, facts.sender_day_used)
    campaign = gap(pick.limits, pick.campaign_id.uuid, pick.campaign_last_begun_at, facts.campaign_day_used)
    return Pause(max(campaign, sender) if pick.only_sender else campaign, sender)


def message(  # noqa: PLR0913 everything that begins with it
    pick: Pick, facts: Facts, limits: pacing.Limits, attempt: Attempt, *, variant: int, text: str, address: Address
) -> NewMessage:
    rest = pause(pick, facts, limits, attempt)
    return NewMessage(
        attempt=attempt, variant=variant, text=text, comment_id=address.comment_id,
        workspace_is_scope=facts.workspace_is_scope, monthly_limit=facts.monthly_limit,
        campaign_due_at=pick.clock.real(attempt.begun_at + rest.campaign),
        sender_ready_at=attempt.begun_at + rest.sender, sent_on=local_day(attempt.begun_at, pick.zone),
    )  # fmt: skip


def variant(facts: Facts) -> tuple[int, str]:
    """The variant that this person's own hash draws, by weight, and its text."""
    assert facts.target_id is not None
    assert facts.step is not None
    choices = [step for step in facts.steps if step["step"] == facts.step]
    seed = facts.target_id.bytes + bytes([facts.step])
    drawn = int.from_bytes(hashlib.blake2b(seed, digest_size=8).digest()) % sum(step["weight"] for step in choices)
    for step in choices:
        drawn -= step["weight"]
        if drawn < 0:
            return step["variant"], step["body"]
    raise AssertionError("weights add up")


def recipient(pick: Pick, facts: Facts) -> render.Recipient:
    assert facts.username is not None
    return render.Recipient(
        username=facts.username, profile_url=facts.profile_url, full_name=facts.full_name,
        first_name=facts.first_name, category=facts.category, follower_count=facts.follower_count,
        variables=facts.variables, client_name=facts.client_name, sender_username=pick.sender_username,
    )  # fmt: skip


def attempt(pick: Pick, facts: Facts, now: Moment, *, route: str) -> Attempt:
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
        event=event(pick, facts),
    )  # fmt: skip


def event(pick: Pick, facts: Facts) -> dict[str, Any]:
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


def order(settings: Settings, pick: Pick, facts: Facts, attempt: Attempt, *, address: Address, text: str) -> Order:
    assert facts.username is not None
    return Order(
        message_id=attempt.message_id, reference=attempt.message_id.uuid, route=attempt.route, text=text,
        account=Account(
            id=attempt.sender_id, workspace_id=pick.workspace_id, username=attempt.sender_username,
            instagram_id=pick.sender_instagram_id,
        ),
        recipient=Recipient(contact_id=attempt.contact_id, username=facts.username), address=address,
        now=attempt.begun_at, deadline_s=settings.send_deadline_s,
    )  # fmt: skip
