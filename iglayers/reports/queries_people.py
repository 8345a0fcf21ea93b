"""One person across all campaigns. Read only."""

from iglayers.core.db import Connection, rows
from iglayers.core.ids import ClientId, ContactId, WorkspaceId
from iglayers.reports.model_people import PersonTarget


async def targets(
    conn: Connection, workspace_id: WorkspaceId, contact_ids: list[ContactId], *, only: ClientId | None, limit: int
) -> list[PersonTarget]:
    """Every campaign that the person is in, the newest first."""
    return await rows(conn, PersonTarget, """
        SELECT t.id AS target_id, t.campaign_id, c.name AS campaign_name, c.client_id, t.state AS status,
               t.error_code, t.reason, t.sent_at, t.replied_at, t.created_at
        FROM targets t
        JOIN campaigns c ON c.id = t.campaign_id
        WHERE t.workspace_id = $1 AND t.contact_id = ANY ($2) AND ($3::uuid IS NULL OR c.client_id = $3)
        ORDER BY t.id DESC
        LIMIT $4
    """, workspace_id, contact_ids, only, limit)  # fmt: skip
