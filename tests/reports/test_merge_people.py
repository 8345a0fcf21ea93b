"""Two usernames that are one person: nobody gets a second message through the other name, and nothing is lost."""

import asyncio
import json
from typing import Any

from iglayers.accounts.model import Caller, Scope
from iglayers.campaigns import actions as campaigns
from iglayers.campaigns.model import Campaign
from iglayers.core.db import Database
from iglayers.sending import send
from tests import make
from tests.accounts.keys import make_key
from tests.reports.stepping import Stepping
from tests.senders.orders import a_sender
from tests.serving import Answer, Api
from tests.targets.uploads import campaign, outcomes, people, upload, write_to

OLD, NEW = "jane.old", "jane.new"


async def merge(api: Api, name: str = OLD, into: str = NEW, **more: Any) -> Answer:
    return await api.post(f"/contacts/{name}/merge", {"into": into, **more})


async def drafted(api: Api, database: Database, caller: Caller, *names: str, **fields: Any) -> Campaign:
    spring = await campaign(database, caller, **fields)
    assert (await upload(api, spring, people(*names))).body["accepted"] == len(names)
    return spring


async def states(api: Api, of: Campaign) -> dict[str, str]:
    rows = (await api.get(f"/campaigns/{of.id}/results")).body["data"]
    return {row["instagramUsername"]: row["errorCode"] or row["status"] for row in rows}


async def target_ids(api: Api, of: Campaign) -> dict[str, str]:
    rows = (await api.get(f"/campaigns/{of.id}/results")).body["data"]
    return {row["instagramUsername"]: row["targetId"] for row in rows}


async def delivered(database: Database) -> list[str]:
    async with database.connection() as conn:
        return [each[0] for each in await conn.fetch("SELECT recipient FROM sandbox_messages ORDER BY id")]


async def test_a_person_with_a_new_name_is_written_to_by_it(
    test_api: Api, database: Database, test_caller: Caller, stepping: Stepping
) -> None:
    await a_sender(database, test_caller)
    spring = await drafted(test_api, database, test_caller, OLD, "ben")
    answer = await merge(test_api, reason="changed her name")
    assert answer.status == 200
    assert (answer.body["merged"], answer.body["into"], answer.body["targetsMoved"]) == (OLD, NEW, 1)
    assert answer.body["person"]["handles"] == [NEW, OLD]
    await test_api.post(f"/campaigns/{spring.id}/start")
    await stepping.run(spring.id)
    assert sorted(await delivered(database)) == ["ben", NEW]
    assert await states(test_api, spring) == {NEW: "sent", "ben": "sent"}
    by_old, by_new = [(await test_api.get(f"/contacts/{name}")).body for name in (OLD, NEW)]
    assert by_old == by_new
    again = await upload(test_api, await campaign(database, test_caller, client_id=spring.client_id), people(OLD))
    assert outcomes(again) == ["target_duplicate"]


async def test_of_two_in_one_campaign_one_is_written_to(
    test_api: Api, database: Database, test_caller: Caller, stepping: Stepping
) -> None:
    await a_sender(database, test_caller)
    spring = await drafted(test_api, database, test_caller, OLD, NEW)
    assert (await merge(test_api)).body["targetsSkipped"] == 1
    assert await states(test_api, spring) == {OLD: "target_duplicate", NEW: "queued"}
    told = (await test_api.get("/events", types="message.skipped")).body["data"]
    assert [each["data"]["target"]["instagramUsername"] for each in told] == [OLD]
    await test_api.post(f"/campaigns/{spring.id}/start")
    await stepping.run(spring.id)
    assert await delivered(database) == [NEW]
    again = await upload(test_api, spring, people(OLD, NEW))
    assert outcomes(again) == ["target_duplicate", "target_duplicate"]


async def test_who_was_written_to_under_one_name_is_not_under_the_other(
    test_api: Api, database: Database, test_caller: Caller
) -> None:
    spring = await drafted(test_api, database, test_caller, OLD, NEW)
    await write_to(database, (await target_ids(test_api, spring))[OLD])
    merged = (await merge(test_api)).body
    assert (merged["targetsSkipped"], merged["messagesMoved"], merged["writtenToTwice"]) == (1, 1, [])
    assert await states(test_api, spring) == {OLD: "sent", NEW: "target_duplicate"}
    story = (await test_api.get(f"/campaigns/{spring.id}/targets/{(await target_ids(test_api, spring))[OLD]}")).body
    assert "message.begun" in [each["type"] for each in story["timeline"]]
    summer = await campaign(database, test_caller, "Summer", client_id=spring.client_id)
    assert outcomes(await upload(test_api, summer, people(NEW))) == ["target_duplicate"]
    assert [each["status"] for each in merged["person"]["messages"]] == ["sent"]


