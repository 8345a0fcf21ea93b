"""One person: everything known, and an erasure that leaves nothing in any table but a hash that stays suppressed."""

import json
from typing import Any

from iglayers.accounts.model import Caller, Scope
from iglayers.core.db import Database
from iglayers.replies.actions_inbound import process_inbound
from iglayers.senders.actions import receive
from iglayers.senders.model import Sender
from iglayers.senders.transports.instagram.inbound import parse
from iglayers.senders.transports.sandbox.transport import tick
from tests import make
from tests.accounts.keys import make_key
from tests.databases import PEPPER
from tests.reports.stepping import Stepping
from tests.senders.connected import comment, echo, envelope, event, message
from tests.senders.orders import a_sender
from tests.serving import Api
from tests.targets.uploads import campaign, upload

NAME = "sandbox.replies.zoe"
PERSON = {
    "instagramUsername": NAME,
    "profileUrl": f"https://instagram.com/{NAME}",
    "fullName": "Zoe Zebra",
    "firstName": "Zoetje",
    "category": "zebrafish",
    "variables": {"note": "likes zinc"},
}
TRACES = ["zoe", "zebra", "zinc"]


async def wrote_to_zoe(api: Api, database: Database, caller: Caller, stepping: Stepping) -> None:
    """Zoe was uploaded, written to, replied, and somebody else was too."""
    sender = await a_sender(database, caller)
    spring = await campaign(database, caller)
    await upload(api, spring, [PERSON, {"instagramUsername": "ben"}])
    await api.post(f"/campaigns/{spring.id}/start")
    await stepping.run(spring.id)
    async with database.connection() as conn:
        due_at = await conn.fetchval("SELECT max(due_at) FROM sandbox_plans")
    await stepping.set_clock(due_at)
    await tick(database)
    await process_inbound(database, pepper=PEPPER)
    await instagram_told_of_zoe(database, caller, sender)
    said = {"instagramUsername": NAME, "senderUsername": "acme.official", "text": "Zoe here, again"}
    assert (await api.post("/replies", said)).status == 201
    await make.suppression(database, caller, NAME, reason="zoe asked at the zoo")


async def instagram_told_of_zoe(database: Database, caller: Caller, sender: Sender) -> None:
    """What a connected account would hold: a thread by id, what she did in it, and one more thread of her name."""
    words = [message("m1", "zoe asks"), event(message_edit={"mid": "m1", "text": "zoe asked", "num_edit": 1})]
    words += [echo("m2", "Hi Zoetje"), event(postback={"mid": "m3", "title": "zinc"}), event(zebra={"likes": "zinc"})]
    comments = [comment("c1", username=NAME, text="zebra?"), comment("c2", by="880000000000018", username=NAME)]
    facts = [told.fact for told in parse(envelope(*words, changes=comments), now=caller.now)]
    async with database.connection() as conn:
        await receive(conn, caller.workspace_id, sender.id, facts)
    while await process_inbound(database, pepper=PEPPER):
        pass
    async with database.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM conversations WHERE username = $1", NAME) == 2
        assert await conn.fetchval("SELECT count(*) FROM inbound WHERE fact ? 'igsid' AND contact_id IS NULL") == 0


async def traces(database: Database) -> set[str]:
    """The tables in which a word about Zoe stands."""
    found: set[str] = set()
    async with database.connection() as conn:
        tables = await conn.fetch("""
            SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
        """)  # fmt: skip
        for table in tables:
            text = await conn.fetchval(f"SELECT string_agg(t::text, ' ') FROM {table['relname']} t")
            if any(word in (text or "").lower() for word in TRACES):
                found.add(table["relname"].split("_2")[0])
    return found


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
    before = await traces(database)
    assert {
        "contacts", "targets", "messages", "replies", "events", "inbound", "conversations", "sandbox_messages",
    } <= before  # fmt: skip
    erased = await test_api.delete(f"/contacts/{NAME}")
    assert erased.status == 200
    assert await traces(database) == set()
    told: dict[str, Any] = (await test_api.get(f"/contacts/{NAME}")).body
    assert told["erasedAt"]
    assert [each["source"] for each in told["suppressions"]] == ["erasure"]
    assert [each["status"] for each in told["messages"]] == ["sent"]
    assert not any(word in json.dumps(told).lower() for word in TRACES)
    assert (await test_api.get("/contacts/ben")).body["messages"][0]["text"] == "Hi there"


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
