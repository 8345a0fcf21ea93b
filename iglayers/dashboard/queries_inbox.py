"""What the inbox asks beside the conversations themselves. It writes nothing."""

import msgspec

from iglayers.core.db import Connection, rows, value
from iglayers.core.ids import CampaignId, ClientId, ConversationId, MessageId, SenderId, WorkspaceId

_MOST = 200


class CampaignName(msgspec.Struct, frozen=True):
    id: CampaignId
    name: str


class ClientName(msgspec.Struct, frozen=True):
    id: ClientId
    name: str


class SenderName(msgspec.Struct, frozen=True):
    id: SenderId
    name: str


async def campaigns(conn: Connection, workspace_id: WorkspaceId) -> list[CampaignName]:
    """The newest campaigns that were started."""
    return await rows(conn, CampaignName, """
        SELECT id, name FROM campaigns
        WHERE workspace_id = $1 AND archived_at IS NULL AND state <> 'draft'
        ORDER BY id DESC
        LIMIT $2
    """, workspace_id, _MOST)  # fmt: skip


async def clients(conn: Connection, workspace_id: WorkspaceId) -> list[ClientName]:
    """The newest clients."""
    return await rows(conn, ClientName, """
        SELECT id, name FROM clients WHERE workspace_id = $1 AND archived_at IS NULL ORDER BY id DESC LIMIT $2
    """, workspace_id, _MOST)  # fmt: skip


async def senders(conn: Connection, workspace_id: WorkspaceId) -> list[SenderName]:
    """The newest senders."""
    return await rows(conn, SenderName, """
        SELECT id, username AS name FROM senders WHERE workspace_id = $1 AND archived_at IS NULL
        ORDER BY id DESC
        LIMIT $2
    """, workspace_id, _MOST)  # fmt: skip


async def last_of_ours(
    conn: Connection, workspace_id: WorkspaceId, conversation_id: ConversationId, *, but: MessageId | None
) -> MessageId | None:
    """The newest message of ours in a conversation that may have reached the person, apart from `but`."""
    found = await value(conn, """
        SELECT m.id
        FROM conversations v
        JOIN messages m ON m.workspace_id = $1 AND m.contact_id = v.contact_id AND m.sender_id = v.sender_id
        WHERE v.workspace_id = $1 AND v.id = $2 AND m.counts AND m.id IS DISTINCT FROM $3::uuid
        ORDER BY m.begun_at DESC, m.id DESC
        LIMIT 1
    """, workspace_id, conversation_id, but)  # fmt: skip
    return None if found is None else MessageId(found)
