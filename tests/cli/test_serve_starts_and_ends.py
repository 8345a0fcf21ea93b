"""`serve` is ready when it says so, and leaves nothing behind however it ends."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.processes import Server, command, is_alive, wait_for


@pytest.fixture
def second(data_dir: Path) -> Iterator[Server]:
    made = Server(data_dir, name="second")
    yield made
    made.end()


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_ends_the_children_and_the_database(server: Server, number: signal.Signals) -> None:
    server.start("--workers", "2")
    ready, setup = server.said().splitlines()
    assert ready == f"IG Layers is ready at http://127.0.0.1:{server.port}"
    assert setup.startswith(f"Create the owner: http://127.0.0.1:{server.port}/setup?token=")
    assert server.ready() == 200
    processes = [*server.children().values(), server.postmaster()]
    assert len(processes) == 4
    server.signal(number)
    assert server.wait() == 0
    assert not [pid for pid in processes if is_alive(pid)]
    assert {line["process"] for line in server.log() if line["event"] == "process.stopped"} == {"api", "worker"}
    assert not [line for line in server.log() if line["level"] not in ("debug", "info")]


def test_killed_supervisor_takes_its_children_along_and_the_next_start_goes_on(server: Server) -> None:
    server.start()
    children = server.children().values()
    server.signal(signal.SIGKILL)
    server.wait()
    wait_for(lambda: not any(map(is_alive, children)), timeout_s=10)
    server.start()
    assert server.ready() == 200


def test_everything_killed_at_once_and_the_next_start_goes_on(server: Server) -> None:
    server.start()
    processes = [*server.children().values(), server.postmaster()]
    server.signal(signal.SIGSTOP)  # so that it starts nothing again meanwhile
    for pid in processes:
        os.kill(pid, signal.SIGKILL)
    server.signal(signal.SIGKILL)
    server.wait()
    server.start()
    assert server.ready() == 200


def test_two_servers_share_one_folder_and_the_last_one_stops_the_database(server: Server, second: Server) -> None:
    server.start()
    second.start()
    postmaster = server.postmaster()
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert (second.postmaster(), second.ready()) == (postmaster, 200)
    second.signal(signal.SIGTERM)
    assert second.wait() == 0
    assert not is_alive(postmaster)


@pytest.mark.parametrize("part", ["serve", "api"])
def test_taken_port_is_one_clear_line_and_starts_nothing(place: Path, taken: int, part: str) -> None:
    folder = place / f"unused-{part}"
    done = command(part, "--port", str(taken), data_dir=str(folder))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"iglayers: Port {taken} on 127.0.0.1 is taken. End the process that has it, or choose another --port.\n"
    )
    assert not folder.exists()


@pytest.mark.parametrize(
    ("setting", "value", "named"),
    [
        ("host", "203.0.113.7", "choose another --host or --port"),
        ("port", "70000", "IGLAYERS_PORT: Expected `int` <= 65535"),
        ("log_level", "loud", "IGLAYERS_LOG_LEVEL: Invalid enum value 'loud'"),
        ("send_lease_s", "20", "IGLAYERS_SEND_LEASE_S: must be more than IGLAYERS_SEND_DEADLINE_S + 15 = 35"),
        ("data_dir", "/proc/nowhere", "cannot use /proc/nowhere"),
    ],
)
def test_setting_that_cannot_be_used_is_one_line_with_its_name(
    place: Path, setting: str, value: str, named: str
) -> None:
    done = command("serve", **({"data_dir": str(place / "unfit"), "port": "0"} | {setting: value}))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert named.casefold() in done.stderr.casefold()


def test_embedded_database_that_may_forget_is_refused(place: Path) -> None:
    folder = place / "forgetful"
    assert command("migrate", data_dir=str(folder)).returncode == 0
    with (folder / "postgres" / "postgresql.conf").open("a") as file:
        file.write("fsync = off\n")
    done = command("serve", port="0", data_dir=str(folder))
    assert (done.returncode, done.stdout) == (1, "")
    assert "fsync off" in done.stderr
    assert "Set fsync = on there." in done.stderr
    assert not Server(folder).has_postgres()
