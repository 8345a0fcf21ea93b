"""Every refusal as an answer: the one table from kinds of errors to status codes, and the one handler."""

from typing import Any

import asyncpg
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException

from iglayers.accounts.model import IdempotencyInProgress, IdempotencyKeyReused, RateLimitExceeded
from iglayers.accounts.request import JSON, Replay, refusal
from iglayers.core import errors
from iglayers.core.wire import json_bytes
from iglayers.dashboard.failures import failure, wants_page
from iglayers.events.model_webhooks import WebhookDeliveryFailed

log = structlog.get_logger("web")

STATUS: dict[type[errors.Error], int] = {
    errors.Invalid: 400,
    errors.PayloadTooLarge: 413,
    errors.UnsupportedMediaType: 415,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    IdempotencyKeyReused: 422,
    errors.LimitReached: 429,
    errors.Unavailable: 503,
    WebhookDeliveryFailed: 502,
}


class MethodNotAllowed(errors.Error):
    code = "method_not_allowed"
    remedy = "See Allow for the methods of this path."


class RouteNotFound(errors.NotFound):
    code = "not_found"
    remedy = "Check the path; the API lives below /api/v1."


class Bug(errors.Error):
    code = "internal_error"
    remedy = "Report it with the requestId; the details are in the server's log."


def status_of(error: errors.Error) -> int:
    """The status of the nearest kind in the table."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def problem(request: Request[Any, Any, Any], error: errors.Error, status: int) -> Response[bytes]:
    """A page for a person in a browser, JSON for everybody else."""
    answered = failure(request, error, status) if wants_page(request) else _json(request, error, status)
    if isinstance(error, RateLimitExceeded):
        answered.headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, IdempotencyInProgress):
        answered.headers["Retry-After"] = "1"
    return answered


def _json(request: Request[Any, Any, Any], error: errors.Error, status: int) -> Response[bytes]:
    request_id = request.scope["state"].get("request_id")
    shown = refusal(error) | {"docUrl": f"/docs#error-{error.code}", "requestId": request_id}
    body = json_bytes({"error": shown} | error.details)
    # RFC 9110, 11.6.1: a 401 says how to authenticate.
    headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, errors.Unauthenticated) else None
    return Response(body, status_code=status, media_type=JSON, headers=headers)


def on_error(request: Request[Any, Any, Any], error: errors.Error) -> Response[bytes]:
    return problem(request, error, status_of(error))


def on_replay(_request: Request[Any, Any, Any], replay: Replay) -> Response[bytes]:
    headers = {"Idempotency-Replayed": "true"}
    return Response(replay.body, status_code=replay.status, media_type=JSON, headers=headers)


def on_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """What the framework refuses before a route is reached."""
    if error.status_code == 405:
        answered = problem(request, MethodNotAllowed(f"{request.method} is not possible here."), 405)
        answered.headers.update(error.headers or {})
        return answered
    if error.status_code == 404:
        return problem(request, RouteNotFound(f"There is nothing at {request.url.path[:200]}."), 404)
    if error.status_code < 500:
        return problem(request, errors.Invalid(error.detail), 400)
    return on_bug(request, error)


def on_outage(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The database is away, starting, stopping or full; whether the last commit was kept is not known here."""
    log.warning("request.database_failed", path=request.url.path, kind=type(error).__name__, error=str(error))
    return problem(request, errors.Unavailable("The database cannot be reached."), 503)


def on_bug(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Anything else is a bug: logged whole, answered with nothing but its request id."""
    log.error("request.failed", path=request.url.path, method=request.method, exc_info=error)
    return problem(request, Bug("Something went wrong on our side."), 500)


HANDLERS: dict[type[Exception] | int, Any] = {
    errors.Error: on_error,
    Replay: on_replay,
    HTTPException: on_http,
    OSError: on_outage,
    asyncpg.InterfaceError: on_outage,
    asyncpg.InternalClientError: on_outage,  # a connection that breaks while it is being used
    asyncpg.PostgresConnectionError: on_outage,
    asyncpg.InsufficientResourcesError: on_outage,
    asyncpg.OperatorInterventionError: on_outage,
    Exception: on_bug,
}
