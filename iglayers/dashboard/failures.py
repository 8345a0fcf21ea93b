"""Refusals and bugs as pages: what happened, what to do, and the request id to report."""

from typing import Any

from litestar import Request, Response

from iglayers.core.errors import Error
from iglayers.dashboard.pages import page
from iglayers.dashboard.request import PageRequest

_ELSEWHERE = ("/api/", "/docs", "/healthz", "/readyz", "/metrics")
_TITLES = {403: "You may not do this", 404: "There is nothing here", 409: "That is not possible now",
           429: "Too fast", 503: "The database is away"}  # fmt: skip


def wants_page(request: Request[Any, Any, Any]) -> bool:
    """Whether a person in a browser is waiting; programs get JSON."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(_ELSEWHERE)


def failure(request: Request[Any, Any, Any], error: Error, status: int) -> Response[bytes]:
    title = _TITLES.get(status, "Something went wrong" if status >= 500 else "That did not work")
    return page(PageRequest(request.scope), "failure.html", title=title, status=status, error=error, status_code=status)
