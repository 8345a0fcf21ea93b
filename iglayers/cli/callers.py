"""Who acts when a command does: somebody with every scope in one workspace, named so in the audit log."""

from iglayers.accounts import actions as accounts
from iglayers.accounts import queries
from iglayers.accounts.model import Caller, Mode, Scope
from iglayers.core.db import Connection


async def caller(conn: Connection, mode: Mode, workspace: str | None) -> Caller:
    """The command line in the workspace that was named, by id or name; in the only one of the mode otherwise."""
    found = await accounts.find_workspace(conn, mode, workspace)
    clock = await queries.clock(conn, found.id)
    assert clock is not None
    return Caller(workspace_id=found.id, mode=mode, scopes=frozenset(Scope), actor="command line", clock=clock)
