"""Routes of webhook endpoints."""

import msgspec
from litestar import Response, delete, get, patch, post

from iglayers.accounts.request import ApiRequest, answer
from iglayers.core.ids import EndpointId
from iglayers.core.paging import page
from iglayers.events import actions_endpoints as actions
from iglayers.events import queries_endpoints as queries
from iglayers.events.model_webhooks import WebhookNotFound


class Rotation(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    overlap_hours: float = 24


@post("/webhooks")
async def create_webhook(request: ApiRequest) -> Response[bytes]:
    new = await request.read(actions.NewEndpoint)
    vault, settings = request.services.vault, request.services.settings
    async with request.unit() as unit:
        made = await actions.create(unit.conn, request.caller, new, vault=vault, settings=settings)
        return unit.answer(made, status=201)


@get("/webhooks")
async def list_webhooks(request: ApiRequest) -> Response[bytes]:
    request.only_query("limit", "cursor")
    caller, limit, before = request.caller, request.limit(), request.cursor(EndpointId)
    async with request.connection() as conn:
        found = await queries.page(conn, caller.workspace_id, only=caller.client_id, before=before, limit=limit + 1)
    return answer(page(found, limit))


@get("/webhooks/{id:str}")
async def show_webhook(request: ApiRequest) -> Response[bytes]:
    caller, endpoint_id = request.caller, request.path_id(EndpointId, WebhookNotFound)
    async with request.connection() as conn:
        endpoint = await queries.by_id(conn, caller.workspace_id, endpoint_id, only=caller.client_id)
    if endpoint is None:
        raise WebhookNotFound("There is no such webhook endpoint.")
    return answer(endpoint)


@patch("/webhooks/{id:str}")
async def change_webhook(request: ApiRequest) -> Response[bytes]:
    endpoint_id = request.path_id(EndpointId, WebhookNotFound)
    wanted = await request.read(actions.EndpointChange)
    async with request.unit() as unit:
        changed = await actions.change(
            unit.conn, request.caller, endpoint_id, wanted, settings=request.services.settings
        )
        return unit.answer(changed)


@delete("/webhooks/{id:str}", status_code=200)
async def delete_webhook(request: ApiRequest) -> Response[bytes]:
    endpoint_id = request.path_id(EndpointId, WebhookNotFound)
    async with request.unit() as unit:
        return unit.answer(await actions.delete(unit.conn, request.caller, endpoint_id))


@post("/webhooks/{id:str}/enable", status_code=200)
async def enable_webhook(request: ApiRequest) -> Response[bytes]:
    endpoint_id = request.path_id(EndpointId, WebhookNotFound)
    async with request.unit() as unit:
        return unit.answer(await actions.enable(unit.conn, request.caller, endpoint_id))


@post("/webhooks/{id:str}/rotate-secret", status_code=200)
async def rotate_webhook_secret(request: ApiRequest) -> Response[bytes]:
    endpoint_id = request.path_id(EndpointId, WebhookNotFound)
    wanted = await request.read(Rotation)
    async with request.unit() as unit:
        rotated = await actions.rotate_secret(
            unit.conn, request.caller, endpoint_id, overlap_hours=wanted.overlap_hours, vault=request.services.vault
        )
        return unit.answer(rotated)


ROUTES = [
    create_webhook,
    list_webhooks,
    show_webhook,
    change_webhook,
    delete_webhook,
    enable_webhook,
    rotate_webhook_secret,
]
