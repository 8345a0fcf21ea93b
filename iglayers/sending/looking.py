"""What a person's turn looks like with everything locked. Reads, and decides nothing."""

from collections.abc import Sequence
from datetime import date

import msgspec

from iglayers.core.clock import Moment, real_now
from iglayers.core.db import Connection
from iglayers.core.ids import CampaignId, TargetId
from iglayers.messages import pacing
from iglayers.sending import planning, queries
from iglayers.sending.model import Asked, ClientHistory, Facts, Pick
from iglayers.usage.model import month_of


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
        """Not what a plan can stand on: somebody else has changed, holds or uses what it needs."""
        facts = self.facts
        # The client got limits after it was read without them.
        unread = self.client is None and (facts.client_hourly_limit is not None or facts.client_daily_limit is not None)
        # `merged`: while this waited for the person, who is another one now.
        return facts.dispatch != "running" or facts.sender_busy or facts.target_id is None or facts.merged or unread


async def look(conn: Connection, pick: Pick, client: ClientHistory | None, *, target_id: TargetId) -> Look:
    """Lock this person, waiting for them, and read the ledger and the clock after that."""
    asked = _ask(pick, target_id)
    return _seen(asked, await queries.facts(conn, asked), client)


async def look_at_next(conn: Connection, picks: Sequence[Pick]) -> dict[CampaignId, Look]:
    """The same with the next person of each campaign, and its client where that has limits.

    A person whom somebody holds is passed over; a campaign whose client somebody holds is left out.
    """
    limited = [each for each in picks if each.client_has_limits]
    histories: dict[CampaignId, ClientHistory] = {}
    if limited:
        held = await queries.lock_clients(conn, [each.client_id for each in limited])
        limited = [each for each in limited if each.client_id in held]
        histories = {each.campaign_id: each for each in await queries.client_histories(conn, limited)}
    asked = [_ask(each, None) for each in picks if not each.client_has_limits or each.campaign_id in histories]
    found = await queries.facts_free(conn, asked) if asked else []
    return {
        each.pick.campaign_id: _seen(each, facts, histories.get(each.pick.campaign_id))
        for each, facts in zip(asked, found, strict=True)
    }


def _ask(pick: Pick, target_id: TargetId | None) -> Asked:
    at, pace = pick.clock.shows(real_now()), planning.pace(pick)
    limits = pacing.sender_limits(pace, at, pick.zone)
    return Asked(pick=pick, at=at, month=month_of(at, pick.zone), pace=pace, limits=limits, target_id=target_id)


def _seen(asked: Asked, facts: Facts, client: ClientHistory | None) -> Look:
    pick, limits = asked.pick, asked.limits
    now = pick.clock.shows(facts.real_now)
    verdict = pacing.next_allowed(now, planning.budgets(pick, facts, limits, client), pick.schedule, pick.zone)
    return Look(facts=facts, limits=limits, pace=asked.pace, now=now, month=asked.month, client=client, verdict=verdict)
