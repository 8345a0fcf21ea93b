"""`doctor`: every setting with its source, then the parts of the installation in the order in which they are opened.

It changes nothing but starting the embedded database, where there is one.
"""

import asyncio
import os
from collections.abc import Generator, Iterable
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import msgspec
import structlog
import typer

from iglayers.accounts import queries
from iglayers.accounts.services import Services
from iglayers.cli import installation, ports
from iglayers.cli.installation import InstallationError
from iglayers.cli.options import REFUSALS, Given, command
from iglayers.core import config, log
from iglayers.core.clock import real_now
from iglayers.core.config import Settings, SettingsError
from iglayers.core.crypto import Vault, vault_key
from iglayers.core.db import Connection, Database, connect
from iglayers.core.migrate import pending
from iglayers.senders import queries_credentials
from iglayers.senders.model import CheckStep
from iglayers.senders.transports.instagram import check
from iglayers.senders.transports.instagram.graph import Graph

_SECRET = {
    "secret_key", "metrics_token", "instagram_app_secret", "instagram_meta_app_secret", "instagram_verify_token",
}  # fmt: skip
# Of other programs.
_NOT_OURS = ("IGLAYERS_API_KEY", "IGLAYERS_URL", "IGLAYERS_TEST_", "IGLAYERS_CI_")


class Check(msgspec.Struct, frozen=True):
    """One line of the report; a problem says what is wrong and what to do."""

    name: str
    text: str
    is_problem: bool = False


def add(group: typer.Typer) -> None:
    command(group, "doctor")(doctor)


def doctor(given: Given) -> None:
    """Show every setting with its source, and say what is wrong; ends with 1 if anything is."""
    log.configure("error")
    checks = [*_settings(given), *_strangers(), *_installation(given)]
    width = max(len(each.name) for each in checks)
    for each in checks:
        print(f"{'WRONG' if each.is_problem else 'ok   '}  {each.name:<{width}}  {each.text}")
    problems = sum(each.is_problem for each in checks)
    print(f"{problems} {'problem' if problems == 1 else 'problems'}." if problems else "All is well.")
    if problems:
        raise typer.Exit(1)


def _settings(given: Given) -> Generator[Check]:
    for field in msgspec.structs.fields(Settings):
        name = f"IGLAYERS_{field.name.upper()}"
        text = os.environ.get(name, "").strip()
        source = "option" if field.name in given.overrides else "environment" if text else "default"
        only = {field.name: given.overrides[field.name]} if source == "option" else {}
        try:
            settings = config.load({name: text} if source == "environment" else {}, **only)
        except SettingsError as error:
            yield Check(name, str(error).removeprefix(f"{name}: "), is_problem=True)
        else:
            yield Check(name, f"{_shown(field.name, getattr(settings, field.name))} ({source})")
    try:
        given.settings()
    except SettingsError as error:
        if "must be more than" in str(error):  # about two settings together
            yield Check("settings", str(error), is_problem=True)


def _shown(name: str, value: object) -> str:
    if value is None:
        return "not set"
    if name in _SECRET:
        return "set, hidden"
    if name == "database_url":
        parts = urlsplit(str(value))
        return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _strangers() -> Generator[Check]:
    known = [f"IGLAYERS_{field.name.upper()}" for field in msgspec.structs.fields(Settings)]
    for name in sorted(os.environ):
        if name.startswith("IGLAYERS_") and name not in known and not name.startswith(_NOT_OURS):
            near = get_close_matches(name, known, n=1)
            yield Check(name, f"is no setting.{f' Did you mean {near[0]}?' if near else ''}", is_problem=True)


def _installation(given: Given) -> Iterable[Check]:
    try:
        settings = given.settings()
    except SettingsError:
        return [Check("installation", "Not looked at before the settings are right.", is_problem=True)]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    return [*_address(settings), *_folder(settings), *_database(settings)]


def _address(settings: Settings) -> Generator[Check]:
    if ports.is_ready(settings):
        yield Check("address", f"The API answers at {config.public_url(settings)}.")
        return
    try:
        ports.free_port(settings)
        yield Check("address", f"Port {settings.port} on {settings.host} is free.")
    except InstallationError as error:
        yield Check("address", str(error), is_problem=True)


