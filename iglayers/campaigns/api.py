"""Routes of campaigns, and the one of clients that needs them. Those of their targets stand in api_targets."""

from litestar import Response, delete, get, patch, post

from iglayers.accounts.model import Scope
from iglayers.accounts.request import ApiRequest, answer
from iglayers.campaigns import actions, queries
from iglayers.campaigns.model import CampaignNotFound, CampaignState
from iglayers.clients import queries as client_queries
from iglayers.clients.model import ClientNotFound
from iglayers.core.errors import Invalid
from iglayers.core.ids import CampaignId, ClientId
from iglayers.core.paging import page


@post("/campaigns")
async def create_campaign(request: ApiRequest) -> Response[bytes]:
    new = await request.read(actions.NewCampaign)
    async with request.unit() as unit:
        return unit.answer(await actions.create(unit.conn, request.caller, new), status=201)


@get("/campaigns")
async def list_campaigns(request: ApiRequest) -> Response[bytes]:
    request.only_query("limit", "cursor", "status", "clientId")
    caller, limit, before = request.caller, request.limit(), request.cursor(CampaignId)
    client_id, state = request.cursor(ClientId, "clientId"), _state(request.query_params.get("status"))
    async with request.connection() as conn:
        found = await queries.page(
            conn, caller.workspace_id, only=caller.client_id, client_id=client_id, state=state, before=before,
            limit=limit + 1,
        )  # fmt: skip
    return answer(page(found, limit))


def _state(text: str | None) -> CampaignState | None:
    try:
        return None if text is None else CampaignState(text)
    except ValueError:
        raise Invalid(f"status must be one of {', '.join(CampaignState)}.", param="status") from None


@get("/campaigns/{id:str}")
async def show_campaign(request: ApiRequest) -> Response[bytes]:
    caller, campaign_id = request.caller, request.path_id(CampaignId, CampaignNotFound)
    async with request.connection() as conn:
        return answer(await actions.find(conn, caller, campaign_id))


@patch("/campaigns/{id:str}")
async def change_campaign(request: ApiRequest) -> Response[bytes]:
    campaign_id = request.path_id(CampaignId, CampaignNotFound)
    wanted = await request.read(actions.CampaignChange)
    async with request.unit() as unit:
        return unit.answer(await actions.change(unit.conn, request.caller, campaign_id, wanted))


@delete("/campaigns/{id:str}", status_code=200)
async def delete_campaign(request: ApiRequest) -> Response[bytes]:
    campaign_id = request.path_id(CampaignId, CampaignNotFound)
    async with request.unit() as unit:
        return unit.answer(await actions.delete(unit.conn, request.caller, campaign_id))


@post("/campaigns/{id:str}/start", scope_needed=Scope.SEND, status_code=200)
async def start_campaign(request: ApiRequest) -> Response[bytes]:
    campaign_id = request.path_id(CampaignId, CampaignNotFound)
    async with request.unit() as unit:
        return unit.answer(await actions.start(unit.conn, request.caller, campaign_id))


@post("/campaigns/{id:str}/pause", status_code=200)
async def pause_campaign(request: ApiRequest) -> Response[bytes]:
    campaign_id = request.path_id(CampaignId, CampaignNotFound)
    async with request.unit() as unit:
        return unit.answer(await actions.pause(unit.conn, request.caller, campaign_id))


@post("/campaigns/{id:str}/resume", scope_needed=Scope.SEND, status_code=200)
async def resume_campaign(request: ApiRequest) -> Response[bytes]:
    campaign_id = request.path_id(CampaignId, CampaignNotFound)
    async with request.unit() as unit:
        return unit.answer(await actions.resume(unit.conn, request.caller, campaign_id))


@post("/campaigns/{id:str}/cancel", status_code=200)
async def cancel_campaign(request: ApiRequest) -> Response[bytes]:
    campaign_id = request.path_id(CampaignId, CampaignNotFound)
    async with request.unit() as unit:
        return unit.answer(await actions.cancel(unit.conn, request.caller, campaign_id))


@post("/campaigns/{id:str}/clone")
async def clone_campaign(request: ApiRequest) -> Response[bytes]:
    campaign_id = request.path_id(CampaignId, CampaignNotFound)
    wanted = await request.read(actions.Copy)
    async with request.unit() as unit:
        return unit.answer(await actions.clone(unit.conn, request.caller, campaign_id, wanted), status=201)


@delete("/clients/{id:str}", status_code=200)
async def archive_client(request: ApiRequest) -> Response[bytes]:
    client_id = request.path_id(ClientId, ClientNotFound)
    async with request.unit() as unit:
        await actions.archive_client(unit.conn, request.caller, client_id)
        caller = request.caller
        return unit.answer(await client_queries.by_id(unit.conn, caller.workspace_id, client_id, only=caller.client_id))


ROUTES = [
    create_campaign, list_campaigns, show_campaign, change_campaign, delete_campaign, start_campaign,
    pause_campaign, resume_campaign, cancel_campaign, clone_campaign, archive_client,
]  # fmt: skip
