"""The reference: the OpenAPI document for programs, a page of the same for people. No key, no network, no script."""

from functools import cache
from pathlib import Path

from litestar import Response, get

from iglayers.accounts.request import JSON
from iglayers.web.docs_page import page
from iglayers.web.openapi.document import document_bytes

# The page has no script, no form and no frame; nothing of it comes from elsewhere.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "public, max-age=300",
}


@get("/api/v1/openapi.json")
async def openapi_document() -> Response[bytes]:
    return Response(document_bytes(), media_type=JSON)


@get("/docs")
async def docs() -> Response[bytes]:
    return Response(_page(), media_type="text/html; charset=utf-8", headers=_HEADERS)


@get("/docs/style.css")
async def style() -> Response[bytes]:
    return Response(_style(), media_type="text/css; charset=utf-8", headers=_HEADERS)


@cache
def _page() -> bytes:
    return page().encode()


@cache
def _style() -> bytes:
    return Path(__file__).with_name("docs.css").read_bytes()


ROUTES = [openapi_document, docs, style]