def _folder(settings: Settings) -> Generator[Check]:
    folder = settings.data_dir
    if not folder.exists():
        where = _nearest(folder)
        may = where.is_dir() and os.access(where, os.W_OK | os.X_OK)
        text = (
            f"{folder} will be made at the first start."
            if may
            else f"{folder} cannot be made: {where} is not ours to write in."
        )
        yield Check("data folder", text, is_problem=not may)
        return
    private = folder.stat().st_mode & 0o077 == 0
    yield Check(
        "data folder",
        f"{folder} is {'private' if private else 'open to others: chmod 700 it'}.",
        is_problem=not private,
    )


def _nearest(folder: Path) -> Path:
    return next(each for each in folder.parents if each.exists())


def _database(settings: Settings) -> Iterable[Check]:
    if settings.database_url is None and not (settings.data_dir / "postgres").exists():
        return [Check("database", "The embedded PostgreSQL will be made at the first start.")]
    try:
        with installation.database(settings) as server:
            return asyncio.run(_look(settings, server.url))
    except REFUSALS as error:
        return [Check("database", str(error), is_problem=True)]
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        ours = f"See {settings.data_dir / 'postgres.log'}."
        what_to_do = "Start it, or correct IGLAYERS_DATABASE_URL." if settings.database_url else ours
        return [Check("database", f"{error or type(error).__name__}. {what_to_do}", is_problem=True)]


async def _look(settings: Settings, url: str) -> list[Check]:
    db = await connect(url, size=1, name="iglayers doctor")
    try:
        return await _inside(settings, db)
    finally:
        await db.close()


async def _inside(settings: Settings, db: Database) -> list[Check]:
    async with db.connection() as conn:
        problem = installation.durability_problem(await queries.durability(conn))
        checks = [
            Check("database", problem or "answers, and keeps what it has committed.", is_problem=problem is not None)
        ]
        missing = await pending(conn)
        if missing:
            text = f"{len(missing)} migrations are to be applied: iglayers migrate."
            return [*checks, Check("schema", text, is_problem=True)]
        checks.append(Check("schema", "is of this version."))
        sealed = await queries.pepper(conn)
        if sealed is None:
            return [*checks, Check("installation", "will be founded at the first start.")]
        checks.append(await _dispatch(conn))
    try:
        vault = Vault(_key(settings))
        pepper = vault.open(sealed, bound_to="installation.pepper")
    except (RuntimeError, OSError) as error:
        text = f"{error}. Set IGLAYERS_SECRET_KEY to the right one, or put secret.key back."
        return [*checks, Check("secret key", text, is_problem=True)]
    checks.append(Check("secret key", "opens what this database holds."))
    services = Services(settings=settings, db=db, vault=vault, pepper=pepper)
    return [
        *checks,
        *[Check(f"instagram {who}", step.text, is_problem=not step.ok) for who, step in await _instagram(services)],
    ]


async def _instagram(services: Services) -> list[tuple[str, CheckStep]]:
    """Every connected account, step by step; what the app needs only where there is one."""
    async with services.db.connection() as conn:
        connected = await queries_credentials.connected(conn)
    graph = Graph(services.settings)
    found = [("app", step) for step in check.settings_steps(services.settings) if connected]
    for each in connected:
        steps = await check.connection_steps(services, graph, each, username=each.username, now=real_now())
        found += [(each.username, step) for step in steps]
    return found


def _key(settings: Settings) -> bytes:
    if settings.secret_key is not None:
        return vault_key(settings.secret_key)
    if settings.database_url is not None:
        raise InstallationError("IGLAYERS_SECRET_KEY is required with IGLAYERS_DATABASE_URL")
    return vault_key((settings.data_dir / "secret.key").read_text())


async def _dispatch(conn: Connection) -> Check:
    dispatch = await queries.dispatch(conn)
    if dispatch.state == "running":
        return Check("dispatch", "running.")
    return Check("dispatch", f"paused: {dispatch.reason} Go on with: iglayers dispatch resume.", is_problem=True)
