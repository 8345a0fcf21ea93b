"""Which pages there are, and what every request of them meets first."""

from litestar import Router

from iglayers.dashboard import (
    account,
    api_keys,
    audit_log,
    clients,
    contacts,
    deliveries,
    entry,
    files,
    home,
    inbox,
    message_templates,
    outbox,
    people,
    senders,
    settings,
    suppressions,
    suppressions_many,
    usage,
    webhooks,
)
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
        *contacts.ROUTES,
        *message_templates.ROUTES,
        *clients.ROUTES,
        *suppressions.ROUTES,
        *suppressions_many.ROUTES,
        *senders.ROUTES,
        *webhooks.ROUTES,
        *deliveries.ROUTES,
        *api_keys.ROUTES,
        *usage.ROUTES,
        *audit_log.ROUTES,
        *people.ROUTES,
        *settings.ROUTES,
    ],
    middleware=[Guard],
    request_class=PageRequest,
)
