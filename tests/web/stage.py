"""What a provocation may use, and the states of the application that refuse whatever is called."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiohttp
import msgspec

from iglayers.accounts import queries
from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.core.db import Database
from tests.accounts.keys import make_key, with_settings
from tests.serving import Answer, Api, serving
from tests.targets.uploads import people
from tests.web.wire import Wire
from tests.web.world import World


class Stage(msgspec.Struct, frozen=True):
    """A world, who calls, and what the application is made of."""

    api: Api
    database: Database
    caller: Caller
    world: World
    http: aiohttp.ClientSession
    services: Services
    database_url: str

    @property
    def campaign(self) -> str:
        return f"/campaigns/{self.world.ids['campaigns']}"

    async def sql(self, statement: str, *args: object) -> None:
        async with self.database.connection() as conn:
            await conn.execute(statement, *args)

    async def with_somebody(self, name: str = "some.body") -> None:
        """The campaign has somebody to write to."""
        answer = await self.api.post(f"{self.campaign}/targets", {"targets": people(name)})
        assert answer.status == 201

    async def announce(self, method: str, path: str, *, size_bytes: int, content_type: str) -> Answer:
        """A body that is not sent: a client that still sends when the answer comes may not get to read it."""
        wire = await Wire.opened(self.api.base)
        headers = (f"Content-Type: {content_type}", f"Content-Length: {size_bytes}")
        await wire.head(path, self.api.key, *headers, method=method)
        answer = await wire.answer()
        wire.close()
        return answer

    @asynccontextmanager
    async def in_progress(self, idempotency_key: str) -> AsyncGenerator[None]:
        """Another request holds this key."""
        async with self.database.transaction() as conn:
            assert await queries.lock_idempotency_key(conn, self.caller.workspace_id, idempotency_key)
            yield

    @asynccontextmanager
    async def exhausted(self) -> AsyncGenerator[Api]:
        """An application that takes one call a minute of a key, with a key that has made it."""
        hurried = with_settings(self.services, rate_limit_per_minute=1, rate_limit_burst=1)
        key = (await make_key(self.database, self.caller)).key
        async with serving(hurried) as url:
            api = Api(self.http, url, key)
            assert (await api.get("/me")).status == 200
            yield api

    @asynccontextmanager
    async def losing(self, database: Database | None) -> AsyncGenerator[Api]:
        """An application whose routes have this database in place of their own, but which still knows its keys."""
        services = msgspec.structs.replace(self.services)
        async with serving(services) as url:
            msgspec.structs.force_setattr(services, "db", database)
            yield Api(self.http, url, self.api.key)
