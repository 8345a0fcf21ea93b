"""A worker's step: read what came in, oldest first, one transaction a fact, any number of workers at once."""

import structlog

from iglayers.accounts import queries as account_queries
from iglayers.contacts import queries as contacts
from iglayers.contacts.model import ContactRow
from iglayers.contacts.usernames import InvalidUsername, canonical
from iglayers.core.clock import Moment, real_now
from iglayers.core.db import Connection, Database
from iglayers.core.ids import ContactId
from iglayers.core.work_off import work_off
from iglayers.replies import actions, evidence, names, texts
from iglayers.replies.actions import NotYet
from iglayers.senders import queries as senders
from iglayers.senders import queries_conversations as conversations
from iglayers.senders import queries_inbound
from iglayers.senders.model import Comment, Inbound

log = structlog.get_logger("replies")


async def process_inbound(db: Database, *, pepper: bytes, limit: int = 200) -> int:
    """Read up to `limit` facts; how many were taken. One that fails waits for its next turn and holds nobody up."""

    async def work(conn: Connection, fact: Inbound) -> None:
        contact_id = await _read(conn, fact, pepper=pepper)
        await queries_inbound.mark_processed(conn, fact.workspace_id, fact.id, contact_id=contact_id)

    return await work_off(db, take=queries_inbound.take, work=work, put_back=_put_back, limit=limit)


async def _put_back(conn: Connection, fact: Inbound, error: Exception) -> None:
    if isinstance(error, NotYet):
        await queries_inbound.put_off(conn, fact.workspace_id, fact.id, seconds=error.seconds)
        return
    log.error("inbound.failed", inbound_id=str(fact.id), kind=fact.kind, exc_info=error)
    await queries_inbound.put_back(conn, fact.workspace_id, fact.id)


async def _read(conn: Connection, fact: Inbound, *, pepper: bytes) -> ContactId | None:
    """What this fact tells; the person whom it is about, as far as that is known."""
    clock = await account_queries.clock(conn, fact.workspace_id)
    assert clock is not None
    now = clock.shows(real_now())
    if "username" in fact.fact and "igsid" not in fact.fact and _name(fact) is None:
        log.warning("inbound.unreadable_username", inbound_id=str(fact.id))
        return None
    contact = await _person(conn, fact, pepper=pepper, now=now)
    match fact.kind:
        case "reply":
            await _read_reply(conn, fact, contact, now=now)
        case "comment":
            at = fact.occurred_at
            comment = Comment(id=fact.fact["commentId"], at=at, media_id=fact.fact.get("mediaId"))
            await _keep(conn, fact, contact, conversations.Act(at=at, comment=comment), now=now)
        case "referral":
            # Who comes through a link or an ad opens the window as with a word.
            await _keep(conn, fact, contact, conversations.Act(at=fact.occurred_at, is_word=True), now=now)
        case "echo":
            await _hold_unnamed(conn, fact, contact, now=now)
            await evidence.read_echo(conn, fact, contact)
        case "deletion" | "edit":
            await _hold_unnamed(conn, fact, contact, now=now)
            await texts.read_change(conn, fact, contact, now=now)
        case "reaction" | "read" | "other":
            await _hold_unnamed(conn, fact, contact, now=now)
        case _:
            raise ValueError(f"no such kind of fact: {fact.kind}")
    return contact and contact.id


async def _person(conn: Connection, fact: Inbound, *, pepper: bytes, now: Moment) -> ContactRow | None:
    """Whose act this is: by the name that the fact tells, or by the thread that Instagram's id leads to."""
    igsid, name = fact.fact.get("igsid"), _name(fact)
    if igsid is None:
        return (
            None if name is None else await actions.known_contact(conn, fact.workspace_id, name, pepper=pepper, now=now)
        )
    thread = await conversations.by_igsid(conn, fact.workspace_id, fact.sender_id, igsid)
    if name is not None and (thread is None or thread.username != name):
        await names.learn(conn, fact.workspace_id, fact.sender_id, igsid=igsid, username=name, pepper=pepper, now=now)
        thread = await conversations.by_igsid(conn, fact.workspace_id, fact.sender_id, igsid)
    if thread is None:
        return None
    if thread.contact_id is not None:
        return await contacts.by_id(conn, fact.workspace_id, thread.contact_id)
    if thread.username is not None:
        # Another thread of the account has this name too: what must not be sent to one is not sent to the other.
        return await actions.known_contact(conn, fact.workspace_id, thread.username, pepper=pepper, now=now)
    return None


async def _read_reply(conn: Connection, fact: Inbound, contact: ContactRow | None, *, now: Moment) -> None:
    if contact is None and "igsid" not in fact.fact:
        raise ValueError("a reply of nobody")
    sender = await senders.by_id(conn, fact.workspace_id, fact.sender_id, only=None)
    assert sender is not None
    incoming = actions.Incoming(
        workspace_id=fact.workspace_id, sender=sender, contact=contact, igsid=fact.fact.get("igsid"),
        text=fact.fact.get("text", ""), received_at=fact.occurred_at, inbound_id=fact.id,
        payload=fact.fact.get("payload"),
    )  # fmt: skip
    await actions.record(conn, incoming, now=now)
    if (mid := fact.fact.get("mid")) is not None:
        await texts.bring_up_to_date(conn, fact, mid, now=now)


async def _hold_unnamed(conn: Connection, fact: Inbound, contact: ContactRow | None, *, now: Moment) -> None:
    """Let no name be learned of this person until what was read without one is committed: it is read again then."""
    if contact is None and "igsid" in fact.fact:
        await _keep(conn, fact, None, conversations.Act(at=fact.occurred_at), now=now)


async def _keep(
    conn: Connection, fact: Inbound, contact: ContactRow | None, act: conversations.Act, *, now: Moment
) -> None:
    """What the person did, in the thread of this account."""
    thread = await conversations.note_by_igsid(
        conn, fact.workspace_id, fact.sender_id, fact.fact["igsid"], act, now=now
    )
    if contact is None and (thread.contact_id is not None or thread.username is not None):
        raise NotYet(0)


def _name(fact: Inbound) -> str | None:
    """The person's username as the provider tells it; None where it tells none that can be read."""
    try:
        return canonical(fact.fact["username"]) if "username" in fact.fact else None
    except InvalidUsername:
        return None
