"""Templates into answers: the environment that every template sees, navigation, and the headers of a page."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import cast

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Response
from litestar.datastructures import Cookie
from markupsafe import Markup, escape

from iglayers.accounts.model import Scope
from iglayers.core.clock import Moment
from iglayers.core.ids import Id
from iglayers.dashboard import files
from iglayers.dashboard.queries import ClientName
from iglayers.dashboard.request import FLASH_COOKIE, UNDO_COOKIE, VISIT_COOKIE, PageRequest, Visitor

HTML = "text/html"
# No inline script or style, nothing from elsewhere.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    # `no-referrer` would take the origin from forms, too.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_YEAR_S = 31_536_000
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)")


class Entry(msgspec.Struct, frozen=True):
    """One place in the navigation; `bar` is the bottom bar of phones."""

    name: str
    path: str
    icon: str
    needs: Scope = Scope.READ
    bar: bool = False


# A page that exists has its line here; nothing else is needed to link it. The order: Home, Campaigns, Inbox, Outbox;
# Contacts, Templates, Clients, Suppressions; Senders, Webhooks, API keys, Usage, Audit log, People.
NAVIGATION: tuple[tuple[Entry, ...], ...] = (
    (
        Entry("Home", "/", "house", bar=True),
        Entry("Campaigns", "/campaigns", "megaphone", bar=True),
        Entry("Inbox", "/inbox", "inbox", bar=True),
        Entry("Outbox", "/outbox", "smartphone", bar=True),
    ),
    (
        Entry("Contacts", "/contacts", "contact-round"),
        Entry("Templates", "/templates", "file-text"),
        Entry("Clients", "/clients", "store"),
        Entry("Suppressions", "/suppressions", "ban"),
    ),
    (
        Entry("Senders", "/senders", "send"),
        Entry("Webhooks", "/webhooks", "webhook", Scope.ADMIN),
        Entry("API keys", "/api-keys", "key-round", Scope.ADMIN),
        Entry("Usage", "/usage", "chart-column"),
        Entry("Audit log", "/audit-log", "scroll-text", Scope.ADMIN),
        Entry("People", "/people", "users", Scope.ADMIN),
        Entry("Settings", "/settings", "settings", Scope.ADMIN),
        Entry("API reference", "/docs", "book-open"),
    ),
)


# By the prefix of their ids.
_PAGES_BY_ID = {
    "cl": "/clients", "tpl": "/templates", "cmp": "/campaigns", "snd": "/senders", "whe": "/webhooks",
    "dlv": "/deliveries",
}  # fmt: skip


class Crumb(msgspec.Struct, frozen=True):
    name: str
    path: str


def page(
    request: PageRequest, template: str, *, title: str, status: int = 200, crumb: Crumb | None = None, **context: object
) -> Response[bytes]:
    """A whole page, or a fragment (a template whose name begins with an underscore), with what it shows."""
    text = render(request, template, title=title, crumb=crumb, **context)
    return Response(
        text.encode(), status_code=status, media_type=HTML, headers=_headers(request), cookies=_cookies(request)
    )


def render(request: PageRequest, template: str, **context: object) -> str:
    """A template's text alone."""
    return environment().get_template(template).render(request=request, visitor=_visitor(request), **context)


def _visitor(request: PageRequest) -> Visitor:
    return request.scope["state"].get("visitor") or Visitor(seed="")


def _headers(request: PageRequest) -> dict[str, str]:
    return HEADERS | ({"Strict-Transport-Security": f"max-age={_YEAR_S}"} if request.is_secure else {})


def _cookies(request: PageRequest) -> Sequence[Cookie]:
    """The line that is shown once goes; who is not logged in gets what the tokens of their forms are made from."""
    made: list[Cookie] = []
    if request.flash is not None:
        made.append(request.cookie(FLASH_COOKIE, "", max_age=0))
    if UNDO_COOKIE in request.cookies:
        made.append(request.cookie(UNDO_COOKIE, "", max_age=0))
    visitor = _visitor(request)
    if visitor.session is None and visitor.seed and request.cookies.get(VISIT_COOKIE) != visitor.seed:
        made.append(request.cookie(VISIT_COOKIE, visitor.seed, max_age=86_400))
    return made


@cache
def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    # Typed by what Jinja puts there itself.
    cast("dict[str, object]", made.globals).update(
        asset=files.address, navigation=NAVIGATION, Scope=Scope, may=_may, is_current=_is_current
    )
    cast("dict[str, object]", made.filters).update(
        number=number,
        utc=utc,
        iso=iso,
        percent=percent,
        plural=plural,
        short=short,
        page_of=page_of,
        choices=choices,
        moments=moments,
    )
    return made


def _may(request: PageRequest, scope: Scope) -> bool:
    return request.visitor.session is not None and scope in request.role.scopes


def _is_current(request: PageRequest, entry: Entry) -> bool:
    path = request.url.path
    return path == entry.path if entry.path == "/" else path == entry.path or path.startswith(f"{entry.path}/")


def number(item: float) -> str:
    """12,345."""
    return f"{item:,}"


def percent(part: float, whole: float) -> str:
    """What an SVG's width takes; two decimals."""
    return f"{min(100.0, 100 * part / whole if whole else 0):.2f}%"


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 person`, `2 people`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def utc(moment: datetime) -> str:
    """As it is read without a script; a script puts the viewer's own time in its place."""
    return moment.astimezone(UTC).strftime("%-d %b %Y, %H:%M UTC")


def iso(moment: datetime) -> str:
    return Moment.of(moment).rfc3339()


def moments(text: str) -> Markup:
    """A sentence of the API with its moments as the page shows them, in the viewer's zone."""
    parts = _MOMENT.split(text)
    shown = [escape(part) for part in parts]
    for at in range(1, len(parts), 2):
        moment = datetime.fromisoformat(parts[at])
        shown[at] = Markup('<time datetime="{}" data-style="datetime">{}</time>').format(parts[at], utc(moment))
    return Markup("").join(shown)


def short(item: Id | str) -> str:
    """The end of an id, which tells two apart; the whole one stands in the title."""
    return f"…{str(item)[-8:]}"


def choices(clients: Sequence[ClientName], of_nobody: str) -> list[tuple[str, str]]:
    """Clients in use as the options of a select, below one of nobody in particular."""
    return [("", of_nobody), *((str(each.id), each.name) for each in clients if not each.is_archived)]


def page_of(item: Id | str) -> str | None:
    """Where the object with this id is shown; None where it has no page of its own."""
    prefix, _, _ = str(item).partition("_")
    return f"{_PAGES_BY_ID[prefix]}/{item}" if prefix in _PAGES_BY_ID else None
