"""The SQL by which a thread becomes a conversation: the person said something."""

from datetime import datetime, timedelta

from iglayers.contacts.model import ContactRow
from iglayers.core.db import Connection, execute
from iglayers.core.ids import ConversationId, SenderId, WorkspaceId


async def heard(
    conn: Connection, workspace_id: WorkspaceId, *, sender_id: SenderId, contact: ContactRow, at: datetime,
    opens_for: timedelta | None,
) -> None:  # fmt: skip
    """The person wrote to the account at that moment, which opens the window for so long.

    The caller holds the contact. What is known already is never set back: replies may come in any order.
    """
    window_ends_at = None if opens_for is None else at + opens_for
    await execute(conn, """
        INSERT INTO conversations AS old
            (id, workspace_id, sender_id, contact_id, username, window_ends_at, last_inbound_at, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
        ON CONFLICT (sender_id, contact_id) DO UPDATE SET
            window_ends_at = greatest(old.window_ends_at, excluded.window_ends_at),
            last_inbound_at = greatest(old.last_inbound_at, excluded.last_inbound_at)
    """, ConversationId.new(), workspace_id, sender_id, contact.id, contact.username, window_ends_at,
        at)  # fmt: skip
