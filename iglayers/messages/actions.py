"""Settings of a workspace that the ledger must follow at the moment they change."""

from typing import Annotated, Literal

import msgspec

from iglayers.accounts import actions as accounts
from iglayers.accounts import queries as account_queries
from iglayers.accounts.model import Caller, Workspace, WorkspaceNotFound
from iglayers.core.db import Connection
from iglayers.core.fields import line, timezone
from iglayers.messages import queries
from iglayers.usage import queries as usage_queries
from iglayers.usage.model import month_bounds, month_of


class WorkspaceChange(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    name: str | msgspec.UnsetType = msgspec.UNSET
    monthly_limit: Annotated[int, msgspec.Meta(ge=0, le=100_000_000)] | msgspec.UnsetType | None = msgspec.UNSET
    timezone: str | msgspec.UnsetType = msgspec.UNSET
    first_contact_scope: Literal["client", "workspace"] | msgspec.UnsetType = msgspec.UNSET
    retention_days: Annotated[int, msgspec.Meta(ge=1, le=3_650)] | msgspec.UnsetType = msgspec.UNSET


async def change_workspace(conn: Connection, caller: Caller, wanted: WorkspaceChange) -> Workspace:
    """Change what `wanted` names; no message begins while it changes, so that counts and scopes fit from the first.

    A new limit or zone counts the month anew from the ledger; a wider scope takes in everybody written to so far.
    """
    await queries.stop_begins(conn)
    before = await account_queries.workspace(conn, caller.workspace_id)
    if before is None:
        raise WorkspaceNotFound("There is no such workspace.")
    fields = {name: item for name, item in msgspec.structs.asdict(wanted).items() if item is not msgspec.UNSET}
    if "name" in fields:
        fields["name"] = line(fields["name"], "name")
    if "timezone" in fields:
        timezone(fields["timezone"], "timezone")
    workspace = msgspec.structs.replace(before, **fields)
    await account_queries.change_workspace(conn, workspace)
    if workspace.monthly_limit is not None:
        await _count_month(conn, caller, workspace)
    if workspace.first_contact_scope == "workspace" and before.first_contact_scope == "client":
        await queries.widen_first_contacts(conn, caller.workspace_id)
    old, new = accounts.changed(before, workspace)
    await accounts.audit(conn, caller, "workspace.changed", caller.workspace_id, before=old, after=new)
    await account_queries.wake(conn, caller.workspace_id)
    return workspace


async def _count_month(conn: Connection, caller: Caller, workspace: Workspace) -> None:
    month = month_of(caller.now, workspace.timezone)
    begins_at, ends_at = month_bounds(month, workspace.timezone)
    sent = await queries.count_month(conn, caller.workspace_id, month=month, begins_at=begins_at, ends_at=ends_at)
    await usage_queries.set_month(conn, caller.workspace_id, month, sent)
