"""`audit duplicates` finds whoever was written to twice, by the ledger or by the sandbox's own log, and nobody else."""

from uuid import UUID, uuid4

import pytest

from iglayers.accounts.model import Caller
from iglayers.core.db import Database
from iglayers.core.ids import uuid7
from iglayers.reports import queries_audit
from iglayers.senders import actions as senders
from tests.replies.ledger import Ledger, Written


class Twice:
    """Plants what the product itself refuses to do."""

    def __init__(self, database: Database, ledger: Ledger) -> None:
        self.database = database
        self.ledger = ledger

    async def wrote(self, username: str, *, like: Written | None = None, state: str = "sent") -> Written:
        """A message, for the same client as another one."""
        written = await self.ledger.wrote_to(username, message=state)
        if like is not None:
            await self.execute(
                "UPDATE messages SET client_id = $2 WHERE id = $1", written.message_id.uuid, like.client_id.uuid
            )
        return written

    async def delivered(self, username: str, reference: UUID) -> None:
        workspace_id = self.ledger.caller.workspace_id.uuid
        await self.execute(
            """
            INSERT INTO sandbox_messages (id, workspace_id, sender_username, recipient, text, reference, delivered_at)
            VALUES ($1, $2, 'brand', $3, $4, $5, now())
            """,
            uuid7(), workspace_id, username, uuid4().hex, reference,
        )  # fmt: skip

    async def execute(self, sql: str, *values: object) -> None:
        async with self.database.transaction() as conn:
            await conn.execute(sql, *values)

    async def found(self) -> tuple[list[list[str]], int, list[int]]:
        """States of those written to twice, provider ids stored twice, counts of those delivered to twice."""
        async with self.database.connection() as conn:
            written = await queries_audit.written_twice(conn)
            stored = await queries_audit.stored_twice(conn)
            delivered = await queries_audit.delivered_twice(conn)
        return [each.states for each in written], len(stored), [each.count for each in delivered]


@pytest.fixture
async def twice(database: Database, test_caller: Caller) -> Twice:
    async with database.transaction() as conn:
        sender = await senders.add(conn, test_caller, senders.NewSender(username="brand", transport="sandbox"))
    return Twice(database, Ledger(database, test_caller, sender))


async def test_two_clients_may_write_to_one_person(twice: Twice) -> None:
    first, second = await twice.wrote("mia"), await twice.wrote("mia")
    for each in (first, second):
        await twice.delivered("mia", each.message_id.uuid)
    assert await twice.found() == ([], 0, [])


@pytest.mark.parametrize("state", ["sent", "unknown", "claimed"])
async def test_a_second_message_that_may_have_arrived_is_found(twice: Twice, state: str) -> None:
    first = await twice.wrote("mia")
    await twice.wrote("mia", like=first, state=state)
    assert await twice.found() == ([["sent", state]], 0, [])


@pytest.mark.parametrize("state", ["not_sent", "failed", "skipped", "handed_over"])
async def test_a_second_message_that_did_not_leave_is_none(twice: Twice, state: str) -> None:
    first = await twice.wrote("mia")
    await twice.wrote("mia", like=first, state=state)
    assert await twice.found() == ([], 0, [])


async def test_one_person_under_three_handles_is_one(twice: Twice) -> None:
    first = await twice.wrote("mia")
    for old, new in (("mia.old", "mia.mid"), ("mia.mid", "mia")):
        await twice.wrote(old, like=first)
        await twice.execute(
            """
            UPDATE contacts SET merged_into = (SELECT id FROM contacts WHERE username = $2)
            WHERE username = $1
            """,
            old, new,
        )  # fmt: skip
    await twice.execute(
        """
        UPDATE contacts SET merged_into = (SELECT id FROM contacts WHERE username = 'mia.mid')
        WHERE username = 'mia.old'
        """
    )
    assert await twice.found() == ([["sent", "sent", "sent"]], 0, [])


async def test_who_decided_is_named(twice: Twice, database: Database) -> None:
    first = await twice.wrote("mia")
    second = await twice.wrote("mia", like=first)
    await twice.execute("UPDATE messages SET author = 'user Ann' WHERE id = $1", second.message_id.uuid)
    async with database.connection() as conn:
        [found] = await queries_audit.written_twice(conn)
    assert (found.decided_by, found.messages) == (["user Ann"], [first.message_id, second.message_id])


async def test_a_providers_id_in_two_rows_is_found(twice: Twice) -> None:
    for name in ("mia", "noa"):
        written = await twice.wrote(name)
        await twice.execute("UPDATE messages SET provider_message_id = 'mid.1' WHERE id = $1", written.message_id.uuid)
    assert await twice.found() == ([], 1, [])


async def test_the_sandbox_is_asked_too(twice: Twice) -> None:
    written = await twice.wrote("mia", state="failed")
    again = await twice.wrote("mia", like=written)
    for each in (written, again):
        await twice.delivered("mia", each.message_id.uuid)
    assert await twice.found() == ([], 0, [2])


async def test_what_the_ledger_does_not_know_is_found(twice: Twice) -> None:
    await twice.delivered("mia", uuid4())
    assert await twice.found() == ([], 0, [1])


async def test_answers_in_a_conversation_are_no_duplicates(twice: Twice) -> None:
    for _ in range(2):
        written = await twice.wrote("mia")
        await twice.execute("UPDATE messages SET kind = 'answer' WHERE id = $1", written.message_id.uuid)
        await twice.delivered("mia", written.message_id.uuid)
    assert await twice.found() == ([], 0, [])
