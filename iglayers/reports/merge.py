"""Two usernames that are one person: whoever was written to, or must not be, under one name was under both.

Everything but events and audit lines is moved, so that no other question has to follow a merge. There is no way back.
"""

from typing import Any
from uuid import UUID

import msgspec

from iglayers.accounts import actions as accounts
from iglayers.accounts import queries as account_queries
from iglayers.accounts.model import Caller
from iglayers.contacts import queries as contacts
from iglayers.contacts.model import ContactNotFound, ContactRow, MergedMeanwhile
from iglayers.contacts.usernames import InvalidUsername, canonical, handle_hash
from iglayers.core.db import Connection
from iglayers.core.errors import Conflict, Invalid
from iglayers.core.fields import optional_line
from iglayers.core.ids import uuid7
from iglayers.messages import queries as messages
from iglayers.messages.model import ContactedTwice
from iglayers.replies import queries as replies
from iglayers.reports import people
from iglayers.reports.model_people import Merged, Person
from iglayers.senders import queries_conversations as conversations
from iglayers.targets import queries_merge as targets


class Merge(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """The name that stays, and that is written to from now on."""

    into: str
    reason: str | None = None


async def merge(conn: Connection, caller: Caller, username: str, wanted: Merge, *, pepper: bytes) -> Merged:
    """Make the person of `username` the one of `into`; once more changes nothing.

    Refused while a message to either is on its way, and for people whose data was erased.
    """
    name, into = canonical(username), _into(wanted.into)
    if name == into:
        raise Invalid("into is the same username.", param="into", remedy="Give the other name of this person.")
    reason = optional_line(wanted.reason, "reason", most=500)
    gone, kept = await _both(conn, caller, name, into, pepper=pepper)
    if gone.id == kept.id:
        await _refuse_circle(conn, caller, name, kept, pepper=pepper)
        return Merged(merged=name, into=into, person=await people.read(conn, caller, into, pepper=pepper))
    found = await _hold(conn, caller, gone, kept)
    before = [await people.read(conn, caller, each, pepper=pepper) for each in (name, into)]
    done = await _move(conn, caller, gone, kept, found)
    person = await people.read(conn, caller, into, pepper=pepper)
    await accounts.audit(
        conn, caller, "contact.merged", kept.id, reason=reason, contact_id=kept.id.uuid,
        before={"merged": _outline(before[0]), "into": _outline(before[1])}, after={"into": _outline(person)},
    )  # fmt: skip
    await account_queries.wake(conn, caller.workspace_id)
    return Merged(merged=name, into=into, person=person, **done)


def _into(text: str) -> str:
    try:
        return canonical(text)
    except InvalidUsername as error:
        raise Invalid(
            error.message.replace("instagramUsername", "into"), param="into", remedy=error.next_step
        ) from None


async def _both(
    conn: Connection, caller: Caller, name: str, into: str, *, pepper: bytes
) -> tuple[ContactRow, ContactRow]:
    """The person who is to go and the one who stays, who becomes known by this; neither is held."""
    if await contacts.by_username(conn, caller.workspace_id, name, pepper=pepper) is None:
        raise ContactNotFound(f"Nobody of the name {name} is known, so there is nothing to merge.")
    [gone, kept] = await contacts.upsert_many(
        conn, caller.workspace_id, ids=[uuid7(), uuid7()], hashes=[handle_hash(pepper, each) for each in (name, into)],
        usernames=[name, into], now=caller.now,
    )  # fmt: skip
    return gone, kept


async def _refuse_circle(conn: Connection, caller: Caller, name: str, kept: ContactRow, *, pepper: bytes) -> None:
    """They are one person already; but not so that the other name could be the one that stays."""
    own = (await contacts.handles(conn, caller.workspace_id, kept.id))[0]
    if own.handle_hash == handle_hash(pepper, name):
        raise Conflict(
            f"These are one person already, who is written to as {name}.", param="into",
            remedy="A merge cannot be turned round. Merge both into a third name if the person has a new one.",
        )  # fmt: skip


async def _hold(conn: Connection, caller: Caller, gone: ContactRow, kept: ContactRow) -> list[UUID]:
    """Lock all targets of both and then both; the targets. What could not be merged truly is refused."""
    workspace_id = caller.workspace_id
    handles = await _handles(conn, caller, gone, kept)
    ids = [each.id for each in handles]
    held = await targets.lock_of(conn, workspace_id, ids)
    await contacts.lock(conn, workspace_id, ids)
    if await _handles(conn, caller, gone, kept) != handles:
        raise MergedMeanwhile("One of the two was merged or erased just now.")
    if any(each.username is None and not each.is_forgotten for each in handles):
        raise Conflict(
            "The data of one of them was erased, and that name stays suppressed for good.", param="into",
            remedy="Suppress the other name, if that person must not be written to either: POST /suppressions.",
        )  # fmt: skip
    if await messages.in_flight(conn, workspace_id, ids):
        raise Conflict("A message to this person is on its way.", remedy="Try again in a minute.")
    return held


async def _handles(conn: Connection, caller: Caller, gone: ContactRow, kept: ContactRow) -> list[ContactRow]:
    return [row for each in (gone, kept) for row in await contacts.handles(conn, caller.workspace_id, each.id)]


async def _move(
    conn: Connection, caller: Caller, gone: ContactRow, kept: ContactRow, held: list[UUID]
) -> dict[str, Any]:
    """Everything of one held person to the other, the ledger first: what follows asks it."""
    workspace_id, now = caller.workspace_id, caller.now
    both = {"gone": gone.id, "kept": kept.id}
    twice = await messages.contacted_twice(conn, workspace_id, [gone.id, kept.id])
    await _refuse_two_unknowns(conn, caller, twice)
    await messages.move_first_contacts(conn, workspace_id, **both, keep=[each.kept_target_id for each in twice])
    skipped = await targets.skip_twins(conn, workspace_id, held, kept=kept.id, at=now)
    await messages.withdraw_twins_cards(conn, workspace_id, held, at=now)
    await contacts.merge(conn, workspace_id, **both)
    done = {
        "written_to_twice": twice,
        "targets_skipped": skipped,
        "follow_ups_stopped": await targets.stop_doubled_followups(conn, workspace_id, held, kept=kept.id, at=now),
        "targets_moved": await targets.move(conn, workspace_id, held, **both, at=now),
        "messages_moved": await messages.move(conn, workspace_id, **both),
        "suppressions_moved": await contacts.move_suppressions(conn, workspace_id, **both),
    }
    await replies.move(conn, workspace_id, **both)
    await conversations.move(conn, workspace_id, gone.id, kept.id)
    return done


async def _refuse_two_unknowns(conn: Connection, caller: Caller, twice: list[ContactedTwice]) -> None:
    """Of two first messages that may both be given back, neither could stand for the person."""
    kept = [each.kept_target_id for each in twice]
    if message_id := await messages.unknown_among(conn, caller.workspace_id, kept):
        raise Conflict(
            f"Both names were written to, and nobody knows of either message whether it arrived ({message_id}).",
            remedy=f"Settle one of them first: POST /messages/{message_id}/resolve.",
        )  # fmt: skip


def _outline(person: Person) -> dict[str, object]:
    """What the audit log keeps of a person before and after."""
    return {
        "instagramUsername": person.instagram_username, "handles": person.handles,
        "targetIds": [each.target_id for each in person.targets], "messages": len(person.messages),
        "suppressions": [
            {"clientId": each.client_id, "source": each.source, "expiresAt": each.expires_at}
            for each in person.suppressions
        ],
    }  # fmt: skip
