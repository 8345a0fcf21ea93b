"""Webhook endpoints, for owners: create and change, the secret once, a test event, on and off, delete, replays."""

from datetime import timedelta
from typing import cast
from zoneinfo import ZoneInfo

from litestar import Response, get, post

from iglayers.accounts.model import Scope
from iglayers.core.clock import Moment, real_now
from iglayers.core.errors import Conflict, Invalid
from iglayers.core.ids import DeliveryId, EndpointId, EventId, ReplayId
from iglayers.core.outgoing import client
from iglayers.core.paging import page as paged
from iglayers.dashboard.forms import Form
from iglayers.dashboard.pages import Crumb, page
from iglayers.dashboard.request import PageRequest
from iglayers.events import actions_deliveries, queries_deliveries, queries_endpoints
from iglayers.events import actions_endpoints as actions
from iglayers.events.actions_deliveries import WantedReplay
from iglayers.events.actions_endpoints import EndpointChange, NewEndpoint
from iglayers.events.model import EventType
from iglayers.events.model_webhooks import (
    ALL_EVENTS,
    MAX_REPLAY,
    Delivery,
    DeliveryState,
    Endpoint,
    EndpointState,
    EndpointWithSecret,
    ReplayNotFound,
    WebhookDeliveryFailed,
    WebhookNotFound,
)

_LIST = Crumb("Webhooks", "/webhooks")
_REPLAYS_SHOWN = 5


@get("/webhooks")
async def list_webhooks(request: PageRequest) -> Response[bytes]:
    request.caller.needs(Scope.ADMIN)
    request.only_query("cursor", "limit")
    limit, before = request.limit(), request.cursor(EndpointId)
    async with request.connection() as conn:
        found = await queries_endpoints.page(
            conn, request.caller.workspace_id, only=None, before=before, limit=limit + 1
        )
    return page(request, "webhooks/list.html", title="Webhooks", found=paged(found, limit))


@get("/webhooks/new")
async def new_webhook(request: PageRequest) -> Response[bytes]:
    request.caller.needs(Scope.ADMIN)
    return _form(request, Form.of(events=[ALL_EVENTS]))


@post("/webhooks")
async def create_webhook(request: PageRequest) -> Response[bytes]:
    """The secret is in this answer and nowhere else."""
    form = await request.read_form(Scope.ADMIN)
    services = request.services
    try:
        new = form.read(NewEndpoint, **_fields(form))
        async with request.change() as conn:
            made = await actions.create(conn, request.caller, new, vault=services.vault, settings=services.settings)
    except (Invalid, Conflict) as error:
        return _form(request, form.refused(error), status=422)
    return _made(request, made)


@get("/webhooks/{id:str}")
async def show_webhook(request: PageRequest) -> Response[bytes]:
    request.only_query("state", "eventId", "cursor", "limit")
    return await _show(request, Form())


@get("/webhooks/{id:str}/edit")
async def edit_webhook(request: PageRequest) -> Response[bytes]:
    endpoint = await _endpoint(request)
    return _form(request, Form.of(
        url=endpoint.url, description=endpoint.description, events=endpoint.events,
        maxPerSecond=endpoint.max_per_second,
    ), endpoint)  # fmt: skip


@post("/webhooks/{id:str}")
async def change_webhook(request: PageRequest) -> Response[bytes]:
    form = await request.read_form(Scope.ADMIN)
    endpoint = await _endpoint(request)
    try:
        wanted = form.read(EndpointChange, **_fields(form))
        async with request.change() as conn:
            await actions.change(conn, request.caller, endpoint.id, wanted, settings=request.services.settings)
    except (Invalid, Conflict) as error:
        return _form(request, form.refused(error), endpoint, status=422)
    return request.go(f"/webhooks/{endpoint.id}", flash="Saved.")


