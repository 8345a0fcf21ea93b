"""Liveness, readiness and metrics; no key needed."""

import asyncpg
from litestar import Response, get
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from iglayers.accounts import queries
from iglayers.accounts.model import InvalidApiKey
from iglayers.accounts.request import ApiRequest, answer
from iglayers.core.errors import Unavailable

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
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


ROUTES = [live, ready, metrics]
