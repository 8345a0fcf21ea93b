"""A receiver of webhooks on loopback, and the delivery engine running against it."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.core.addresses import guard
from iglayers.core.clock import Moment, real_now
from iglayers.core.db import Database
from iglayers.core.ids import ClientId, EndpointId
from iglayers.core.outgoing import Client
from iglayers.events import actions_endpoints, queries
from iglayers.events.deliver import Deliverer
from iglayers.events.model import EventType, NewEvent
from iglayers.events.model_webhooks import EndpointWithSecret

Respond = Callable[["Hit"], Awaitable[web.StreamResponse] | web.StreamResponse]


class Hit(msgspec.Struct):
    """One request as it came in."""

    headers: dict[str, str]
    body: bytes
    path: str

    @property
    def event(self) -> dict[str, Any]:
        return json.loads(self.body)


class Receiver:
    """Keeps every hit; `respond` decides the answer, 200 unless told otherwise."""

    def __init__(self) -> None:
        self.hits: list[Hit] = []
        self.respond: Respond = lambda _hit: web.Response(text="ok")
        self.url: str = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        hit = Hit(dict(request.headers), await request.read(), request.path)
        self.hits.append(hit)
        answer = self.respond(hit)
        return await answer if isinstance(answer, Awaitable) else answer

    @property
    def event_ids(self) -> list[str]:
        return [hit.headers["webhook-id"] for hit in self.hits]


@asynccontextmanager
async def receiving() -> AsyncGenerator[Receiver]:
    receiver = Receiver()
    app = web.Application(client_max_size=1 << 22)
    app.router.add_route("*", "/{path:.*}", receiver.answer)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()


@asynccontextmanager
async def delivering(
    services: Services, *, deadline_s: float = 2.0, now: Callable[[], Moment] = real_now
) -> AsyncGenerator[Deliverer]:
    """A worker's deliverer, at work until the block ends."""
    settings = msgspec.structs.replace(services.settings, webhook_deadline_s=deadline_s)
    client = Client(guard(settings), deadline_s=deadline_s)
    deliverer = Deliverer(services.db, client, vault=services.vault, settings=settings, now=now)
    stopping = asyncio.Event()
    running = asyncio.create_task(deliverer.run(stopping))
    try:
        yield deliverer
    finally:
        stopping.set()
        await running
        await client.close()


async def endpoint(
    services: Services, caller: Caller, url: str, events: list[str] | None = None, **fields: Any
) -> EndpointWithSecret:
    new = actions_endpoints.NewEndpoint(url=url, events=events or ["*"], **fields)
    async with services.db.transaction() as conn:
        return await actions_endpoints.create(conn, caller, new, vault=services.vault, settings=services.settings)


async def happen(
    database: Database,
    caller: Caller,
    kind: EventType = EventType.MESSAGE_SENT,
    *,
    times: int = 1,
    data: dict[str, Any] | None = None,
    client_id: ClientId | None = None,
) -> list[str]:
    """Events, each in a transaction of its own; their ids."""
    made: list[str] = []
    for number in range(times):
        event = NewEvent(
            type=kind,
            workspace_id=caller.workspace_id,
            at=caller.now,
            data=data or {"number": number},
            client_id=client_id,
        )
        async with database.transaction() as conn:
            made.append(str(await queries.record(conn, event)))
    return made


async def until(condition: Callable[[], Awaitable[bool] | bool], *, within_s: float = 10.0) -> None:
    """Wait for something that must come; looks again every few milliseconds."""
    async with asyncio.timeout(within_s):
        while True:
            found = condition()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.01)


async def deliveries(database: Database, endpoint_id: EndpointId) -> list[dict[str, Any]]:
    """As the database has them, oldest first."""
    async with database.connection() as conn:
        found = await conn.fetch("SELECT * FROM deliveries WHERE endpoint_id = $1 ORDER BY id", endpoint_id.uuid)
    return [dict(each) for each in found]


async def attempts(database: Database) -> list[dict[str, Any]]:
    """Every line of the log, oldest first."""
    async with database.connection() as conn:
        return [dict(each) for each in await conn.fetch("SELECT * FROM delivery_attempts ORDER BY id")]


async def all_ended(database: Database) -> bool:
    async with database.connection() as conn:
        return not await conn.fetchval("SELECT EXISTS (SELECT FROM deliveries WHERE state = 'pending')")


async def make_due(database: Database) -> None:
    """Let the moment of every delivery that waits be now."""
    async with database.transaction() as conn:
        await conn.execute("UPDATE deliveries SET due_at = now() WHERE state = 'pending' AND due_at IS NOT NULL")
        await conn.execute("UPDATE webhook_endpoints SET due_at = now() WHERE due_at IS NOT NULL")
