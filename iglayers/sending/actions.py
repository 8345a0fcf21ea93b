"""What settles an unknown: evidence from the provider, or a person's word. Both are kept with the message."""

from typing import Any, Literal
from uuid import UUID

import msgspec

from iglayers.accounts import actions as accounts
from iglayers.accounts.model import Caller, Scope
from iglayers.core.clock import Moment, real_now
from iglayers.core.db import Connection, Database
from iglayers.core.errors import InvalidState
from iglayers.core.fields import text
from iglayers.core.ids import MessageId, WorkspaceId
from iglayers.messages import queries as message_queries
from iglayers.messages.model import Message, MessageNotFound, MessageState
from iglayers.senders.model import Sent, Transport
from iglayers.sending import answers_settle, queries_answers, queries_settle, settle
from iglayers.sending import queries_upkeep as upkeep
from iglayers.sending.model import Attempt, Settlement
from iglayers.sending.model_answers import Answer


class Resolution(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    outcome: Literal["sent", "not_sent"]
    reason: str
    requeue: bool = False


async def settle_by_evidence(
    conn: Connection, *, workspace_id: WorkspaceId, reference: UUID, provider_message_id: str, evidence: dict[str, Any]
) -> bool:
    """The provider shows that the message arrived: it is sent, also if it was unknown. Always kept as evidence.

    Where a person had it sent again and that has not begun, it does not begin any more.
    False when the reference names no message, or one that was settled before.
    """
    message_id, arrived = MessageId(reference), Sent(provider_message_id)
    attempt = await upkeep.attempt(conn, message_id)
    if attempt is None:
        answer = await queries_answers.answer(conn, message_id)
        if answer is None or answer.workspace_id != workspace_id:
            return False
        settled = await answers_settle.apply(conn, answer, arrived)
        await message_queries.add_evidence(
            conn, workspace_id, message_id, evidence=evidence, provider_message_id=provider_message_id
        )
        return settled
    if attempt.workspace_id != workspace_id:
        return False
    settled = await settle.apply(conn, attempt, arrived)
    # Trying to settle has locked the target.
    if not settled and await message_queries.doubt_not_sent(conn, workspace_id, message_id):
        settled = await settle.apply(conn, attempt, arrived)
    await message_queries.add_evidence(
        conn, workspace_id, message_id, evidence=evidence, provider_message_id=provider_message_id
    )
    return settled


async def check_resend(
    db: Database, caller: Caller, message_id: MessageId, *, transports: dict[str, Transport]
) -> None:
    """Refuse to write again what the provider knows; a call outside, so before the transaction that resolves."""
    caller.needs(Scope.ADMIN)
    async with db.connection() as conn:
        attempt, _ = await _unknown(conn, caller, message_id)
    found = await transports[attempt.route.partition(".")[0]].look_up(attempt.message_id.uuid, None)
    if found is not None:
        raise InvalidState(f"The provider knows this message as {found.provider_message_id}: it was sent.")


async def resolve(conn: Connection, caller: Caller, message_id: MessageId, wanted: Resolution) -> Message:
    """A named person says what became of an unknown message.

    `not_sent` closes it as failed and the person stays contacted; `requeue` writes again, once `check_resend` has
    found that the provider does not know the message.
    """
    reason = text(wanted.reason, "reason", most=1_000)
    answer = await queries_answers.answer(conn, message_id)
    if answer is not None:
        return await _resolve_answer(conn, caller, answer, wanted, reason)
    attempt, message = await _unknown(conn, caller, message_id)
    at = attempt.clock.shows(real_now())
    if wanted.requeue:
        caller.needs(Scope.ADMIN)
        if wanted.outcome != "not_sent":
            raise InvalidState("Only a message that was not sent can be sent again.", param="requeue")
    end = _ending(attempt, wanted, reason, at)
    if wanted.requeue:
        await queries_settle.lock_campaign_for_settling(conn, attempt.campaign_id)
        await queries_settle.free_sender(conn, attempt, at=at)
    if not await queries_settle.settle(conn, settle.ended(attempt, end, at)):
        raise InvalidState("The message was settled meanwhile.")
    await message_queries.set_author(conn, caller.workspace_id, message_id, author=caller.actor)
    return await _resolved(conn, caller, message, wanted, reason)


async def _resolve_answer(
    conn: Connection, caller: Caller, answer: Answer, wanted: Resolution, reason: str
) -> Message:  # fmt: skip
    """The same for what a person wrote in a conversation; its author stays who wrote it."""
    message = await _unknown_message(conn, caller, answer.message_id)
    if wanted.requeue:
        raise _no_requeue()
    if not await answers_settle.resolve(conn, answer, was_sent=wanted.outcome == "sent", reason=reason):
        raise InvalidState("The message was settled meanwhile.")
    return await _resolved(conn, caller, message, wanted, reason)


def _no_requeue() -> InvalidState:
    return InvalidState(
        "An answer is never sent again.", param="requeue", remedy="Resolve it without requeue, then write it anew."
    )


async def _resolved(conn: Connection, caller: Caller, before: Message, wanted: Resolution, reason: str) -> Message:
    await accounts.audit(
        conn, caller, "message.resolved", before.id, before=before, after=wanted, reason=reason,
        contact_id=before.contact_id.uuid,
    )  # fmt: skip
    resolved = await message_queries.by_id(conn, caller.workspace_id, before.id, only=caller.client_id)
    assert resolved is not None
    return resolved


async def _unknown(conn: Connection, caller: Caller, message_id: MessageId) -> tuple[Attempt, Message]:
    message = await _unknown_message(conn, caller, message_id)
    attempt = await upkeep.attempt(conn, message_id)
    if attempt is None:
        raise _no_requeue()
    return attempt, message


async def _unknown_message(conn: Connection, caller: Caller, message_id: MessageId) -> Message:
    message = await message_queries.by_id(conn, caller.workspace_id, message_id, only=caller.client_id)
    if message is None:
        raise MessageNotFound("There is no such message.")
    if message.status is not MessageState.UNKNOWN:
        raise InvalidState(f"The message is {message.status.value}, not unknown.")
    return message


def _ending(attempt: Attempt, wanted: Resolution, reason: str, at: Moment) -> Settlement:
    if wanted.outcome == "sent":
        return settle.settlement(attempt, Sent(None), at)
    if wanted.requeue:
        return Settlement(
            message_state="not_sent", target_state="queued", error_code="outcome_unknown", reason=reason,
            next_step=attempt.step, next_due_at=at,
        )  # fmt: skip
    return Settlement(message_state="failed", target_state="failed", error_code="outcome_unknown", reason=reason)
