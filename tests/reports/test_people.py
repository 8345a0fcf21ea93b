"""One person: everything known, and an erasure that leaves nothing in any table but a hash that stays suppressed."""

import json
from typing import Any

from iglayers.accounts.model import Caller, Scope
from iglayers.core.db import Database
from iglayers.replies.actions_inbound import process_inbound
from iglayers.senders import queries_inbound
from tests import make
from tests.accounts.keys import make_key
from tests.databases import PEPPER
from tests.reports.stepping import Stepping
from tests.reports.zoe import (
    NAME,
    NOT_OF_PEOPLE,
    PERSON,
    TELL_OF_PEOPLE,
    TRACES,
    came_in_unread,
    people_told_of_zoe,
    said_by_hand,
    tables,
    traces,
    wrote_to_zoe,
)
from tests.serving import Api
from tests.targets.uploads import campaign, upload


async def test_everything_known_of_a_person(
    test_api: Api, database: Database, test_caller: Caller, stepping: Stepping
) -> None:
    await wrote_to_zoe(test_api, database, test_caller, stepping)
    told = (await test_api.get(f"/contacts/@{NAME.upper()}")).body
    assert (told["instagramUsername"], told["handles"], told["erasedAt"]) == (NAME, [NAME], None)
    assert [each["status"] for each in told["targets"]] == ["replied"]
    assert [each["text"] for each in told["messages"]] == ["Hi Zoetje"]
    assert (len(told["replies"]), len(told["suppressions"])) == (4, 1)
    assert (await test_api.get("/contacts/nobody.knows")).status == 404
    other = await make.client(database, test_caller, name="Other")
    bound = await make_key(database, test_caller, client_id=other.id, scopes=[Scope.READ])
    seen = (await test_api.with_key(bound.key).get(f"/contacts/{NAME}")).body
    assert (seen["targets"], seen["messages"], seen["replies"]) == ([], [], [])


async def test_erasure_reaches_every_table(
    test_api: Api, database: Database, test_caller: Caller, stepping: Stepping
) -> None:
    await wrote_to_zoe(test_api, database, test_caller, stepping)
    await people_told_of_zoe(test_api, database, test_caller, stepping)
    await came_in_unread(database, test_caller)
    assert await traces(database) == TELL_OF_PEOPLE
    assert await tables(database) == TELL_OF_PEOPLE | NOT_OF_PEOPLE, "does erasure know the new table?"
    erased = await test_api.delete(f"/contacts/{NAME}")
    assert erased.status == 200, erased
    while await process_inbound(database, pepper=PEPPER):
        pass
    assert await traces(database) == set()
    again = await test_api.post("/replies", said_by_hand("Zoe says no"), idempotency_key="zoe-1")
    assert (again.status, again.body) == (201, {"erased": True})
    told: dict[str, Any] = (await test_api.get(f"/contacts/{NAME}")).body
    assert told["erasedAt"]
    assert [each["source"] for each in told["suppressions"]] == ["erasure"]
    assert sorted(each["status"] for each in told["messages"]) == ["sent", "skipped"]
    assert not any(word in json.dumps(told).lower() for word in TRACES)
    assert (await test_api.get("/contacts/ben")).body["messages"][0]["text"] == "Hi there"


async def test_what_was_answered_about_a_longer_name_comes_again(test_api: Api) -> None:
    for name in ("ann", "ann.lee", "jo.ann", "ann_x", "anna"):
        await test_api.post("/suppressions", {"instagramUsername": name}, idempotency_key=name)
    assert (await test_api.delete("/contacts/ann")).status == 200
    again = {
        name: (await test_api.post("/suppressions", {"instagramUsername": name}, idempotency_key=name)).body
        for name in ("ann", "ann.lee", "jo.ann", "ann_x", "anna")
    }
    assert again.pop("ann") == {"erased": True}
    assert all(each["instagramUsername"] == name for name, each in again.items())


async def test_an_erased_person_cannot_be_written_to_again(
    test_api: Api, database: Database, test_caller: Caller
) -> None:
    spring = await campaign(database, test_caller)
    await upload(test_api, spring, [PERSON])
    await test_api.delete(f"/contacts/{NAME}")
    async with database.connection() as conn:
        found = await conn.fetchrow("SELECT state, error_code, next_due_at FROM targets")
    assert found is not None
    assert tuple(found) == ("skipped", "target_suppressed", None)
    again = await upload(test_api, await campaign(database, test_caller, "Summer"), [PERSON])
    assert again.body["error"]["code"] == "target_suppressed"
    assert (await test_api.delete(f"/suppressions/{NAME}")).status == 409
    assert (await test_api.delete(f"/contacts/{NAME}")).status == 200


async def test_only_an_admin_of_all_clients_erases(test_api: Api, database: Database, test_caller: Caller) -> None:
    await upload(test_api, await campaign(database, test_caller), [PERSON])
    key = await make_key(database, test_caller, scopes=[Scope.READ, Scope.WRITE, Scope.SEND])
    assert (await test_api.with_key(key.key).delete(f"/contacts/{NAME}")).status == 403


async def test_a_message_on_its_way_is_waited_for(
    test_api: Api, database: Database, test_caller: Caller, stepping: Stepping
) -> None:
    await wrote_to_zoe(test_api, database, test_caller, stepping)
    async with database.connection() as conn:
        await conn.execute("UPDATE messages SET state = 'sending', lease_until = now() WHERE body ~ 'Zoetje'")
    refused = await test_api.delete(f"/contacts/{NAME}")
    assert (refused.status, refused.body["error"]["code"]) == (409, "conflict")
    assert "targets" in await traces(database)


async def test_a_word_that_is_being_read_is_waited_for(
    test_api: Api, database: Database, test_caller: Caller, stepping: Stepping
) -> None:
    """Who reads it waits for the person, whom the erasure holds: neither may wait for the other."""
    await wrote_to_zoe(test_api, database, test_caller, stepping)
    await came_in_unread(database, test_caller)
    async with database.transaction() as conn:
        assert await queries_inbound.take(conn)
        refused = await test_api.delete(f"/contacts/{NAME}")
        assert (refused.status, refused.body["error"]["code"]) == (409, "conflict")
    assert "targets" in await traces(database)
    assert (await test_api.delete(f"/contacts/{NAME}")).status == 200
    assert await traces(database) == set()
