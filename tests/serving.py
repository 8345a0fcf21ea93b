"""The real application on a loopback port, in the test's own event loop, and an HTTP client for it."""

import asyncio
import io
import re
import socket
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
from granian.constants import Interfaces
from granian.server.embed import Server
from litestar import Litestar
from litestar.types import ASGIApp

from iglayers.accounts.services import Services
from iglayers.core.wire import json_bytes
from iglayers.web import app

_ODD_MOMENT = re.compile(rb'"\w+At":"\d{4}-\d\d-\d\dT(?!\d\d:\d\d:\d\d\.\d{3}Z")[^"]*"')
# Applications that serve nobody now: to build one takes longer than most tests.
_BUILT: list[Litestar] = []


class Answer:
    """What came back. Unpacks as `status, body`; `raw` and `headers` stand beside them."""

    def __init__(self, status: int, headers: Any, raw: bytes, body: Any) -> None:
        self.status: int = status
        self.headers: Any = headers
        self.raw: bytes = raw
        self.body: Any = body

    def __iter__(self) -> Iterator[Any]:
        return iter((self.status, self.body))

    def __repr__(self) -> str:
        return f"<{self.status} {self.raw[:500]!r}>"


class Api:
    """Calls paths below /api/v1 with one key. See `call` for what a request may carry."""

    def __init__(self, session: aiohttp.ClientSession, base: str, key: str) -> None:
        self._session: aiohttp.ClientSession = session
        self.base: str = base
        self.key: str = key

    def with_key(self, key: str) -> "Api":
        """The same server, called with another key."""
        return Api(self._session, self.base, key)

    async def get(self, path: str, **query: Any) -> Answer:
        return await self.call("GET", path, query=query)

    async def post(self, path: str, json: object = None, **options: Any) -> Answer:
        return await self.call("POST", path, json, **options)

    async def patch(self, path: str, json: object = None, **options: Any) -> Answer:
        return await self.call("PATCH", path, json, **options)

    async def delete(self, path: str, **query: Any) -> Answer:
        return await self.call("DELETE", path, query=query)

    async def outside(self, method: str, path: str, *, data: bytes | None = None, **options: Any) -> Answer:
        """A path that is not the API's, without a key."""
        body = None if data is None else io.BytesIO(data)
        async with self._session.request(method, self.base + path, data=body, **options) as answer:
            raw = await answer.read()
            is_json = answer.content_type == "application/json" and raw
            return Answer(answer.status, answer.headers, raw, await answer.json() if is_json else None)

    async def call(
        self,
        method: str,
        path: str,
        json: object = None,
        *,
        data: bytes | None = None,
        content_type: str = "application/json",
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> Answer:
        """`data` is sent as it is; `json` as JSON, ids and moments included."""
        sent = {"Authorization": f"Bearer {self.key}"} | (headers or {})
        if json is not None:
            data = json_bytes(json)
        if data is not None:
            sent["Content-Type"] = content_type
        if idempotency_key is not None:
            sent["Idempotency-Key"] = idempotency_key
        # What stands outside the API (/healthz, /docs, /) is called by its whole path.
        is_whole = path == "/" or path.startswith(("/api/", "/healthz", "/readyz", "/metrics", "/docs", "/static/"))
        url = self.base + (path if is_whole else f"/api/v1{path}")
        params = {name: str(item) for name, item in (query or {}).items() if item is not None}
        body = io.BytesIO(data) if data is not None else None  # aiohttp warns of long bytes
        async with self._session.request(method, url, data=body, params=params, headers=sent) as answer:
            raw = await answer.read()
            is_json = answer.content_type == "application/json" and raw
            odd = _ODD_MOMENT.search(raw)
            assert odd is None, f"{method} {path}: a time is not in UTC with milliseconds: {odd[0]!r}"
            return Answer(answer.status, answer.headers, raw, await answer.json() if is_json else None)


@asynccontextmanager
async def serving(
    services: Services,
    *,
    around: Callable[[ASGIApp], ASGIApp] = lambda application: application,
    port: int | None = None,
) -> AsyncGenerator[str]:
    """The application around `services`, under the URL that is given; `around` may put something about it."""
    port = port or free_port()
    services.stopping.clear()
    litestar = _BUILT.pop() if _BUILT else app.routed()
    server = Server(
        around(app.around(litestar, services)),
        address="127.0.0.1",
        port=port,
        interface=Interfaces.ASGI,
        websockets=False,
        log_enabled=False,
    )
    running = asyncio.create_task(server.serve())
    try:
        await _listening(port, running)
        yield f"http://127.0.0.1:{port}"
    finally:
        services.stopping.set()
        server.stop()
        await running
        _BUILT.append(litestar)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def _listening(port: int, running: asyncio.Task[None]) -> None:
    for _ in range(1_000):
        if running.done():
            running.result()
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            await writer.wait_closed()
            return
        await asyncio.sleep(0.005)
    raise TimeoutError("the application did not come up")
