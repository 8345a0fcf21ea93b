"""A place for data folders, a server of a test's own, and commands on a database of the tests' server."""

import shutil
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.processes import Server, command
from tests.databases import SECRET_KEY

Run = Callable[..., subprocess.CompletedProcess[str]]


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
async def url(fresh_database: Callable[[], Awaitable[str]]) -> str:
    """A database of this test's own."""
    return await fresh_database()


@pytest.fixture
def run(url: str, tmp_path: Path) -> Run:
    """A command on that database."""

    def call(*words: str, stdin: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
        known = {"database_url": url, "secret_key": SECRET_KEY.hex(), "data_dir": str(tmp_path)}
        return command(*words, stdin=stdin, **(known | settings))

    return call
