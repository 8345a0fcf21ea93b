"""Which pages there are, and what every request of them meets first."""

from litestar import Router

from iglayers.dashboard import (
    account,
    audit_log,
    campaign_pace,
    campaign_people,
    campaign_setup,
    campaigns,
    clients,
    entry,
    files,
    home,
    live,
    people,
    targets,
    unknown,
    usage,
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
        *campaigns.ROUTES,
        *campaign_setup.ROUTES,
        *campaign_people.ROUTES,
        *campaign_pace.ROUTES,
        *live.ROUTES,
        *targets.ROUTES,
        *unknown.ROUTES,
        *clients.ROUTES,
        *usage.ROUTES,
        *audit_log.ROUTES,
        *people.ROUTES,
    ],
    middleware=[Guard],
    request_class=PageRequest,
)
