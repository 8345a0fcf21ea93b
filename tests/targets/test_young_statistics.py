"""What the planner knows of a table with one row in it: not that every workspace and campaign has but one."""

from iglayers.accounts.model import Caller
from iglayers.core.db import Database
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
