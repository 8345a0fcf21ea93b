"""A worker, as a process of its own."""

import asyncio
import os

import msgspec
import structlog
import typer

from iglayers.accounts.services import Services
from iglayers.cli import parts
from iglayers.cli.options import Given, command
from iglayers.cli.parts import Supervised
from iglayers.worker.process import Worker

log = structlog.get_logger("cli")

# Tasks that take campaigns, settling and loops; a message that is on its way holds none.
WORKER_POOL = 24


def add(group: typer.Typer) -> None:
    command(group, "worker")(worker)


def worker(given: Given, *, supervised: Supervised = False) -> None:
    """A worker alone: sends what is due and reads what came in. Any number may run."""
    settings = given.settings()
    if not supervised and "IGLAYERS_HOST" not in os.environ:
        # It listens nowhere and may stand on another machine than the API: its loopback is not for webhooks.
        settings = msgspec.structs.replace(settings, host="")
    parts.run(settings, _work, name="worker", pool_size=WORKER_POOL, supervised=supervised, by_keys=True)


async def _work(services: Services, stopping: asyncio.Event) -> None:
    each = Worker(services)

    async def stop_when_asked() -> None:
        await stopping.wait()
        each.stop()

    asked = asyncio.create_task(stop_when_asked())
    log.info("worker.started", slots=services.settings.worker_slots)
    await each.run()
    asked.cancel()
