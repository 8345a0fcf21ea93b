"""Where an account may not write to a person, or only by somebody's hands: the account of the campaign that may."""

from datetime import datetime, timedelta

import msgspec

from iglayers.core.db import Connection
from iglayers.senders import ways
from iglayers.senders.model import Transport
from iglayers.senders.ways import Open
from iglayers.sending import queries_switch, refuse
from iglayers.sending.looking import Look, look
from iglayers.sending.model import Pick
from iglayers.sending.refuse import Refusal

# That account is busy, rests or must wait: the person's turn comes this much later.
RESTS = timedelta(seconds=30)
# Of the accounts that may have a way, so many are looked at.
MOST_LOOKED_AT = 5


class Other(msgspec.Struct, frozen=True):
    """The account that writes to the person instead, and what it sees."""

    pick: Pick
    seen: Look
    way: Open


class Later(msgspec.Struct, frozen=True):
    """The person waits for that account."""

    until: datetime


async def to_another(
    conn: Connection, pick: Pick, seen: Look, way: Open | Refusal, *, transports: dict[str, Transport]
) -> Other | Later | None:
    """Whose turn it should be instead, by a better way; None where nobody has one.

    Whom the person spoke to comes first, and who writes by hand last. A follow-up goes out from the account that
    wrote first, whatever others may do.
    """
    facts, now = seen.facts, seen.now
    if facts.step != 0 or (isinstance(way, Refusal) and way.code != "no_permitted_route"):
        return None
    assert facts.contact_id is not None
    assert facts.target_id is not None
    by_hand = [name for name, each in transports.items() if each.by_hand] if isinstance(way, Refusal) else []
    for sender_id in await queries_switch.may_have_a_way(
        conn, pick, facts.contact_id, by_hand=by_hand, now=now, limit=MOST_LOOKED_AT
    ):
        held = await queries_switch.hold(conn, pick, sender_id, now=now)
        if held is None:
            return Later(now + RESTS)
        other = msgspec.structs.replace(pick, **msgspec.structs.asdict(held))
        seen_there = await look(conn, other, seen.client, target_id=facts.target_id)
        found = refuse.way(transports, other, seen_there.facts, seen_there.now)
        if isinstance(found, Refusal) or not _is_better(found, way, pick):
            continue
        at = seen_there.verdict.at
        if at is not None and at <= seen_there.now and not seen_there.facts.sender_busy:
            return Other(other, seen_there, found)
        return Later(max(at or seen_there.now, seen_there.now + RESTS))
    return None


def _is_better(found: Open, way: Open | Refusal, pick: Pick) -> bool:
    if isinstance(way, Refusal):
        return True
    return ways.rank(found.transport, pick.routes) < ways.rank(way.transport, pick.routes)
