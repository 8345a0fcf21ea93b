"""A worker's step: read what came in, oldest first, one transaction a fact, any number of workers at once."""

from uuid import UUID

import asyncpg
import structlog

from iglayers.accounts import queries as account_queries
from iglayers.contacts.usernames import InvalidUsername, canonical
from iglayers.core.clock import real_now
from iglayers.core.db import Connection, Database
from iglayers.core.ids import ContactId
from iglayers.replies import actions
from iglayers.senders import queries as senders
from iglayers.senders import queries_inbound
from iglayers.senders.model import Inbound
from iglayers.sending import actions as sending

log = structlog.get_logger("replies")


async def process_inbound(db: Database, *, pepper: bytes, limit: int = 200) -> int:
    """Read up to `limit` facts; how many were taken. One that fails waits for its next turn and holds nobody up."""
    for done in range(limit):
        fact: Inbound | None = None
        try:
            async with db.transaction() as conn:
                fact = await queries_inbound.take(conn)
                if fact is None:
                    return done
                contact_id = await _read(conn, fact, pepper=pepper)
                await queries_inbound.mark_processed(conn, fact.workspace_id, fact.id, contact_id=contact_id)
        except (asyncpg.InterfaceError, OSError):
            raise  # the database is gone, for every fact
        except Exception:
            if fact is None:
                raise
            log.exception("inbound.failed", inbound_id=str(fact.id), kind=fact.kind)
            async with db.connection() as conn:
                await queries_inbound.put_back(conn, fact.workspace_id, fact.id)
    return limit


async def _read(conn: Connection, fact: Inbound, *, pepper: bytes) -> ContactId | None:
    """What this fact tells; the person whom it is about, if it names one."""
    match fact.kind:
        case "reply":
            return await _read_reply(conn, fact, pepper=pepper)
        case "echo":
            await _read_echo(conn, fact)
            return None
        case _:
            raise ValueError(f"no such kind of fact: {fact.kind}")


async def _read_reply(conn: Connection, fact: Inbound, *, pepper: bytes) -> ContactId | None:
    clock = await account_queries.clock(conn, fact.workspace_id)
    sender = await senders.by_id(conn, fact.workspace_id, fact.sender_id, only=None)
    assert clock is not None
    assert sender is not None
    try:
        username = canonical(fact.fact["username"])
    except InvalidUsername:
        log.warning("inbound.unreadable_username", inbound_id=str(fact.id))
        return None
    now = clock.shows(real_now())
    contact = await actions.known_contact(conn, fact.workspace_id, username, pepper=pepper, now=now)
    incoming = actions.Incoming(
        workspace_id=fact.workspace_id, sender=sender, contact=contact, text=fact.fact["text"],
        received_at=fact.occurred_at, inbound_id=fact.id,
    )  # fmt: skip
    await actions.record(conn, incoming, now=now)
    return contact.id


async def _read_echo(conn: Connection, fact: Inbound) -> None:
    """The provider shows a message of ours: evidence for the message whose reference it carries, never for a text."""
    reference = fact.fact.get("reference")
    if reference is None:
        return
    await sending.settle_by_evidence(
        conn, workspace_id=fact.workspace_id, reference=UUID(reference),
        provider_message_id=fact.fact["providerMessageId"],
        evidence={"kind": "echo", "providerKey": fact.provider_key, "at": fact.occurred_at.rfc3339()},
    )  # fmt: skip
