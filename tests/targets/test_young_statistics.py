"""What the planner knows of young tables: not that each campaign has one row, and not for longer than one statement."""

from uuid import uuid4

import pytest

from iglayers.accounts.model import Caller
from iglayers.core.db import Database, connect
from tests.serving import Api
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
