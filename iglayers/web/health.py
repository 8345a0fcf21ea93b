"""Liveness, readiness and metrics; no key needed."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
from litestar import Response, get
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from iglayers.accounts import queries
from iglayers.accounts.model import InvalidApiKey
from iglayers.accounts.request import ApiRequest, answer
from iglayers.contacts import queries_retention
from iglayers.core.clock import real_now
from iglayers.core.errors import Unavailable
from iglayers.events import queries_engine

# Where more deliveries wait, the metrics say this many.
MOST_COUNTED = 100_000
_LOOPBACK = ("127.0.0.1", "::1")


@get("/healthz")
async def live() -> Response[bytes]:
    return answer({"status": "ok"})


@get("/readyz")
async def ready(request: ApiRequest) -> Response[bytes]:
    try:
        async with request.connection() as conn:
            dispatch = await queries.dispatch(conn)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise Unavailable("The database does not answer.") from error
    return answer({"status": "ok", "dispatch": dispatch.state, "dispatchReason": dispatch.reason})


@get("/metrics")
async def metrics(request: ApiRequest) -> Response[bytes]:
    token = request.services.settings.metrics_token
    asked = request.headers.get("authorization", "")
    from_here = request.client is not None and request.client.host in _LOOPBACK
    if asked != f"Bearer {token}" if token else not from_here:
        raise InvalidApiKey
    try:
        async with request.connection() as conn:
            backlog = await queries_engine.backlog(conn, most=MOST_COUNTED)
            kept = await queries_retention.told(conn)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        raise Unavailable("The database does not answer.") from error
    registry, now = CollectorRegistry(), real_now()
    _tell_of_webhooks(registry, backlog, now=now)
    _tell_of_retention(registry, kept, now=now)
    return Response(generate_latest() + generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def _tell_of_webhooks(registry: CollectorRegistry, backlog: queries_engine.Backlog, *, now: datetime) -> None:
    """Read from the database when asked, so every process says the same."""
    since = [now] if backlog.oldest_due_at is None else [now, backlog.oldest_due_at]
    if backlog.oldest_new is not None:
        since.append(datetime.fromtimestamp((UUID(backlog.oldest_new).int >> 80) / 1000, UTC))
    oldest = Gauge(
        "iglayers_webhook_oldest_due_seconds",
        "For how long the oldest delivery that is due has been",
        registry=registry,
    )
    oldest.set((now - min(since)) / timedelta(seconds=1))
    pending = Gauge("iglayers_webhook_deliveries_pending", "Deliveries not there yet", ["lane"], registry=registry)
    for lane in ("new", "waiting", "held"):
        pending.labels(lane).set(getattr(backlog, lane))
    endpoints = Gauge("iglayers_webhook_endpoints", "Webhook endpoints", ["state"], registry=registry)
    for state in ("enabled", "failing", "disabled"):
        endpoints.labels(state).set(getattr(backlog, state))


def _tell_of_retention(registry: CollectorRegistry, told: queries_retention.Told, *, now: datetime) -> None:
    forgotten = Gauge(
        "iglayers_retention_people_forgotten", "People forgotten because nothing happened for too long",
        registry=registry,
    )  # fmt: skip
    forgotten.set(told.forgotten_ever)
    overdue = Gauge(
        "iglayers_retention_overdue_seconds", "For how long the daily run of retention has been due or at work",
        registry=registry,
    )  # fmt: skip
    overdue.set(max(0.0, (now - (told.oldest_due_at or now)) / timedelta(seconds=1)))


ROUTES = [live, ready, metrics]
