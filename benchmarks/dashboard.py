"""How long the server takes for each page of a campaign with a million people: `python -m benchmarks.dashboard`.

The people come in by COPY, with a ledger of 100,000 messages behind them; each page is asked for seven times, after one
that warms it up, and the middle one counts. Beside it stands what a request cost server, database and this client in
processor time, which a busy machine does not change much.
"""

import asyncio
import statistics
import sys
import time
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast
from uuid import UUID, uuid4

import aiohttp

from benchmarks.machine import cpu_s, server
from iglayers.accounts import actions as accounts
from iglayers.accounts.model import Mode
from iglayers.accounts.model_people import Role
from iglayers.accounts.services import Services
from iglayers.core.clock import real_now
from iglayers.core.config import Settings
from iglayers.core.crypto import Vault
from iglayers.core.db import Connection, Database, connect
from iglayers.core.ids import CampaignId, ClientId, SenderId, uuid7_block
from iglayers.core.migrate import migrate
from iglayers.dashboard.request import SESSION_COOKIE
from tests import databases
from tests.browser.conftest import session_of
from tests.conftest import caller_of, key_of
from tests.databases import PEPPER, SECRET_KEY
from tests.serving import Api, serving

PEOPLE = 1_000_000
SENT = 100_000
TIMES = 7
PAGES = (
    "/", "/campaigns", "{at}", "{at}?status=sent", "{at}?q=person.77", "{at}/setup", "{at}/pace", "/unknown", "/usage",
)  # fmt: skip


async def main(count: int) -> None:
    with databases.server() as admin_url, TemporaryDirectory() as folder:
        url = databases.named(admin_url, await databases.create(admin_url))
        await migrate(url)
        db = await connect(url, size=20)
        settings = Settings(
            data_dir=Path(folder), database_url=url, secret_key=SECRET_KEY.hex(), rate_limit_per_minute=600_000,
            rate_limit_burst=100_000,
        )  # fmt: skip
        services = Services(settings=settings, db=db, vault=Vault(SECRET_KEY), pepper=PEPPER)
        async with db.transaction() as conn:
            await accounts.found_installation(conn, services.vault, new_pepper=PEPPER)
        async with db.connection() as conn:
            workspace_id = (await accounts.find_workspace(conn, Mode.LIVE, None)).id
        async with serving(services) as base, aiohttp.ClientSession() as http:
            at = await _filled(
                db, Api(http, base, await key_of(db, await caller_of(db, workspace_id, Mode.LIVE))), count
            )
            token = await session_of(db, Role.OWNER, workspace_id)
            postgres = await server(db)
            for path in PAGES:
                url_of_page, shown = base + path.format(at=at), path.format(at="/campaigns/{id}")
                await _once(http, url_of_page, token)
                before = time.process_time() + cpu_s(postgres)
                took = [await _once(http, url_of_page, token) for _ in range(TIMES)]
                cost = (time.process_time() + cpu_s(postgres) - before) / TIMES * 1_000
                print(f"{shown:32} {statistics.median(took):7.1f} ms, slowest {max(took):7.1f}, cost {cost:7.1f}")
        await db.close()


async def _once(http: aiohttp.ClientSession, url: str, token: str) -> float:
    begun = time.perf_counter()
    async with http.get(url, headers={"Cookie": f"{SESSION_COOKIE}={token}", "Accept": "text/html"}) as answer:
        await answer.read()
        assert answer.status == 200, await answer.text()
    return (time.perf_counter() - begun) * 1_000


async def _filled(db: Database, api: Api, count: int) -> str:
    client = (await api.post("/clients", {"name": "Acme"})).body["id"]
    template = (await api.post("/message-templates", {"name": "Intro", "body": "Hi"})).body["id"]
    sender = (await api.post("/senders", {"username": "acme.team", "transport": "assisted"})).body["id"]
    made = await api.post("/campaigns", {"clientId": client, "name": "Million", "messageTemplateId": template})
    campaign, now = made.body["id"], real_now()
    async with db.connection() as conn:
        workspace: UUID = await conn.fetchval(
            "SELECT workspace_id FROM campaigns WHERE id = $1", CampaignId.parse(campaign).uuid
        )
        people, targets = uuid7_block(count), uuid7_block(count)
        await _copy(conn, "contacts", ["id", "workspace_id", "handle_hash", "username", "created_at"], [
            (people[n], workspace, n.to_bytes(32, "big"), f"person.{n}", now) for n in range(count)
        ])  # fmt: skip
        sent = min(SENT, count // 10)
        columns = ["id", "workspace_id", "campaign_id", "contact_id", "state", "next_step", "next_due_at", "created_at",
                   "updated_at"]  # fmt: skip
        campaign_id = CampaignId.parse(campaign).uuid
        await _copy(conn, "targets", columns, [
            (targets[n], workspace, campaign_id, people[n], "sent" if n < sent else "queued", 0,
             None if n < sent else now, now, now) for n in range(count)
        ])  # fmt: skip
        columns = ["id", "workspace_id", "client_id", "campaign_id", "target_id", "contact_id", "sender_id", "route",
                   "body", "state", "attempt_id", "begun_at", "settled_at"]  # fmt: skip
        sender_id, client_id = SenderId.parse(sender).uuid, ClientId.parse(client).uuid
        await _copy(conn, "messages", columns, [
            (uuid4(), workspace, client_id, campaign_id, targets[n], people[n], sender_id, "assisted", "Hi", "sent",
             uuid4(), now - timedelta(days=28 * n / sent), now) for n in range(sent)
        ])  # fmt: skip
        await conn.execute(
            "UPDATE campaigns SET state = 'running', started_at = now(), due_at = now() WHERE id = $1", campaign_id
        )
        await conn.execute("VACUUM ANALYZE")
    return f"/campaigns/{campaign}"


async def _copy(conn: Connection, table: str, columns: list[str], records: list[tuple[object, ...]]) -> None:
    await cast("Any", conn).copy_records_to_table(table, columns=columns, records=records)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else PEOPLE))
