"""Rows that wait to be worked off, one transaction each, by any number of workers at once."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg

from iglayers.core.db import Connection, Database

T = TypeVar("T")


async def work_off(
    db: Database,
    *,
    take: Callable[[Connection], Awaitable[T | None]],
    work: Callable[[Connection, T], Awaitable[object]],
    put_back: Callable[[Connection, T, Exception], Awaitable[object]],
    limit: int,
) -> int:
    """Work off up to `limit` rows, each locked by `take`; how many were taken.

    One that fails is put back in a transaction of its own, waits for its next turn, and holds nobody up. An error of
    `take`, and a database that is gone, is raised.
    """
    for done in range(limit):
        item: T | None = None
        try:
            async with db.transaction() as conn:
                item = await take(conn)
                if item is None:
                    return done
                await work(conn, item)
        except (asyncpg.InterfaceError, OSError):
            raise  # the database is gone, for every row
        except Exception as error:
            if item is None:
                raise
            async with db.connection() as conn:
                await put_back(conn, item, error)
    return limit
