"""Which pages there are, and what every request of them meets first."""

from litestar import Router

from iglayers.dashboard import account, audit_log, clients, entry, files, home, inbox, outbox, people, senders, usage
from iglayers.dashboard.guard import Guard
from iglayers.dashboard.request import PageRequest

ROUTER = Router(
    "/",
    route_handlers=[
        *files.ROUTES,
        *entry.ROUTES,
        *account.ROUTES,
        *home.ROUTES,
        *inbox.ROUTES,
        *outbox.ROUTES,
        *clients.ROUTES,
        *senders.ROUTES,
        *usage.ROUTES,
        *audit_log.ROUTES,
        *people.ROUTES,
    ],
    middleware=[Guard],
    request_class=PageRequest,
)
