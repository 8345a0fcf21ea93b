"""Campaigns and uploads for tests, and people who were written to."""

from typing import Any
from uuid import UUID

from iglayers.accounts.model import Caller
from iglayers.campaigns import actions as campaigns
from iglayers.campaigns.model import Campaign
from iglayers.core.clock import real_now
from iglayers.core.db import Connection, Database
from iglayers.core.ids import TargetId, uuid7
from tests import make
from tests.serving import Answer, Api


async def campaign(database: Database, caller: Caller, name: str = "Spring", **fields: Any) -> Campaign:
    if "client_id" not in fields:
        fields["client_id"] = (await make.client(database, caller)).id
    template = await make.template(database, caller)
    new = campaigns.NewCampaign(name=name, message_template_id=template.id, **fields)
    async with database.transaction() as conn:
        return await campaigns.create(conn, caller, new)


def people(*names: str) -> list[dict[str, Any]]:
    return [{"instagramUsername": name} for name in names]


async def upload(api: Api, to: Campaign, rows: list[Any], **query: str) -> Answer:
    return await api.post(f"/campaigns/{to.id}/targets", {"targets": rows}, query=query)


async def upload_csv(api: Api, to: Campaign, text: str | bytes, **query: str) -> Answer:
    data = text.encode() if isinstance(text, str) else text
    return await api.post(f"/campaigns/{to.id}/targets", data=data, content_type="text/csv", query=query)


def outcomes(answer: Answer) -> list[str]:
    """`accepted` or the code of each row, in the order of the answer."""
    return [row["error"]["code"] if "error" in row else row["status"] for row in answer.body["results"]]


async def count(database: Database, table: str) -> int:
    async with database.connection() as conn:
        return await conn.fetchval(f"SELECT count(*) FROM {table}")


async def end(database: Database, target_id: str, state: str, *, reason: str = "because") -> None:
    """As the engine leaves a target that it did not write to."""
    async with database.connection() as conn:
        await conn.execute(
            """
            UPDATE targets SET state = $2, next_due_at = NULL, error_code = 'provider_error', reason = $3
            WHERE id = $1
            """,
            TargetId.parse(target_id).uuid, state, reason,
        )  # fmt: skip


async def write_to(
    database: Database, target_id: str, *, state: str = "sent", text: str = "Hi there", reply: str | None = None
) -> None:
    """As the engine leaves a target that it wrote to, in the ledger of its client."""
    async with database.transaction() as conn:
        target = await conn.fetchrow("""
            SELECT t.*, c.client_id FROM targets t JOIN campaigns c ON c.id = t.campaign_id WHERE t.id = $1
        """, TargetId.parse(target_id).uuid)  # fmt: skip
        assert target is not None
        sender_id = await _sender(conn, target["workspace_id"])
        message_id, now = uuid7(), real_now()
        await conn.execute("""
            INSERT INTO messages (id, workspace_id, client_id, campaign_id, target_id, contact_id, sender_id, route,
                                  body, state, attempt_id, begun_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, 'assisted', $8, $9, $1, $10)
        """, message_id, target["workspace_id"], target["client_id"], target["campaign_id"], target["id"],
            target["contact_id"], sender_id, text, state, now)  # fmt: skip
        if state == "not_sent":
            return
        await conn.execute(
            "INSERT INTO first_contacts (workspace_id, scope_id, contact_id, target_id) VALUES ($1, $2, $3, $4)",
            target["workspace_id"], target["client_id"], target["contact_id"], target["id"],
        )  # fmt: skip
        await conn.execute("""
            UPDATE targets SET state = $2::text, sender_id = $3, next_due_at = NULL, sent_at = $4, updated_at = $4,
                               replied_at = CASE WHEN $2::text = 'replied' THEN $4::timestamptz END
            WHERE id = $1
        """, target["id"], "replied" if reply else state, sender_id, now)  # fmt: skip
        if reply:
            await conn.execute("""
                INSERT INTO replies (id, workspace_id, sender_id, contact_id, target_id, message_id, text, received_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            """, uuid7(), target["workspace_id"], sender_id, target["contact_id"], target["id"], message_id, reply,
                now)  # fmt: skip


async def _sender(conn: Connection, workspace_id: UUID) -> UUID:
    found = await conn.fetchval("SELECT id FROM senders WHERE workspace_id = $1 LIMIT 1", workspace_id)
    if found is None:
        found = uuid7()
        await conn.execute("""
            INSERT INTO senders (id, workspace_id, username, transport, routes, hourly_limit, daily_limit, ramp,
                                 min_gap_s, ready_at, created_at, updated_at)
            VALUES ($1, $2, 'our.brand', 'sandbox', '{sandbox}', 10, 100, false, 0, now(), now(), now())
        """, found, workspace_id)  # fmt: skip
    return found
