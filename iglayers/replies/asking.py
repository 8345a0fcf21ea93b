"""A worker's step: ask Instagram who is behind an id, one person of each account at a time, outside any transaction."""

import structlog

from iglayers.accounts import queries as account_queries
from iglayers.accounts.services import Services
from iglayers.contacts.usernames import InvalidUsername, canonical
from iglayers.core.clock import real_now
from iglayers.replies import names
from iglayers.senders import queries as senders
from iglayers.senders import queries_conversations as conversations
from iglayers.senders import queries_credentials
from iglayers.senders.model import SenderState
from iglayers.senders.queries_conversations import Unnamed
from iglayers.senders.transports.instagram import credentials, patience
from iglayers.senders.transports.instagram.graph import Graph, GraphAnswer

log = structlog.get_logger("replies")

LEASE_S = 60.0
NO_ACCESS_S = 3_600.0
MOST_TRIES = 10
# The person has not written yet, or has blocked the account; there is no such person; no right to see it.
_NEVER = frozenset({100, 230, 803})


async def ask_names(services: Services, graph: Graph) -> int:
    """Ask for whoever is due; how many were asked. What a crash cuts off is asked again when the lease ends."""
    async with services.db.connection() as conn:
        due = await conversations.take_unnamed(conn, lease_s=LEASE_S)
    for thread in due:
        await _ask(services, graph, thread)
    return len(due)


async def _ask(services: Services, graph: Graph, thread: Unnamed) -> None:
    token = await _token(services, thread)
    again_in_s: float | None = NO_ACCESS_S
    if token is not None:
        answer = await graph.get(thread.igsid, token=token, query={"fields": "username,name"})
        if (username := _username(answer)) is not None:
            await _learn(services, thread, username)
            return
        again_in_s = _again_in_s(answer, thread.tries)
    async with services.db.connection() as conn:
        await conversations.put_off_name(conn, thread.workspace_id, thread.id, again_in_s=again_in_s)


async def _token(services: Services, thread: Unnamed) -> str | None:
    """The account's access, if it has one that Instagram lets in."""
    async with services.db.connection() as conn:
        sender = await senders.by_id(conn, thread.workspace_id, thread.sender_id, only=None)
        credential = await queries_credentials.of_sender(conn, thread.workspace_id, thread.sender_id)
    if sender is None or credential is None or sender.state not in (SenderState.ACTIVE, SenderState.PAUSED):
        return None
    return credentials.opened(services.vault, credential)


async def _learn(services: Services, thread: Unnamed, username: str) -> None:
    async with services.db.transaction() as conn:
        clock = await account_queries.clock(conn, thread.workspace_id)
        assert clock is not None
        await names.learn(
            conn, thread.workspace_id, thread.sender_id, igsid=thread.igsid, username=username,
            pepper=services.pepper, now=clock.shows(real_now()),
        )  # fmt: skip


def _username(answer: GraphAnswer) -> str | None:
    try:
        return canonical(str((answer.fields or {}).get("username") or ""))
    except InvalidUsername:
        return None


def _again_in_s(answer: GraphAnswer, tries: int) -> float | None:
    """None: not before the person speaks again. What they wrote is shown without a name until then."""
    if tries >= MOST_TRIES or (answer.error is not None and answer.error.code in _NEVER):
        return None
    return patience.seconds(answer, tries=tries)
