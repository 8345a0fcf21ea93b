"""When a campaign will have written its messages: the rules of pace, played forward on a clock of its own. Pure.

The senders are taken to work for this campaign alone, nobody to reply, and every message to arrive.
"""

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from iglayers.core.clock import Moment
from iglayers.messages import pacing
from iglayers.messages.pacing import Budget, History, Limits, SenderPace
from iglayers.messages.schedule import Schedule, local_day, local_day_began
from iglayers.usage.model import month_bounds, month_of

# Played message by message so far; the rest at the rate of the last week that was played.
MOST_PLAYED = 10_000
# A page is there at once, and shows no more than where the rate leads.
PLAYED_FOR_A_PAGE = 750
_MOST_LOOKS = 20 * MOST_PLAYED
_WEEK = timedelta(days=7)
_NEVER = timedelta(days=36_500)


NO_LANE = UUID(int=0)


class Lane:
    """When a sender, a campaign or a client began its messages, oldest first, and so what its limits leave."""

    def __init__(self, begun: Sequence[datetime] = (), lane_id: UUID = NO_LANE) -> None:
        self.begun: list[datetime] = list(begun)
        self.id: UUID = lane_id

    def used(self, now: datetime, window: timedelta) -> int:
        """How many began in the window that ends now."""
        return len(self.begun) - bisect_right(self.begun, now - window)

    def frees_at(self, limit: int, now: datetime, window: timedelta) -> datetime | None:
        """When a window that is used up has room again; None when it has room now."""
        return None if self.used(now, window) < limit else self.begun[-limit] + window

    def used_on(self, at: datetime, zone: str) -> int:
        """How many began on the day of that moment."""
        return len(self.begun) - bisect_left(self.begun, local_day_began(at, zone))

    def history(self, limits: Limits, zone: str) -> History:
        last = self.begun[-1] if self.begun else None
        return History(
            nth_in_hour=self._nth(limits.hourly), nth_in_day=self._nth(limits.daily),
            day_used=0 if last is None else self.used_on(last, zone),
            last_begun_at=last, lane_id=self.id,
        )  # fmt: skip

    def _nth(self, limit: int | None) -> datetime | None:
        return None if limit is None or len(self.begun) < limit else self.begun[-limit]


class Sender(msgspec.Struct):
    """One sender as it is played."""

    pace: SenderPace
    lane: Lane
    ready_at: datetime


class Plan(msgspec.Struct, kw_only=True):
    """What is played: who is to be written to, by whom, and what limits it."""

    now: datetime
    zone: str
    schedule: Schedule | None
    limits: Limits
    lane: Lane
    client_limits: Limits | None
    client_lane: Lane
    senders: list[Sender]
    firsts: int  # people without a first message
    delays_h: list[int]  # from each step to the next
    follow_ups: list[tuple[datetime, int, int]] = []  # due, whose (index of the sender), how many steps are behind it
    monthly_limit: int | None = None
    month_sent: int = 0
    most_played: int = MOST_PLAYED

    @property
    def day_zone(self) -> str:
        """The zone in which a day of the campaign begins and ends."""
        return self.zone if self.schedule is None else self.schedule.timezone


