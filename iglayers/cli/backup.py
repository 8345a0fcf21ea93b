"""`backup` and `restore`: the whole database as one file, by PostgreSQL's own pg_dump. The secret key stays outside."""

import asyncio
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qs, unquote, urlsplit

import typer

from iglayers.accounts import queries
from iglayers.accounts.services import Services
from iglayers.cli import installation
from iglayers.cli.installation import InstallationError
from iglayers.cli.options import Given, command
from iglayers.core.db import connect
from iglayers.core.embedded_host import programs
from iglayers.core.migrate import files, pending


def add(group: typer.Typer) -> None:
    command(group, "backup")(backup)
    command(group, "restore")(restore)


def backup(
    given: Given, file: Annotated[Path, typer.Argument(help="Where to; a file that exists is not replaced.")]
) -> None:
    """Write the whole database to a file, while everything runs. Keep secret.key with it: it is not inside."""
    if file.exists():
        raise InstallationError(f"{file} exists. Choose another name, or move it away.")
    partial = file.with_name(f"{file.name}.partial-{os.getpid()}")
    settings = given.settings()
    with installation.database(settings) as server:
        try:
            # Open to its owner alone before the first byte is in it.
            os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            _run("pg_dump", ["--format=custom", "--no-owner", "--no-privileges", f"--file={partial}"], server.url)
            partial.replace(file)
        except OSError as error:
            raise InstallationError(f"{file} cannot be written: {error.strerror}.") from error
        finally:
            partial.unlink(missing_ok=True)
    print(f"{file}: {file.stat().st_size:,} bytes. Keep the secret key with it.")


def restore(given: Given, file: Annotated[Path, typer.Argument(help="What `iglayers backup` wrote.")]) -> None:
    """Fill an empty database from a backup. Dispatch stays paused until somebody resumes it."""
    if not file.is_file():
        raise InstallationError(f"There is no file {file}.")
    settings = given.settings()
    with installation.database(settings) as server, tempfile.TemporaryDirectory(prefix="iglayers-restore-") as folder:
        asyncio.run(_refuse_filled(server.url))
        script = Path(folder) / "restore.sql"
        _run("pg_restore", ["--no-owner", "--no-privileges", f"--file={script}", str(file)], None)
        # In one transaction with the pause: no worker sees the old state and sends again what was sent since.
        _run(
            "psql",
            ["--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", f"--file={script}",
             f"--command={queries.PAUSE_RESTORED}"],
            server.url,
        )  # fmt: skip

    async def check(services: Services) -> queries.Dispatch:
        async with services.db.connection() as conn:
            return await queries.dispatch(conn)

    dispatch = installation.with_services(settings, check)
    print(f"Restored. Dispatch is {dispatch.state}: {dispatch.reason}")


async def _refuse_filled(url: str) -> None:
    db = await connect(url, size=1, name="iglayers restore")
    try:
        async with db.connection() as conn:
            is_empty = len(await pending(conn)) == len(files())
    finally:
        await db.close()
    if not is_empty:
        raise InstallationError(
            "This database is in use already. Restore into an empty one: choose another --data-dir."
        )


def _run(program: str, arguments: list[str], url: str | None) -> None:
    """One of PostgreSQL's programs; the password goes by the environment, arguments can be read by all."""
    done = subprocess.run(
        [str(programs() / program), *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={name: text for name, text in os.environ.items() if not name.startswith("PG")} | _connection(url),
    )
    if done.returncode != 0:
        raise InstallationError(f"{program} failed: {' '.join(done.stderr.split())[-1_000:]}")


def _connection(url: str | None) -> dict[str, str]:
    """What libpq reads, from a URL that asyncpg reads."""
    if url is None:
        return {}
    parts = urlsplit(url)
    asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    found = {
        "PGHOST": asked.get("host") or parts.hostname,
        "PGPORT": asked.get("port") or (str(parts.port) if parts.port else None),
        "PGUSER": asked.get("user") or unquote(parts.username or ""),
        "PGPASSWORD": asked.get("password") or unquote(parts.password or ""),
        "PGDATABASE": asked.get("dbname") or unquote(parts.path[1:]),
        "PGSSLMODE": asked.get("sslmode"),
        "PGSSLROOTCERT": asked.get("sslrootcert"),
    }
    return {name: text for name, text in found.items() if text}
