"""A place for data folders, a server of a test's own, and commands on a database of the tests' server."""

import logging
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

from iglayers.accounts.model import Mode
from iglayers.cli.main import app
from iglayers.core.ids import WorkspaceId
from tests import databases
from tests.cli.processes import Server
from tests.databases import SECRET_KEY

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder that PostgreSQL's account may enter (pytest's own is closed to all but root)."""
    folder = Path(tempfile.mkdtemp(prefix="igl-cli-", dir="/tmp"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def data_dir(place: Path) -> Path:
    """One for all tests of a module: the first start takes longest."""
    return place / "data"


@pytest.fixture
def server(data_dir: Path) -> Iterator[Server]:
    """Not yet started."""
    made = Server(data_dir)
    yield made
    made.end()


@pytest.fixture
def url(database_url: str, workspaces: dict[Mode, WorkspaceId]) -> str:
    """A database with a first pair of workspaces, as a first start makes it."""
    return database_url


@pytest.fixture
async def own_url(fresh_database: Callable[[], Awaitable[str]]) -> str:
    """The same as a database of this test's own, for one that changes more than rows."""
    return await fresh_database()


@pytest.fixture
async def empty_url(postgres: str) -> AsyncIterator[str]:
    """A database that was never migrated."""
    name = await databases.create(postgres)
    yield databases.named(postgres, name)
    await databases.drop(postgres, name)


@pytest.fixture
def run(url: str, tmp_path: Path) -> Iterator[Run]:
    """A command on that database, in this process: a new one would take half a second to begin."""
    handlers = logging.getLogger().handlers[:]
    known = {"database_url": url, "secret_key": SECRET_KEY.hex(), "data_dir": str(tmp_path)}

    def call(*words: str, stdin: str = "", **settings: str) -> Result:
        ours = {f"IGLAYERS_{name.upper()}": value for name, value in (known | settings).items()}
        others = {name: None for name in os.environ if name.startswith("IGLAYERS_")}
        runner = CliRunner(env=others | ours | {"COLUMNS": "200"})
        # A thread, because a command has an event loop of its own.
        with ThreadPoolExecutor(1) as threads:
            return threads.submit(runner.invoke, app, words, input=stdin, catch_exceptions=False).result()

    yield call
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers
    logging.getLogger("asyncpg").setLevel(logging.NOTSET)
