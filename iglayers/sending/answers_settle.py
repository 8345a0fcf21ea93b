"""What an outcome means for a person's answer, for its account and for the person; and those who are told.

The same road for what a process saw itself, for a lease that ended, for evidence and for a person's word.
"""

import asyncio
from typing import Any, assert_never
from uuid import UUID

from iglayers.contacts import actions as contact_actions
from iglayers.contacts import queries as contacts
from iglayers.core.clock import Moment, real_now
from iglayers.core.db import Connection, Database
from iglayers.core.ids import EventId
from iglayers.core.wire import json_bytes
from iglayers.events import queries as events
from iglayers.events.model import EventType, NewEvent
from iglayers.senders import actions as sender_actions
from iglayers.senders import queries as senders
from iglayers.senders.model import HandedOver, NotSent, Outcome, Sent, Unknown
from iglayers.sending import queries_answers as queries
from iglayers.sending.model_answers import Answer, Ending
from iglayers.sending.settle import DATABASE_AWAY

_BATCH = 100
_PATIENCE_S = 60.0


async def settle(db: Database, answer: Answer, outcome: Outcome) -> bool:
    """Write an outcome down, again until the database answers; False when it was settled before.

    If the database stays away, the lease ends and the answer becomes unknown.
    """
    loop = asyncio.get_running_loop()
    give_up_at, pause_s = loop.time() + _PATIENCE_S, 0.05
    while True:
        try:
            async with db.transaction() as conn:
                return await apply(conn, answer, outcome)
        except DATABASE_AWAY:
            if loop.time() > give_up_at:
                raise
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, 2.0)


async def apply(conn: Connection, answer: Answer, outcome: Outcome) -> bool:
    """Write an outcome down in the caller's transaction; what it shows of account and person too.

    Locks the sender and the contact first where those change.
    """
    at, rest = answer.clock.shows(real_now()), getattr(outcome, "rest", None)
    failed = outcome if isinstance(outcome, NotSent) else None
    if rest is not None or (failed is not None and failed.trouble is not None):
        await senders.lock(conn, answer.workspace_id, answer.sender_id)
    if failed is not None and failed.opted_out:
        await contacts.lock(conn, answer.workspace_id, [answer.contact_id])
    end = _ending(outcome)
    if not await queries.settle(conn, answer, end, at=at, event=event(answer, end, at=at)):
        return False
    if rest is not None:
        await senders.rest(conn, answer.workspace_id, answer.sender_id, rest)
    if failed is not None and failed.opted_out:
        await _opt_out(conn, answer, failed, at=at)
    if failed is not None and failed.trouble is not None:
        await sender_actions.report_trouble(
            conn, workspace_id=answer.workspace_id, sender_id=answer.sender_id, trouble=failed.trouble,
            reason=failed.reason, now=at,
        )  # fmt: skip
    return True


async def end_leases(db: Database) -> int:
    """Answers whose process is gone become unknown: nobody knows whether they left, so nobody sends them again."""
    async with db.connection() as conn:
        ended = await queries.ended_leases(conn, limit=_BATCH)
    for message_id in ended:
        async with db.connection() as conn:
            answer = await queries.answer(conn, message_id)
        if answer is not None:
            await settle(db, answer, Unknown("The process was lost while the answer was on its way."))
    return len(ended)


async def resolve(conn: Connection, answer: Answer, *, was_sent: bool, reason: str) -> bool:
    """A named person says what became of an unknown answer; False when it was settled meanwhile."""
    at = answer.clock.shows(real_now())
    end = Ending(state="sent") if was_sent else Ending(state="failed", error_code="outcome_unknown", reason=reason)
    return await queries.settle(conn, answer, end, at=at, event=event(answer, end, at=at))


def _ending(outcome: Outcome) -> Ending:
    """The table from outcomes to states. What was not sent has failed: the person who wrote it decides what follows."""
    match outcome:
        case Sent():
            return Ending(state="sent", provider_message_id=outcome.provider_message_id)
        case NotSent():
            return Ending(state="failed", error_code=outcome.code, reason=outcome.reason)
        case Unknown():
            return Ending(state="unknown", error_code="outcome_unknown", reason=outcome.reason)
        case HandedOver():
            raise AssertionError("a transport that needs a person is never asked to deliver")
        case _:
            assert_never(outcome)


_TOLD = {"sent": EventType.ANSWER_SENT, "failed": EventType.ANSWER_FAILED, "unknown": EventType.ANSWER_UNKNOWN}


def event(answer: Answer, end: Ending, *, at: Moment) -> tuple[UUID, str, bytes]:
    data: dict[str, Any] = {
        "conversation": {"id": answer.conversation_id, "instagramUsername": answer.username},
        "message": {
            "id": answer.message_id, "status": end.state, "route": answer.route, "author": answer.author,
            "senderUsername": answer.sender_username, "begunAt": answer.begun_at,
            "sentAt": at if end.state == "sent" else None, "errorCode": end.error_code, "reason": end.reason,
        },
        "sender": {"id": answer.sender_id, "username": answer.sender_username},
    }  # fmt: skip
    return EventId.new().uuid, _TOLD[end.state].value, json_bytes(data)


async def _opt_out(conn: Connection, answer: Answer, failed: NotSent, *, at: Moment) -> None:
    """The provider says that the person has blocked the account: that holds for everybody."""
    is_news = await contact_actions.opt_out(
        conn, workspace_id=answer.workspace_id, contact_id=answer.contact_id, reason=failed.reason, now=at
    )
    if not is_news:
        return
    data = {
        "instagramUsername": answer.username, "campaignId": None, "reply": None,
        "sender": {"id": answer.sender_id, "username": answer.sender_username},
    }  # fmt: skip
    await events.record(conn, NewEvent(
        type=EventType.CONTACT_OPTED_OUT, workspace_id=answer.workspace_id, at=at, client_id=answer.client_id,
        contact_id=answer.contact_id, data=data,
    ))  # fmt: skip
