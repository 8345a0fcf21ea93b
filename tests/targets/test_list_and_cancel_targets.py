"""The people of a campaign: lists by state, one, and taking one out before anybody writes to them."""

from iglayers.accounts.model import Caller
from iglayers.core.db import Database
from tests.serving import Api
from tests.targets.uploads import campaign, end, people, upload, write_to


async def test_pages_show_everybody_once_newest_first(api: Api, database: Database, caller: Caller) -> None:
    spring = await campaign(database, caller)
    made = await upload(api, spring, people(*(f"a{n}" for n in range(7))))
    ids = [row["id"] for row in made.body["results"]]
    await end(database, ids[3], "failed")
    await write_to(database, ids[5])
    seen: list[str] = []
    cursor = None
    while True:
        _, page = await api.get(f"/campaigns/{spring.id}/targets", limit=3, cursor=cursor)
        seen += [target["id"] for target in page["data"]]
        cursor = page["nextCursor"]
        assert page["hasMore"] == (cursor is not None)
        if cursor is None:
            break
    assert seen == ids[::-1]
    _, some = await api.get(f"/campaigns/{spring.id}/targets", status="failed,sent")
    assert [target["id"] for target in some["data"]] == [ids[5], ids[3]]
    assert (await api.get(f"/campaigns/{spring.id}/targets", status="gone")).status == 400


async def test_a_queued_target_can_be_cancelled_and_only_it(api: Api, database: Database, caller: Caller) -> None:
    spring = await campaign(database, caller)
    made = await upload(api, spring, people("anna", "ben"))
    anna, ben = (f"/campaigns/{spring.id}/targets/{row['id']}" for row in made.body["results"])
    status, target = await api.delete(anna)
    assert (status, target["status"], target["nextDueAt"]) == (200, "cancelled", None)
    await write_to(database, made.body["results"][1]["id"])
    for path in (anna, ben):
        answer = await api.delete(path)
        assert (answer.status, answer.body["error"]["code"]) == (409, "invalid_state")


async def test_a_target_is_found_only_under_its_own_campaign(api: Api, database: Database, caller: Caller) -> None:
    spring, summer = await campaign(database, caller), await campaign(database, caller)
    made = await upload(api, spring, people("anna"))
    target_id = made.body["results"][0]["id"]
    for name in (f"{summer.id}/targets/{target_id}", f"{spring.id}/targets/tgt_{'0' * 32}", f"{spring.id}/targets/x"):
        for answer in (await api.get(f"/campaigns/{name}"), await api.delete(f"/campaigns/{name}")):
            assert (answer.status, answer.body["error"]["code"]) == (404, "target_not_found")
