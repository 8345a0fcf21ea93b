"""A throw-away installation for the demo: its server, its command line, and a client for its API.

Nothing of it outlives the context manager, and nothing of it touches another installation on this machine.
"""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO

USUAL_PORT = 3000
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 20.0
ANSWER_TIMEOUT_S = 60.0
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class DemoError(Exception):
    """Why the demo cannot go on, in words for the person who runs it."""


class Installation:
    """A running `iglayers serve` and its data folder."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder: Path = folder
        self.ready_lines: list[str] = []
        self.address: str = ""
        self.process: subprocess.Popen[bytes] | None = None
        self._environment: dict[str, str] = environment

    def start(self, port: int) -> None:
        """`iglayers serve`; returns when it says that it is ready."""
        options = ["--host", "127.0.0.1", "--port", str(port), "--data-dir", str(self.folder / "data")]
        # Its own session: a Ctrl-C in the terminal reaches the demo alone, which then ends the server in order.
        with self._out.open("wb") as out, self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*_program(), "serve", *options], stdin=subprocess.DEVNULL, stdout=out, stderr=log,
                env=self._environment, start_new_session=True,
            )  # fmt: skip
        give_up_at = time.monotonic() + START_TIMEOUT_S
        while (found := re.search(r"https?://[\w.:\[\]-]+", self._said())) is None:
            self.check()
            if time.monotonic() > give_up_at:
                raise DemoError(f"The server was not ready within {START_TIMEOUT_S:.0f} s.\n{self.log_tail()}")
            time.sleep(0.05)
        self.address = found[0]
        self.ready_lines = [line for line in self._said().splitlines() if line.strip()]

    def check(self) -> None:
        """DemoError with the end of its log if the server is gone."""
        if self.process is not None and (code := self.process.poll()) is not None:
            raise DemoError(f"The server ended with status {code}.\n{self.log_tail()}")

    def wait(self) -> None:
        """Until a Ctrl-C; DemoError if the server ends by itself."""
        if self.process is not None:
            self.process.wait()
        self.check()

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One command of `iglayers` for this installation."""
        return subprocess.run(
            [*_program(), *words], env=self._environment, capture_output=True, text=True, check=False, timeout=120
        )

    def new_key(self, *scopes: str, mode: str = "test") -> str:
        """A key of the test or the live workspace, made on the command line as an operator would."""
        words = ("keys", "create", "--name", "Demo", "--mode", mode, "--scopes", ",".join(scopes))
        done = self.command(*words)
        key = done.stdout.strip()
        if done.returncode != 0 or not key.startswith(f"sk_{mode}_"):
            raise DemoError(f"iglayers {' '.join(words)} failed:\n{done.stdout}{done.stderr}")
        return key

    def stop(self) -> None:
        """End the server, and its database if a server that was killed left it running."""
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            print(f"The server did not stop within {STOP_TIMEOUT_S:.0f} s; ending it by force.", file=sys.stderr)
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        for pid_file in self.folder.glob("data/**/postmaster.pid"):
            with suppress(OSError, ValueError, IndexError):
                os.kill(int(pid_file.read_text().splitlines()[0]), signal.SIGQUIT)

    def log(self) -> str:
        """All that the server has logged."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def log_tail(self) -> str:
        lines = self.log().splitlines()
        return "\n".join(["The end of its log:", *lines[-20:]])

    def _said(self) -> str:
        """What the server wrote to its standard output; whole lines only."""
        return self._out.read_text(errors="replace").rpartition("\n")[0]

    @property
    def _out(self) -> Path:
        return self.folder / "server.out"

    @property
    def _log(self) -> Path:
        return self.folder / "server.log"


@contextmanager
def installation(**settings: str) -> Generator[Installation]:
    """A server on a free port, 3000 if that is one; stopped and removed at the end, whatever the end is.

    `settings` as docs/settings.md has them: `sandbox_speed="20000"` is IGLAYERS_SANDBOX_SPEED.
    """
    for number in ENDING_SIGNALS:
        signal.signal(number, _interrupt)
    # A short path, for PostgreSQL's socket; passable, because as root PostgreSQL runs as another user.
    folder = Path(tempfile.mkdtemp(prefix="iglayers-demo-", dir="/tmp"))
    folder.chmod(0o711)
    made = Installation(folder, _environment(folder / "data", settings))
    try:
        made.start(_free_port())
        yield made
    except Refused as error:
        if error.status >= 500:  # the log says more, and is about to be removed
            raise DemoError(f"{error}\n{made.log_tail()}") from error
        raise
    finally:
        for number in ENDING_SIGNALS:  # a second Ctrl-C must not leave a server behind
            signal.signal(number, signal.SIG_IGN)
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _program() -> list[str]:
    """`iglayers` of the environment that runs the demo."""
    beside = Path(sys.executable).with_name("iglayers")
    return [str(beside)] if beside.exists() else ["iglayers"]


def _environment(data_dir: Path, settings: dict[str, str]) -> dict[str, str]:
    """Without the settings of an installation that this shell may be set up for; CI's mark of its children stays."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("IGLAYERS_") or name == "IGLAYERS_CI_RUN"
    }
    return (
        kept
        | {
            "IGLAYERS_DATA_DIR": str(data_dir),
            "PYTHONUNBUFFERED": "1",
        }
        | {f"IGLAYERS_{name.upper()}": value for name, value in settings.items()}
    )


