"""One worker: tasks that take campaigns, deliveries, and loops that clear up, read what came in, move the sandbox.

Any number of workers share one database; each may be killed at any time.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import asyncpg
import structlog

from iglayers.accounts import queries as account_queries
from iglayers.accounts.services import Services
from iglayers.campaigns import actions_imports as imports
from iglayers.core.clock import real_now
from iglayers.events import deliver
from iglayers.replies import actions_inbound as replies
from iglayers.replies.asking import ask_names
from iglayers.reports import retention
from iglayers.senders import queries_inbound, queries_posts, queries_reconciliations
from iglayers.senders.receiving import take_posts_apart
from iglayers.senders.transports import build
from iglayers.senders.transports.instagram.graph import Graph
from iglayers.senders.transports.instagram.reconcile import reconcile
from iglayers.senders.transports.instagram.refresh import refresh_all
from iglayers.senders.transports.sandbox.transport import tick
from iglayers.sending import answers_settle, breaker, outbox, queries_rest, send, settle, sweep
from iglayers.targets import queries_counts

T = TypeVar("T")
log = structlog.get_logger("worker")

IDLE_S = 0.2
# Tasks that take due campaigns, and how many of them one takes at a time. Messages a second on two cores hardly differ
# between one task and four, nor between 8 campaigns and 12; a database that is far away wants some of both.
PICKERS = 3
TOGETHER = 8
GRACE_S = 8.0
# Rows that the counts of one campaign may take before they are folded: a page reads them all. Every look for such
# campaigns passes over all rows, so once an hour those that are at rest are left with few.
MOST_COUNT_ROWS = 100
FEW_COUNT_ROWS = 20
# A post that could not be taken apart for so long, with a try every hour, is a bug that nobody mended in time.
HOPELESS_AFTER_DAYS = 30


class Worker:
    def __init__(self, services: Services) -> None:
        self._services: Services = services
        self._graph: Graph = Graph(services.settings)
        self._engine: send.Engine = send.Engine(
            services.db, services.settings, build(services), settle.Settler(services.db)
        )
        self._slots: asyncio.Semaphore = asyncio.Semaphore(services.settings.worker_slots)
        self._on_the_way: set[asyncio.Task[None]] = set()
        self._stopping: asyncio.Event = asyncio.Event()
        self._mark: sweep.DatabaseMark = sweep.DatabaseMark(services.settings.data_dir)

    def stop(self) -> None:
        """Begin nothing more; what is on its way has GRACE_S to end."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until stopped."""
        db = self._services.db
        await self._mark.check(db)
        async with db.connection() as conn:
            await queries_reconciliations.hasten(conn)
        loops = [
            asyncio.create_task(self._every(1.0, lambda: sweep.end_leases(db))),
            asyncio.create_task(self._every(1.0, lambda: answers_settle.end_leases(db))),
            asyncio.create_task(self._every(1.0, lambda: outbox.settle_answers(db))),
            asyncio.create_task(self._every(5.0, lambda: outbox.take_cards_back(db))),
            asyncio.create_task(self._every(0.25, lambda: sweep.make_plans_anew(db))),
            asyncio.create_task(self._every(1.0, lambda: self._mark.write(db))),
            asyncio.create_task(self._every(0.1, lambda: tick(db))),
            asyncio.create_task(self._every(0.1, lambda: take_posts_apart(db))),
            asyncio.create_task(self._every(0.1, lambda: replies.process_inbound(db, pepper=self._services.pepper))),
            asyncio.create_task(self._every(1.0, lambda: ask_names(self._services, self._graph))),
            asyncio.create_task(self._every(1.0, lambda: reconcile(self._services, self._graph))),
            asyncio.create_task(self._every(10.0, lambda: breaker.watch(db, self._services.settings))),
            asyncio.create_task(self._every(0.5, lambda: imports.go_on_with_imports(db, pepper=self._services.pepper))),
            asyncio.create_task(self._every(2.0, lambda: self._fold_counts(above=MOST_COUNT_ROWS))),
            asyncio.create_task(self._every(3_600.0, lambda: self._fold_counts(above=FEW_COUNT_ROWS))),
            asyncio.create_task(self._every(300.0, lambda: imports.tidy(db))),
            asyncio.create_task(self._every(60.0, lambda: refresh_all(self._services, self._graph))),
            asyncio.create_task(self._every(3_600.0, self._keep_house)),
            asyncio.create_task(self._every(60.0, lambda: retention.forget_quiet(db))),
        ]
        pickers = [asyncio.create_task(self._begin()) for _ in range(PICKERS)]
        webhooks = asyncio.create_task(deliver.work(self._services, self._stopping))
        await self._stopping.wait()
        for _ in pickers:  # those that wait for a slot end too
            self._slots.release()
        await asyncio.wait([asyncio.create_task(self._delivered(pickers)), webhooks], timeout=GRACE_S)
        late = [*pickers, *self._on_the_way, webhooks, *loops]
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        await self._engine.settler.end()

    async def _begin(self) -> None:
        """Begin what is due, as many messages as there are slots for, and have them delivered."""
        left = 0
        while not self._stopping.is_set():
            slots = await self._take_slots(1 if left else TOGETHER)
            step = None
            if not self._stopping.is_set():
                step = await self._guarded(lambda slots=slots: send.begin_next(self._engine, at_most=slots))
            ready = [] if step is None else step.ready
            for each in ready:
                self._on_the_way.add(task := asyncio.create_task(self._deliver(each)))
                task.add_done_callback(self._on_the_way.discard)
            for _ in range(slots - len(ready)):
                self._slots.release()
            left = step.left if step is not None and step.left else max(0, left - 1)
            if step is None and not self._stopping.is_set():
                await self._guarded(self._wait_until_due)

    async def _delivered(self, pickers: list[asyncio.Task[None]]) -> None:
        """Ends when nothing more begins and everything that has begun is settled."""
        await asyncio.wait(pickers)
        if self._on_the_way:
            await asyncio.wait(self._on_the_way)

    async def _take_slots(self, at_most: int) -> int:
        """Wait for a slot, and take what else is free."""
        await self._slots.acquire()
        taken = 1
        while taken < at_most and not self._slots.locked():
            await self._slots.acquire()
            taken += 1
        return taken

    async def _deliver(self, ready: send.Ready) -> None:
        try:
            await self._guarded(lambda: send.finish(self._engine, ready))
        finally:
            self._slots.release()

    async def _wait_until_due(self) -> None:
        """Until the next campaign is due, at most IDLE_S."""
        async with self._services.db.connection() as conn:
            due_at = await queries_rest.next_due(conn)
        until_s = IDLE_S if due_at is None else (due_at - real_now()) / timedelta(seconds=1)
        # What is due and could not be had is another worker's at the moment.
        await self._sleep(min(IDLE_S, max(0.005, until_s)))

    async def _every(self, seconds: float, step: Callable[[], Awaitable[object]]) -> None:
        """Repeat a step; at once while it finds something to do."""
        while not self._stopping.is_set():
            done = await self._guarded(step)
            if not done or seconds >= 1:
                await self._sleep(seconds)

    async def _guarded(self, step: Callable[[], Awaitable[T]]) -> T | None:
        """A step whose failure must not end the loop: the database may be away, and a bug hits one thing only."""
        try:
            return await step()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            log.warning("worker.database_failed", error=str(error), kind=type(error).__name__)
        except Exception:
            log.exception("worker.step_failed")
        await self._sleep(0.5)
        return None

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    async def _fold_counts(self, *, above: int) -> None:
        async with self._services.db.connection() as conn:
            await queries_counts.fold_counts(conn, above=above)

    async def _keep_house(self) -> None:
        """Next month's partitions, answers that can no longer be replayed, and what came in longer ago than is kept."""
        async with self._services.db.transaction() as conn:
            await account_queries.partition_events(conn, month=datetime.now(UTC).date())
            await account_queries.forget_old_answers(conn)
        async with self._services.db.connection() as conn:
            while await queries_inbound.drop_old(conn, limit=2_000):
                pass
            await queries_posts.drop_hopeless(conn, older_than_days=HOPELESS_AFTER_DAYS)
