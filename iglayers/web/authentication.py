"""Before a route: a request id, the caller behind the key, one call off its allowance. Nothing of the body is read."""

import secrets
from typing import Any, cast

import structlog
from litestar.datastructures import Headers, MutableScopeHeaders
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from iglayers.accounts.keyring import Keyring
from iglayers.accounts.model import InvalidApiKey, RateLimitExceeded
from iglayers.accounts.model import Scope as Permission
from iglayers.accounts.services import Services

PREFIX = "/api/"


class RequestId:
    """An id on every request and answer, also on those that no route takes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app: ASGIApp = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = "req_" + secrets.token_hex(12)
        scope.setdefault("state", {})
        scope["state"]["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableScopeHeaders.from_message(message)
                headers["X-Request-Id"] = request_id
                for name, text in cast("dict[str, str]", scope["state"].get("answer_headers", {})).items():
                    headers[name] = text
            await send(message)

        await self._app(scope, receive, send_with_headers)


class Authentication:
    """Lets a request through to a route of the API only with a good key that has the scope and calls left."""

    def __init__(self, app: ASGIApp) -> None:
        self._app: ASGIApp = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            await self._authenticate(scope)
        await self._app(scope, receive, send)

    async def _authenticate(self, scope: Any) -> None:  # noqa: ANN401 an ASGI scope
        state = scope["litestar_app"].state
        keyring, services = cast("Keyring", state.keyring), cast("Services", state.services)
        address = scope["client"][0] if scope.get("client") else ""
        caller = await keyring.caller(
            _token(Headers.from_scope(scope)), address=address, request_id=scope["state"]["request_id"]
        )
        assert caller.key_id is not None
        settings = services.settings
        scope["state"]["answer_headers"] = {
            "RateLimit-Policy": f'"default";q={settings.rate_limit_per_minute};w=60',
        }
        try:
            left, reset_s = await keyring.admit(caller.key_id)
        except RateLimitExceeded as refused:
            scope["state"]["answer_headers"]["RateLimit"] = f'"default";r=0;t={refused.retry_after_s}'
            raise
        scope["state"]["answer_headers"]["RateLimit"] = f'"default";r={left};t={reset_s}'
        caller.needs(_permission(scope))
        scope["state"]["caller"] = caller
        structlog.contextvars.bind_contextvars(workspace_id=str(caller.workspace_id))


def _token(headers: Headers) -> str:
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer":
        raise InvalidApiKey
    return token.strip()


def _permission(scope: Any) -> Permission:  # noqa: ANN401 an ASGI scope
    """The scope that a route names; without one, reading needs `read` and anything else `write`."""
    named = scope["route_handler"].opt.get("scope_needed")
    if named is not None:
        return cast("Permission", named)
    return Permission.READ if scope["method"] in ("GET", "HEAD") else Permission.WRITE
