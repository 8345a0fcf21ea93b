"""What the ledger, the replies and the audit log know of one target. Read only."""

from iglayers.core.db import Connection, rows
from iglayers.core.ids import TargetId, WorkspaceId
from iglayers.reports.model_timeline import AuditFacts, MessageFacts, ReplyFacts


async def messages(conn: Connection, workspace_id: WorkspaceId, target_id: TargetId) -> list[MessageFacts]:
    """Every attempt, those of which nothing left among them."""
    return await rows(conn, MessageFacts, """
        SELECT m.id, m.step, m.variant, m.route, s.username AS sender_username, m.body AS text, m.state, m.begun_at,
               m.settled_at, m.error_code, m.reason, m.evidence, m.author
        FROM messages m
        JOIN targets t ON t.id = m.target_id
        JOIN contacts k ON k.id = t.contact_id
        JOIN senders s ON s.id = m.sender_id
        WHERE m.workspace_id = $1 AND m.target_id = $2 AND m.kind = 'step'
          -- The person's few messages are found by an index; those of a merged one are with who is left.
          AND m.contact_id = coalesce(k.merged_into, k.id)
        ORDER BY m.begun_at, m.id
    """, workspace_id, target_id)  # fmt: skip


async def replies(conn: Connection, workspace_id: WorkspaceId, target_id: TargetId) -> list[ReplyFacts]:
    """What came back."""
    return await rows(conn, ReplyFacts, """
        SELECT r.id, r.received_at, s.username AS sender_username, r.text, r.opted_out, r.label, r.label_reason,
               r.author
        FROM replies r
        JOIN senders s ON s.id = r.sender_id
        WHERE r.workspace_id = $1 AND r.target_id = $2
        ORDER BY r.received_at, r.id
    """, workspace_id, target_id)  # fmt: skip


async def audited(conn: Connection, workspace_id: WorkspaceId, object_ids: list[str]) -> list[AuditFacts]:
    """What people did to these objects."""
    return await rows(conn, AuditFacts, """
        SELECT at, actor, action, object_id, reason
        FROM audit_log
        WHERE workspace_id = $1 AND object_id = ANY ($2)
        ORDER BY id
    """, workspace_id, object_ids)  # fmt: skip
