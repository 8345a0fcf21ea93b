"""Why a due campaign writes to nobody now, when it is looked at again, and when it is done."""

from datetime import date, datetime, timedelta

from iglayers.campaigns import queries as campaign_queries
from iglayers.campaigns.model import Blocker, CampaignState, event_data
from iglayers.core.clock import Moment, real_now
from iglayers.core.db import Connection
from iglayers.core.wire import json_bytes
from iglayers.events import queries as event_queries
from iglayers.events.model import EventType, NewEvent
from iglayers.messages.pacing import Verdict
from iglayers.messages.schedule import has_ended
from iglayers.sending import queries_outbox, queries_rest
from iglayers.sending.model import Outlook, Pick
from iglayers.targets import queries_lifecycle as target_queries
from iglayers.usage.model import month_bounds

# A sender that serves is sending just now.
BUSY = timedelta(milliseconds=50)
# What is waited for says so itself (`accounts.queries.wake`); this is only the net below.
BLOCKED = timedelta(seconds=30)
_ENDED_BATCH = 1_000


class MonthFull(Exception):
    """Another worker took the month's last message between the look and the count."""


async def rest(conn: Connection, pick: Pick, *, machine_transports: list[str], alone: bool) -> bool:
    """No sender is free for this campaign, or nobody is left: find out which, and say so.

    False where its schedule ends and it is not `alone` in its transaction: that takes long, and many people.
    """
    now = pick.clock.shows(real_now())
    if has_ended(pick.schedule, now):
        return await _end_schedule(conn, pick, now, alone=alone)
    outlook = await queries_rest.outlook(conn, pick, now=now, machine_transports=machine_transports)
    if outlook.next_due_at is None and not outlook.in_flight:
        await _complete(conn, pick, now, machine_transports)
    elif outlook.next_due_at is None and outlook.in_hands:
        await _wait_for_operator(conn, pick)
    elif outlook.able_senders == 0:
        await _wait_for_sender(conn, pick, outlook)
    elif outlook.next_due_at is None:
        await queries_rest.wait_for(conn, pick, due_at=real_now() + BUSY, next_at=None, rule="in_flight", blocker=None)
    elif outlook.next_due_at > now:
        await _wait_until(conn, pick, outlook.next_due_at, rule="next_step")
    elif outlook.ready_at is None or outlook.ready_at <= now:
        await queries_rest.wait_for(conn, pick, due_at=real_now() + BUSY, next_at=None, rule="in_flight", blocker=None)
    else:
        busy_until = real_now() + BUSY if outlook.busy else None
        await _wait_until(conn, pick, outlook.ready_at, rule="sender", at_most=busy_until)
    return True


async def _wait_until(
    conn: Connection, pick: Pick, moment: datetime, *, rule: str, blocker: str | None = None,
    at_most: datetime | None = None,
) -> None:  # fmt: skip
    due_at = pick.clock.real(moment)
    due_at = min(due_at, at_most) if at_most else due_at
    await queries_rest.wait_for(conn, pick, due_at=due_at, next_at=Moment.of(moment), rule=rule, blocker=blocker)


async def _wait_for_sender(conn: Connection, pick: Pick, outlook: Outlook) -> None:
    if outlook.full_senders:
        await _wait_for_operator(conn, pick)
        return
    await queries_rest.wait_for(
        conn, pick, due_at=real_now() + BLOCKED, next_at=None, rule=None, blocker=Blocker.SENDER_NOT_AVAILABLE.value
    )


async def _wait_for_operator(conn: Connection, pick: Pick) -> None:
    """Cards wait in the outbox; whoever works one off wakes the campaign."""
    await queries_rest.wait_for(conn, pick, due_at=real_now() + BLOCKED, next_at=None, rule="operator", blocker=None)


async def wait_for_month(conn: Connection, pick: Pick, *, now: Moment, month: date) -> None:
    """The workspace's month is used up: go on with the next one, or when the limit is raised."""
    _, ends_at = month_bounds(month, pick.zone)
    await _wait_until(
        conn, pick, max(ends_at, now), rule="workspace.monthly", blocker=Blocker.USAGE_LIMIT_EXCEEDED.value,
        at_most=real_now() + BLOCKED,
    )  # fmt: skip


async def postpone(
    conn: Connection, pick: Pick, verdict: Verdict, *, looks_again_at: datetime | None, alone: bool
) -> bool:
    """The pace says later. A sender's own limit rests the sender; the campaign may go on with another.

    False as for `rest`.
    """
    if verdict.at is None:
        return await _end_schedule(conn, pick, pick.clock.shows(real_now()), alone=alone)
    if verdict.rule.startswith("sender."):
        await queries_rest.rest_sender(conn, pick, ready_at=min(verdict.at, looks_again_at or verdict.at))
    else:
        blocker = Blocker.OUTSIDE_SCHEDULE.value if verdict.rule == "schedule" else None
        await _wait_until(conn, pick, verdict.at, rule=verdict.rule, blocker=blocker)
    return True


async def _end_schedule(conn: Connection, pick: Pick, now: Moment, *, alone: bool) -> bool:
    """At `endAt` the rest is skipped, some at a time; with nobody left the campaign completes. False as for `rest`."""
    if pick.schedule is None or not has_ended(pick.schedule, now):
        # No window opens before the end: look again then.
        assert pick.schedule is not None
        assert pick.schedule.end_at is not None
        await _wait_until(conn, pick, pick.schedule.end_at, rule="schedule", blocker=Blocker.OUTSIDE_SCHEDULE.value)
        return True
    if not alone:
        return False
    data = json_bytes({"campaign": {
        "id": pick.campaign_id, "name": pick.campaign_name, "clientId": pick.client_id, "metadata": pick.metadata,
    }})  # fmt: skip
    await queries_outbox.take_back(conn, pick.workspace_id, pick.campaign_id, at=now)
    skipped = await target_queries.skip_rest(
        conn, pick.workspace_id, pick.campaign_id, at=now, limit=_ENDED_BATCH, event_data=data
    )
    if skipped < _ENDED_BATCH:
        outlook = await queries_rest.outlook(conn, pick, now=now, machine_transports=[])
        if outlook.next_due_at is None and not outlook.in_flight:
            await _complete(conn, pick, now, [])
        else:
            busy_until = real_now() + BUSY
            await queries_rest.wait_for(conn, pick, due_at=busy_until, next_at=None, rule="schedule", blocker=None)
    return True


async def _complete(conn: Connection, pick: Pick, now: Moment, machine_transports: list[str]) -> None:
    """Everybody has an end. While an upload is in flight it is looked at again soon, and once more afterwards."""
    if not await campaign_queries.lock_alone_if_free(conn, pick.workspace_id, pick.campaign_id):
        await queries_rest.wait_for(conn, pick, due_at=real_now() + BUSY, next_at=None, rule=None, blocker=None)
        return
    outlook = await queries_rest.outlook(conn, pick, now=now, machine_transports=machine_transports)
    if outlook.next_due_at is not None or outlook.in_flight:
        return
    await campaign_queries.set_state(conn, pick.workspace_id, pick.campaign_id, state=CampaignState.COMPLETED, at=now)
    campaign = await campaign_queries.by_id(conn, pick.workspace_id, pick.campaign_id, only=None)
    assert campaign is not None
    await event_queries.record(conn, NewEvent(
        type=EventType.CAMPAIGN_COMPLETED, workspace_id=pick.workspace_id, at=now, client_id=pick.client_id,
        campaign_id=pick.campaign_id, data={"campaign": event_data(campaign)},
    ))  # fmt: skip
