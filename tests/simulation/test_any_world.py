"""The whole engine in random worlds: several workers, a fast clock, owners who change their minds, lost accounts.

Afterwards the ledger and the sandbox's own log are judged by `rules.py`, and everybody has an end.
"""

from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from iglayers.accounts import actions as accounts
from iglayers.accounts.model import Mode
from iglayers.accounts.services import Services
from iglayers.core.clock import Moment
from tests.conftest import caller_of
from tests.sending.world import World, until, working
from tests.simulation.owner import Owner
from tests.simulation.rules import broken, too_fast
from tests.simulation.worlds import Plan, plans

SPEED = 40_000.0  # a day in 2.2 s

# Of one workspace: nothing was delivered twice, unasked for or after it was known that nothing had left.
WRONGLY_DELIVERED = """
    SELECT s.recipient, m.state, count(*)
    FROM sandbox_messages s LEFT JOIN messages m ON m.id = s.reference
    WHERE s.workspace_id = $1
    GROUP BY s.recipient, s.reference, m.state
    HAVING count(*) > 1 OR m.state IS NULL OR m.state NOT IN ('sent', 'unknown')
"""
SENT_WITHOUT_A_TRACE = """
    SELECT m.id FROM messages m
    WHERE m.workspace_id = $1 AND m.state = 'sent' AND NOT EXISTS (
        SELECT FROM sandbox_messages s WHERE s.workspace_id = $1 AND s.reference = m.id)
"""
# A follow-up that began after the person's reply had been read.
AFTER_A_REPLY = """
    SELECT m.id
    FROM messages m
    JOIN targets t ON t.id = m.target_id
    JOIN replies r ON r.workspace_id = $1 AND r.contact_id = m.contact_id AND r.received_at >= t.sent_at
    JOIN inbound i ON i.id = r.inbound_id
    JOIN workspaces w ON w.id = $1
    WHERE m.workspace_id = $1 AND m.step > 0 AND m.state <> 'not_sent'
      AND w.clock_real_at + (m.begun_at - w.clock_at) / w.clock_speed > i.processed_at
"""
# What a target says must be what its first message says; what has no message was not written to.
CONTRADICTIONS = """
    SELECT t.id, t.state, m.state AS message
    FROM targets t
    LEFT JOIN messages m ON m.target_id = t.id AND m.step = 0 AND m.state <> 'not_sent'
    WHERE t.workspace_id = $1 AND CASE t.state
        WHEN 'sent' THEN m.state IS DISTINCT FROM 'sent'
        WHEN 'replied' THEN m.state IS NULL OR m.state NOT IN ('sent', 'unknown')
        WHEN 'unknown' THEN m.state IS DISTINCT FROM 'unknown'
        WHEN 'failed' THEN m.state IS DISTINCT FROM 'failed'
        WHEN 'skipped' THEN m.state IS NOT NULL
        ELSE true END
"""
EVENTS_MISSING = """
    SELECT m.id, m.state FROM messages m
    WHERE m.workspace_id = $1 AND m.state IN ('sent', 'failed', 'unknown') AND 1 <> (
        SELECT count(*) FROM events e
        WHERE e.workspace_id = $1 AND e.type = 'message.' || m.state
          AND e.data::jsonb #>> '{message,id}' = 'msg_' || replace(m.id::text, '-', ''))
"""


# A world that fails is not made smaller: no two runs of it are the same.
@settings(
    max_examples=8,
    phases=[Phase.explicit, Phase.generate],
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(plan=plans(), workers=st.integers(1, 3))
async def test_any_world_keeps_every_promise(
    worker_services: Services, tmp_path: Path, plan: Plan, workers: int
) -> None:
    note(f"{workers} workers, {plan}")
    async with worker_services.db.transaction() as conn:
        pair = dict(zip(Mode, await accounts.create_pair(conn, "Simulated"), strict=True))
    world = World(worker_services, await caller_of(worker_services.db, pair[Mode.TEST], Mode.TEST))
    await world.speed(SPEED)
    owner = Owner(world, plan)
    await owner.set_up()
    async with working(worker_services, tmp_path, workers=workers):
        for doing in plan.doings:
            await clock_reaches(world, world.caller.now + timedelta(minutes=doing.after_minutes))
            await owner.do(doing)
        await clock_reaches(world, world.caller.now + timedelta(hours=12))
        await owner.let_everything_go()
        await until(owner.everybody_has_an_end)
    await judge(owner)


async def clock_reaches(world: World, moment: Moment | object) -> None:
    async def reached() -> bool:
        return world.caller.now >= moment  # pyright: ignore[reportOperatorIssue]

    await until(reached)


async def judge(owner: Owner) -> None:
    assert list(too_fast(await owner.ledger(reached_only=False), owner.rules)) == []
    assert broken(await owner.ledger(reached_only=True), owner.rules) == []
    for wrong in (WRONGLY_DELIVERED, SENT_WITHOUT_A_TRACE, AFTER_A_REPLY, CONTRADICTIONS, EVENTS_MISSING):
        found = await owner.world.all(wrong, owner.world.caller.workspace_id.uuid)
        assert [dict(each) for each in found] == []
    for planned, campaign in zip(owner.plan.campaigns, owner.campaigns, strict=True):
        assert len(await owner.world.people(campaign)) == len(planned.people)
