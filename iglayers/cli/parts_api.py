"""The API and the dashboard, as a process of their own."""

import asyncio

import msgspec
import structlog
import typer

from iglayers.accounts.services import Services
from iglayers.cli import parts, ports
from iglayers.cli.options import Given, command
from iglayers.cli.parts import Host, HttpWebhooks, Port, Supervised
from iglayers.core.config import public_url
from iglayers.web import server

log = structlog.get_logger("cli")

API_POOL = 20
_GRACE_S = 6.0


def add(group: typer.Typer) -> None:
    command(group, "api")(api)


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
    parts.run(settings, _serve_api, name="api", pool_size=API_POOL, supervised=supervised)


async def _serve_api(services: Services, stopping: asyncio.Event) -> None:
    settings = services.settings
    listening = server.create(services, host=settings.host, port=settings.port)
    parts.keep_what_is_there()
    running = asyncio.create_task(listening.serve())
    asked = asyncio.create_task(stopping.wait())
    log.info("api.started", url=public_url(settings))
    await asyncio.wait({running, asked}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    services.stopping.set()
    listening.stop()
    # What is answered by then is answered; a client that is still sending its body is not waited for.
    await asyncio.wait({running}, timeout=_GRACE_S)
    if running.done():
        running.result()
