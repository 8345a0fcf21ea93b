"""The two processes that `serve` starts, each also a command of its own: the API and a worker."""

import asyncio
import os
import resource
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Annotated

import structlog
import typer
import uvloop

from iglayers.accounts.request import Services
from iglayers.cli import installation, ports
from iglayers.cli.options import Given, command
from iglayers.core.config import Settings
from iglayers.web import server
from iglayers.worker.process import Worker

log = structlog.get_logger("cli")

API_POOL = 20
# Beside its slots a worker's loops need connections.
WORKER_EXTRA_POOL = 8
_API_GRACE_S = 6.0
_MOST_FILES = 65_536

Host = Annotated[str | None, typer.Option(help="Address to listen on (IGLAYERS_HOST).")]
Port = Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one (IGLAYERS_PORT).")]
# Standard input is a pipe whose other end the supervisor holds: it closes however the supervisor ends.
Supervised = Annotated[bool, typer.Option("--supervised", hidden=True)]


def add(group: typer.Typer) -> None:
    command(group, "api")(api)
    command(group, "worker")(worker)


def api(given: Given, host: Host = None, port: Port = None, *, supervised: Supervised = False) -> None:
    """The API and the dashboard alone."""
    settings = given.settings(host=host, port=port)
    settings = msgspec_replace_port(settings)
    _run(settings, _serve_api, name="api", pool_size=API_POOL, supervised=supervised)
