"""Who waits for whom: finds circles, and the statements in them, in the second before PostgreSQL breaks them."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import asyncpg
import msgspec

from iglayers.core.db import Connection, Database

_EVERY_S = 0.1
_WAITING = """
    SELECT pid, pg_blocking_pids(pid) AS behind, xact_start, query
    FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


class Circle(msgspec.Struct, frozen=True):
    """Sessions that wait for each other, with their transactions and statements, by process id."""

    waits: tuple[tuple[int, str, str], ...]

    def __str__(self) -> str:
        return "\n".join(f"process {pid} waits with {statement}" for pid, _, statement in self.waits)


@asynccontextmanager
async def without_circles(db: Database) -> AsyncGenerator[None]:
    """Fails at the end of the block if sessions of this database waited for each other in it, and says with what."""
    found: set[Circle] = set()
    async with db.connection() as conn:
        watching = asyncio.create_task(_watch(conn, found))
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.wait([watching])
            # Also where the block failed by what the deadlock did to a call.
            assert not found, "Deadlocks:\n" + "\n\n".join(map(str, found))


async def _watch(conn: Connection, found: set[Circle]) -> None:
    before: Circle | None = None
    while True:
        waiting = {each["pid"]: each for each in await conn.fetch(_WAITING)}
        now = circle(waiting)
        # Twice the same: the sessions are not all looked at in the same moment.
        if now is not None and now == before:
            found.add(now)
        before = now
        await asyncio.sleep(_EVERY_S)


def circle(waiting: Mapping[int, asyncpg.Record]) -> Circle | None:
    """Those of the waiting sessions that wait for each other; not those who only wait behind them."""
    left = dict(waiting)
    while True:
        waited_for = {pid for each in left.values() for pid in each["behind"]}
        free = [pid for pid, each in left.items() if pid not in waited_for or not left.keys() & set(each["behind"])]
        if not free:
            break
        for pid in free:
            del left[pid]
    if not left:
        return None
    return Circle(tuple(
        (pid, str(each["xact_start"]), " ".join(each["query"].split())) for pid, each in sorted(left.items())
    ))  # fmt: skip
