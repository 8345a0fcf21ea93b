"""`iglayers` as processes: commands that end by themselves, and a server that runs until it is told to stop."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-m", "iglayers"]
START_TIMEOUT_S = 60.0
# What an operator is promised for one Ctrl-C.
STOP_TIMEOUT_S = 10.0


def environment(**settings: str) -> dict[str, str]:
    """Without the settings of whoever runs the tests; CI's mark of its children stays."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("IGLAYERS_") or name == "IGLAYERS_CI_RUN"
    }
    return kept | {f"IGLAYERS_{name.upper()}": value for name, value in settings.items()}


def command(*words: str, stdin: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    """One command to its end."""
    return subprocess.run(
        [*PROGRAM, *words],
        cwd=ROOT,
        env=environment(**settings),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


class Server:
    """An `iglayers serve` on a data folder and a free port."""

    def __init__(self, data_dir: Path, name: str = "serve") -> None:
        self.data_dir: Path = data_dir
        self.port: int = 0
        self._out: Path = data_dir.with_name(f"{name}.out")
        self._log: Path = data_dir.with_name(f"{name}.log")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str, **settings: str) -> "Server":
        """Returns when it says that it is ready."""
        words = ["serve", "--port", "0", "--data-dir", str(self.data_dir), *options]
        with self._out.open("wb") as out, self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*PROGRAM, *words],
                cwd=ROOT,
                env=environment(**settings),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                start_new_session=True,
                preexec_fn=_heed_signals,  # noqa: PLW1509
            )
        wait_for(lambda: self.said().endswith("\n") or self.status() is not None, START_TIMEOUT_S)
        assert self.status() is None, self._log.read_text()
        self.port = int(self.said().splitlines()[0].rpartition(":")[2])
        return self

    def said(self) -> str:
        """Its standard output."""
        return self._out.read_text()

    def log(self) -> list[dict[str, Any]]:
        """Its log, line by line; every line is JSON."""
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def children(self) -> dict[str, int]:
        """The newest process of each name."""
        return {line["child"]: line["pid"] for line in self.log() if line["event"] == "child.started"}

    def postmaster(self) -> int:
        return int((self.data_dir / "postgres" / "postmaster.pid").read_text().splitlines()[0])

    def has_postgres(self) -> bool:
        return (self.data_dir / "postgres" / "postmaster.pid").exists() and is_alive(self.postmaster())

    def ready(self) -> int:
        """The status of /readyz; 0 without an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def status(self) -> int | None:
        assert self._process
        return self._process.poll()

    def signal(self, number: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(number)

    def wait(self) -> int:
        """Its exit status; fails if it does not end in the time promised."""
        assert self._process
        try:
            return self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"not at an end in {STOP_TIMEOUT_S:g} s:\n{self._log.read_text()}") from error

    def end(self) -> None:
        """Whatever state it is in: nothing of it stays."""
        if self._process is not None and self.status() is None:
            self.signal(signal.SIGTERM)
            self.wait()
        if self.has_postgres():
            os.kill(self.postmaster(), signal.SIGQUIT)
            wait_for(lambda: not self.has_postgres())


def _heed_signals() -> None:
    """As started from a terminal: what a shell's background job or `nohup` starts inherits that they are ignored."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def is_alive(pid: int) -> bool:
    """Whether it runs; one that ended and that nobody has buried yet does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return state.strip() != "" and not state.startswith("Z")


def wait_for(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