def _free_port() -> int:
    for port in (USUAL_PORT, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return probe.getsockname()[1]
    raise DemoError("No port is free on 127.0.0.1.")


class Refused(DemoError):
    """The API answered with an error."""

    def __init__(self, what: str, status: int, error: dict[str, Any]) -> None:
        super().__init__(f"{what}: {status} {error.get('code')}: {error.get('message')}")
        self.status: int = status
        self.code: str = str(error.get("code"))


class Api:
    """The public API, by the standard library alone. Every POST can be repeated safely."""

    def __init__(self, address: str, key: str) -> None:
        self.address: str = address
        self.key: str = key

    def get(self, path: str) -> Any:  # noqa: ANN401 JSON
        return json.loads(self._call("GET", path))

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:  # noqa: ANN401 JSON
        data = None if body is None else json.dumps(body).encode()
        return json.loads(self._call("POST", path, data, "application/json"))

    def post_csv(self, path: str, data: bytes) -> Any:  # noqa: ANN401 JSON
        return json.loads(self._call("POST", path, data, "text/csv"))

    def download(self, path: str, to: BinaryIO) -> None:
        to.write(self._call("GET", path))

    def _call(self, method: str, path: str, data: bytes | None = None, content_type: str | None = None) -> bytes:
        headers = {"Authorization": f"Bearer {self.key}"}
        if data is not None and content_type is not None:
            headers["Content-Type"] = content_type
        if method == "POST":
            headers["Idempotency-Key"] = str(uuid.uuid4())
        while True:
            status, said, retry_after_s = self._request(method, path, data, headers)
            if status == 429:
                time.sleep(retry_after_s)
                continue
            if status >= 400:
                raise Refused(f"{method} {path}", status, _error(said))
            return said

    def _request(self, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> tuple[int, bytes, float]:
        connection = http.client.HTTPConnection(self.address.partition("://")[2], timeout=ANSWER_TIMEOUT_S)
        try:
            connection.request(method, f"/api/v1{path}", body=data, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), float(answer.headers.get("Retry-After", "1"))
        except (OSError, http.client.HTTPException) as error:
            raise DemoError(f"{method} {path} got no answer: {error or type(error).__name__}") from error
        finally:
            connection.close()

    def answers(self, path: str) -> bool:
        """Whether a page outside the API is there."""
        connection = http.client.HTTPConnection(self.address.partition("://")[2], timeout=ANSWER_TIMEOUT_S)
        try:
            connection.request("GET", path)
            return connection.getresponse().status < 400
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _error(said: bytes) -> dict[str, Any]:
    try:
        return json.loads(said)["error"]
    except (ValueError, KeyError, TypeError):
        return {"code": "no_json", "message": said[:200].decode(errors="replace")}
