"""What the planner knows of young tables: not that each campaign has one row, and not for longer than one statement."""

from collections.abc import AsyncIterator
from uuid import uuid4

import aiohttp
import msgspec
import pytest

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.core.db import Database, connect
from tests.conftest import key_of
from tests.serving import Api, serving
from tests.targets.uploads import campaign, upload


async def test_a_table_of_one_row_makes_no_shared_column_a_key(api: Api, database: Database, caller: Caller) -> None:
    await upload(api, await campaign(database, caller), [{"instagramUsername": "solo"}])
    async with database.connection() as conn:
        await conn.execute("ANALYZE targets, contacts")
        known = await conn.fetch("""
            SELECT tablename || '.' || attname AS name, n_distinct FROM pg_stats
            WHERE schemaname = 'public' AND tablename IN ('targets', 'contacts')
              AND attname IN ('id', 'workspace_id', 'campaign_id')
        """)  # fmt: skip
    assert {each["name"]: each["n_distinct"] for each in known} == {
        "contacts.id": -1, "targets.id": -1,  # a row each
        "contacts.workspace_id": 10, "targets.workspace_id": 10, "targets.campaign_id": 50,
    }  # fmt: skip


@pytest.mark.parametrize("by_keys", [False, True])
async def test_no_plan_of_a_small_table_is_kept_but_of_those_by_keys(database_url: str, *, by_keys: bool) -> None:
    pool = await connect(database_url, size=1, by_keys=by_keys)
    async with pool.connection() as conn:
        for _ in range(10):
            await conn.fetch("SELECT id FROM targets WHERE campaign_id = $1", uuid4())
        [planned] = await conn.fetch("""
            SELECT generic_plans, custom_plans FROM pg_prepared_statements
            WHERE statement LIKE 'SELECT id FROM targets %'
        """)  # fmt: skip
    await pool.close()
    assert (planned["generic_plans"], planned["custom_plans"]) == ((10, 0) if by_keys else (0, 10))


@pytest.fixture
async def one_connection(database_url: str) -> AsyncIterator[Database]:
    pool = await connect(database_url, size=1)
    yield pool
    await pool.close()


async def test_statistics_of_another_workspace_make_no_walk_over_everybody_for_each(
    services: Services, http: aiohttp.ClientSession, api: Api, caller: Caller, test_caller: Caller,
    one_connection: Database,
) -> None:  # fmt: skip
    """Where everything known is of one workspace, the planner expects nothing at all of the other."""
    db = services.db
    names = [f"person.{number}" for number in range(2_000)]
    there = await campaign(db, test_caller)
    await upload(api.with_key(await key_of(db, test_caller)), there, [{"instagramUsername": name} for name in names])
    async with db.connection() as conn:
        await conn.execute("ANALYZE")
    here = await campaign(db, caller)
    await upload(api, here, [{"instagramUsername": name} for name in names])

    async with serving(msgspec.structs.replace(services, db=one_connection)) as url:
        asked = Api(http, url, await key_of(db, caller))
        for method, path in [
            ("GET", "status"), ("POST", "preflight"), ("GET", "targets"), ("GET", "results"), ("GET", "stats"),
            ("POST", "cancel"),
        ]:  # fmt: skip
            before = await rows_read(one_connection)
            answered = await asked.call(method, f"/campaigns/{here.id}/{path}")
            assert answered.status == 200, answered
            assert await rows_read(one_connection) - before < 100 * len(names), path


async def rows_read(db: Database) -> int:
    """Rows and index entries that this database has read so far."""
    async with db.connection() as conn:
        await conn.execute("SELECT pg_stat_force_next_flush()")
        return await conn.fetchval("""
            SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables)
                   + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)
        """)
