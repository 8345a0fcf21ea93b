"""The reference: the OpenAPI document for programs, a page of the same for people. No key, no network, no script.

The page holds no secret, so packing it tells nobody anything (the attack called BREACH needs one beside chosen text).
"""

import gzip
import hashlib
from functools import cache
from pathlib import Path

import msgspec
from litestar import Response, get

from iglayers.accounts.request import JSON, ApiRequest
from iglayers.dashboard import files
from iglayers.dashboard.request import THEME_COOKIE, THEMES
from iglayers.web.docs_page import page
from iglayers.web.openapi.document import document_bytes

# The page has no script, no form and no frame; nothing of it comes from elsewhere.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    # The theme that was chosen in the dashboard is a cookie.
    "Vary": "Accept-Encoding, Cookie",
    "Referrer-Policy": "no-referrer",
    # Kept, and asked for again each time: by its ETag that costs a header.
    "Cache-Control": "private, no-cache",
}
_HTML, _CSS = "text/html", "text/css"
_MARK = "mark.svg"


class Packed(msgspec.Struct, frozen=True):
    """An answer that is made once in a process; a weak tag, because both forms of it are the same page."""

    plain: bytes
    packed: bytes
    tag: str


@get("/api/v1/openapi.json")
async def openapi_document() -> Response[bytes]:
    return Response(document_bytes(), media_type=JSON)


@get("/docs")
async def docs(request: ApiRequest) -> Response[bytes]:
    theme = request.cookies.get(THEME_COOKIE, THEMES[0])
    return _answer(request, _page(theme if theme in THEMES else THEMES[0]), _HTML)


@get("/docs/style.css")
async def style(request: ApiRequest) -> Response[bytes]:
    return _answer(request, _style(), _CSS)


def _answer(request: ApiRequest, content: Packed, kind: str) -> Response[bytes]:
    headers = _HEADERS | {"ETag": content.tag}
    if content.tag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers, media_type=kind)
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(content.plain, headers=headers, media_type=kind)
    return Response(content.packed, headers=headers | {"Content-Encoding": "gzip"}, media_type=kind)


@cache
def _page(theme: str) -> Packed:
    styles = [files.address("colours.css"), "/docs/style.css"]
    return _packed(
        page(theme=theme, styles=[each for each in styles if each], mark=files.address(_MARK) or "").encode()
    )


@cache
def _style() -> Packed:
    return _packed(Path(__file__).with_name("docs.css").read_bytes())


def _packed(plain: bytes) -> Packed:
    tag = f'W/"{hashlib.sha256(plain).hexdigest()[:20]}"'
    return Packed(plain, gzip.compress(plain, mtime=0), tag)


ROUTES = [openapi_document, docs, style]
