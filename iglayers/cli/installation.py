"""Opening an installation: the database, the secret key, the schema, the first workspaces.

Any number of processes may do it at once.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

import asyncpg
import msgspec

from iglayers.accounts import actions as accounts
from iglayers.accounts import queries
from iglayers.accounts.model import Mode
from iglayers.accounts.services import Services
from iglayers.core.config import Settings
from iglayers.core.crypto import SecretKeyError, Vault, kept_key, vault_key
from iglayers.core.db import Connection, Database, connect
from iglayers.core.embedded import EmbeddedPostgres
from iglayers.core.migrate import migrate

T = TypeVar("T")

_CLOSE_S = 2.0


class InstallationError(RuntimeError):
    """Why an installation cannot be opened, and what to do about it."""


class Server(msgspec.Struct, frozen=True):
    """Where the database is, and the embedded server if it is ours."""

    url: str
    embedded: EmbeddedPostgres | None


@contextmanager
def database(settings: Settings) -> Generator[Server]:
    """The database server, in use as long as the block lasts; the last to leave an embedded one stops it."""
    if settings.database_url is not None:
        yield Server(settings.database_url, None)
        return
    embedded = EmbeddedPostgres(settings.data_dir)
    url = embedded.start()
    try:
        yield Server(url, embedded)
    finally:
        embedded.release()


@asynccontextmanager
async def services(
    settings: Settings,
    url: str,
    *,
    pool_size: int,
    name: str = "iglayers",
    must_be_durable: bool = False,
    by_keys: bool = False,
) -> AsyncGenerator[Services, None]:
    """What a process passes down, on a database that has the newest schema. `by_keys`: see core.db.connect."""
    with _explained(settings):
        vault = _vault(settings)
        db = await connect(url, size=pool_size, name=name, by_keys=by_keys)
    try:
        with _explained(settings):
            if must_be_durable:
                settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
                await _refuse_forgetful(db)
            await migrate(url)
            pepper = await _founded(db, settings, vault)
        yield Services(settings=settings, db=db, vault=vault, pepper=pepper)
    finally:
        await _close(db)


async def migrated(settings: Settings, url: str) -> Sequence[str]:
    """Bring the database to the newest schema; the names of the files applied."""
    with _explained(settings):
        return await migrate(url)


def with_services(settings: Settings, work: Callable[[Services], Awaitable[T]]) -> T:
    """Open the installation for one piece of work, and close it."""

    async def run(url: str) -> T:
        async with services(settings, url, pool_size=2, name="iglayers cli") as opened:
            return await work(opened)

    with database(settings) as server:
        return asyncio.run(run(server.url))


async def apply_speed(conn: Connection, settings: Settings) -> None:
    """Let the clock of every test workspace run as the settings say, if they say so."""
    if settings.sandbox_speed is None:
        return
    await queries.lock_installation(conn)
    for each in await queries.workspaces(conn):
        if each.mode is Mode.TEST:
            await accounts.set_speed(conn, each.id, settings.sandbox_speed)


def durability_problem(durability: queries.Durability) -> str | None:
    """Why a database may forget what it has committed; None when it does not."""
    off = [name for name in ("fsync", "synchronous_commit") if getattr(durability, name) == "off"]
    if not off:
        return None
    return (
        f"The database has {' and '.join(off)} off: after a crash it could forget messages that were sent, and they "
        f"would be sent again. Set {' and '.join(f'{name} = on' for name in off)} there."
    )


async def _refuse_forgetful(db: Database) -> None:
    async with db.connection() as conn:
        problem = durability_problem(await queries.durability(conn))
    if problem is not None:
        raise InstallationError(problem)


async def _founded(db: Database, settings: Settings, vault: Vault) -> bytes:
    async with db.transaction() as conn:
        pepper = await accounts.found_installation(conn, vault, new_pepper=os.urandom(32))
        await apply_speed(conn, settings)
    return pepper


def _vault(settings: Settings) -> Vault:
    if settings.secret_key is not None:
        return Vault(vault_key(settings.secret_key))
    if settings.database_url is not None:
        raise SecretKeyError(
            "IGLAYERS_SECRET_KEY is required with IGLAYERS_DATABASE_URL, the same for every process; "
            "`openssl rand -hex 32` makes one."
        )
    return Vault(kept_key(settings.data_dir / "secret.key"))


@contextmanager
def _explained(settings: Settings) -> Generator[None]:
    try:
        yield
    except SecretKeyError as error:
        if "IGLAYERS_SECRET_KEY" in str(error):
            raise
        raise SecretKeyError(
            f"{str(error).capitalize()}. Set IGLAYERS_SECRET_KEY to that one"
            + (f", or put {settings.data_dir / 'secret.key'} back." if settings.database_url is None else ".")
        ) from error
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        where = "IGLAYERS_DATABASE_URL" if settings.database_url else f"{settings.data_dir / 'postgres.log'}"
        raise InstallationError(
            f"The database cannot be used: {error or type(error).__name__}. See {where}."
        ) from error


async def _close(db: Database) -> None:
    try:
        async with asyncio.timeout(_CLOSE_S):
            await db.close()
    except TimeoutError:
        return
