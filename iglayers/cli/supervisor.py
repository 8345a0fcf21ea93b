"""Keeps the processes of one machine alive, and ends them: children started again, the database looked after.

Children hold the read end of a pipe whose write end only this process has, so that they end with it even when it
is killed.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType

import structlog

from iglayers.core.embedded import EmbeddedPostgres, EmbeddedPostgresError

log = structlog.get_logger("supervisor")

_TICK_S = 0.05
_FIRST_DELAY_S = 0.2
_MOST_DELAY_S = 10.0
# A child that lived this long had started well.
_SETTLED_S = 10.0
_GRACE_S = 9.0
_DATABASE_EVERY_S = 1.0


class Child:
    """One process, started again when it dies: soon at first, later each time it dies young."""

    def __init__(self, name: str, arguments: Sequence[str], environment: Mapping[str, str], alive_while: int) -> None:
        self.name: str = name
        self._arguments: list[str] = [sys.executable, "-m", "iglayers", *arguments, "--supervised"]
        self._environment: Mapping[str, str] = environment
        self._alive_while: int = alive_while
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at: float = 0.0
        self._start_at: float = 0.0
        self._young_deaths: int = 0

    def tend(self, now: float) -> None:
        """Notice a death; start when it is time to."""
        if self._process is not None and self._process.poll() is not None:
            self._bury(self._process, now)
        if self._process is None and now >= self._start_at:
            self._start(now)

    def _start(self, now: float) -> None:
        # A session of its own: Ctrl-C in a terminal reaches the supervisor alone.
        self._process = subprocess.Popen(
            self._arguments,
            env=dict(self._environment),
            stdin=self._alive_while,
            stdout=sys.stderr,
            start_new_session=True,
        )
        self._started_at = now
        log.info("child.started", child=self.name, pid=self._process.pid)

    def _bury(self, process: subprocess.Popen[bytes], now: float) -> None:
        lived_s = now - self._started_at
        self._young_deaths = 0 if lived_s >= _SETTLED_S else self._young_deaths + 1
        delay_s = min(_MOST_DELAY_S, _FIRST_DELAY_S * 2**self._young_deaths)
        self._start_at = now + delay_s
        self._process = None
        log.warning(
            "child.died",
            child=self.name,
            pid=process.pid,
            status=process.returncode,
            lived_s=round(lived_s, 1),
            again_in_s=delay_s,
        )

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None


class Supervisor:
    """Runs children until a signal comes; `on_tick` is called in between."""

    def __init__(self, embedded: EmbeddedPostgres | None) -> None:
        self._embedded: EmbeddedPostgres | None = embedded
        self._children: list[Child] = []
        self._alive_while, self._alive = os.pipe()
        self._signals: int = 0
        self._stopping: threading.Event = threading.Event()

    def add(self, name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self._children.append(Child(name, arguments, environment, self._alive_while))

    def run(self, on_tick: Callable[[], None]) -> None:
        """Until SIGTERM, Ctrl-C or a closed terminal; a second one does not wait for the children."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup stays nohup
                signal.signal(number, self._on_signal)
        keeper = threading.Thread(target=self._keep_database, daemon=True)
        keeper.start()
        try:
            while self._signals == 0:
                for child in self._children:
                    child.tend(time.monotonic())
                on_tick()
                time.sleep(_TICK_S)
        finally:
            self._stopping.set()
            self._end_children()
            keeper.join(timeout=1.0)
            os.close(self._alive)
            os.close(self._alive_while)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._signals += 1

    def _end_children(self) -> None:
        log.info("supervisor.stopping")
        for child in self._children:
            child.signal(signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_S
        while time.monotonic() < deadline and self._signals < 2:
            if all(child.has_ended() for child in self._children):
                return
            time.sleep(_TICK_S)
        for child in self._children:
            if not child.has_ended():
                log.warning("child.killed", child=child.name)
                child.signal(signal.SIGKILL)

    def _keep_database(self) -> None:
        """In a thread: a database that recovers from a crash must not keep a signal waiting."""
        while self._embedded is not None and not self._stopping.wait(_DATABASE_EVERY_S):
            if self._embedded.is_running():
                continue
            log.warning("database.died")
            try:
                self._embedded.ensure()
                log.info("database.started_again")
            except EmbeddedPostgresError as error:
                log.exception("database.not_started", error=str(error))
