"""A workspace with one of everything that has an id, made over HTTP where that is possible."""

import re
from datetime import timedelta
from typing import Any

import msgspec

from iglayers.core.clock import Moment, real_now
from iglayers.core.db import Connection, Database
from iglayers.core.ids import ConversationId, DeliveryId, EndpointId, EventId, MessageId, ReplyId, TargetId
from tests.serving import Api
from tests.targets.uploads import write_to

# What a request may leave behind although it was refused: who called, how often, when last.
_UNWATCHED = ("api_keys", "rate_limits", "migrations")


class World(msgspec.Struct, frozen=True):
    """`ids` by the collection that an id stands behind in a path: `clients` for /clients/{id}."""

    ids: dict[str, str]

    def path(self, path: str, **other: str) -> str:
        """A route's path with this world's ids in it, or with `other` ids by the name of their collection."""
        ids = self.ids | other
        return re.sub(r"{\w+}", lambda found: ids[named(path, found.start())], path)


def named(path: str, at: int) -> str:
    """The collection that the parameter at this place of a path is of: `targets` in /campaigns/{id}/targets/{tgt}."""
    return path[:at].rstrip("/").rpartition("/")[2]


def collections(path: str) -> list[str]:
    """What the ids of a path are of, outermost first."""
    return [named(path, found.start()) for found in re.finditer(r"{\w+}", path)]


async def populated(api: Api, database: Database, *, name: str = "acme") -> World:
    """One of everything; the campaign is a draft whose one target was written to, nobody knows with what outcome."""

    async def made(path: str, **fields: Any) -> Any:
        answer = await api.post(path, fields)
        assert answer.status == 201, answer
        return answer.body

    yesterday = Moment.of(real_now() - timedelta(days=1)).rfc3339()
    client = (await made("/clients", name=name))["id"]
    template = (await made("/message-templates", name="Intro", body="Hi {{firstName|there}}"))["id"]
    sender = await made("/senders", username=f"{name}.official", transport="assisted", clientIds=[client])
    campaign = (await made("/campaigns", clientId=client, name="Spring", messageTemplateId=template))["id"]
    key = await made("/api-keys", name="App", scopes=["read"])
    endpoint = (await made("/webhooks", url="https://example.com/hook", events=["message.sent"]))["id"]
    await made("/suppressions", instagramUsername="jane.doe", clientId=client)
    uploaded = await made(f"/campaigns/{campaign}/targets", targets=[{"instagramUsername": f"{name}.fan"}])
    target = uploaded["results"][0]["id"]
    await write_to(database, target, state="unknown", reply="Hello")
    file = {"data": b"instagramUsername\nsome.body\n", "content_type": "text/csv"}
    imported = (await api.post(f"/campaigns/{campaign}/imports", **file)).body["id"]
    await api.post(f"/imports/{imported}/cancel")
    async with database.connection() as conn:
        target_id = TargetId.parse(target).uuid
        message = await conn.fetchval("SELECT id FROM messages WHERE target_id = $1", target_id)
        reply = await conn.fetchval(
            """
            UPDATE replies r SET client_id = c.client_id, campaign_id = c.id
            FROM campaigns c, targets t
            WHERE r.target_id = $1 AND t.id = r.target_id AND c.id = t.campaign_id
            RETURNING r.id
            """,
            target_id,
        )
        conversation = await conn.fetchval(
            """
            INSERT INTO conversations (id, workspace_id, sender_id, contact_id, last_inbound_at, created_at)
            SELECT gen_random_uuid(), r.workspace_id, r.sender_id, r.contact_id, r.received_at, r.received_at
            FROM replies r WHERE r.target_id = $1
            RETURNING id
            """,
            target_id,
        )
    events = (await api.get("/events", types="campaign.created", limit=1_000)).body["data"]
    event = next(each["id"] for each in events if each["data"]["campaign"]["id"] == campaign)
    replay = await made(f"/webhooks/{endpoint}/replay", since=yesterday)
    return World({
        "clients": client, "message-templates": template, "senders": sender["id"], "campaigns": campaign,
        "api-keys": key["id"], "targets": target, "messages": str(MessageId(message)), "replies": str(ReplyId(reply)),
        "conversations": str(ConversationId(conversation)), "events": event,
        "suppressions": "jane.doe", "contacts": "jane.doe", "webhooks": endpoint,
        "replays": replay["id"], "outbox": str(MessageId(message)),
        "deliveries": await _delivery(database, endpoint, event), "yesterday": yesterday, "imports": imported,
    })  # fmt: skip


async def _delivery(database: Database, endpoint: str, event: str) -> str:
    delivery_id = DeliveryId.new()
    async with database.connection() as conn:
        await conn.execute(
            """
            INSERT INTO deliveries (id, workspace_id, endpoint_id, event_id)
            SELECT $1, workspace_id, id, $3 FROM webhook_endpoints WHERE id = $2
            """,
            delivery_id.uuid, EndpointId.parse(endpoint).uuid, EventId.parse(event).uuid,
        )  # fmt: skip
    return str(delivery_id)


async def everything(database: Database) -> dict[str, str]:
    """A digest of each table, to see that nothing changed."""
    async with database.connection() as conn:
        return {name: await _digest(conn, name) for name in await _tables(conn)}


async def _tables(conn: Connection) -> list[str]:
    found = await conn.fetch("""
        SELECT c.relname AS name FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    """)
    return [each["name"] for each in found if each["name"] not in _UNWATCHED]


async def _digest(conn: Connection, table: str) -> str:
    return await conn.fetchval(
        f"SELECT count(*) || ' ' || md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {table} t"
    )
