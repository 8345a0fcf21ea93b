"""Which way is open to each person of a campaign now, by the same rules as the engine's; nothing is changed."""

from collections import Counter

from iglayers.accounts.model import Caller
from iglayers.campaigns.model import Campaign
from iglayers.core.db import Connection
from iglayers.core.ids import TargetId
from iglayers.reports import queries_eligibility as queries
from iglayers.reports import queries_pace
from iglayers.reports.model_eligibility import Waits, WayCount, WayNow
from iglayers.reports.model_pace import SenderFacts
from iglayers.senders import ways
from iglayers.senders.model import Conversation, Recipient, SenderState, Transport
from iglayers.senders.ways import Open

# Of more people the first are looked at; they are the next to be written to.
MOST_TARGETS = 20_000
NEXT_TARGETS = 500
MOST_SENDERS = 20


async def count(
    conn: Connection, caller: Caller, campaign: Campaign, *, transports: dict[str, Transport],
    most: int = MOST_TARGETS,
) -> list[WayCount]:  # fmt: skip
    """How many of the first `most` who wait go which way; each by the account that has the best one open."""
    people, senders, known = await _read(conn, caller, campaign, only=None, most=most)
    if not senders:
        return []

    def place(way: WayNow) -> int:
        assert way.route is not None
        return ways.rank(transports[way.route.partition(".")[0]], campaign.routes)

    routes: Counter[tuple[str | None, str]] = Counter()
    for person in people:
        found = [_way(caller, campaign, person, each, known, transports) for each in senders]
        chosen = min((each for each in found if each.route is not None), key=place, default=found[0])
        routes[chosen.route, chosen.rule] += 1
    return [WayCount(route=route, targets=number, rule=rule) for (route, rule), number in routes.most_common()]


async def of_target(
    conn: Connection, caller: Caller, campaign: Campaign, target_id: TargetId, *, transports: dict[str, Transport]
) -> list[WayNow]:
    """What each account that may serve this person could do now; after a first message only the one that wrote it."""
    people, senders, known = await _read(conn, caller, campaign, only=target_id, most=1)
    return [
        _way(caller, campaign, person, each, known, transports)
        for person in people
        for each in senders
        if person.sender_id in (None, each.id)
    ]


_Threads = dict[tuple[object, object], Conversation]


async def _read(
    conn: Connection, caller: Caller, campaign: Campaign, *, only: TargetId | None, most: int
) -> tuple[list[Waits], list[SenderFacts], _Threads]:
    workspace_id = caller.workspace_id
    serving = await queries_pace.serving(
        conn, workspace_id, client_id=campaign.client_id, sender_ids=campaign.sender_ids, since=caller.now
    )
    senders = [each for each in serving if each.state == SenderState.ACTIVE][:MOST_SENDERS]
    people = await queries.waiting(conn, workspace_id, campaign.id, only=only, limit=most)
    threads = await queries.known(conn, workspace_id, campaign.id, sender_ids=[each.id for each in senders], only=only)
    return people, senders, {(each.sender_id, each.contact_id): each.conversation for each in threads}


def _way(
    caller: Caller, campaign: Campaign, person: Waits, sender: SenderFacts, known: _Threads,
    transports: dict[str, Transport],
) -> WayNow:  # fmt: skip
    found = ways.find(
        transports, of_sender=sender.routes, of_campaign=campaign.routes, now=caller.now,
        recipient=Recipient(contact_id=person.contact_id, username=person.username),
        conversation=known.get((sender.id, person.contact_id)),
    )  # fmt: skip
    is_open = isinstance(found, Open)
    return WayNow(
        sender_id=sender.id, sender_username=sender.username, route=found.permitted.route if is_open else None,
        rule=found.permitted.rule if is_open else found.reason, until=found.permitted.until if is_open else None,
    )  # fmt: skip
