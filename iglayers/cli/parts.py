"""The two processes that `serve` starts, each also a command of its own: the API and a worker."""

import asyncio
import gc
import os
import resource
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Annotated

import msgspec
import structlog
import typer
import uvloop

from iglayers.accounts.request import Services
from iglayers.cli import installation, ports
from iglayers.cli.options import Given, command
from iglayers.core.config import Settings, public_url
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


def add(group: typer.Typer) -> None:
    command(group, "api")(api)
    command(group, "worker")(worker)


def api(
    given: Given,
    host: Host = None,
    port: Port = None,
    allow_http_webhooks: HttpWebhooks = None,
    *,
    supervised: Supervised = False,
) -> None:
    """The API and the dashboard alone."""
    settings = given.settings(host=host, port=port, allow_http_webhooks=allow_http_webhooks)
    settings = msgspec.structs.replace(settings, port=ports.free_port(settings))
    _run(settings, _serve_api, name="api", pool_size=API_POOL, supervised=supervised)


def worker(given: Given, *, supervised: Supervised = False) -> None:
    """A worker alone: sends what is due and reads what came in. Any number may run."""
    settings = given.settings()
    if not supervised and "IGLAYERS_HOST" not in os.environ:
        # It listens nowhere and may stand on another machine than the API: its loopback is not for webhooks.
        settings = msgspec.structs.replace(settings, host="")
    pool_size = settings.worker_slots + WORKER_EXTRA_POOL
    _run(settings, _work, name="worker", pool_size=pool_size, supervised=supervised, by_keys=True)


async def _serve_api(services: Services, stopping: asyncio.Event) -> None:
    settings = services.settings
    listening = server.create(services, host=settings.host, port=settings.port)
    _keep_what_is_there()
    running = asyncio.create_task(listening.serve())
    asked = asyncio.create_task(stopping.wait())
    log.info("api.started", url=public_url(settings))
    await asyncio.wait({running, asked}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    services.stopping.set()
    listening.stop()
    # What is answered by then is answered; a client that is still sending its body is not waited for.
    await asyncio.wait({running}, timeout=_API_GRACE_S)
    if running.done():
        running.result()


async def _work(services: Services, stopping: asyncio.Event) -> None:
    each = Worker(services)

    async def stop_when_asked() -> None:
        await stopping.wait()
        each.stop()

    asked = asyncio.create_task(stop_when_asked())
    log.info("worker.started", slots=services.settings.worker_slots)
    await each.run()
    asked.cancel()


def _run(settings: Settings, work: Work, *, name: str, pool_size: int, supervised: bool, by_keys: bool = False) -> None:
    """Open the installation and work until a signal, or until the supervisor is gone."""
    # Until the loop takes signals, they unwind what was opened.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _allow_many_files()

    async def run(url: str) -> bool:
        stopping = asyncio.Event()
        _stop_on_signals(stopping, supervised=supervised)
        async with installation.services(
            settings, url, pool_size=pool_size, name=f"iglayers {name}", must_be_durable=True, by_keys=by_keys
        ) as services:
            _keep_what_is_there()
            await work(services, stopping)
        return stopping.is_set()

    with installation.database(settings) as database:
        was_asked = uvloop.run(run(database.url))
    log.info("process.stopped", process=name)
    sys.stderr.flush()
    # Without waiting for threads that still serve a slow client.
    os._exit(0 if was_asked else 1)


def _keep_what_is_there() -> None:
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
