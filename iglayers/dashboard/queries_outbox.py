"""What the outbox page asks beside the cards themselves. It writes nothing."""

import msgspec

from iglayers.core.db import Connection, rows
from iglayers.core.ids import SenderId, WorkspaceId


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """An account with cards that wait for somebody to claim them."""

    id: SenderId
    username: str
    waiting: int


async def accounts(conn: Connection, workspace_id: WorkspaceId) -> list[Account]:
    """Accounts with cards that nobody has claimed or skipped; whose first card is oldest stands first."""
    return await rows(conn, Account, """
        SELECT s.id, s.username, count(*)::int AS waiting
        FROM messages m
        JOIN campaigns c ON c.id = m.campaign_id AND c.state = 'running'
        JOIN senders s ON s.id = m.sender_id AND s.state = 'active' AND s.archived_at IS NULL
        WHERE m.workspace_id = $1 AND m.state = 'handed_over' AND m.held IS NULL
        GROUP BY s.id, s.username
        ORDER BY min(m.begun_at), s.id
    """, workspace_id)  # fmt: skip
