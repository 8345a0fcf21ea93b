"""What only the dashboard's campaign pages ask, across slices. It writes nothing."""

from collections.abc import Sequence

import msgspec

from iglayers.core.db import Connection, rows
from iglayers.core.ids import CampaignId, ClientId, ContactId, TargetId, WorkspaceId
from iglayers.targets.model import Target, TargetState


class ClientName(msgspec.Struct, frozen=True):
    id: ClientId
    name: str


class UsedClient(msgspec.Struct, frozen=True):
    """A client with campaigns that are not archived."""

    id: ClientId
    name: str


async def client_names(
    conn: Connection, workspace_id: WorkspaceId, client_ids: Sequence[ClientId]
) -> dict[ClientId, str]:
    """The names of these clients, archived ones too."""
    found = await rows(
        conn, ClientName, "SELECT id, name FROM clients WHERE workspace_id = $1 AND id = ANY ($2)",
        workspace_id, list(client_ids),
    )  # fmt: skip
    return {each.id: each.name for each in found}


async def used_clients(conn: Connection, workspace_id: WorkspaceId, *, limit: int) -> list[UsedClient]:
    """Clients that have campaigns, by name: what a list can be narrowed to."""
    return await rows(conn, UsedClient, """
        SELECT c.id, c.name
        FROM clients c
        WHERE c.workspace_id = $1 AND EXISTS (
            SELECT FROM campaigns WHERE workspace_id = $1 AND client_id = c.id AND archived_at IS NULL)
        ORDER BY lower(c.name), c.id
        LIMIT $2
    """, workspace_id, limit)  # fmt: skip


async def targets_of_person(
    conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, contact_id: ContactId
) -> list[Target]:
    """The one target of this person in the campaign."""
    return await rows(conn, Target, """
        SELECT t.id, t.campaign_id, c.username AS instagram_username, t.profile_url, t.full_name, t.first_name,
               t.category, t.follower_count, t.variables, t.state AS status, t.error_code, t.reason, t.sender_id,
               t.next_step, t.next_due_at, t.sent_at, t.replied_at, t.created_at, t.updated_at
        FROM targets t
        JOIN contacts c ON c.id = t.contact_id
        WHERE t.workspace_id = $1 AND t.campaign_id = $2 AND t.contact_id = $3
    """, workspace_id, campaign_id, contact_id)  # fmt: skip


async def targets(  # noqa: PLR0913 the filters of a list
    conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, *, states: Sequence[TargetState],
    search: str | None, code: str | None, before: TargetId | None, limit: int,
) -> list[Target]:  # fmt: skip
    """Targets in these states whose username holds `search` and whose reason has this code, newest first.

    It walks the newest of each state until there are enough; for campaigns of a size where that is quick.
    """
    return await rows(conn, Target, """
        SELECT found.*
        FROM unnest($3::text[]) AS wanted (state)
        CROSS JOIN LATERAL (
            -- A state at a time, which is the order of an index; of all states at once, every target would be sorted.
            SELECT t.id, t.campaign_id, c.username AS instagram_username, t.profile_url, t.full_name, t.first_name,
                   t.category, t.follower_count, t.variables, t.state AS status, t.error_code, t.reason, t.sender_id,
                   t.next_step, t.next_due_at, t.sent_at, t.replied_at, t.created_at, t.updated_at
            FROM targets t
            JOIN contacts c ON c.id = t.contact_id
            WHERE t.campaign_id = (SELECT id FROM campaigns WHERE workspace_id = $1 AND id = $2)
              AND t.state = wanted.state
              AND ($4::text IS NULL OR strpos(c.username, lower($4)) > 0)
              AND ($5::text IS NULL OR coalesce(t.error_code, t.reason) = $5)
              AND ($6::uuid IS NULL OR t.id < $6)
            ORDER BY t.state DESC, t.id DESC
            LIMIT $7
        ) AS found
        ORDER BY found.id DESC
        LIMIT $7
    """, workspace_id, campaign_id, list(states), search, code, before, limit)  # fmt: skip
