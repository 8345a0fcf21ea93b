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
from iglayers.sending import queries, settle
from iglayers.sending import queries_upkeep as upkeep
from iglayers.sending.model import Attempt, Settlement


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
    message_id = MessageId(reference)
    attempt = await upkeep.attempt(conn, message_id)
    if attempt is None or attempt.workspace_id != workspace_id:
        return False
    arrived = Sent(provider_message_id)
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
    attempt, message = await _unknown(conn, caller, message_id)
    at = attempt.clock.shows(real_now())
    if wanted.requeue:
        caller.needs(Scope.ADMIN)
        if wanted.outcome != "not_sent":
            raise InvalidState("Only a message that was not sent can be sent again.", param="requeue")
    end = _ending(attempt, wanted, reason, at)
    if wanted.requeue:
        await queries.lock_campaign_for_settling(conn, attempt.campaign_id)
        await queries.free_sender(conn, attempt, at=at)
    if not await queries.settle(conn, attempt, end, at=at, event=settle.event(attempt, end, at)):
        raise InvalidState("The message was settled meanwhile.")
    await message_queries.set_author(conn, caller.workspace_id, message_id, author=caller.actor)
    await accounts.audit(
        conn, caller, "message.resolved", message_id, before=message, after=wanted, reason=reason,
        contact_id=attempt.contact_id.uuid,
    )  # fmt: skip
    resolved = await message_queries.by_id(conn, caller.workspace_id, message_id, only=caller.client_id)
    assert resolved is not None
    return resolved


async def _unknown(conn: Connection, caller: Caller, message_id: MessageId) -> tuple[Attempt, Message]:
    message = await message_queries.by_id(conn, caller.workspace_id, message_id, only=caller.client_id)
    attempt = await upkeep.attempt(conn, message_id)
    if message is None or attempt is None:
        raise MessageNotFound("There is no such message.")
    if message.status is not MessageState.UNKNOWN:
        raise InvalidState(f"The message is {message.status.value}, not unknown.")
    return attempt, message


def _ending(attempt: Attempt, wanted: Resolution, reason: str, at: Moment) -> Settlement:
    if wanted.outcome == "sent":
        return settle.settlement(attempt, Sent(None), at)
    if wanted.requeue:
        return Settlement(
            message_state="not_sent", target_state="queued", error_code="outcome_unknown", reason=reason,
            next_step=attempt.step, next_due_at=at,
        )  # fmt: skip
    return Settlement(message_state="failed", target_state="failed", error_code="outcome_unknown", reason=reason)
