"""The clock of a test workspace: its speed is what was asked for last, and it never goes back."""

from iglayers.accounts import actions, queries
from iglayers.accounts.model import Caller
from iglayers.core.db import Database


async def test_a_new_speed_holds_also_within_the_millisecond_of_the_last_change(
    database: Database, test_caller: Caller
) -> None:
    workspace_id = test_caller.workspace_id
    async with database.transaction() as conn:
        before = await queries.clock(conn, workspace_id)
        assert before is not None
        # As of a workspace that was made this very moment: what is kept is finer than the milliseconds that are shown.
        await conn.execute("""
            UPDATE workspaces SET (clock_real_at, clock_at) = (SELECT soon, soon FROM (
                SELECT clock_timestamp() + interval '50 ms' AS soon) AS moment)
            WHERE mode = 'test'
        """)
        await actions.set_speed(conn, workspace_id, 20_000)
        after = await queries.clock(conn, workspace_id)
    assert after is not None
    assert after.speed == 20_000
    assert after.at >= before.at
