"""The address that the API listens on: free or taken, as a URL, and whether it is ready to serve."""

import errno
import http.client
import socket

from iglayers.cli.installation import InstallationError
from iglayers.core.config import Settings, called


def free_port(settings: Settings) -> int:
    """The port of the settings, one that is free for 0; InstallationError when another process has it."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        # As the server does, so that connections of an ended server do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            where = f"port {settings.port} on {settings.host}"
            if error.errno == errno.EADDRINUSE:
                raise InstallationError(
                    f"{where.capitalize()} is taken. End the process that has it, or choose another --port."
                ) from None
            raise InstallationError(
                f"Cannot listen on {where}: {error.strerror}. Choose another --host or --port."
            ) from None
        return probe.getsockname()[1]


def is_ready(settings: Settings) -> bool:
    """Whether the API answers, and its database too."""
    connection = http.client.HTTPConnection(called(settings.host), settings.port, timeout=1)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