@post("/webhooks/{id:str}/state")
async def switch(request: PageRequest) -> Response[bytes]:
    form = await request.read_form(Scope.ADMIN)
    endpoint_id = request.path_id(EndpointId, WebhookNotFound)
    is_on = form.get("state") == EndpointState.ENABLED
    async with request.change() as conn:
        if is_on:
            missed = (await actions.enable(conn, request.caller, endpoint_id)).missed
        else:
            missed = None
            wanted = EndpointChange(state=EndpointState.DISABLED)
            await actions.change(conn, request.caller, endpoint_id, wanted, settings=request.services.settings)
    told = "On. What waited goes out at once." if is_on else "Off. What happens from now on is not delivered."
    if missed is not None and missed.events:
        told += f" {missed.events:,} of while it was off do not: replay them."
    return request.go(f"/webhooks/{endpoint_id}", flash=told)


@post("/webhooks/{id:str}/test")
async def test_webhook(request: PageRequest) -> Response[bytes]:
    """Wait for the endpoint and show its answer, whatever it is."""
    await request.read_form(Scope.ADMIN)
    endpoint_id, services = request.path_id(EndpointId, WebhookNotFound), request.services
    try:
        async with client(services.settings) as outgoing:
            made = await actions_deliveries.test(
                services.db, request.caller, endpoint_id, client=outgoing, vault=services.vault
            )
    except WebhookDeliveryFailed as error:
        failed = cast("Delivery", error.details["delivery"])
        return request.go(f"/deliveries/{failed.id}", flash=error.message)
    return request.go(f"/deliveries/{made.id}", flash="The endpoint took the test event.")


@post("/webhooks/{id:str}/rotate-secret")
async def rotate_secret(request: PageRequest) -> Response[bytes]:
    form = await request.read_form(Scope.ADMIN)
    endpoint_id = request.path_id(EndpointId, WebhookNotFound)
    hours = form.whole("overlapHours") or 0
    async with request.change() as conn:
        made = await actions.rotate_secret(
            conn, request.caller, endpoint_id, overlap_hours=hours, vault=request.services.vault
        )
    return _made(request, made, is_new=False)


@post("/webhooks/{id:str}/delete")
async def delete_webhook(request: PageRequest) -> Response[bytes]:
    await request.read_form(Scope.ADMIN)
    endpoint_id = request.path_id(EndpointId, WebhookNotFound)
    async with request.change() as conn:
        await actions.delete(conn, request.caller, endpoint_id)
    return request.go("/webhooks", flash="The webhook is deleted.")


@post("/webhooks/{id:str}/replay")
async def replay(request: PageRequest) -> Response[bytes]:
    form = await request.read_form(Scope.ADMIN)
    endpoint_id = request.path_id(EndpointId, WebhookNotFound)
    try:
        wanted = form.read(WantedReplay, since=form.moment("since", request.person.timezone), types=None)
        async with request.change() as conn:
            begun = await actions_deliveries.replay(conn, request.caller, endpoint_id, wanted)
    except (Invalid, Conflict) as error:
        return await _show(request, form.refused(error), status=422)
    told = f"{begun.total:,} {'event goes' if begun.total == 1 else 'events go'} out again, behind what is new."
    return request.go(f"/webhooks/{endpoint_id}", flash=told)


@get("/webhooks/{id:str}/replays/{rpy:str}")
async def show_replay(request: PageRequest) -> Response[bytes]:
    """How far it is, for a page that is open; by itself the page of the endpoint."""
    endpoint = await _endpoint(request)
    replay_id = request.path_id(ReplayId, ReplayNotFound)
    if not request.is_fragment:
        return request.go(f"/webhooks/{endpoint.id}")
    async with request.connection() as conn:
        found = await queries_deliveries.replay(conn, request.caller.workspace_id, endpoint.id, replay_id)
    if found is None:
        raise ReplayNotFound("There is no such replay.")
    return page(request, "webhooks/_replay.html", title="Replay", each=found, endpoint=endpoint)


