"""The pull feed: every event once, in the order of commits, nothing passed over."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from iglayers.accounts.model import Caller, Scope
from iglayers.campaigns import actions as campaigns
from iglayers.core.db import Connection, Database
from iglayers.core.ids import ClientId, TemplateId
from tests import make
from tests.accounts.keys import make_key
from tests.serving import Api
from tests.targets.uploads import campaign, people, upload


async def seen(api: Api, after: str | None = None, **query: object) -> list[str]:
    """The names of the campaigns that the events tell of."""
    events = (await api.get("/events", after=after, limit=1_000, **query)).body["data"]
    return [each["data"]["campaign"]["name"] for each in events]


async def newest(api: Api) -> str:
    return (await api.get("/events", limit=1_000)).body["data"][-1]["id"]


class Creating:
    """Campaigns created inside transactions that the test commits when it wants."""

    def __init__(self, caller: Caller, client_id: ClientId, template_id: TemplateId) -> None:
        self.caller = caller
        self.client_id = client_id
        self.template_id = template_id

    async def create(self, conn: Connection, name: str) -> None:
        new = campaigns.NewCampaign(client_id=self.client_id, name=name, message_template_id=self.template_id)
        await campaigns.create(conn, self.caller, new)


@pytest.fixture
async def creating(database: Database, caller: Caller) -> Creating:
    client, template = await make.client(database, caller), await make.template(database, caller)
    return Creating(caller, client.id, template.id)


async def test_events_come_oldest_first_with_the_body_that_they_have_alone(
    api: Api, database: Database, caller: Caller
) -> None:
    made = await campaign(database, caller)
    await upload(api, made, people("jane.doe"))
    await api.post(f"/campaigns/{made.id}/cancel")
    events = (await api.get("/events")).body["data"]
    assert [each["type"] for each in events] == ["campaign.created", "target.queued", "campaign.cancelled"]
    sequences = [each["sequence"] for each in events]
    assert sequences == sorted(set(sequences))
    for each in events:
        assert set(each) == {"id", "type", "createdAt", "workspaceId", "sequence", "data"}
        assert each["workspaceId"] == str(caller.workspace_id)
        assert (await api.get(f"/events/{each['id']}")).body == each


async def test_a_late_commit_is_not_passed_over(api: Api, database: Database, creating: Creating) -> None:
    """The later transaction commits first; who reads then must still see the earlier one afterwards."""
    async with AsyncExitStack() as open_one:
        early = await open_one.enter_async_context(database.transaction())
        await creating.create(early, "early")
        async with database.transaction() as late:
            await creating.create(late, "late")
        # Shown now, `late` would be the reader's mark, and `early` would come to stand before it.
        assert await seen(api) == []
    assert await seen(api) == ["early", "late"]


async def test_a_reader_beside_many_writers_sees_everything_once(
    api: Api, database: Database, creating: Creating
) -> None:
    names = {f"campaign {number}" for number in range(40)}

    async def write(name: str) -> None:
        async with database.transaction() as conn:
            await creating.create(conn, name)

    writing = asyncio.gather(*(write(name) for name in names))
    read: list[str] = []
    after: str | None = None
    async with asyncio.timeout(20):
        while len(read) < len(names):
            page = (await api.get("/events", after=after, limit=3)).body["data"]
            read += [each["data"]["campaign"]["name"] for each in page]
            after = page[-1]["id"] if page else after
    await writing
    assert sorted(read) == sorted(names)
    assert await seen(api, after) == []


async def test_reading_goes_on_after_the_last_one_seen(api: Api, database: Database, creating: Creating) -> None:
    for name in ("one", "two", "three"):
        async with database.transaction() as conn:
            await creating.create(conn, name)
    first = (await api.get("/events", limit=2)).body
    assert (first["hasMore"], first["nextCursor"]) == (True, first["data"][-1]["id"])
    assert await seen(api, first["nextCursor"]) == ["three"]
    rest = (await api.get("/events", limit=2, after=first["nextCursor"])).body
    assert (rest["hasMore"], rest["nextCursor"]) == (False, None)


async def test_only_the_wanted_types_are_shown(api: Api, database: Database, caller: Caller) -> None:
    made = await campaign(database, caller)
    await upload(api, made, people("jane.doe"))
    for types, count in [("target.queued", 1), ("campaign.created, target.queued", 2), ("message.sent", 0)]:
        assert len(await seen(api, types=types)) == count, types
    for types in ("target.unheard", "", "target.queued,", "*"):
        answer = await api.call("GET", "/events", query={"types": types})
        assert (answer.status, answer.body["error"]["param"]) == (400, "types"), types
        assert answer.body["error"]["message"].startswith("types must be one or more of campaign.created, ")


async def test_a_mark_that_is_no_longer_kept_is_refused(
    api: Api, test_api: Api, database: Database, creating: Creating
) -> None:
    async with database.transaction() as conn:
        await creating.create(conn, "one")
    known = await newest(api)
    for caller_api, after in [(api, "evt_" + "0" * 32), (api, "nope"), (api, "cmp" + known[3:]), (test_api, known)]:
        answer = await caller_api.get("/events", after=after)
        assert (answer.status, answer.body["error"]["param"]) == (400, "after"), after


async def test_a_key_of_one_client_goes_on_after_its_own_mark_only(
    api: Api, database: Database, caller: Caller, creating: Creating
) -> None:
    async with database.transaction() as conn:
        await creating.create(conn, "mine")
    await campaign(database, caller, name="theirs")
    bound = await make_key(database, caller, scopes=[Scope.READ], client_id=creating.client_id)
    bound_api = api.with_key(bound.key)
    assert await seen(bound_api) == ["mine"]
    assert (await bound_api.get("/events", after=await newest(api))).status == 400
    assert (await bound_api.get(f"/events/{await newest(api)}")).status == 404


async def test_a_refused_change_tells_nothing(api: Api, database: Database, caller: Caller) -> None:
    made = await campaign(database, caller)
    assert (await api.post(f"/campaigns/{made.id}/start")).status == 409
    assert await seen(api) == ["Spring"]
