"""A worker is killed again and again while it works off a file: every row counts once, nobody is in there twice."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from iglayers.accounts.model import Caller
from iglayers.core.db import Database
from tests.databases import SECRET_KEY
from tests.events.receiving import until
from tests.serving import Api
from tests.targets.importing import HEADER, rejects, send
from tests.targets.uploads import campaign, count

ROWS = 20_000
KILLS = 3


async def test_a_killed_import_goes_on_where_it_was(
    api: Api, database: Database, database_url: str, caller: Caller, tmp_path: Path
) -> None:
    spring = await campaign(database, caller)
    # Every tenth line repeats somebody from far above, and every hundredth cannot be read.
    lines = [f"creator.{n // 2 if n % 10 == 9 else n},Creator {n},{n},Oslo" for n in range(ROWS)]
    lines[50::100] = ["bad name,,,"] * len(lines[50::100])
    made = await send(api, spring, HEADER + "\n".join(lines))
    assert made.status == 201, made
    path = f"/imports/{made.body['id']}"
    for number in range(KILLS):
        before = (await api.get(path)).body["rowsRead"]
        async with _worker(database_url, tmp_path / str(number)):
            await until(lambda before=before: _has_read_more(api, path, before), within_s=20)
        assert (await api.get(path)).body["state"] == "running", "it ended before the kill"
    async with _worker(database_url, tmp_path / "a"), _worker(database_url, tmp_path / "b"):
        await until(lambda: _has_ended(api, path), within_s=30)

    _, ended = await api.get(path)
    people, seen = set[str](), 0
    for line in lines:
        name = line.partition(",")[0]
        seen += name in people or name == "bad name"
        people.add(name)
    people.discard("bad name")
    assert (ended["state"], ended["rowsRead"], ended["accepted"]) == ("completed", ROWS, len(people))
    assert ended["rejected"] == sum(ended["rejectedByCode"].values()) == seen
    assert await count(database, "targets") == len(people)
    assert await count(database, "contacts") == len(people)
    assert await count(database, "events WHERE type = 'target.queued'") == len(people)
    assert await count(database, "events WHERE type = 'import.completed'") == 1
    assert len({row["line"] for row in await rejects(api, ended["id"])}) == seen
    assert await count(database, "import_pieces") == 0


async def _has_read_more(api: Api, path: str, before: int) -> bool:
    return (await api.get(path)).body["rowsRead"] > before


async def _has_ended(api: Api, path: str) -> bool:
    return (await api.get(path)).body["endedAt"] is not None


@asynccontextmanager
async def _worker(url: str, folder: Path) -> AsyncGenerator[None]:
    """A real worker process, killed without warning at the end of the block."""
    settings = {
        "IGLAYERS_DATABASE_URL": url, "IGLAYERS_DATA_DIR": str(folder), "IGLAYERS_SECRET_KEY": SECRET_KEY.hex(),
        "IGLAYERS_WORKER_SLOTS": "1",
    }  # fmt: skip
    with folder.with_suffix(".log").open("w") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "iglayers", "worker", env={**os.environ, **settings}, stderr=log
        )
    try:
        yield
    finally:
        assert process.returncode is None, folder.with_suffix(".log").read_text()[-2_000:]
        process.send_signal(signal.SIGKILL)
        await process.wait()
