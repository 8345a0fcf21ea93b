"""The stream below a campaign's page: what changed, how many there may be, and that a stopping server ends them."""

import asyncio

import aiohttp
import pytest

from iglayers.accounts.model import Mode
from iglayers.accounts.model_people import Role
from iglayers.accounts.services import Services
from iglayers.core.db import Database
from iglayers.core.ids import WorkspaceId
from iglayers.dashboard import live
from iglayers.dashboard.request import SESSION_COOKIE
from tests.browser.conftest import session_of
from tests.dashboard.test_campaign_pages import draft, read_event
from tests.dashboard.visiting import Visit
from tests.serving import serving


async def test_a_stream_tells_what_changed_and_ends_with_the_server(
    services: Services, http: aiohttp.ClientSession, database: Database, workspaces: dict[Mode, WorkspaceId],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    token = await session_of(database, Role.OPERATOR, workspaces[Mode.LIVE])
    async with serving(services) as url:
        visit = Visit(http, url, token)
        path = await draft(visit)
        stream = await http.get(f"{url}{path}/live", headers={"Cookie": f"{SESSION_COOKIE}={token}"})
        assert stream.headers["Content-Type"] == "text/event-stream"
        assert "has not been started" in await read_event(stream)
        await visit.submit(path, f"{path}/cancel")
        assert "was cancelled" in await read_event(stream)
        monkeypatch.setattr(live, "MOST_STREAMS", 1)
        assert (await visit.get(f"{path}/live"))[0] == 503
        begun_at = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - begun_at < 3, "an open stream holds no stopping server up"
    assert not (await stream.content.read()).strip()


async def test_a_stream_ends_when_its_reader_goes(
    http: aiohttp.ClientSession, base_url: str, database: Database, workspaces: dict[Mode, WorkspaceId]
) -> None:
    token = await session_of(database, Role.VIEWER, workspaces[Mode.LIVE])
    operator = Visit(http, base_url, await session_of(database, Role.OPERATOR, workspaces[Mode.LIVE]))
    path = await draft(operator)
    stream = await http.get(f"{base_url}{path}/live", headers={"Cookie": f"{SESSION_COOKIE}={token}"})
    await read_event(stream)
    assert live.count_open() == 1
    stream.close()
    async with asyncio.timeout(5):
        while live.count_open():
            await operator.get("/account")
