"""A worker's step: take apart what providers posted; accounts found, facts kept, and nothing read yet."""

import structlog

from iglayers.core.clock import Moment
from iglayers.core.db import Connection, Database
from iglayers.core.work_off import work_off
from iglayers.senders import queries_inbound, queries_posts
from iglayers.senders.model import Received
from iglayers.senders.queries_posts import Post
from iglayers.senders.transports.instagram import inbound

log = structlog.get_logger("senders")


async def take_posts_apart(db: Database, *, limit: int = 20) -> int:
    """Make facts of up to `limit` posts; how many were taken. One that fails waits for its next turn."""
    return await work_off(db, take=queries_posts.take, work=_take_apart, put_back=_put_back, limit=limit)


async def _take_apart(conn: Connection, post: Post) -> None:
    try:
        tree = inbound.tree_of(post.body)
    except inbound.Unreadable:
        log.warning("inbound.unreadable", post_id=str(post.id), bytes=len(post.body))
    else:
        await receive_from_instagram(conn, tree, now=post.received_at)
    await queries_posts.drop(conn, post.id)


async def _put_back(conn: Connection, post: Post, error: Exception) -> None:
    log.error("inbound.post_failed", post_id=str(post.id), exc_info=error)
    await queries_posts.put_back(conn, post.id)


async def receive_from_instagram(conn: Connection, tree: object, *, now: Moment) -> int:
    """Keep every fact of one delivery for every sender that is its account; the number that was new.

    Two statements, however much comes in. Facts of accounts that nobody here has are told to the log and dropped:
    Meta sends them for as long as an app is subscribed.
    """
    told = inbound.parse(tree, now=now)
    if not told:
        log.info("inbound.nothing_told")
        return 0
    holders = await queries_inbound.holders(conn, sorted({each.account_id for each in told}))
    known = {each.instagram_id for each in holders}
    if unknown := sorted({each.account_id for each in told} - known):
        log.warning("inbound.unknown_account", accounts=unknown[:10], number=len(unknown))
    received = [
        Received(workspace_id=holder.workspace_id, sender_id=holder.sender_id, fact=each.fact)
        for holder in holders
        for each in told
        if each.account_id == holder.instagram_id
    ]
    return await queries_inbound.insert(conn, received) if received else 0
