"""Small builders for tests. Each goes through the real action, in a transaction of its own."""

from typing import Any

from iglayers.accounts.model import Caller
from iglayers.clients import actions as client_actions
from iglayers.clients.model import Client
from iglayers.contacts import actions as contact_actions
from iglayers.contacts.model import Suppression
from iglayers.core.db import Database
from iglayers.core.ids import ClientId
from iglayers.templates import actions as template_actions
from iglayers.templates.model import MessageTemplate
from tests.databases import PEPPER


async def client(database: Database, caller: Caller, name: str = "Acme", **fields: Any) -> Client:
    async with database.transaction() as conn:
        return await client_actions.create(conn, caller, client_actions.NewClient(name=name, **fields))


async def template(
    database: Database, caller: Caller, body: str = "Hi {{firstName|there}}", name: str = "Intro"
) -> MessageTemplate:
    async with database.transaction() as conn:
        return await template_actions.create(conn, caller, template_actions.NewTemplate(name=name, body=body))


async def suppression(
    database: Database, caller: Caller, username: str, *, client_id: ClientId | None = None, **fields: Any
) -> Suppression:
    wanted = contact_actions.WantedSuppression(instagram_username=username, client_id=client_id, **fields)
    async with database.transaction() as conn:
        return await contact_actions.suppress(conn, caller, wanted, pepper=PEPPER)
