"""Verbs of clients: create, change. Archiving needs the campaigns and lives there."""

from typing import Annotated, Any

import msgspec

from iglayers.accounts import actions as accounts
from iglayers.accounts import queries as account_queries
from iglayers.accounts.model import Caller, InsufficientScope
from iglayers.clients import queries
from iglayers.clients.model import Client, ClientNotFound, ExternalIdTaken
from iglayers.core.db import Connection
from iglayers.core.errors import InvalidState
from iglayers.core.fields import line, metadata, optional_line
from iglayers.core.ids import ClientId

Limit = Annotated[int, msgspec.Meta(ge=1, le=100_000)]


class NewClient(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    name: str
    external_id: str | None = None
    metadata: dict[str, Any] = {}
    hourly_limit: Limit | None = None
    daily_limit: Limit | None = None


class ClientChange(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    name: str | msgspec.UnsetType = msgspec.UNSET
    external_id: str | msgspec.UnsetType | None = msgspec.UNSET
    metadata: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    hourly_limit: Limit | msgspec.UnsetType | None = msgspec.UNSET
    daily_limit: Limit | msgspec.UnsetType | None = msgspec.UNSET


async def create(conn: Connection, caller: Caller, new: NewClient) -> Client:
    """A client of the caller's workspace; ExternalIdTaken names the one that has its externalId."""
    if caller.client_id is not None:
        raise InsufficientScope("This key is bound to one client and cannot create others.")
    now = caller.now
    client = Client(
        id=ClientId.new(), name=line(new.name, "name"), external_id=optional_line(new.external_id, "externalId"),
        metadata=metadata(new.metadata), hourly_limit=new.hourly_limit, daily_limit=new.daily_limit,
        archived_at=None, created_at=now, updated_at=now,
    )  # fmt: skip
    await _hold_external_id(conn, caller, client)
    if not await queries.insert(conn, client, workspace_id=caller.workspace_id):
        await refuse_taken(conn, caller, client)
    await accounts.audit(conn, caller, "client.created", client.id, after=client)
    return client


async def change(conn: Connection, caller: Caller, client_id: ClientId, wanted: ClientChange) -> Client:
    """Change what `wanted` names; new limits hold from the next send."""
    before = await queries.lock(conn, caller.workspace_id, client_id, only=caller.client_id)
    if before is None:
        raise ClientNotFound("There is no such client.")
    if before.archived_at is not None:
        raise InvalidState("An archived client cannot be changed.")
    fields = {name: item for name, item in msgspec.structs.asdict(wanted).items() if item is not msgspec.UNSET}
    if "name" in fields:
        fields["name"] = line(fields["name"], "name")
    if "external_id" in fields:
        fields["external_id"] = optional_line(fields["external_id"], "externalId")
    if "metadata" in fields:
        fields["metadata"] = metadata(fields["metadata"])
    client = msgspec.structs.replace(before, **fields, updated_at=caller.now)
    if "external_id" in fields:
        await _hold_external_id(conn, caller, client)
        await refuse_taken(conn, caller, client)
    await queries.change(conn, client, workspace_id=caller.workspace_id)
    if (client.hourly_limit, client.daily_limit) != (before.hourly_limit, before.daily_limit):
        await account_queries.wake(conn, caller.workspace_id)
    old, new = accounts.changed(before, client)
    await accounts.audit(conn, caller, "client.changed", client_id, before=old, after=new)
    return client


async def _hold_external_id(conn: Connection, caller: Caller, client: Client) -> None:
    """Of two who want one external id at once, the second waits and is told who has it."""
    if client.external_id is not None:
        await queries.hold_external_id(conn, caller.workspace_id, client.external_id)


async def refuse_taken(conn: Connection, caller: Caller, client: Client) -> None:
    """ExternalIdTaken if another client of the workspace has this one's external id."""
    if client.external_id is None:
        return
    holder = await queries.with_external_id(conn, caller.workspace_id, client.external_id)
    if holder is not None and holder != client.id:
        raise ExternalIdTaken(
            f"The externalId {client.external_id} belongs to the client {holder}.",
            param="externalId", details={"existingId": str(holder)},
        )  # fmt: skip