class Projection(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """When the first and the last message go, and how many a day in between; None when none can go."""

    messages: int
    first_send_at: Moment | None
    last_send_at: Moment | None
    messages_per_day: float | None
    left_over: int  # messages that the schedule's end, or the want of a sender, leaves out
    is_estimated: bool  # the end was not played but reckoned from the rate


def project(plan: Plan) -> Projection:
    """Play the plan forward, message by message."""
    return _Play(plan).run()


class _Play:
    def __init__(self, plan: Plan) -> None:
        self._plan: Plan = plan
        self._at: datetime = plan.now
        self._sent: list[datetime] = []
        self._month = month_of(plan.now, plan.zone)
        self._month_sent: int = plan.month_sent
        # For each sender: when a follow-up to one of its people is due, and how many steps are behind it.
        self._due: list[list[tuple[datetime, int]]] = [[] for _ in plan.senders]
        self._firsts: int = plan.firsts
        self._waiting: int = 0  # follow-ups that are due or follow on one that is
        for due_at, number, behind in plan.follow_ups:
            self._plan_follow_up(number, due_at, behind)
        self._has_ended: bool = False

    def run(self) -> Projection:
        for _ in range(_MOST_LOOKS):
            if (
                self._left() == 0
                or self._has_ended
                or not self._plan.senders
                or len(self._sent) >= self._plan.most_played
            ):
                break
            self._look()
        return self._told()

    def _left(self) -> int:
        """Messages still to go, those of steps that are not planned yet among them."""
        return self._firsts * self._from(0) + self._waiting

    def _from(self, step: int) -> int:
        """Messages from this step of a person on, with it."""
        return 1 + len(self._plan.delays_h) - step

    def _plan_follow_up(self, number: int, due_at: datetime, behind: int) -> None:
        heapq.heappush(self._due[number], (due_at, behind))
        self._waiting += self._from(behind)

    def _look(self) -> None:
        """One look of the engine: a message, or the moment of the next look."""
        self._at, _, _, number = min(self._next_turn(each) for each in range(len(self._plan.senders)))
        sender = self._plan.senders[number]
        if (opens_at := self._next_month()) is not None:
            self._at = opens_at
            return
        limits = pacing.sender_limits(sender.pace, self._at, self._plan.zone)
        verdict = pacing.next_allowed(self._at, self._budgets(sender, limits), self._plan.schedule, self._plan.zone)
        if verdict.at is None:
            self._has_ended = True
        elif verdict.at <= self._at:
            self._send(number, sender, limits)
        elif verdict.rule.startswith("sender."):
            again_at = pacing.sender_looks_again_at(sender.pace, self._at, self._plan.zone)
            sender.ready_at = min(verdict.at, again_at or verdict.at)
        else:
            self._at = verdict.at

    def _next_turn(self, number: int) -> tuple[datetime, datetime, UUID, int]:
        """When a sender can go and has somebody to write to; who has waited longest comes first, by id if both."""
        sender, due = self._plan.senders[number], self._due[number]
        turn = max(self._at, sender.ready_at)
        if not self._firsts:
            turn = max(turn, due[0][0]) if due else turn + _NEVER
        return turn, sender.ready_at, sender.lane.id, number

    def _next_month(self) -> datetime | None:
        """When the next month begins, if this one is used up."""
        month = month_of(self._at, self._plan.zone)
        if month != self._month:
            self._month, self._month_sent = month, 0
        if self._plan.monthly_limit is None or self._month_sent < self._plan.monthly_limit:
            return None
        return month_bounds(month, self._plan.zone)[1] if self._plan.monthly_limit else None

    def _budgets(self, sender: Sender, limits: Limits) -> list[Budget]:
        plan = self._plan
        budgets = [
            Budget(name="sender", limits=limits, history=sender.lane.history(limits, plan.day_zone)),
            Budget(name="campaign", limits=plan.limits, history=plan.lane.history(plan.limits, plan.day_zone)),
        ]
        if plan.client_limits is not None:
            history = plan.client_lane.history(plan.client_limits, plan.day_zone)
            budgets.append(Budget(name="client", limits=plan.client_limits, history=history))
        return budgets

    def _send(self, number: int, sender: Sender, limits: Limits) -> None:
        plan, at = self._plan, self._at
        for lane in (sender.lane, plan.lane, plan.client_lane):
            lane.begun.append(at)
        day_used = sender.lane.used_on(at, plan.day_zone)
        sender.ready_at = at + pacing.gap(limits, at, day_used, sender.lane.id, plan.schedule, plan.zone)
        day = local_day(at, plan.zone)
        if sender.pace.last_sent_on != day:
            sender.pace = msgspec.structs.replace(sender.pace, sent_days=sender.pace.sent_days + 1, last_sent_on=day)
        self._sent.append(at)
        self._month_sent += 1
        self._take(number)

    def _take(self, number: int) -> None:
        """Whom the message went to: a follow-up that is due before anybody new."""
        due, behind = self._due[number], 0
        if due and due[0][0] <= self._at:
            behind = heapq.heappop(due)[1]
            self._waiting -= self._from(behind)
        else:
            self._firsts -= 1
        if behind < len(self._plan.delays_h):
            self._plan_follow_up(number, self._at + timedelta(hours=self._plan.delays_h[behind]), behind + 1)

    def _told(self) -> Projection:
        left = self._left()
        is_estimated = bool(left and self._sent and not self._has_ended)
        last_at = self._sent[-1] if self._sent else None
        if is_estimated:
            assert last_at is not None
            last_at += timedelta(days=left / self._rate())
        return Projection(
            messages=len(self._sent) + left,
            first_send_at=Moment.of(self._sent[0]) if self._sent else None,
            last_send_at=None if last_at is None else Moment.of(last_at),
            messages_per_day=round(self._rate(), 1) if self._sent else None,
            left_over=0 if is_estimated else left,
            is_estimated=is_estimated,
        )

    def _rate(self) -> float:
        """Messages a day over the last week played, or over all of it when that is shorter than two weeks."""
        since = self._sent[-1] - _WEEK
        if since < self._sent[0] + _WEEK:
            since = self._sent[0]
        if self._sent[-1] - since < timedelta(days=1):
            return float(len(self._sent))
        return (len(self._sent) - bisect_right(self._sent, since)) / ((self._sent[-1] - since) / timedelta(days=1))
