"""The only SQL on the months' counts, but for the engine's own count in its statement."""

from datetime import date

from iglayers.core.db import Connection, execute, value
from iglayers.core.ids import WorkspaceId


async def sent_in(conn: Connection, workspace_id: WorkspaceId, month: date) -> int:
    """Messages counted in a month, which is named by its first day."""
    return await value(
        conn,
        "SELECT coalesce((SELECT sent FROM usage_months WHERE workspace_id = $1 AND month = $2), 0)",
        workspace_id, month,
    )  # fmt: skip


async def set_month(conn: Connection, workspace_id: WorkspaceId, month: date, sent: int) -> None:
    """The count of a month as counted from the messages, when a limit is set for the first time."""
    await execute(conn, """
        INSERT INTO usage_months (workspace_id, month, sent)
        VALUES ($1, $2, $3)
        ON CONFLICT (workspace_id, month) DO UPDATE SET sent = excluded.sent
    """, workspace_id, month, sent)  # fmt: skip