async def test_a_client_that_wrote_to_both_is_named_and_only_the_older_goes_on(
    test_api: Api, database: Database, test_caller: Caller
) -> None:
    template = await make.template(database, test_caller)
    follow_ups = [campaigns.FollowUp(message_template_id=template.id, delay_hours=24)]
    spring = await drafted(test_api, database, test_caller, OLD, follow_ups=follow_ups)
    summer = await drafted(
        test_api, database, test_caller, NEW, client_id=spring.client_id, follow_ups=follow_ups, name="Summer"
    )
    first, second = (await target_ids(test_api, spring))[OLD], (await target_ids(test_api, summer))[NEW]
    for each in (first, second):
        await write_to(database, each)
    async with database.connection() as conn:
        await conn.execute("UPDATE targets SET next_step = 1, next_due_at = now()")
    merged = (await merge(test_api)).body
    twice = {"clientId": str(spring.client_id), "keptTargetId": first, "otherTargetId": second}
    assert (merged["writtenToTwice"], merged["followUpsStopped"]) == ([twice], 1)
    async with database.connection() as conn:
        open_ones = await conn.fetch(
            "SELECT 'tgt_' || replace(id::text, '-', '') FROM targets WHERE next_due_at > '-infinity'"
        )
        assert [each[0] for each in open_ones] == [first]


async def test_two_messages_that_nobody_knows_of_are_settled_first(
    test_api: Api, database: Database, test_caller: Caller
) -> None:
    spring = await drafted(test_api, database, test_caller, OLD, NEW)
    ids = await target_ids(test_api, spring)
    for name in (OLD, NEW):
        await write_to(database, ids[name], state="unknown")
    refused = await merge(test_api)
    assert (refused.status, refused.body["error"]["code"]) == (409, "conflict")
    [unknown, _] = (await test_api.get("/messages", status="unknown")).body["data"]
    assert "/resolve" in refused.body["error"]["remedy"]
    async with database.connection() as conn:
        await conn.execute("UPDATE messages SET lease_until = NULL")
    settled = await test_api.post(f"/messages/{unknown['id']}/resolve", {"outcome": "sent", "reason": "seen"})
    assert settled.status == 200
    merged = (await merge(test_api)).body
    assert [each["keptTargetId"] for each in merged["writtenToTwice"]] == [unknown["targetId"]]


async def test_a_suppression_of_either_name_holds_for_both(
    test_api: Api, database: Database, test_caller: Caller
) -> None:
    acme = await make.client(database, test_caller)
    ends = "2199-01-01T00:00:00.000Z"
    for row in (
        {"instagramUsername": OLD, "reason": "asked us"},
        {"instagramUsername": OLD, "clientId": str(acme.id), "reason": "short", "expiresAt": ends},
        {"instagramUsername": NEW, "clientId": str(acme.id), "reason": "long"},
    ):
        assert (await test_api.post("/suppressions", row)).status == 201
    merged = (await merge(test_api)).body
    assert merged["suppressionsMoved"] == 2
    found = {each["clientId"]: (each["reason"], each["expiresAt"]) for each in merged["person"]["suppressions"]}
    assert found == {None: ("asked us", None), str(acme.id): ("long", None)}
    for name in (OLD, NEW):
        rows = await upload(test_api, await campaign(database, test_caller, name), people(name))
        assert outcomes(rows) == ["target_suppressed"]
    assert (await test_api.delete(f"/suppressions/{OLD}")).body["instagramUsername"] == NEW


async def test_a_reply_under_the_old_name_is_matched_and_stops_follow_ups(
    test_api: Api, database: Database, test_caller: Caller, stepping: Stepping
) -> None:
    await a_sender(database, test_caller)
    template = await make.template(database, test_caller)
    follow_ups = [campaigns.FollowUp(message_template_id=template.id, delay_hours=24)]
    spring = await drafted(test_api, database, test_caller, OLD, NEW, follow_ups=follow_ups)
    await test_api.post(f"/campaigns/{spring.id}/start")
    await stepping.look(1)
    assert await delivered(database) == [OLD]
    await merge(test_api)
    said = {"instagramUsername": OLD, "senderUsername": "acme.official", "text": "Thanks!"}
    reply = (await test_api.post("/replies", said)).body
    assert (reply["targetId"], reply["instagramUsername"]) == ((await target_ids(test_api, spring))[OLD], NEW)
    await stepping.run(spring.id)
    assert await delivered(database) == [OLD]
    assert await states(test_api, spring) == {OLD: "replied", NEW: "target_duplicate"}


