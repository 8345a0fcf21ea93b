"""The pace of one campaign as it is now: budgets by rule, senders with what limits them, and the way ahead."""

import asyncio
from datetime import date

import msgspec

from iglayers.accounts import queries as account_queries
from iglayers.accounts.model import Caller, Workspace
from iglayers.campaigns import queries as campaign_queries
from iglayers.campaigns.model import Campaign
from iglayers.core.clock import Moment
from iglayers.core.db import Connection
from iglayers.messages import pacing, projection
from iglayers.messages.pacing import Limits, SenderPace, Verdict
from iglayers.messages.projection import Lane, Plan, Projection
from iglayers.reports import queries_pace
from iglayers.reports.model_pace import Budget, LaneFacts, SenderFacts, SenderLine, Waiting
from iglayers.senders.model import SenderState
from iglayers.usage import queries as usage_queries
from iglayers.usage.model import month_of

NOBODY = Waiting(firsts=0, follow_ups=[], follow_up_senders=[], follow_up_steps=[])


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the pace of a campaign follows from, as of one moment."""

    campaign: Campaign
    workspace: Workspace
    now: Moment
    lane: LaneFacts
    client: LaneFacts
    senders: list[SenderFacts]
    waiting: Waiting
    delays_h: list[int]
    month_sent: int

    @property
    def day_zone(self) -> str:
        schedule = self.campaign.schedule
        return self.workspace.timezone if schedule is None else schedule.timezone

    @property
    def active(self) -> list[SenderFacts]:
        return [each for each in self.senders if each.state == SenderState.ACTIVE]

    def budgets(self) -> list[Budget]:
        """What is left of the limits of campaign, client and month."""
        found = _budgets("campaign", _limits(self.lane), _lane(self.lane), self.now)
        found += _budgets("client", _limits(self.client), _lane(self.client), self.now)
        if (limit := self.workspace.monthly_limit) is not None:
            found.append(Budget(
                rule="workspace.monthly", limit=limit, used=self.month_sent, remaining=max(0, limit - self.month_sent),
                frees_at=None,
            ))  # fmt: skip
        return found

    def lines(self) -> list[SenderLine]:
        return [self._line(each) for each in self.senders]

    def own_verdict(self) -> Verdict:
        """When the limits of campaign and client, and its hours, allow a message, whoever sends it."""
        budgets = [
            pacing.Budget(name=name, limits=_limits(facts), history=_lane(facts).history(_limits(facts), self.day_zone))
            for name, facts in (("campaign", self.lane), ("client", self.client))
        ]
        return pacing.next_allowed(self.now, budgets, self.campaign.schedule, self.workspace.timezone)

    def first_sender(self) -> SenderLine | None:
        """The active sender that may go first."""
        lines = [each for each in self.lines() if each.next_at is not None]
        return min(lines, key=lambda each: each.next_at or self.now, default=None)

    async def project(self, *, most_played: int = projection.MOST_PLAYED) -> Projection:
        """The way ahead, if it sent from now on; reckoned from the rate behind so many messages.

        In a thread: to play thousands takes up to half a second, in which the process has others to answer.
        """
        return await asyncio.to_thread(projection.project, self._plan(most_played))

    def _line(self, facts: SenderFacts) -> SenderLine:
        limits = pacing.sender_limits(_pace(facts), self.now, self.workspace.timezone)
        lane = _lane(facts)
        budget = pacing.Budget(name="sender", limits=limits, history=lane.history(limits, self.day_zone))
        verdict = pacing.next_allowed(self.now, [budget], self.campaign.schedule, self.workspace.timezone)
        is_active = facts.state == SenderState.ACTIVE
        return SenderLine(
            id=facts.id, username=facts.username, status=facts.state, reason=facts.state_reason,
            next_at=verdict.at if is_active else None, limited_by=verdict.rule if is_active else "sender.state",
            budgets=_budgets("sender", limits, lane, self.now),
        )  # fmt: skip

    def _plan(self, most_played: int) -> Plan:
        active, zone = self.active, self.workspace.timezone
        numbers = {str(each.id.uuid): number for number, each in enumerate(active)}
        waiting = self.waiting
        due = zip(waiting.follow_ups, waiting.follow_up_senders, waiting.follow_up_steps, strict=True)
        has_client_limits = self.client.hourly_limit is not None or self.client.daily_limit is not None
        return Plan(
            now=self.now, zone=zone, schedule=self.campaign.schedule, limits=_limits(self.lane), lane=_lane(self.lane),
            client_limits=_limits(self.client) if has_client_limits else None, client_lane=_lane(self.client),
            senders=[projection.Sender(_pace(each), _lane(each), self.now) for each in active],
            firsts=waiting.firsts, delays_h=self.delays_h,
            follow_ups=[(due_at, numbers[who], step) for due_at, who, step in due if who in numbers],
            monthly_limit=self.workspace.monthly_limit, month_sent=self.month_sent, most_played=most_played,
        )  # fmt: skip


async def read(conn: Connection, caller: Caller, campaign: Campaign, *, knows_people: bool = True) -> Pace:
    """The pace of a campaign that the caller may see; without its people, whom only the way ahead needs, at once."""
    workspace_id, now = caller.workspace_id, caller.now
    since = now - pacing.DAY
    workspace = await account_queries.workspace(conn, workspace_id)
    lane = await queries_pace.campaign_lane(conn, workspace_id, campaign.id, since=since)
    client = await queries_pace.client_lane(conn, workspace_id, campaign.client_id, since=since)
    assert workspace is not None
    assert lane is not None
    assert client is not None
    steps = await campaign_queries.steps(conn, workspace_id, campaign.id)
    month_sent = 0
    if workspace.monthly_limit is not None:
        month_sent = await usage_queries.sent_in(conn, workspace_id, month_of(now, workspace.timezone))
    return Pace(
        campaign=campaign, workspace=workspace, now=now, lane=lane, client=client,
        senders=await queries_pace.serving(
            conn, workspace_id, client_id=campaign.client_id, sender_ids=campaign.sender_ids, since=since),
        waiting=await queries_pace.waiting(conn, workspace_id, campaign.id) if knows_people else NOBODY,
        delays_h=[each.delay_hours for each in steps if each.step > 0 and each.variant == 0],
        month_sent=month_sent,
    )  # fmt: skip


def _limits(facts: LaneFacts) -> Limits:
    return Limits(hourly=facts.hourly_limit, daily=facts.daily_limit)


def _lane(facts: LaneFacts | SenderFacts) -> Lane:
    return Lane(facts.begun, facts.id if isinstance(facts, LaneFacts) else facts.id.uuid)


def _pace(facts: SenderFacts) -> SenderPace:
    return SenderPace(
        hourly_limit=facts.hourly_limit, daily_limit=facts.daily_limit, min_gap_s=facts.min_gap_s, ramp=facts.ramp,
        sent_days=facts.sent_days, warned_until=facts.warned_until,
        last_sent_on=None if facts.last_sent_on is None else date.fromisoformat(facts.last_sent_on),
    )  # fmt: skip


def _budgets(name: str, limits: Limits, lane: Lane, now: Moment) -> list[Budget]:
    windows = [("hourly", limits.hourly, pacing.HOUR), ("daily", limits.daily, pacing.DAY)]
    found: list[Budget] = []
    for rule, limit, window in windows:
        if limit is None:
            continue
        used, frees_at = lane.used(now, window), lane.frees_at(limit, now, window)
        found.append(Budget(
            rule=f"{name}.{rule}", limit=limit, used=used, remaining=max(0, limit - used),
            frees_at=None if frees_at is None else Moment.of(frees_at),
        ))  # fmt: skip
    return found
