"""The provider shows a message of the account's: proof by its id or reference, a hint by its text, never the other way.

A hint (same thread, same text, about the same time) is kept with the message for the person who decides; it settles
nothing.
"""

from datetime import timedelta
from uuid import UUID

from iglayers.contacts.model import ContactRow
from iglayers.core.db import Connection
from iglayers.core.ids import MessageId
from iglayers.messages import queries as messages
from iglayers.replies.actions import NotYet
from iglayers.senders.model import Inbound
from iglayers.sending import actions as sending

# An echo tells when the message left, which is soon after it has begun; clocks differ.
_BEFORE, _AFTER = timedelta(minutes=2), timedelta(minutes=10)
# While a message is on its way, its own answer is about to tell its id.
_SOON_S = 2.0


async def read_echo(conn: Connection, fact: Inbound, contact: ContactRow | None) -> None:
    """Settle the message that this shows; or keep it as a hint; or it is none of ours, such as what a person typed."""
    provider_message_id = fact.fact["providerMessageId"]
    evidence = {"kind": "echo", "providerKey": fact.provider_key, "at": fact.occurred_at.rfc3339()}
    reference = fact.fact.get("reference")
    message_id = None if reference is None else MessageId(UUID(reference))
    if message_id is None and contact is not None:
        message_id = await messages.by_provider_id(
            conn, fact.workspace_id, contact.id, sender_id=fact.sender_id, provider_message_id=provider_message_id
        )
    if message_id is not None:
        await sending.settle_by_evidence(
            conn, workspace_id=fact.workspace_id, reference=message_id.uuid,
            provider_message_id=provider_message_id, evidence=evidence,
        )  # fmt: skip
    elif contact is not None:
        await _keep_hint(conn, fact, contact, evidence | {"providerMessageId": provider_message_id})


async def _keep_hint(conn: Connection, fact: Inbound, contact: ContactRow, evidence: dict[str, str]) -> None:
    if await messages.is_leaving(conn, fact.workspace_id, contact.id, sender_id=fact.sender_id):
        raise NotYet(_SOON_S)
    for message_id in await messages.doubtful(
        conn, fact.workspace_id, contact.id, sender_id=fact.sender_id, text=fact.fact.get("text", ""),
        begun_from=fact.occurred_at - _AFTER, begun_to=fact.occurred_at + _BEFORE,
    ):  # fmt: skip
        await messages.add_evidence(
            conn, fact.workspace_id, message_id, evidence=evidence | {"kind": "similar_echo"}, provider_message_id=None
        )
