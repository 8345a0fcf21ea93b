"""What an outcome means: for the message, its target, its sender, and those who are told.

The same road for what a worker saw itself, for a lease that ended, for evidence and for a person's word.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Any, assert_never
from uuid import UUID

import asyncpg
import structlog
from prometheus_client import Counter, Histogram

from iglayers.contacts import actions as contact_actions
from iglayers.contacts import queries as contacts
from iglayers.core.clock import Moment, real_now
from iglayers.core.db import Connection, Database
from iglayers.core.ids import EventId
from iglayers.core.wire import json_bytes
from iglayers.events import queries as event_queries
from iglayers.events.model import EventType, NewEvent
from iglayers.senders import actions as sender_actions
from iglayers.senders import queries as sender_queries
from iglayers.senders.model import HandedOver, NotSent, Outcome, Sent, Unknown
from iglayers.sending import queries_settle
from iglayers.sending.model import Attempt, Ended, Settlement
from iglayers.targets import queries as targets

log = structlog.get_logger("sending")
ATTEMPTS = Counter("iglayers_messages_total", "Attempts by outcome", ["outcome"])
TOOK = Histogram("iglayers_deliver_seconds", "From begin to settled")

# After so many attempts of one step of which nothing left, the step has failed.
MOST_NOT_SENT = 5
_PATIENCE_S = 60.0
# Outcomes of one commit.
_TOGETHER = 50
# More than a commit takes, and far less than a lease.
_TOGETHER_S = 5.0
# While several come at a time, they have so long to come together.
_GATHER_S = 0.01
# The database cannot be reached, is being stopped or started, is full, or is a standby for the moment.
DATABASE_AWAY = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that breaks while it is being used
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
)


async def settle(db: Database, attempt: Attempt, outcome: Outcome) -> bool:
    """Write an outcome down, again until the database answers; False when it was settled before.

    Repeating is safe: a message that is settled stays as it is. If the database stays away, the lease ends and
    the message becomes unknown.
    """
    loop = asyncio.get_running_loop()
    give_up_at, pause_s = loop.time() + _PATIENCE_S, 0.05
    while True:
        try:
            return await _settle_once(db, attempt, outcome)
        except DATABASE_AWAY:
            if loop.time() > give_up_at:
                raise
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, 2.0)


class Settler:
    """Writes down how a worker's deliveries end. What ends while it writes is written down together, in one commit."""

    def __init__(self, db: Database) -> None:
        self._db: Database = db
        self._waiting: list[tuple[Ended, asyncio.Future[bool]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._writings: set[asyncio.Task[set[UUID]]] = set()

    async def settle(self, attempt: Attempt, outcome: Outcome) -> bool:
        """As `settle`: what cannot be written down with others is written down alone."""
        changes_sender = isinstance(outcome, NotSent) or (isinstance(outcome, Sent) and outcome.rest is not None)
        if not changes_sender and await self._with_others(attempt, outcome):
            return True
        return await settle(self._db, attempt, outcome)

    async def _with_others(self, attempt: Attempt, outcome: Outcome) -> bool:
        at = attempt.clock.shows(real_now())
        written: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((ended(attempt, settlement(attempt, outcome, at), at), written))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write())
        return await written

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:_TOGETHER], self._waiting[_TOGETHER:]
            # A connection that has gone dead holds up this batch alone, and each of it goes on by itself.
            self._writings.add(writing := asyncio.create_task(self._write_down([each for each, _ in batch])))
            writing.add_done_callback(self._writings.discard)
            done, _ = await asyncio.wait({writing}, timeout=_TOGETHER_S)
            settled = writing.result() if done else set[UUID]()
            for each, written in batch:
                if not written.done():  # one that is has been stopped waiting for
                    written.set_result(each.attempt.message_id.uuid in settled)
            if len(batch) > 1:
                await asyncio.sleep(_GATHER_S)
        self._writing = None

    async def _write_down(self, batch: list[Ended]) -> set[UUID]:
        try:
            async with self._db.connection() as conn:
                return await queries_settle.settle_free(conn, batch)
        except Exception as error:  # noqa: BLE001 each goes on alone, and meets its own error there
            log.warning("message.not_settled_together", count=len(batch), error=type(error).__name__)
            return set()

    async def end(self) -> None:
        """Wait for what is being written, also for deliveries that were stopped meanwhile."""
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=_TOGETHER_S)


async def _settle_once(db: Database, attempt: Attempt, outcome: Outcome) -> bool:
    if not isinstance(outcome, NotSent):
        async with db.connection() as conn:
            return await apply(conn, attempt, outcome)
    # What gives back, or shows trouble, also changes the sender: it is locked before the target.
    async with db.transaction() as conn:
        return await apply(conn, attempt, outcome)


