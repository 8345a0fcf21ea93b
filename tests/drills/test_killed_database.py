"""The database server is killed in the middle of a campaign and comes back: nobody gets a message twice."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from iglayers.accounts import actions as accounts
from iglayers.accounts.model import Mode
from iglayers.accounts.services import Services
from iglayers.core import db
from iglayers.core.config import Settings
from iglayers.core.crypto import Vault
from iglayers.core.db import Database
from iglayers.core.embedded import EmbeddedPostgres
from iglayers.core.migrate import migrate
from tests.conftest import caller_of
from tests.databases import PEPPER, SECRET_KEY
from tests.drills.conftest import SPEED
from tests.drills.processes import assert_nobody_twice, begun, is_over_without, workers
from tests.sending.world import World, until

PEOPLE = 400


@pytest.fixture
def server() -> Iterator[tuple[EmbeddedPostgres, Path]]:
    """A server of this test alone, which it may kill."""
    folder = Path(tempfile.mkdtemp(prefix="igl-drill-", dir="/tmp"))
    folder.chmod(0o711)
    embedded = EmbeddedPostgres(folder / "data")
    try:
        embedded.start()
        yield embedded, folder / "data"
    finally:
        embedded.release()
        shutil.rmtree(folder, ignore_errors=True)


async def founded(pool: Database, settings: Settings) -> World:
    async with pool.transaction() as conn:
        await accounts.found_installation(conn, Vault(SECRET_KEY), new_pepper=PEPPER)
        pair = dict(zip(Mode, await accounts.create_pair(conn, "Drill"), strict=True))
    services = Services(settings=settings, db=pool, vault=Vault(SECRET_KEY), pepper=PEPPER)
    return World(services, await caller_of(pool, pair[Mode.TEST], Mode.TEST))


async def sent_more(world: World, than: int) -> None:
    async def reached() -> bool:
        return await begun(world) > than

    await until(reached)


async def is_down(embedded: EmbeddedPostgres) -> bool:
    return not embedded.is_running()


async def test_the_database_is_killed_and_comes_back(server: tuple[EmbeddedPostgres, Path], tmp_path: Path) -> None:
    embedded, data_dir = server
    url = embedded.start()
    await migrate(url)
    pool = await db.connect(url, size=2)
    world = await founded(pool, Settings(data_dir=tmp_path, database_url=url, secret_key=SECRET_KEY.hex()))
    await world.speed(SPEED)
    for n in range(6):
        await world.sender(f"sender{n}")
    await world.campaign([f"sandbox.silent.{n}" for n in range(PEOPLE)])
    with workers(url, tmp_path, 2, log_level="info") as machines:
        # One that finds no database at its start ends, for whoever started it to start it again.
        for each in machines:
            await until(each.has_started)
        for _ in range(3):
            await sent_more(world, await begun(world) + 30)
            await pool.close()
            os.kill(int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
            await until(lambda: is_down(embedded))
            embedded.ensure()
            pool = await db.connect(url, size=2)
            world.db = pool
        lost_by = world.caller.now
        await until(lambda: is_over_without(world, lost_by=lost_by), within_s=60)
        for each in machines:
            assert await each.end(within_s=10) == 0
    states = await assert_nobody_twice(world, people=PEOPLE)
    assert states["sent"] > PEOPLE / 2
    await pool.close()
