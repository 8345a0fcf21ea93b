"""Before a page: who is asking, and whether a form comes from one of our own pages."""

import secrets
from typing import Any, cast
from urllib.parse import quote, urlsplit

import structlog
from litestar.datastructures import Headers
from litestar.response.base import ASGIResponse
from litestar.types import ASGIApp, Receive, Scope, Send

from iglayers.accounts import queries_people
from iglayers.accounts.model import Caller
from iglayers.accounts.model_people import IDLE, LIFE, Session
from iglayers.core.clock import Clock
from iglayers.core.crypto import token_hash
from iglayers.dashboard.request import VISIT_COOKIE, PageRequest, Refused, Visitor

_SAFE = ("GET", "HEAD", "OPTIONS")


class Guard:
    """Lets a request through to a page that is not public only with a session."""

    def __init__(self, app: ASGIApp) -> None:
        self._app: ASGIApp = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request: PageRequest = PageRequest(scope)
        if scope["method"] not in _SAFE:
            _refuse_other_sites(request)
        visitor = await _visitor(request)
        scope["state"]["visitor"] = visitor
        if visitor.session is not None:
            scope["state"]["caller"] = _caller(visitor.session, str(scope["state"]["request_id"]))
            structlog.contextvars.bind_contextvars(workspace_id=str(visitor.session.workspace_id))
        elif not cast("Any", scope)["route_handler"].opt.get("public"):
            await _to_login(request)(scope, receive, send)
            return
        await self._app(scope, receive, send)


async def _visitor(request: PageRequest) -> Visitor:
    token = request.cookies.get(request.session_cookie, "")
    if token:
        async with request.services.db.connection() as conn:
            session = await queries_people.session(conn, token_hash(token), idle=IDLE, life=LIFE)
            if session is not None:
                found = await queries_people.memberships(conn, session.user_id)
                return Visitor(seed=token, session=session, memberships=found)
    return Visitor(seed=request.cookies.get(VISIT_COOKIE) or secrets.token_urlsafe(24))


def _caller(session: Session, request_id: str) -> Caller:
    return Caller(
        workspace_id=session.workspace_id,
        mode=session.mode,
        scopes=session.role.scopes,
        actor=session.email,
        clock=Clock(real_at=session.clock_real_at, at=session.clock_at, speed=session.clock_speed),
        request_id=request_id,
    )


def _refuse_other_sites(request: PageRequest) -> None:
    """A form of another site, or of nobody knows where; browsers say it, and a page cannot make them lie."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        raise Refused("This form was sent by another site.")
    host = Headers.from_scope(request.scope).get("host")
    if site is None and urlsplit(request.headers.get("origin", "")).netloc != host:
        raise Refused("This form was sent by another site.")


def _to_login(request: PageRequest) -> ASGIResponse:
    path = "/login"
    if request.method == "GET" and request.url.path != "/":
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        path += f"?next={quote(wanted, safe='/')}"
    headers = {"Cache-Control": "no-store"}
    if request.is_fragment:  # htmx would put the login into the middle of the page
        return ASGIResponse(status_code=200, headers=headers | {"HX-Redirect": path})
    return ASGIResponse(status_code=303, headers=headers | {"Location": path})
