"""One delivery to a webhook: what was sent, every attempt with its answer, sending it again."""

from litestar import Response, get, post

from iglayers.accounts.model import Scope
from iglayers.core.errors import Conflict
from iglayers.core.ids import DeliveryId
from iglayers.core.wire import json_bytes
from iglayers.dashboard.pages import Crumb, page
from iglayers.dashboard.request import PageRequest
from iglayers.events import actions_deliveries as actions
from iglayers.events import queries, queries_endpoints
from iglayers.events.attempts import MAX_BODY_BYTES, opened
from iglayers.events.model_webhooks import Attempt, Delivery, DeliveryNotFound, Secrets
from iglayers.events.signing import Signer


@get("/deliveries/{id:str}")
async def show_delivery(request: PageRequest) -> Response[bytes]:
    return await _show(request)


@post("/deliveries/{id:str}/redeliver")
async def redeliver(request: PageRequest) -> Response[bytes]:
    await request.read_form(Scope.ADMIN)
    delivery_id = request.path_id(DeliveryId, DeliveryNotFound)
    try:
        async with request.change() as conn:
            await actions.redeliver(conn, request.caller, delivery_id)
    except Conflict as error:
        return await _show(request, refused=error)
    return request.go(f"/deliveries/{delivery_id}", flash="It goes out again, with the same event id.")


async def _show(request: PageRequest, *, refused: Conflict | None = None) -> Response[bytes]:
    caller = request.caller
    caller.needs(Scope.ADMIN)
    delivery_id = request.path_id(DeliveryId, DeliveryNotFound)
    async with request.connection() as conn:
        delivery = await actions.show(conn, caller, delivery_id)
        endpoint = await queries_endpoints.by_id(conn, caller.workspace_id, delivery.endpoint_id, only=None)
        stored = await queries_endpoints.secrets(conn, caller.workspace_id, delivery.endpoint_id)
        event = await queries.by_id(conn, caller.workspace_id, delivery.event_id, only=None)
    if endpoint is None or stored is None:
        raise DeliveryNotFound("There is no such delivery.")
    body = json_bytes(event) if event else None
    headers = _headers(request, delivery, delivery.log[-1], stored, body) if body and delivery.log else None
    return page(
        request, "deliveries/show.html", title=delivery.type, delivery=delivery, endpoint=endpoint,
        crumb=Crumb(endpoint.description or endpoint.url, f"/webhooks/{endpoint.id}"), headers=headers,
        body=body.decode() if body else None, is_too_large=bool(body) and len(body or b"") > MAX_BODY_BYTES,
        refused=refused, status=409 if refused else 200,
    )  # fmt: skip


def _headers(
    request: PageRequest, delivery: Delivery, attempt: Attempt, stored: Secrets, body: bytes
) -> dict[str, str]:
    """Of the last attempt, signed again with what signed at its moment unless the secret was changed since."""
    secrets = opened(stored, delivery.endpoint_id, vault=request.services.vault, now=attempt.started_at)
    return Signer(secrets).headers(
        body, event_id=str(delivery.event_id), kind=delivery.type, delivery_id=str(delivery.id),
        timestamp=int(attempt.started_at.timestamp()),
    )  # fmt: skip


ROUTES = [show_delivery, redeliver]
