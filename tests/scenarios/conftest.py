"""What scenarios share."""

import fcntl
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def port_3000() -> Iterator[None]:
    """The usual port, for one module at a time of all processes that run tests on this machine."""
    with Path(tempfile.gettempdir(), "igl-tests-port-3000.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
