"""The only SQL on inbound_posts: what a provider posted, kept as it came until a worker has taken it apart."""

from uuid import UUID

import msgspec

from iglayers.core.clock import Moment
from iglayers.core.db import Connection, execute, row


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """One body as it came in; its signature was checked."""

    id: UUID
    body: bytes
    received_at: Moment


async def keep(conn: Connection, post_id: UUID, body: bytes) -> None:
    """From here on nothing of it is lost."""
    await execute(conn, "INSERT INTO inbound_posts (id, body) VALUES ($1, $2)", post_id, body)


async def take(conn: Connection) -> Post | None:
    """The oldest that nobody takes apart, locked; one that failed waits its time."""
    return await row(conn, Post, """
        SELECT id, body, received_at
        FROM inbound_posts
        WHERE not_before IS NULL OR not_before <= clock_timestamp()
        ORDER BY id
        LIMIT 1
        FOR UPDATE SKIP LOCKED
    """)  # fmt: skip


async def drop(conn: Connection, post_id: UUID) -> None:
    """In the transaction that keeps its facts."""
    await execute(conn, "DELETE FROM inbound_posts WHERE id = $1", post_id)


async def put_back(conn: Connection, post_id: UUID) -> None:
    """Could not be taken apart: again in 1 s, then 2, 4, … up to an hour."""
    await execute(conn, """
        UPDATE inbound_posts
        SET failures = least(failures + 1, 100),
            not_before = clock_timestamp() + least(interval '1 hour', interval '1 second' * 2 ^ least(failures, 12))
        WHERE id = $1
    """, post_id)  # fmt: skip


async def drop_hopeless(conn: Connection, *, older_than_days: int) -> int:
    """What failed for so long holds people's words and helps nobody."""
    return await execute(conn, """
        DELETE FROM inbound_posts WHERE received_at < clock_timestamp() - make_interval(days => $1) AND failures > 0
    """, older_than_days)  # fmt: skip
