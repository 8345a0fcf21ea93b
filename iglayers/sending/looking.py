"""What a person's turn looks like with everything locked. Reads, and decides nothing."""

from datetime import date

import msgspec

from iglayers.core.clock import Moment, real_now
from iglayers.core.db import Connection
from iglayers.core.ids import TargetId
from iglayers.messages import pacing
from iglayers.sending import planning, queries
from iglayers.sending.model import ClientHistory, Facts, Pick
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
