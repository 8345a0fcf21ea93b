"""Routes of deliveries, tests and replays. `/test` waits for the endpoint, so it takes no Idempotency-Key."""

from litestar import Response, get, post

from iglayers.accounts.model import Caller
from iglayers.accounts.request import ApiRequest, answer
from iglayers.core.db import Connection
from iglayers.core.errors import Invalid
from iglayers.core.ids import DeliveryId, EndpointId, EventId, ReplayId
from iglayers.core.outgoing import client
from iglayers.core.paging import page
from iglayers.events import actions_deliveries as actions
from iglayers.events import queries_deliveries as queries
from iglayers.events import queries_endpoints
from iglayers.events.model_webhooks import (
    DeliveryNotFound,
    DeliveryState,
    ReplayNotFound,
    WebhookNotFound,
)


@post("/webhooks/{id:str}/test", status_code=200)
async def test_webhook(request: ApiRequest) -> Response[bytes]:
    request.only_query()
    endpoint_id, services = request.path_id(EndpointId, WebhookNotFound), request.services
    await request.read_nothing()
    async with client(services.settings) as outgoing:
        made = await actions.test(services.db, request.caller, endpoint_id, client=outgoing, vault=services.vault)
    return answer(made)


@get("/webhooks/{id:str}/deliveries")
async def list_deliveries(request: ApiRequest) -> Response[bytes]:
    request.only_query("limit", "cursor", "state", "eventId")
    caller, endpoint_id = request.caller, request.path_id(EndpointId, WebhookNotFound)
    limit, before, event_id = request.limit(), request.cursor(DeliveryId), request.cursor(EventId, "eventId")
    state = _state(request.query_params.get("state"))
    async with request.connection() as conn:
        await _must_exist(conn, caller, endpoint_id)
        found = await queries.page(
            conn, caller.workspace_id, endpoint_id, state=state, event_id=event_id, before=before, limit=limit + 1
        )
    return answer(page(found, limit))


@get("/deliveries/{id:str}")
async def show_delivery(request: ApiRequest) -> Response[bytes]:
    delivery_id = request.path_id(DeliveryId, DeliveryNotFound)
    async with request.connection() as conn:
        return answer(await actions.show(conn, request.caller, delivery_id))


@post("/deliveries/{id:str}/redeliver", status_code=200)
async def redeliver(request: ApiRequest) -> Response[bytes]:
    delivery_id = request.path_id(DeliveryId, DeliveryNotFound)
    async with request.unit() as unit:
        return unit.answer(await actions.redeliver(unit.conn, request.caller, delivery_id))


@post("/webhooks/{id:str}/replay")
async def replay_webhook(request: ApiRequest) -> Response[bytes]:
    endpoint_id = request.path_id(EndpointId, WebhookNotFound)
    wanted = await request.read(actions.WantedReplay)
    async with request.unit() as unit:
        return unit.answer(await actions.replay(unit.conn, request.caller, endpoint_id, wanted), status=201)


@get("/webhooks/{id:str}/replays")
async def list_replays(request: ApiRequest) -> Response[bytes]:
    request.only_query("limit", "cursor")
    caller, endpoint_id = request.caller, request.path_id(EndpointId, WebhookNotFound)
    limit, before = request.limit(), request.cursor(ReplayId)
    async with request.connection() as conn:
        await _must_exist(conn, caller, endpoint_id)
        found = await queries.replays(conn, caller.workspace_id, endpoint_id, before=before, limit=limit + 1)
    return answer(page(found, limit))


@get("/webhooks/{id:str}/replays/{rpy:str}")
async def show_replay(request: ApiRequest) -> Response[bytes]:
    caller, endpoint_id = request.caller, request.path_id(EndpointId, WebhookNotFound)
    replay_id = request.path_id(ReplayId, ReplayNotFound)
    async with request.connection() as conn:
        await _must_exist(conn, caller, endpoint_id)
        found = await queries.replay(conn, caller.workspace_id, endpoint_id, replay_id)
    if found is None:
        raise ReplayNotFound("There is no such replay.")
    return answer(found)


@post("/webhooks/{id:str}/replays/{rpy:str}/cancel", status_code=200)
async def cancel_replay(request: ApiRequest) -> Response[bytes]:
    endpoint_id, replay_id = request.path_id(EndpointId, WebhookNotFound), request.path_id(ReplayId, ReplayNotFound)
    async with request.unit() as unit:
        return unit.answer(await actions.cancel_replay(unit.conn, request.caller, endpoint_id, replay_id))


async def _must_exist(conn: Connection, caller: Caller, endpoint_id: EndpointId) -> None:
    if await queries_endpoints.by_id(conn, caller.workspace_id, endpoint_id, only=caller.client_id) is None:
        raise WebhookNotFound("There is no such webhook endpoint.")


def _state(text: str | None) -> DeliveryState | None:
    try:
        return None if text is None else DeliveryState(text)
    except ValueError:
        raise Invalid(f"state must be one of {', '.join(DeliveryState)}.", param="state") from None


ROUTES = [
    test_webhook,
    list_deliveries,
    show_delivery,
    redeliver,
    replay_webhook,
    list_replays,
    show_replay,
    cancel_replay,
]
