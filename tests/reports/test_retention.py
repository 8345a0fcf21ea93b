"""Whoever nothing happens with for longer than a workspace keeps people is forgotten, and is not written to twice."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.contacts import queries as contacts
from iglayers.contacts.usernames import handle_hash
from iglayers.core.db import Database
from iglayers.core.ids import ClientId, uuid7
from iglayers.reports.retention import forget_quiet, go_on
from tests.databases import PEPPER
from tests.events.receiving import endpoint
from tests.reports.stepping import Stepping
from tests.reports.zoe import NAME, PERSON, TRACES, came_in_unread, traces, wrote_to_zoe
from tests.sending.world import until
from tests.serving import Api
from tests.targets.uploads import campaign, outcomes, people, upload, write_to

A_YEAR = timedelta(days=365)


async def forget(database: Database) -> int:
    """As if the day had come on which the next runs are due."""
    await be_due(database)
    return await forget_quiet(database)


async def be_due(database: Database) -> None:
    async with database.transaction() as conn:
        await conn.execute(
            "UPDATE retentions SET due_at = now() WHERE workspace_id IN (SELECT workspace_id FROM contacts)"
        )


async def names(database: Database) -> set[str]:
    """Who is known by name."""
    async with database.connection() as conn:
        return {each[0] for each in await conn.fetch("SELECT username FROM contacts WHERE username IS NOT NULL")}


async def told(api: Api, spring: str) -> dict[str, Any]:
    """Every number that is shown of what was done."""
    stats = (await api.get(f"/campaigns/{spring}/stats")).body
    results = (await api.get(f"/campaigns/{spring}/results")).body
    return {
        "funnel": stats["funnel"], "skipped": stats["skippedBy"], "failed": stats["failedBy"],
        "results": results["summary"], "rows": [(each["targetId"], each["status"]) for each in results["data"]],
    }  # fmt: skip


async def ledger(database: Database) -> list[Any]:
    async with database.connection() as conn:
        return [
            await conn.fetch("SELECT id, contact_id, target_id, step, state, begun_at FROM messages ORDER BY id"),
            await conn.fetch("SELECT * FROM first_contacts ORDER BY scope_id, contact_id"),
            await conn.fetch("SELECT * FROM usage_months ORDER BY month"),
            await conn.fetch("SELECT id, contact_id, client_id, source, expires_at FROM suppressions ORDER BY id"),
            await conn.fetch("SELECT id, handle_hash FROM contacts ORDER BY id"),
            await conn.fetch("SELECT id, target_id, opted_out, label, received_at FROM replies ORDER BY id"),
        ]


async def test_all_that_is_personal_goes_and_all_that_must_stay_stays(
    test_api: Api, database: Database, test_caller: Caller, stepping: Stepping
) -> None:
    await test_api.patch("/workspace", {"monthlyLimit": 100})
    await wrote_to_zoe(test_api, database, test_caller, stepping)
    spring = (await test_api.get("/campaigns")).body["data"][0]
    last = stepping.now
    counted, kept = await told(test_api, spring["id"]), await ledger(database)
    await stepping.set_clock(last + A_YEAR - timedelta(days=1))
    assert await forget(database) == 0
    await stepping.set_clock(last + A_YEAR + timedelta(days=1))
    assert await forget(database) == 2

    assert await traces(database) == set()
    assert await told(test_api, spring["id"]) == counted
    assert await ledger(database) == kept
    gone = (await test_api.get(f"/contacts/{NAME}")).body
    assert (gone["instagramUsername"], gone["erasedAt"], gone["handles"]) == (None, None, [])
    assert datetime.fromisoformat(gone["forgottenAt"]) >= stepping.now
    assert not any(word in str(gone).lower() for word in TRACES)
    assert [each["source"] for each in gone["suppressions"]] == ["manual"]
    [line] = (await test_api.get("/audit-log", action="contact.forgotten_many")).body["data"]
    assert (line["actor"], line["after"]) == ("retention", {"people": 2, "retentionDays": 365})
    metrics = (await test_api.get("/metrics")).raw.decode()
    assert "iglayers_retention_people_forgotten 2.0" in metrics
    assert "iglayers_retention_overdue_seconds 0.0" in metrics

    # Named again by the same client, or while suppressed, they are refused as before; by another client they are met.
    same = await campaign(database, test_caller, "Again", client_id=ClientId.parse(spring["clientId"]))
    assert outcomes(await upload(test_api, same, [PERSON, *people("ben")])) == ["target_suppressed", "target_duplicate"]
    other = await campaign(database, test_caller, "Other")
    assert outcomes(await upload(test_api, other, people("ben", "new"))) == ["accepted", "accepted"]
    await test_api.post(f"/campaigns/{other.id}/start")
    await stepping.run(other.id)
    met = (await test_api.get("/contacts/ben")).body
    assert (met["instagramUsername"], met["forgottenAt"]) == ("ben", None)
    assert [each["status"] for each in met["targets"]] == ["sent", "sent"]
    assert (await test_api.delete(f"/suppressions/{NAME}")).status == 200


async def test_whose_word_nobody_has_read_yet_is_kept(
    test_api: Api, database: Database, test_caller: Caller, stepping: Stepping
) -> None:
    await wrote_to_zoe(test_api, database, test_caller, stepping)
    await stepping.set_clock(stepping.now + A_YEAR + timedelta(days=1))
    await came_in_unread(database, test_caller)
    assert await forget(database) == 1
    assert await names(database) == {NAME}


async def test_who_somebody_waits_for_or_something_happened_with_is_kept(
    test_api: Api, database: Database, test_caller: Caller, stepping: Stepping
) -> None:
    in_each = ["running", "paused", "completed", "cancelled", "draft"]
    made = {state: await campaign(database, test_caller, state) for state in in_each}
    for state in in_each:
        await upload(test_api, made[state], people(f"in.{state}"))
    written_to = ["unknown", "handed.over", "claimed", "nobody.waits"]
    lately = ["target", "message", "reply", "comment", "conversation", "suppression"]
    answer = await upload(test_api, made["completed"], people(*written_to, *lately, "merged", "older.name"))
    for row in answer.body["results"][: len(written_to)]:
        await write_to(database, row["id"])
    assert (await test_api.post("/contacts/older.name/merge", {"into": "merged"})).status == 200
    now = stepping.now + 2 * A_YEAR
    await stepping.set_clock(now)
    async with database.transaction() as conn:
        for name, change in _SINCE.items():
            contact_id = await conn.fetchval("SELECT id FROM contacts WHERE username = $1", name)
            await conn.execute(change, contact_id, now - timedelta(days=300))
        await conn.execute("UPDATE campaigns SET state = name, due_at = CASE WHEN name = 'running' THEN now() END")

    assert await forget(database) == 5
    assert await names(database) == {"in.running", "in.paused", *_SINCE}
    # Nobody was written to in a draft, so the person has to be named again.
    [drafted] = (await test_api.get(f"/campaigns/{made['draft'].id}/targets", status="skipped")).body["data"]
    assert (drafted["instagramUsername"], drafted["errorCode"], drafted["reason"]) == (None, None, "retention_ended")
    assert outcomes(await upload(test_api, made["draft"], people("in.draft"))) == ["accepted"]
    named = (await test_api.get(f"/campaigns/{made['draft'].id}/targets/{drafted['id']}")).body
    assert (named["instagramUsername"], named["status"]) == ("in.draft", "queued")
    # Known by either name, the older one for lack of another.
    assert outcomes(await upload(test_api, made["draft"], people("older.name"))) == ["accepted"]
    assert (await test_api.get("/contacts/merged")).body["instagramUsername"] == "older.name"
    assert outcomes(await upload(test_api, made["draft"], people("merged"))) == ["target_duplicate"]


# What keeps each of these, done to the contact $1 at the moment $2.
_SINCE = {
    "unknown": "UPDATE messages SET state = 'unknown' WHERE contact_id = $1 AND $2::timestamptz IS NOT NULL",
    "handed.over": "UPDATE messages SET state = 'handed_over' WHERE contact_id = $1 AND $2::timestamptz IS NOT NULL",
    "claimed": """
        UPDATE messages SET state = 'claimed', author = 'ann', lease_until = $2 WHERE contact_id = $1
    """,
    "target": "UPDATE targets SET updated_at = $2 WHERE contact_id = $1",
    "message": """
        INSERT INTO messages (id, workspace_id, kind, contact_id, sender_id, route, state, attempt_id, begun_at)
        SELECT gen_random_uuid(), s.workspace_id, 'answer', $1, s.id, 'sandbox', 'sent', gen_random_uuid(), $2
        FROM senders s
    """,
    "reply": """
        INSERT INTO replies (id, workspace_id, sender_id, contact_id, received_at)
        SELECT gen_random_uuid(), workspace_id, id, $1, $2 FROM senders
    """,
    "comment": """
        INSERT INTO inbound (id, workspace_id, sender_id, provider_key, kind, fact, occurred_at, contact_id)
        SELECT gen_random_uuid(), workspace_id, id, 'c1', 'comment', '{}', $2, $1 FROM senders
    """,
    "conversation": """
        INSERT INTO conversations (id, workspace_id, sender_id, contact_id, created_at, last_inbound_at)
        SELECT gen_random_uuid(), workspace_id, id, $1, $2::timestamptz - interval '1 year', $2 FROM senders
    """,
    "suppression": """
        INSERT INTO suppressions (id, workspace_id, contact_id, source, created_at)
        SELECT gen_random_uuid(), workspace_id, $1, 'manual', $2 FROM senders
    """,
}


async def test_a_run_goes_on_where_a_worker_was_lost_and_counts_nobody_twice(
    test_api: Api, database: Database, test_caller: Caller, stepping: Stepping
) -> None:
    await upload(test_api, await campaign(database, test_caller), people(*(f"creator.{n}" for n in range(25))))
    assert await forget(database) == 0
    await stepping.set_clock(stepping.now + A_YEAR + timedelta(days=1))
    await be_due(database)
    assert [await go_on(database, batch=10) for _ in range(2)] == [10, 10]
    async with database.transaction() as conn:
        await conn.execute("SELECT FROM targets FOR UPDATE")
        third = asyncio.create_task(go_on(database, batch=10))
        await until(lambda: is_waiting(database))
        third.cancel()
        await asyncio.wait([third])
    assert len(await names(database)) == 5
    assert sum(await asyncio.gather(forget_quiet(database, batch=10), forget_quiet(database, batch=10))) == 5
    assert await names(database) == set()
    [line] = (await test_api.get("/audit-log", action="contact.forgotten_many")).body["data"]
    assert line["after"] == {"people": 25, "retentionDays": 365}
    assert "iglayers_retention_people_forgotten 25.0" in (await test_api.get("/metrics")).raw.decode()
    assert await go_on(database) is None, "the next run is due in a day"


async def is_waiting(database: Database) -> bool:
    async with database.connection() as conn:
        return await conn.fetchval("""
            SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')
        """)  # fmt: skip


async def test_whom_an_upload_is_about_to_bring_in_is_not_forgotten_under_it(
    test_api: Api, database: Database, test_caller: Caller, stepping: Stepping
) -> None:
    await upload(test_api, await campaign(database, test_caller), people("ann", "ben"))
    await stepping.set_clock(stepping.now + A_YEAR + timedelta(days=1))
    async with database.transaction() as conn:
        # As far as an upload has come that has found the person and not yet made the target.
        await contacts.upsert_many(
            conn, test_caller.workspace_id, ids=[uuid7()], hashes=[handle_hash(PEPPER, "ann")], usernames=["ann"],
            now=stepping.now,
        )  # fmt: skip
        assert await forget(database) == 1
    assert await names(database) == {"ann"}


async def test_nobody_is_forgotten_before_an_endpoint_was_told(
    test_api: Api, services: Services, database: Database, test_caller: Caller, stepping: Stepping
) -> None:
    await endpoint(services, test_caller, "https://example.com/", ["target.queued"])
    await upload(test_api, await campaign(database, test_caller), people("ann"))
    await test_api.patch("/workspace", {"retentionDays": 1})
    await stepping.set_clock(stepping.now + timedelta(days=2))
    assert await forget(database) == 0
    async with database.transaction() as conn:
        await conn.execute("UPDATE deliveries SET state = 'delivered', ended_at = now()")
    assert await forget(database) == 1
