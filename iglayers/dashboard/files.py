"""The stylesheet, scripts and icons: each under an address with its content's hash, compressed once, cached for good.

What `vendor/` holds comes from npm at build time; without it pages leave out icons, charts and live parts.
"""

import gzip
import hashlib
from functools import cache
from pathlib import Path

import msgspec
from litestar import Response, get

from iglayers.core.errors import NotFound
from iglayers.dashboard.request import PageRequest

_FOLDER = Path(__file__).with_name("static")
_KINDS = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


class File(msgspec.Struct, frozen=True):
    kind: str
    plain: bytes
    packed: bytes
    digest: str


@get("/static/{digest:str}/{name:path}", public=True)
async def static_file(request: PageRequest) -> Response[bytes]:
    found = _file(str(request.path_params["name"]).lstrip("/"))
    if found is None:
        raise NotFound("There is no such file.")
    packs = "gzip" in request.headers.get("accept-encoding", "")
    headers = {
        # An address of another version (a page from before an update) is answered, and not kept.
        "Cache-Control": "public, max-age=31536000, immutable"
        if request.path_params["digest"] == found.digest
        else "no-cache",
        "X-Content-Type-Options": "nosniff",
        "Vary": "Accept-Encoding",
    }
    if packs:
        headers["Content-Encoding"] = "gzip"
    return Response(found.packed if packs else found.plain, media_type=found.kind, headers=headers)


def address(name: str) -> str | None:
    """Where a page loads this file from; None when the installation was built without it."""
    found = _file(name)
    return None if found is None else f"/static/{found.digest}/{name}"


@cache
def _file(name: str) -> File | None:
    path = _FOLDER / name
    if path.suffix not in _KINDS or ".." in path.parts or not path.is_file():
        return None
    plain = path.read_bytes()
    digest = hashlib.sha256(plain).hexdigest()[:16]
    return File(_KINDS[path.suffix], plain, gzip.compress(plain, mtime=0), digest)


ROUTES = [static_file]
