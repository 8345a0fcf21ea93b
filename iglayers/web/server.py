"""The HTTP server around the application, with the limits that hold before a request reaches it."""

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from iglayers.accounts.services import Services
from iglayers.web import app

HEADER_DEADLINE_MS = 10_000
# Also how many connections are served at once: with the server's own 128, so many slow clients would stop it.
MOST_CONNECTIONS = 4_096


def create(services: Services, *, host: str, port: int) -> Server:
    """A server that listens once `serve()` runs, and ends after `stop()`."""
    return Server(
        app.create(services),
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        websockets=False,
        backlog=MOST_CONNECTIONS,
        backpressure=MOST_CONNECTIONS,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_DEADLINE_MS),
        log_enabled=False,
    )
