"""`serve`: everything on this machine, in one command that is ready when it says so."""

import asyncio
import os
import signal
from contextlib import suppress
from typing import Annotated

import msgspec
import typer

from iglayers.accounts import actions_people
from iglayers.cli import installation, ports
from iglayers.cli.options import Given, command
from iglayers.cli.parts import Host, HttpWebhooks, Port
from iglayers.cli.supervisor import Supervisor
from iglayers.core.config import Settings, public_url

Workers = Annotated[int, typer.Option(min=0, max=64, help="How many worker processes.")]


def add(group: typer.Typer) -> None:
    command(group, "serve")(serve)


def serve(
    given: Given,
    host: Host = None,
    port: Port = None,
    workers: Workers = 1,
    allow_http_webhooks: HttpWebhooks = None,
) -> None:
    """Database, API, dashboard and worker on this machine, until Ctrl-C."""
    settings = given.settings(host=host, port=port, allow_http_webhooks=allow_http_webhooks)
    settings = msgspec.structs.replace(settings, port=ports.free_port(settings))
    # Until the supervisor takes signals, they unwind what was opened.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with installation.database(settings) as database:
        setup_token = asyncio.run(_prepare(settings, database.url))
        supervisor = Supervisor(database.embedded)
        environment = _environment(settings)
        supervisor.add("api", ["api"], environment)
        for number in range(workers):
            supervisor.add(f"worker {number + 1}", ["worker"], environment)
        supervisor.run(Ready(settings, setup_token).say_once)


class Ready:
    """Says on standard output, once, that the API answers, and where; and how to become the first user."""

    def __init__(self, settings: Settings, setup_token: str | None) -> None:
        self._settings: Settings = settings
        self._setup_token: str | None = setup_token
        self._said: bool = False

    def say_once(self) -> None:
        if self._said or not ports.is_ready(self._settings):
            return
        self._said = True
        with suppress(OSError):  # nobody reads it any more
            url = public_url(self._settings)
            setup = f"\nCreate the owner: {url}/setup?token={self._setup_token}" if self._setup_token else ""
            print(f"IG Layers is ready at {url}{setup}", flush=True)


async def _prepare(settings: Settings, url: str) -> str | None:
    """Bring the database up to date before the children open it, and refuse it here if it is unfit.

    The token of the set-up link, while there is nobody who could log in.
    """
    async with (
        installation.services(settings, url, pool_size=2, must_be_durable=True) as services,
        services.db.transaction() as conn,
    ):
        return await actions_people.offer_setup(conn)


def _environment(settings: Settings) -> dict[str, str]:
    """What the children read: our settings, where options changed them too. Not as arguments, which all can see."""
    changed = {
        "IGLAYERS_DATA_DIR": str(settings.data_dir),
        "IGLAYERS_HOST": settings.host,
        "IGLAYERS_PORT": str(settings.port),
        "IGLAYERS_ALLOW_HTTP_WEBHOOKS": str(settings.allow_http_webhooks).lower(),
    }
    if settings.database_url is not None:
        changed["IGLAYERS_DATABASE_URL"] = settings.database_url
    return {**os.environ, **changed}