async def test_once_more_changes_nothing_and_circles_are_refused(
    test_api: Api, database: Database, test_caller: Caller
) -> None:
    await drafted(test_api, database, test_caller, OLD, "third")
    first = (await merge(test_api)).body
    again = (await merge(test_api)).body
    assert (again["targetsMoved"], again["person"]) == (0, first["person"])
    turned = await merge(test_api, NEW, OLD)
    assert (turned.status, turned.body["error"]["code"]) == (409, "conflict")
    assert (await merge(test_api, NEW, "third")).body["person"]["handles"] == ["third", OLD, NEW]
    assert (await test_api.get(f"/contacts/{OLD}")).body["instagramUsername"] == "third"
    for into, param in ((f"@{OLD.upper()}", "into"), ("no name", "into")):
        refused = await merge(test_api, OLD, into)
        assert (refused.status, refused.body["error"]["param"]) == (400, param)
    assert (await merge(test_api, "nobody", NEW)).status == 404


async def test_an_erased_person_is_not_merged_and_an_erasure_takes_every_name(
    test_api: Api, database: Database, test_caller: Caller
) -> None:
    await drafted(test_api, database, test_caller, OLD, NEW, "gone")
    await merge(test_api, reason="jane said so")
    await test_api.delete(f"/contacts/{OLD}")
    async with database.connection() as conn:
        for table in ("contacts", "audit_log", "events"):
            text = await conn.fetchval(f"SELECT string_agg(t::text, ' ') FROM {table} t")
            assert "jane" not in text, table
    for name, into in ((NEW, "gone"), ("gone", OLD)):
        refused = await merge(test_api, name, into)
        assert (refused.status, refused.body["error"]["code"]) == (409, "conflict")
        assert "/suppressions" in refused.body["error"]["remedy"]


async def test_the_audit_log_keeps_before_and_after(test_api: Api, database: Database, test_caller: Caller) -> None:
    await drafted(test_api, database, test_caller, OLD, NEW)
    merged = (await merge(test_api, reason="same face")).body
    [line] = (await test_api.get("/audit-log", action="contact.merged")).body["data"]
    assert (line["objectId"], line["reason"]) == (merged["person"]["id"], "same face")
    assert line["before"]["merged"]["instagramUsername"] == OLD
    assert line["after"]["into"]["handles"] == [NEW, OLD]
    assert json.dumps(line["before"]).count("tgt_") == 2


async def test_only_an_admin_merges(test_api: Api, database: Database, test_caller: Caller) -> None:
    writer = await make_key(database, test_caller, scopes=[Scope.READ, Scope.WRITE, Scope.SEND])
    refused = await merge(test_api.with_key(writer.key))
    assert (refused.status, refused.body["error"]["code"]) == (403, "insufficient_scope")


async def test_a_merge_against_a_message_that_begins_never_writes_twice(
    test_api: Api, database: Database, test_caller: Caller, stepping: Stepping
) -> None:
    """Either the merge comes first and one name is left, or it is refused until the message is settled."""
    await a_sender(database, test_caller)
    refused = 0
    for turn in range(12):
        names = (f"{OLD}.{turn}", f"{NEW}.{turn}")
        spring = await drafted(test_api, database, test_caller, *names)
        await test_api.post(f"/campaigns/{spring.id}/start")
        stepping.advance(minutes=60)
        await stepping.set_clock(stepping.now)

        step, answer = await asyncio.gather(send.begin_next(stepping.engine), merge(test_api, *names))
        for ready in [] if step is None else step.ready:
            await send.finish(stepping.engine, ready)
        if answer.status == 409:
            refused += 1
            assert (await merge(test_api, *names)).status == 200
        await stepping.run(spring.id)
        assert len([name for name in await delivered(database) if name.endswith(f".{turn}")]) == 1, turn
        assert sorted((await states(test_api, spring)).values()) == ["sent", "target_duplicate"]