async def apply(conn: Connection, attempt: Attempt, outcome: Outcome) -> bool:
    """Write an outcome down in the caller's transaction (one statement, but for NotSent)."""
    at = attempt.clock.shows(real_now())
    if isinstance(outcome, NotSent):
        await queries_settle.lock_campaign_for_settling(conn, attempt.campaign_id)
        await queries_settle.free_sender(conn, attempt, at=at)
        if outcome.opted_out:
            # The person too, before message and month: whoever begins holds their person and waits for the month.
            await targets.lock(conn, attempt.workspace_id, [attempt.target_id.uuid])
            await contacts.lock(conn, attempt.workspace_id, [attempt.contact_id])
    settled = await queries_settle.settle(conn, ended(attempt, settlement(attempt, outcome, at), at))
    if settled and isinstance(outcome, Sent | NotSent) and outcome.rest is not None:
        await sender_queries.rest(conn, attempt.workspace_id, attempt.sender_id, outcome.rest)
    if settled and isinstance(outcome, NotSent):
        if outcome.opted_out:
            await _opt_out(conn, attempt, outcome, at)
        if outcome.trouble is not None:
            await sender_actions.report_trouble(
                conn, workspace_id=attempt.workspace_id, sender_id=attempt.sender_id, trouble=outcome.trouble,
                reason=outcome.reason, now=at,
            )  # fmt: skip
    return settled


async def _opt_out(conn: Connection, attempt: Attempt, outcome: NotSent, at: Moment) -> None:
    """The person, held, blocked the account or stopped its messages: nobody in the workspace writes to them again."""
    is_news = await contact_actions.opt_out(
        conn, workspace_id=attempt.workspace_id, contact_id=attempt.contact_id, reason=outcome.reason, now=at
    )
    if is_news:
        await event_queries.record(conn, NewEvent(
            type=EventType.CONTACT_OPTED_OUT, workspace_id=attempt.workspace_id, at=at, client_id=attempt.client_id,
            campaign_id=attempt.campaign_id, contact_id=attempt.contact_id, data={
                "instagramUsername": attempt.event["target"]["instagramUsername"], "campaignId": attempt.campaign_id,
                "reply": None, "sender": {"id": attempt.sender_id, "username": attempt.sender_username},
            },
        ))  # fmt: skip


def settlement(attempt: Attempt, outcome: Outcome, at: Moment) -> Settlement:
    """The table from outcomes to states."""
    match outcome:
        case Sent():
            due_at = None
            if attempt.next_step_delay_h is not None:
                due_at = Moment.of(at + timedelta(hours=attempt.next_step_delay_h))
            return Settlement(
                message_state="sent", target_state="sent", provider_message_id=outcome.provider_message_id,
                next_step=attempt.step + 1, next_due_at=due_at,
            )  # fmt: skip
        case NotSent(retry_at=datetime() as retry_at) if attempt.not_sent_before + 1 < MOST_NOT_SENT:
            return Settlement(
                message_state="not_sent", target_state="queued", error_code=outcome.code, reason=outcome.reason,
                next_step=attempt.step, next_due_at=Moment.of(retry_at), gives_back=True,
            )  # fmt: skip
        case NotSent():
            return Settlement(
                message_state="failed", target_state="failed", error_code=outcome.code, reason=outcome.reason,
                gives_back=True,
            )  # fmt: skip
        case Unknown():
            return Settlement(
                message_state="unknown", target_state="unknown", error_code="outcome_unknown", reason=outcome.reason
            )
        case HandedOver():
            raise AssertionError("a transport that needs a person is never asked to deliver")
        case _:
            assert_never(outcome)


_TOLD = {
    "sent": "message.sent", "failed": "message.failed", "unknown": "message.unknown", "skipped": "message.skipped",
}  # fmt: skip


def ended(attempt: Attempt, end: Settlement, at: Moment) -> Ended:
    """What is written down, and what is told: nothing of an attempt that will be made again."""
    event_type = _TOLD.get(end.message_state)
    if event_type is None:
        return Ended(attempt=attempt, end=end, at=at, event=None)
    message: dict[str, Any] = {
        "id": attempt.message_id, "step": attempt.step, "status": end.message_state, "route": attempt.route,
        "senderUsername": attempt.sender_username, "begunAt": attempt.begun_at,
        "sentAt": at if end.message_state == "sent" else None, "errorCode": end.error_code, "reason": end.reason,
    }  # fmt: skip
    event = (EventId.new().uuid, event_type, json_bytes(attempt.event | {"message": message}))
    return Ended(attempt=attempt, end=end, at=at, event=event)


def report(attempt: Attempt, outcome: Outcome, *, took_s: float) -> None:
    """One log line and one metric an attempt."""
    name = type(outcome).__name__
    ATTEMPTS.labels(name).inc()
    TOOK.observe(took_s)
    log.info(
        "message.attempted", message_id=str(attempt.message_id), workspace_id=str(attempt.workspace_id),
        campaign_id=str(attempt.campaign_id), sender_id=str(attempt.sender_id), step=attempt.step, outcome=name,
        code=getattr(outcome, "code", None), took_ms=round(took_s * 1000),
    )  # fmt: skip
