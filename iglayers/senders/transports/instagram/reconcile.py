"""Compare an account's threads at Instagram with what webhooks told: what did not come becomes a fact after all.

A worker holds one account's run by a lease and reads one page of threads at a time, each with the newest messages that
Instagram shows (20 a thread). Facts have the keys of the webhooks, so nothing is read twice.
"""

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Any, cast

import msgspec
import structlog

from iglayers.accounts.services import Services
from iglayers.core.clock import Moment, real_now
from iglayers.senders import queries_credentials
from iglayers.senders import queries_reconciliations as queries
from iglayers.senders.actions import receive
from iglayers.senders.model import Fact
from iglayers.senders.queries_reconciliations import Run
from iglayers.senders.transports.instagram import credentials, patience
from iglayers.senders.transports.instagram.graph import Graph, GraphAnswer
from iglayers.senders.transports.instagram.inbound import MAX_TEXT, message_fact, written_moment

log = structlog.get_logger("instagram")

EVERY_S = 900.0
# Back behind the point where the last run began: clocks differ, and Instagram shows some messages late.
OVERLAP_S = 3_600.0
# Of an account that was just connected.
FIRST_LOOK_S = 7 * 86_400.0
LEASE_S = 120.0
DEADLINE_S = 100.0
# Two calls a second are allowed.
GAP_S = 0.55
PAGE = 10
SLOTS = 4
_THREADS = {"platform": "instagram", "fields": "id,updated_time,participants", "limit": str(PAGE)}
_MESSAGES = {"fields": "messages{id,created_time,from,to,message}"}


class Reading(msgspec.Struct, frozen=True):
    """How to read an account's threads."""

    graph: Graph
    token: str
    gap_s: float


class Failed(Exception):
    """Instagram did not answer; the page is read again later."""

    def __init__(self, answer: GraphAnswer) -> None:
        super().__init__(repr(answer))
        self.answer: GraphAnswer = answer


async def reconcile(services: Services, graph: Graph, *, gap_s: float = GAP_S) -> int:
    """A page each of the accounts that are most overdue; how many there were."""
    async with services.db.connection() as conn:
        await queries.add_missing(conn)
    return sum(await asyncio.gather(*(_next_page(services, graph, gap_s) for _ in range(SLOTS))))


async def _next_page(services: Services, graph: Graph, gap_s: float) -> bool:
    async with services.db.connection() as conn:
        run = await queries.take(conn, lease_s=LEASE_S, overlap_s=OVERLAP_S, first_look_s=FIRST_LOOK_S)
        if run is None:
            return False
        credential = await queries_credentials.of_sender(conn, run.workspace_id, run.sender_id)
    again_in_s = min(patience.MOST_S, 60.0 * 2 ** min(run.failures, 12))
    if credential is not None:
        reading = Reading(graph, credentials.opened(services.vault, credential), gap_s)
        try:
            async with asyncio.timeout(DEADLINE_S):
                after = await _page(services, reading, run)
        except TimeoutError:
            log.warning("reconcile.too_slow", sender_id=str(run.sender_id))
        except Failed as failed:
            again_in_s = patience.seconds(failed.answer, tries=run.failures)
        else:
            await _move_mark(services, run, after)
            return True
    async with services.db.connection() as conn:
        await queries.put_off(conn, run, again_in_s=again_in_s)
    return True


async def _move_mark(services: Services, run: Run, after: str | None) -> None:
    async with services.db.connection() as conn:
        if after is None:
            await queries.finish(conn, run, again_in_s=EVERY_S)
        else:
            await queries.go_on(conn, run, after=after)


async def _page(services: Services, reading: Reading, run: Run) -> str | None:
    """Keep what one page of threads shows; where the next one begins, None at the end of what is wanted."""
    query = _THREADS | ({"after": run.after} if run.after else {})
    answer = await reading.graph.get("me/conversations", token=reading.token, query=query)
    if answer.fields is None:
        raise Failed(answer)
    threads = _dicts(answer.fields.get("data"))
    async for facts in _facts(reading, run, [each for each in threads if _is_wanted(each, run.since)]):
        async with services.db.connection() as conn:
            await receive(conn, run.workspace_id, run.sender_id, facts)
    paging = _dict(answer.fields.get("paging"))
    after = _dict(paging.get("cursors")).get("after")
    # Newest first: a page without anything new is the last one that is wanted. `next` itself holds the token.
    has_more = "next" in paging and isinstance(after, str) and any(_is_wanted(each, run.since) for each in threads)
    return cast("str", after) if has_more else None


async def _facts(reading: Reading, run: Run, threads: list[dict[str, Any]]) -> AsyncGenerator[list[Fact]]:
    """What the threads hold, one after the other."""
    for thread in threads:
        await asyncio.sleep(reading.gap_s)
        answer = await reading.graph.get(str(thread.get("id")), token=reading.token, query=_MESSAGES)
        if answer.fields is not None:
            yield facts_of(thread, answer.fields, account_id=run.instagram_id, since=run.since, now=real_now())
        elif answer.error is None or answer.error.code in patience.THROTTLES | patience.NO_ACCESS:
            raise Failed(answer)
        else:  # this thread is not to be had
            log.info("reconcile.thread_refused", sender_id=str(run.sender_id), code=answer.error.code)


def facts_of(
    thread: dict[str, Any], fields: dict[str, Any], *, account_id: str, since: datetime, now: Moment
) -> list[Fact]:
    """The messages of one thread since then, as facts; the person's name comes with them."""
    participants = _dicts(_dict(thread.get("participants")).get("data"))
    person = next((each for each in participants if each.get("id") not in (None, account_id)), None)
    if person is None:
        return []
    known = {"igsid": str(person["id"])}
    if isinstance(person.get("username"), str):
        known["username"] = person["username"][:100]
    found: list[Fact] = []
    for message in _dicts(_dict(fields.get("messages")).get("data")):
        at, mid, wrote = (
            written_moment(message.get("created_time")),
            message.get("id"),
            _dict(message.get("from")).get("id"),
        )
        if at is None or at < since or not isinstance(mid, str) or not mid or not isinstance(wrote, str):
            continue
        text = str(message.get("message") or "[no text]")[:MAX_TEXT].replace("\x00", "�")
        fact = known | {"text": text}
        found.append(message_fact(account_id, mid=mid, sender_id=wrote, at=min(at, now), fact=fact))
    return found


def _is_wanted(thread: dict[str, Any], since: datetime) -> bool:
    updated_at = written_moment(thread.get("updated_time"))
    return updated_at is None or updated_at >= since


def _dict(raw: object) -> dict[str, Any]:
    return cast("dict[str, Any]", raw) if isinstance(raw, dict) else {}


def _dicts(raw: object) -> list[dict[str, Any]]:
    items = cast("list[object]", raw) if isinstance(raw, list) else []
    return [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]
