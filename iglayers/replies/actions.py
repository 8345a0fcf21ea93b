"""What a reply changes, whether it came in by itself or a person logged it: one reply, one transaction."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from iglayers.accounts import actions as accounts
from iglayers.accounts import queries as account_queries
from iglayers.accounts.model import Caller
from iglayers.contacts import actions as contact_actions
from iglayers.contacts import queries as contacts
from iglayers.contacts.model import ContactRow
from iglayers.contacts.usernames import canonical, handle_hash
from iglayers.core.clock import Moment
from iglayers.core.db import Connection
from iglayers.core.errors import Invalid, MissingField
from iglayers.core.fields import optional_line
from iglayers.core.fields import text as clean
from iglayers.core.ids import ClientId, ContactId, ReplyId, SenderId, WorkspaceId, uuid7
from iglayers.events import queries as events
from iglayers.events.model import EventType, NewEvent
from iglayers.replies import queries
from iglayers.replies.automatic import Arrival
from iglayers.replies.labels import Label, Labelled, label_of
from iglayers.replies.model import Answered, Relabelled, Reply, ReplyNotFound, event_data, reply_data
from iglayers.replies.optout import is_opt_out, is_opt_out_payload
from iglayers.senders import queries as senders
from iglayers.senders import queries_threads
from iglayers.senders.actions import canonical_username
from iglayers.senders.model import Sender, SenderNotFound
from iglayers.targets import queries_replies as targets

MAX_TEXT = 10_000
# A person's clock and ours differ; a reply from tomorrow is a typing error.
CLOCKS_DIFFER = timedelta(minutes=5)
# After a person's last word the platform lets their account be answered so long.
WINDOW = timedelta(hours=24)
BY_HAND = "assisted"  # the transport of accounts that a person uses, to which no window applies


class NewReply(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """A reply that somebody read on Instagram and logs here."""

    instagram_username: str
    sender_username: str | None = None
    sender_id: SenderId | None = None
    text: str
    received_at: Moment | None = None
    label: Label | None = None


class LabelChange(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    label: Label
    reason: str | None = None


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """A reply that is to be recorded.

    `payload` is what a tapped button carries. `label` is the word of `author`, who logs it by hand; `only` their
    client, whose messages alone it may answer.
    """

    workspace_id: WorkspaceId
    sender: Sender
    contact: ContactRow
    text: str
    received_at: datetime
    inbound_id: UUID | None = None
    payload: str | None = None
    author: str | None = None
    label: Label | None = None
    only: ClientId | None = None


async def log_by_hand(conn: Connection, caller: Caller, new: NewReply, *, pepper: bytes) -> Reply:
    """Record a reply that came to an account outside; it does all that one coming in by itself does."""
    now = caller.now
    sender = await _sender(conn, caller, new)
    received_at = new.received_at or now
    if received_at > now + CLOCKS_DIFFER:
        raise Invalid("receivedAt is in the future.", param="receivedAt")
    username = canonical(new.instagram_username)
    reply = await record(
        conn,
        Incoming(
            workspace_id=caller.workspace_id, sender=sender, text=clean(new.text, "text", most=MAX_TEXT),
            contact=await known_contact(conn, caller.workspace_id, username, pepper=pepper, now=now),
            received_at=min(received_at, now), author=caller.actor, label=new.label, only=caller.client_id,
        ),
        now=now,
    )  # fmt: skip
    assert reply is not None
    shown = {"id": reply.id, "targetId": reply.target_id, "senderId": reply.sender_id}
    await accounts.audit(conn, caller, "reply.logged", reply.id, after=shown)
    return reply


async def record(conn: Connection, incoming: Incoming, *, now: datetime) -> Reply | None:
    """Match a reply to the newest message of its sender to its person, and do what follows; None if it was known.

    Locks the campaign against cancelling, targets by id, then the contact. The wake-up is last: others who hold
    targets wait for that row.
    """
    answered = await queries.newest_message(
        conn, incoming.workspace_id, sender_id=incoming.sender.id, contact_id=incoming.contact.id, only=incoming.only
    )
    reply = await _reply(conn, incoming, answered)
    stopped = await _mark(conn, incoming.workspace_id, incoming.contact.id, reply, now=now)
    await contacts.lock(conn, incoming.workspace_id, [incoming.contact.id])
    if not await queries.insert(
        conn, reply, workspace_id=incoming.workspace_id, contact_id=incoming.contact.id, inbound_id=incoming.inbound_id
    ):
        return None
    await queries_threads.heard(
        conn, incoming.workspace_id, sender_id=incoming.sender.id, contact=incoming.contact, at=incoming.received_at,
        opens_for=None if incoming.sender.transport == BY_HAND else WINDOW,
    )  # fmt: skip
    await _tell(conn, incoming.workspace_id, incoming.contact.id, EventType.REPLY_RECEIVED, reply, now=now)
    if reply.opted_out:
        await _opt_out(conn, incoming, reply, now=now)
    if stopped:
        await account_queries.wake(conn, incoming.workspace_id)
    return reply


async def relabel(conn: Connection, caller: Caller, reply_id: ReplyId, wanted: LabelChange) -> Relabelled:
    """A person's word on what a reply amounts to; no rule changes it any more.

    What was taken for automatic and is a person's marks the target as replied and stops follow-ups now. The other way
    round nothing comes back: nobody can be sure that the person did not answer, and a message too many stays sent.
    """
    workspace_id = caller.workspace_id
    reason = optional_line(wanted.reason, "reason", most=500)
    found = await queries.by_id(conn, workspace_id, reply_id, only=caller.client_id)
    if found is None:
        raise ReplyNotFound("There is no such reply.")
    contact_id = await queries.contact_of(conn, workspace_id, reply_id)
    reply = msgspec.structs.replace(
        found, label=wanted.label, label_reason=reason or f"Set by {caller.actor}.", labelled_by=caller.actor
    )
    was_nobodys = found.label is Label.AUTOMATIC
    stopped = await _mark(conn, workspace_id, contact_id, reply, now=caller.now) if was_nobodys else 0
    # Whoever labels the same person's replies waits here, so that each sees the label that the other left.
    await contacts.lock(conn, workspace_id, [contact_id])
    before = await queries.by_id(conn, workspace_id, reply_id, only=caller.client_id)
    assert before is not None
    await queries.set_label(conn, workspace_id, reply)
    await accounts.audit(
        conn, caller, "reply.labelled", reply_id, before={"label": before.label}, after={"label": reply.label},
        reason=reason, contact_id=contact_id.uuid,
    )  # fmt: skip
    if before.label is not reply.label:
        await _tell(conn, workspace_id, contact_id, EventType.REPLY_LABELLED, reply, now=caller.now)
    if stopped:
        await account_queries.wake(conn, workspace_id)
    return Relabelled(**msgspec.structs.asdict(reply), effect=_effect(before, reply, stopped))


def _effect(before: Reply, after: Reply, stopped: int) -> str:
    if before.label is Label.AUTOMATIC and after.label is not Label.AUTOMATIC:
        told = "The target is replied" if after.target_id else "It counts as the person's reply"
        return f"{told}, and {stopped} follow-up{'' if stopped == 1 else 's'} stopped."
    if after.label is Label.AUTOMATIC and before.label is not Label.AUTOMATIC:
        return "The target stays replied, and follow-ups that were stopped stay stopped."
    return "Nothing but the label changed."


async def known_contact(
    conn: Connection, workspace_id: WorkspaceId, username: str, *, pepper: bytes, now: datetime
) -> ContactRow:
    """The person of this canonical username; somebody who was never written to becomes known by replying."""
    found = await contacts.upsert_many(
        conn, workspace_id, ids=[uuid7()], hashes=[handle_hash(pepper, username)], usernames=[username], now=now
    )
    return found[0]


async def _sender(conn: Connection, caller: Caller, new: NewReply) -> Sender:
    sender_id = new.sender_id
    if (sender_id is None) is (new.sender_username is None):
        if sender_id is None:
            raise MissingField("senderUsername (or senderId) is required.", param="senderUsername")
        raise Invalid("Give senderUsername or senderId, not both.", param="senderId")
    if new.sender_username is not None:
        username = canonical_username(new.sender_username, "senderUsername")
        sender_id = await senders.id_of(conn, caller.workspace_id, username, only=caller.client_id)
    sender = sender_id and await senders.by_id(conn, caller.workspace_id, sender_id, only=caller.client_id)
    if not sender:
        raise SenderNotFound("There is no such sender.", param="senderId" if new.sender_id else "senderUsername")
    return sender


async def _mark(
    conn: Connection, workspace_id: WorkspaceId, contact_id: ContactId, reply: Reply, *, now: datetime
) -> int:
    """The answered target is replied, and nobody follows up on this person; the number of follow-ups stopped.

    Unless the reply is an automatic answer, which is nobody's.
    """
    if reply.campaign_id is not None:
        await queries.hold_campaign(conn, workspace_id, reply.campaign_id)
    if reply.label is Label.AUTOMATIC:
        return 0
    held = await targets.lock_answered(conn, workspace_id, target_id=reply.target_id, contact_id=contact_id)
    stopped = await targets.stop_followups(conn, workspace_id, held, now=now)
    if reply.target_id is not None:
        await targets.mark_replied(conn, workspace_id, reply.target_id, at=reply.received_at, now=now)
    return stopped


async def _reply(conn: Connection, incoming: Incoming, answered: Answered | None) -> Reply:
    opted_out = is_opt_out(incoming.text) or is_opt_out_payload(incoming.payload or "")
    found = label_of(incoming.text, await _arrival(conn, incoming, answered), opted_out=opted_out)
    by = None
    if incoming.label is not None and not opted_out:
        found, by = Labelled(incoming.label, f"Set by {incoming.author}."), incoming.author
    return Reply(
        id=ReplyId.new(), instagram_username=incoming.contact.username, sender_id=incoming.sender.id,
        sender_username=incoming.sender.username, client_id=answered.client_id if answered else incoming.only,
        campaign_id=answered and answered.campaign_id, target_id=answered and answered.target_id,
        message_id=answered and answered.message_id, text=incoming.text, opted_out=opted_out, label=found.label,
        label_reason=found.reason, labelled_by=by, author=incoming.author, received_at=incoming.received_at,
    )  # fmt: skip


async def _arrival(conn: Connection, incoming: Incoming, answered: Answered | None) -> Arrival:
    """How the reply came. A button that was tapped, and what a person read and logged, says nothing by its speed."""
    if answered is None:
        return Arrival()
    is_timed = answered.is_last and incoming.author is None and incoming.payload is None
    said_before = await queries.said_before(
        conn, incoming.workspace_id, contact_id=incoming.contact.id, message_id=answered.message_id, text=incoming.text
    )
    return Arrival(after=incoming.received_at - answered.begun_at if is_timed else None, said_before=said_before)


async def _tell(
    conn: Connection, workspace_id: WorkspaceId, contact_id: ContactId, kind: EventType, reply: Reply, *, now: datetime
) -> None:
    """What somebody wrote whom nobody had written to is in the list of replies only."""
    if reply.message_id is None:
        return
    context = await queries.context(conn, workspace_id, reply.message_id)
    assert context is not None
    await events.record(conn, NewEvent(
        type=kind, workspace_id=workspace_id, at=now, client_id=context.client_id, campaign_id=context.campaign_id,
        contact_id=contact_id, data=event_data(context, reply),
    ))  # fmt: skip


async def _opt_out(conn: Connection, incoming: Incoming, reply: Reply, *, now: datetime) -> None:
    """Nobody in the workspace writes to this person again, from this commit on; told once, however often it is said."""
    is_news = await contact_actions.opt_out(
        conn, workspace_id=incoming.workspace_id, contact_id=incoming.contact.id, reason="asked by a reply", now=now
    )
    if not is_news:
        return
    data = {"instagramUsername": reply.instagram_username, "campaignId": reply.campaign_id} | reply_data(reply)
    await events.record(conn, NewEvent(
        type=EventType.CONTACT_OPTED_OUT, workspace_id=incoming.workspace_id, at=now, client_id=reply.client_id,
        campaign_id=reply.campaign_id, contact_id=incoming.contact.id, data=data,
    ))  # fmt: skip
