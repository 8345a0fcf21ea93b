"""The engine, step by step, on a clock that stands still between two looks and jumps to the next one."""

from datetime import datetime, timedelta

from iglayers.accounts import queries as account_queries
from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.core.clock import Clock, Moment, real_now
from iglayers.core.ids import CampaignId
from iglayers.senders.transports import build
from iglayers.sending import send, settle

MOST_LOOKS = 20_000


class Stepping:
    """One worker without a loop; `now` is what the test workspace's clock shows."""

    def __init__(self, services: Services, caller: Caller) -> None:
        self.services: Services = services
        self.caller: Caller = caller
        self.engine: send.Engine = send.Engine(
            services.db, services.settings, build(services), settle.Settler(services.db)
        )
        self.now: Moment = caller.now

    async def set_clock(self, now: datetime) -> None:
        self.now = Moment.of(now)
        real = real_now()
        async with self.services.db.transaction() as conn:
            clock = Clock(real_at=real, at=self.now, speed=0)
            await account_queries.set_clock(conn, self.caller.workspace_id, clock)
            # A clock that stands still makes what waits due in a century; the test says when it looks.
            await conn.execute("UPDATE campaigns SET due_at = $1 WHERE state = 'running'", real - timedelta(seconds=1))

    def advance(self, *, minutes: float) -> None:
        """The next look comes so much later."""
        self.now = Moment.of(self.now + timedelta(minutes=minutes))

    async def look(self, times: int) -> None:
        """Some looks at whatever is due."""
        for _ in range(times):
            await self.set_clock(self.now)
            await self._take_a_step()

    async def run(self, campaign_id: CampaignId) -> list[datetime]:
        """Until the campaign has ended; when each message began."""
        db, rested = self.services.db, None
        for _ in range(MOST_LOOKS):
            await self.set_clock(self.now)
            ready = await self._take_a_step()
            async with db.connection() as conn:
                found = await conn.fetchrow("""
                    SELECT c.state, least(
                        CASE WHEN c.next_at > $2 THEN c.next_at END,
                        (SELECT min(s.ready_at) FROM senders s WHERE s.ready_at > $2),
                        (SELECT min(t.next_due_at) FROM targets t
                         WHERE t.campaign_id = c.id AND t.next_due_at > $2)) AS next_at,
                        (SELECT array_agg(s.ready_at ORDER BY s.id) FROM senders s) AS ready_ats
                    FROM campaigns c WHERE c.id = $1
                """, campaign_id.uuid, self.now)  # fmt: skip
            assert found is not None
            if found["state"] != "running":
                break
            # A look that only sent one account to rest is followed by another: the next account may be ready.
            rested, before = found["ready_ats"], rested
            if not ready and rested == before and found["next_at"] is not None:
                self.now = Moment.of(found["next_at"] + timedelta(microseconds=999))
        async with db.connection() as conn:
            rows = await conn.fetch(
                "SELECT begun_at FROM messages WHERE campaign_id = $1 ORDER BY begun_at", campaign_id.uuid
            )
        return [each["begun_at"] for each in rows]

    async def _take_a_step(self) -> bool:
        """Whether a message went out."""
        step = await send.begin_next(self.engine)
        ready = [] if step is None else step.ready
        for each in ready:
            await send.finish(self.engine, each)
        return bool(ready)
