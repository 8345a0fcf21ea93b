"""Real processes against a database, and what the sandbox's log says about them afterwards."""

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from tests.databases import SECRET_KEY
from tests.sending.world import World

ROOT = Path(__file__).parents[2]


class Process:
    """One `iglayers worker` (or `api`), with a data folder of its own; started again as often as a test likes."""

    def __init__(self, url: str, folder: Path, part: str = "worker", /, **settings: object) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._part = part
        self.log = folder / f"{part}.log"
        kept = {name: item for name, item in os.environ.items() if not name.startswith("IGLAYERS_")}
        self._environment = kept | {
            "IGLAYERS_DATABASE_URL": url, "IGLAYERS_DATA_DIR": str(folder), "IGLAYERS_SECRET_KEY": SECRET_KEY.hex(),
            "IGLAYERS_WORKER_SLOTS": "8", "IGLAYERS_LOG_LEVEL": "warning",
            "IGLAYERS_BREAKER_LEAST": "1000000",  # so many unknowns would stop the campaign
        } | {f"IGLAYERS_{name.upper()}": str(item) for name, item in settings.items()}  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "iglayers", self._part], cwd=ROOT, env=self._environment, stdout=log, stderr=log
            )

    async def has_started(self) -> bool:
        """Whether it works, by its log; the level must be info."""
        self.must_run()
        return "worker.started" in self.log.read_text()

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait()

    def must_run(self) -> None:
        """Fails with the end of the log if it has ended by itself."""
        if self._process is not None and (status := self._process.poll()) is not None:
            raise AssertionError(f"{self._part} ended with {status}: {self.log.read_text()[-1_000:]}")

    async def end(self, *, within_s: float) -> int:
        """Ask it to stop; its exit status."""
        self.signal(signal.SIGTERM)
        assert self._process is not None
        async with asyncio.timeout(within_s):
            while (status := self._process.poll()) is None:  # noqa: ASYNC110 a process cannot be awaited here
                await asyncio.sleep(0.01)
        return status

    def make_sure_it_is_gone(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


@contextmanager
def workers(url: str, folder: Path, count: int, **settings: object) -> Generator[list[Process]]:
    """So many worker processes, started; none is left behind."""
    started = [Process(url, folder / f"machine-{number}", **settings) for number in range(count)]
    try:
        for each in started:
            each.start()
        yield started
    finally:
        for each in started:
            each.make_sure_it_is_gone()


async def begun(world: World) -> int:
    return await world.value("SELECT count(*) FROM messages")


async def is_over(world: World) -> bool:
    return await world.value("SELECT bool_and(state = 'completed') FROM campaigns")


async def end_leases(world: World, *, begun_by: datetime) -> None:
    """As if a lease's time had passed for what was begun by then. A server may commit what a dead client asked for."""
    await world.all(
        "UPDATE messages SET lease_until = clock_timestamp() WHERE state = 'sending' AND begun_at <= $1", begun_by
    )


async def is_over_without(world: World, *, lost_by: datetime) -> bool:
    """Whether the campaign is over, with the leases of whoever was lost by then at their end."""
    await end_leases(world, begun_by=lost_by)
    return await is_over(world)


async def standstill(world: World) -> str:
    """Where everything stands, for a campaign that does not go on."""
    asked = {
        "campaigns": "SELECT state, blocked_reason, limited_by, due_at - clock_timestamp() AS due FROM campaigns",
        "messages": "SELECT state, min(lease_until) - clock_timestamp() AS lease, count(*) FROM messages GROUP BY 1",
        "targets": "SELECT state, count(*) FROM targets GROUP BY 1",
        "installation": "SELECT dispatch, dispatch_reason FROM installation",
        "senders": "SELECT state, count(*) FROM senders GROUP BY 1",
        "waiting": "SELECT application_name, state, wait_event, query FROM pg_stat_activity WHERE state <> 'idle'",
    }
    return "\n".join([f"{name}: {[dict(each) for each in await world.all(sql)]}" for name, sql in asked.items()])


async def assert_nobody_twice(world: World, *, people: int) -> Counter[str]:
    """Nobody is in the sandbox's log twice, ledger and log agree, and every person has an end; the ends."""
    log = await world.delivered()
    assert [name for name, count in Counter(log).items() if count > 1] == []
    found = await world.all("""
        SELECT k.username, t.state FROM targets t JOIN contacts k ON k.id = t.contact_id
        WHERE t.error_code IS DISTINCT FROM 'target_duplicate'
    """)  # fmt: skip
    states = {each["username"]: each["state"] for each in found}
    assert len(found) == len(states) == people
    assert set(states.values()) <= {"sent", "unknown"}
    assert {name for name, state in states.items() if state == "sent"} <= set(log)
    assert set(log) <= set(states)
    assert await world.value("SELECT count(*) FROM messages WHERE state = 'sending'") == 0
    return Counter(states.values())
