"""While `serve` runs, whatever it started comes back, and other commands leave it alone."""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.processes import Server, command, is_alive, wait_for


@pytest.fixture(scope="module")
def running(data_dir: Path) -> Iterator[Server]:
    server = Server(data_dir).start()
    yield server
    server.end()


def test_other_commands_use_the_database_and_stop_nothing(running: Server) -> None:
    before = running.children()
    done = command("dispatch", "status", data_dir=str(running.data_dir))
    assert (done.stdout, done.stderr, done.returncode) == ("running\n", "", 0)
    assert (running.ready(), running.children()) == (200, before)


@pytest.mark.parametrize("name", ["api", "worker 1"])
def test_killed_child_is_started_again(running: Server, name: str) -> None:
    before = running.children()
    os.kill(before[name], signal.SIGKILL)
    wait_for(lambda: running.children()[name] != before[name], timeout_s=15)
    wait_for(lambda: running.ready() == 200, timeout_s=15)
    others = {other: pid for other, pid in before.items() if other != name}
    assert others.items() <= running.children().items()
    died = [line for line in running.log() if line["event"] == "child.died" and line["pid"] == before[name]]
    assert [(line["child"], line["status"], line["level"]) for line in died] == [(name, -9, "warning")]


def test_killed_database_is_started_again_and_nothing_else_is(running: Server) -> None:
    # A worker that is still starting would start the database itself.
    wait_for(lambda: [line["event"] for line in running.log()].count("worker.started") >= workers_begun(running))
    before, postmaster, begun = running.children(), running.postmaster(), len(running.log())
    os.kill(postmaster, signal.SIGKILL)
    answers = [running.ready()]
    deadline = time.monotonic() + 30
    while 503 not in answers or answers[-1] != 200:
        assert time.monotonic() < deadline
        answers.append(running.ready())
    assert set(answers) == {200, 503}
    assert running.postmaster() != postmaster
    assert running.children() == before
    assert all(map(is_alive, before.values()))
    told = [line["event"] for line in running.log()[begun:]]
    assert told.index("database.died") < told.index("database.started_again")
    # Every loop of the worker noticed, many times; a line of each kind is enough, and again where it came back between.
    lines = Counter((line["event"], line.get("kind"), line.get("error")) for line in running.log()[begun:])
    assert max(lines.values()) <= 2, lines


def workers_begun(server: Server) -> int:
    return [line.get("child") for line in server.log() if line["event"] == "child.started"].count("worker 1")