@post("/webhooks/{id:str}/replays/{rpy:str}/cancel")
async def cancel_replay(request: PageRequest) -> Response[bytes]:
    await request.read_form(Scope.ADMIN)
    endpoint_id, replay_id = request.path_id(EndpointId, WebhookNotFound), request.path_id(ReplayId, ReplayNotFound)
    async with request.change() as conn:
        await actions_deliveries.cancel_replay(conn, request.caller, endpoint_id, replay_id)
    return request.go(f"/webhooks/{endpoint_id}", flash="The replay is cancelled; what had gone out stays out.")


async def _endpoint(request: PageRequest) -> Endpoint:
    request.caller.needs(Scope.ADMIN)
    endpoint_id = request.path_id(EndpointId, WebhookNotFound)
    async with request.connection() as conn:
        found = await queries_endpoints.by_id(conn, request.caller.workspace_id, endpoint_id, only=None)
    if found is None:
        raise WebhookNotFound("There is no such webhook endpoint.")
    return found


async def _show(request: PageRequest, form: Form, *, status: int = 200) -> Response[bytes]:
    endpoint, workspace_id = await _endpoint(request), request.caller.workspace_id
    limit, before, state = request.limit(), request.cursor(DeliveryId), _state(request.query_params.get("state"))
    event_id = request.cursor(EventId, "eventId")
    async with request.connection() as conn:
        found = await queries_deliveries.page(
            conn, workspace_id, endpoint.id, state=state, event_id=event_id, before=before, limit=limit + 1
        )
        replays = await queries_deliveries.replays(conn, workspace_id, endpoint.id, before=None, limit=_REPLAYS_SHOWN)
    if not form.has("since"):
        missed = endpoint.disabled_at or endpoint.failing_since or real_now() - timedelta(days=1)
        since = max(missed, real_now() - MAX_REPLAY + timedelta(minutes=5))
        shown = request.caller.clock.shows(Moment.of(since)).astimezone(ZoneInfo(request.person.timezone))
        error, form = form.error, Form.of(since=shown.strftime("%Y-%m-%dT%H:%M"))
        form.error = error
    return page(
        request, "webhooks/show.html", title=endpoint.description or endpoint.url, crumb=_LIST, endpoint=endpoint,
        found=paged(found, limit), replays=replays, form=form, state=state, states=list(DeliveryState),
        event_id=event_id, days=MAX_REPLAY.days, status=status,
    )  # fmt: skip


def _fields(form: Form) -> dict[str, object]:
    events = form.all("events")
    return {
        "url": form.get("url"), "description": form.text("description"),
        "events": [ALL_EVENTS] if ALL_EVENTS in events else events, "maxPerSecond": form.whole("maxPerSecond"),
    }  # fmt: skip


def _form(request: PageRequest, form: Form, endpoint: Endpoint | None = None, *, status: int = 200) -> Response[bytes]:
    crumb = _LIST if endpoint is None else Crumb(endpoint.description or endpoint.url, f"/webhooks/{endpoint.id}")
    return page(
        request, "webhooks/form.html", title="New webhook" if endpoint is None else "Change the webhook", crumb=crumb,
        form=form, endpoint=endpoint, all_events=ALL_EVENTS, event_options=[(each, each, "") for each in EventType],
        status=status,
    )  # fmt: skip


def _made(request: PageRequest, made: EndpointWithSecret, *, is_new: bool = True) -> Response[bytes]:
    return page(
        request, "webhooks/secret.html", title="The webhook is there" if is_new else "A new secret",
        crumb=_LIST, made=made,
    )  # fmt: skip


def _state(text: str | None) -> DeliveryState | None:
    try:
        return DeliveryState(text) if text else None
    except ValueError:
        raise Invalid(f"state must be one of {', '.join(DeliveryState)}.", param="state") from None


ROUTES = [
    list_webhooks, new_webhook, create_webhook, show_webhook, edit_webhook, change_webhook, switch, test_webhook,
    rotate_secret, delete_webhook, replay, show_replay, cancel_replay,
]  # fmt: skip
