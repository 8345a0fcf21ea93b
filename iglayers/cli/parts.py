"""What the two processes that `serve` starts have in common: how they open the installation, work, and end.

What they do is in `parts_api` and `parts_worker`: neither waits for the other's code to be imported.
"""

import asyncio
import gc
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

from iglayers.accounts.services import Services
from iglayers.cli import installation
from iglayers.core.config import Settings

log = structlog.get_logger("cli")

_MOST_FILES = 65_536

Host = Annotated[str | None, typer.Option(help="Address to listen on (IGLAYERS_HOST).")]
Port = Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one (IGLAYERS_PORT).")]
HttpWebhooks = Annotated[
    bool | None,
    typer.Option(
        "--allow-http-webhooks/--no-http-webhooks",
        help="Whether webhooks may go to http URLs (IGLAYERS_ALLOW_HTTP_WEBHOOKS).",
    ),
]
# Standard input is a pipe whose other end the supervisor holds: it closes however the supervisor ends.
Supervised = Annotated[bool, typer.Option("--supervised", hidden=True)]

Work = Callable[[Services, asyncio.Event], Awaitable[None]]


def run(settings: Settings, work: Work, *, name: str, pool_size: int, supervised: bool, by_keys: bool = False) -> None:
    """Open the installation and work until a signal, or until the supervisor is gone."""
    # Until the loop takes signals, they unwind what was opened.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _allow_many_files()

    async def open_and_work(url: str) -> bool:
        stopping = asyncio.Event()
        _stop_on_signals(stopping, supervised=supervised)
        async with installation.services(
            settings, url, pool_size=pool_size, name=f"iglayers {name}", must_be_durable=True, by_keys=by_keys
        ) as services:
            keep_what_is_there()
            await work(services, stopping)
        return stopping.is_set()

    with installation.database(settings) as database:
        was_asked = uvloop.run(open_and_work(database.url))
    log.info("process.stopped", process=name)
    sys.stderr.flush()
    # Without waiting for threads that still serve a slow client.
    os._exit(0 if was_asked else 1)


def keep_what_is_there() -> None:
    """What is there by now stays and is not searched for garbage again and again.

    That took a fifth of a busy worker's time, and stopped an API for up to 50 ms in the middle of answers.
    """
    gc.freeze()


def _stop_on_signals(stopping: asyncio.Event, *, supervised: bool) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    if supervised:
        loop.add_reader(0, _supervisor_is_gone, loop, stopping)


def _supervisor_is_gone(loop: asyncio.AbstractEventLoop, stopping: asyncio.Event) -> None:
    loop.remove_reader(0)
    stopping.set()


def _allow_many_files() -> None:
    """Each connection is an open file, and many systems start a process with 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
