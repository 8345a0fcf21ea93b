"""The application: what every process opens, which routes are mounted, in what order a request meets them."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from litestar import Litestar, Router
from litestar.types import ASGIApp

from iglayers.accounts import api as accounts
from iglayers.accounts.keyring import Keyring
from iglayers.accounts.request import ApiRequest
from iglayers.accounts.services import Services
from iglayers.campaigns import api as campaigns
from iglayers.campaigns import api_imports as imports
from iglayers.campaigns import api_targets as targets
from iglayers.clients import api as clients
from iglayers.contacts import api as contacts
from iglayers.dashboard import routes as dashboard
from iglayers.events import api as events
from iglayers.events import api_deliveries as deliveries
from iglayers.events import api_endpoints as webhooks
from iglayers.messages import api as messages
from iglayers.replies import api as replies
from iglayers.replies import api_conversations as conversations
from iglayers.reports import api as reports
from iglayers.senders import api as senders
from iglayers.senders import api_inbound as inbound
from iglayers.senders import api_instagram as instagram
from iglayers.senders.transports import build
from iglayers.sending import api as sending
from iglayers.sending import api_outbox as outbox
from iglayers.templates import api as templates
from iglayers.web import docs, health, problems
from iglayers.web.authentication import Authentication, RequestId
from iglayers.web.head import Head
from iglayers.web.linger import Linger

ROUTES = [
    *accounts.ROUTES,
    *events.ROUTES,
    *webhooks.ROUTES,
    *deliveries.ROUTES,
    *clients.ROUTES,
    *contacts.ROUTES,
    *templates.ROUTES,
    *messages.ROUTES,
    *senders.ROUTES,
    *instagram.ROUTES,
    *campaigns.ROUTES,
    *targets.ROUTES,
    *imports.ROUTES,
    *sending.ROUTES,
    *outbox.ROUTES,
    *replies.ROUTES,
    *conversations.ROUTES,
    *reports.ROUTES,
]


def create(services: Services) -> ASGIApp:
    """The application around services that are open already; it closes nothing."""
    return around(routed(), services)


def around(litestar: Litestar, services: Services) -> ASGIApp:
    """What a server runs: the routes, what they find in the application's state, and what stands before them."""
    litestar.state.services = services
    return RequestId(Linger(Head(litestar)))


def routed() -> Litestar:
    """Every route in its place. To build this takes a third of a second; `around` gives it services, also anew."""
    return Litestar(
        route_handlers=[
            Router("/api/v1", route_handlers=ROUTES, middleware=[Authentication]),
            *inbound.ROUTES,
            dashboard.ROUTER,
            *docs.ROUTES,
            *instagram.PAGES,
            *health.ROUTES,
        ],
        request_class=ApiRequest,
        exception_handlers=problems.HANDLERS,
        lifespan=[_opened],
        openapi_config=None,
        logging_config=None,
        # Bodies are bounded where they are read, by each route's own limit.
        request_max_body_size=None,
    )


@asynccontextmanager
async def _opened(app: Litestar) -> AsyncGenerator[None, None]:
    services: Services = app.state.services
    app.state.transports = build(services)
    app.state.keyring = Keyring(services.db, services.settings)
    yield
