"""Routes about the caller, API keys and the audit log."""

from datetime import datetime

import msgspec
from litestar import Response, delete, get, post

from iglayers.accounts import actions, queries
from iglayers.accounts.model import AuditFilters, KeyNotFound, Scope, WorkspaceNotFound
from iglayers.accounts.request import ApiRequest, answer
from iglayers.core.ids import AuditId, ClientId, KeyId, WorkspaceId
from iglayers.core.paging import page


class Me(msgspec.Struct, rename="camel", kw_only=True):
    key_id: KeyId | None
    actor: str
    scopes: list[Scope]
    client_id: ClientId | None
    workspace_id: WorkspaceId
    workspace_name: str
    mode: str
    now: datetime
    rate_limit_per_minute: int
    rate_limit_burst: int


class Rotation(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    overlap_hours: float = 24


@get("/me")
async def me(request: ApiRequest) -> Response[bytes]:
    caller, settings = request.caller, request.services.settings
    async with request.connection() as conn:
        workspace = await queries.workspace(conn, caller.workspace_id)
    assert workspace is not None
    return answer(Me(
        key_id=caller.key_id, actor=caller.actor, scopes=sorted(caller.scopes), client_id=caller.client_id,
        workspace_id=workspace.id, workspace_name=workspace.name, mode=workspace.mode, now=caller.now,
        rate_limit_per_minute=settings.rate_limit_per_minute, rate_limit_burst=settings.rate_limit_burst,
    ))  # fmt: skip


@get("/workspace", scope_needed=Scope.ADMIN)
async def show_workspace(request: ApiRequest) -> Response[bytes]:
    async with request.connection() as conn:
        workspace = await queries.workspace(conn, request.caller.workspace_id)
    if workspace is None:
        raise WorkspaceNotFound("There is no such workspace.")
    return answer(workspace)


@get("/api-keys", scope_needed=Scope.ADMIN)
async def list_keys(request: ApiRequest) -> Response[bytes]:
    request.only_query("limit", "cursor")
    limit, before = request.limit(), request.cursor(KeyId)
    async with request.connection() as conn:
        found = await queries.keys(conn, request.caller.workspace_id, before=before, limit=limit + 1)
    return answer(page(found, limit))


@post("/api-keys", scope_needed=Scope.ADMIN)
async def create_key(request: ApiRequest) -> Response[bytes]:
    new = await request.read(actions.NewKey)
    async with request.unit() as unit:
        return unit.answer(await actions.create_key(unit.conn, request.caller, new), status=201)


@post("/api-keys/{id:str}/rotate", scope_needed=Scope.ADMIN)
async def rotate_key(request: ApiRequest) -> Response[bytes]:
    key_id = request.path_id(KeyId, KeyNotFound)
    rotation = await request.read(Rotation)
    async with request.unit() as unit:
        made = await actions.rotate_key(unit.conn, request.caller, key_id, overlap_hours=rotation.overlap_hours)
        answered = unit.answer(made, status=201)
    request.forget_key(key_id)
    return answered


@delete("/api-keys/{id:str}", scope_needed=Scope.ADMIN, status_code=200)
async def revoke_key(request: ApiRequest) -> Response[bytes]:
    key_id = request.path_id(KeyId, KeyNotFound)
    async with request.unit() as unit:
        answered = unit.answer(await actions.revoke_key(unit.conn, request.caller, key_id))
    request.forget_key(key_id)
    return answered


@get("/audit-log", scope_needed=Scope.ADMIN)
async def audit_log(request: ApiRequest) -> Response[bytes]:
    request.only_query("limit", "cursor", "action", "objectId", "actor", "since")
    limit, before, asked = request.limit(), request.cursor(AuditId), request.query_params
    filters = AuditFilters(
        action=asked.get("action"), object_id=asked.get("objectId"), actor=asked.get("actor"),
        since=request.moment("since"),
    )  # fmt: skip
    async with request.connection() as conn:
        found = await queries.audit_log(conn, request.caller.workspace_id, filters, before=before, limit=limit + 1)
    return answer(page(found, limit))


ROUTES = [me, show_workspace, list_keys, create_key, rotate_key, revoke_key, audit_log]
