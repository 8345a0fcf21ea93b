"""The SQL by which a conversation goes on: a person of ours answered."""

from datetime import datetime

from iglayers.core.db import Connection, execute
from iglayers.core.ids import ConversationId, WorkspaceId


async def answered(
    conn: Connection, workspace_id: WorkspaceId, conversation_id: ConversationId, *, at: datetime
) -> None:
    """A person of ours wrote in this conversation; the caller holds the contact."""
    await execute(conn, """
        UPDATE conversations SET last_answer_at = greatest(last_answer_at, $3) WHERE workspace_id = $1 AND id = $2
    """, workspace_id, conversation_id, at)  # fmt: skip
