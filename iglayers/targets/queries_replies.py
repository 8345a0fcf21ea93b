"""The SQL on targets that a reply needs: find and lock its targets, mark the one that was answered, stop follow-ups."""

from datetime import datetime

from iglayers.core.db import Connection, execute, plain
from iglayers.core.ids import ContactId, TargetId, WorkspaceId


async def lock_answered(
    conn: Connection, workspace_id: WorkspaceId, *, target_id: TargetId | None, contact_id: ContactId
) -> list[TargetId]:
    """The answered target and those with a follow-up to come to the same person, locked by id; before the contact."""
    found = await conn.fetch("""
        SELECT id
        FROM targets
        WHERE workspace_id = $1
          AND (id = $2
               OR (contact_id = $3 AND next_step > 0 AND next_due_at IS NOT NULL AND state IN ('sent', 'replied')))
        ORDER BY id
        FOR NO KEY UPDATE
    """, *plain([workspace_id, target_id, contact_id]))  # fmt: skip
    return [TargetId(each["id"]) for each in found]


async def mark_replied(
    conn: Connection, workspace_id: WorkspaceId, target_id: TargetId, *, at: datetime, now: datetime
) -> None:
    """The person answered; also while nobody knows whether the message arrived. The first reply's time stays."""
    await execute(conn, """
        UPDATE targets
        SET state = 'replied', replied_at = coalesce(replied_at, $3), next_due_at = NULL, updated_at = $4
        WHERE workspace_id = $1 AND id = $2
          AND state IN ('sending', 'awaiting_operator', 'sent', 'unknown', 'replied')
    """, workspace_id, target_id, at, now)  # fmt: skip


async def stop_followups(
    conn: Connection, workspace_id: WorkspaceId, target_ids: list[TargetId], *, now: datetime
) -> int:
    """No follow-up goes to these targets; their number. They are locked already."""
    return await execute(conn, """
        UPDATE targets
        SET next_due_at = NULL, updated_at = $3
        WHERE workspace_id = $1 AND id = ANY ($2)
          AND next_step > 0 AND next_due_at IS NOT NULL AND state IN ('sent', 'replied')
    """, workspace_id, target_ids, now)  # fmt: skip
