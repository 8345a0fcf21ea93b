"""Tokens live 60 days and must be refreshed while they do: from day 30 on, with an alarm from day 50.

The old token stays in use until a younger one is stored. Any number of workers at once: one takes each token.
"""

from datetime import datetime, timedelta

import structlog

from iglayers.accounts import queries as account_queries
from iglayers.accounts.services import Services
from iglayers.core.clock import real_now
from iglayers.core.db import Connection
from iglayers.core.errors import Conflict, Unavailable
from iglayers.senders import actions
from iglayers.senders import queries as sender_queries
from iglayers.senders import queries_credentials as queries
from iglayers.senders.queries_credentials import Credential
from iglayers.senders.transports.instagram import connect, credentials, errors
from iglayers.senders.transports.instagram.errors import Meaning
from iglayers.senders.transports.instagram.graph import Graph, GraphAnswer

log = structlog.get_logger("instagram")

REFRESH_FROM = timedelta(days=30)
ALARM_FROM = timedelta(days=50)
# Meta refreshes no token that is younger; of one that somebody entered the age is not known.
ENTERED_FROM = timedelta(days=1)
TRY_EVERY = timedelta(hours=6)
WARN_EVERY = timedelta(days=1)
_DEAD = (Meaning.ACCESS_LOST, Meaning.CHECKPOINT)


async def refresh_all(services: Services, graph: Graph) -> int:
    """Refresh every token that is due, one after the other; how many were tried."""
    tried = 0
    while await refresh_next(services, graph):
        tried += 1
    return tried


async def refresh_next(services: Services, graph: Graph, *, now: datetime | None = None) -> bool:
    """Refresh the token that has waited longest; False when none is due. `now` is real."""
    now = now or real_now()
    async with services.db.transaction() as conn:
        due = await queries.take_due(
            conn, older_than=now - REFRESH_FROM, not_tried_since=now - TRY_EVERY, entered_before=now - ENTERED_FROM,
            now=now,
        )  # fmt: skip
    if due is None:
        return False
    old = credentials.opened(services.vault, due)
    answer = await graph.get_token(
        "refresh_access_token", {"grant_type": "ig_refresh_token", "access_token": old}, secrets=[old]
    )
    try:
        token = connect.token_in(answer, "refresh the access", now=now)
    except (Conflict, Unavailable) as error:
        log.warning("instagram.not_refreshed", sender_id=str(due.sender_id), code=answer.error and answer.error.code)
        await _tell(services, due, answer, error.message, now)
        return True
    async with services.db.transaction() as conn:
        secret = credentials.sealed(services.vault, due.sender_id, token)
        assert token.expires_at is not None
        await queries.refresh(conn, due, secret=secret, expires_at=token.expires_at, now=now)
    log.info("instagram.refreshed", sender_id=str(due.sender_id))
    return True


async def _tell(services: Services, due: Credential, answer: GraphAnswer, why: str, now: datetime) -> None:
    """A token that is dead stops its sender; one that grows old is told once a day."""
    row = errors.row_of(answer.error) if answer.error else None
    ended = due.expires_at is not None and due.expires_at <= now
    async with services.db.transaction() as conn:
        # Before its credentials, as everywhere.
        await sender_queries.lock(conn, due.workspace_id, due.sender_id)
        clock = await account_queries.clock(conn, due.workspace_id)
        assert clock is not None
        at = clock.shows(now)
        if ended or (row is not None and row.meaning in _DEAD):
            meaning = row.meaning if row is not None and row.meaning in _DEAD else Meaning.ACCESS_LOST
            trouble = errors.trouble_of(meaning)
            assert trouble is not None
            await actions.report_trouble(
                conn, workspace_id=due.workspace_id, sender_id=due.sender_id, trouble=trouble, reason=why, now=at
            )
        elif now - due.refreshed_at >= ALARM_FROM:
            await _warn(conn, due, why, now=now, at=at)


async def _warn(conn: Connection, due: Credential, why: str, *, now: datetime, at: datetime) -> None:
    if not await queries.mark_warned(conn, due, not_since=now - WARN_EVERY, now=now):
        return
    ends_at = due.expires_at or due.refreshed_at + credentials.TOKEN_LIVES
    reason = (
        f"The access to this account could not be renewed and ends on {ends_at.date().isoformat()}: connect the "
        f"account again before. {why}"
    )
    await actions.warn(conn, workspace_id=due.workspace_id, sender_id=due.sender_id, reason=reason, now=at)
