"""Campaigns: the list with what each waits for, the page of one, and the buttons that fit its state."""

from collections.abc import Awaitable, Callable

import msgspec
from litestar import Response, get, post

from iglayers.accounts.model import Caller, Scope
from iglayers.campaigns import actions, queries
from iglayers.campaigns.model import Campaign, CampaignNotFound, CampaignState
from iglayers.core.db import Connection
from iglayers.core.errors import Conflict, Invalid, NotFound
from iglayers.core.ids import CampaignId, ClientId
from iglayers.core.paging import page as paged
from iglayers.dashboard import campaign_view, queries_campaigns
from iglayers.dashboard.pages import Crumb, page
from iglayers.dashboard.request import PageRequest
from iglayers.reports import queries_timeline, status
from iglayers.reports.export import FORMATS, Streamed, results_file
from iglayers.reports.model import Filters
from iglayers.targets import queries_counts
from iglayers.targets.model import TargetState, states_named

LIST = Crumb("Campaigns", "/campaigns")
# A page of the list: each running campaign on it is asked why it does not send.
LISTED = 20
CLIENT_CHIPS = 8
ACTIVITY_SHOWN = 12


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign in the list."""

    campaign: Campaign
    client_name: str
    counts: dict[TargetState, int]
    reason: str

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def ended(self) -> int:
        waits = (TargetState.QUEUED, TargetState.SENDING, TargetState.AWAITING_OPERATOR)
        return self.total - sum(self.counts[each] for each in waits)


@get("/campaigns")
async def list_campaigns(request: PageRequest) -> Response[bytes]:
    request.only_query("q", "status", "clientId", "archived", "cursor", "limit")
    caller, state, is_archived = request.caller, _state(request.query_params.get("status")), request.flag("archived")
    limit = request.limit() if "limit" in request.query_params else LISTED
    client_id, before = request.cursor(ClientId, "clientId"), request.cursor(CampaignId)
    async with request.services.db.transaction() as conn:
        found = paged(await queries.page(
            conn, caller.workspace_id, only=None, client_id=client_id, state=state, before=before, limit=limit + 1,
            search=request.searched(), is_archived=is_archived,
        ), limit)  # fmt: skip
        campaigns: list[Campaign] = found.data
        counts = await queries_counts.counts_of(conn, caller.workspace_id, [each.id for each in campaigns])
        names = await queries_campaigns.client_names(conn, caller.workspace_id, [each.client_id for each in campaigns])
        lines = [
            Line(
                campaign=each, client_name=names[each.client_id], counts=counts[each.id],
                reason=(await status.why(conn, caller, each)).reason,
            )
            for each in campaigns
        ]  # fmt: skip
        clients = await queries_campaigns.used_clients(conn, caller.workspace_id, limit=CLIENT_CHIPS)
    template = "campaigns/_table.html" if request.is_fragment else "campaigns/list.html"
    return page(
        request, template, title="Campaigns", found=found, lines=lines, clients=clients, client_id=client_id,
        states=list(CampaignState), state=state, is_archived=is_archived,
    )  # fmt: skip


def _state(text: str | None) -> CampaignState | None:
    try:
        return None if text is None else CampaignState(text)
    except ValueError:
        raise Invalid(f"status must be one of {', '.join(CampaignState)}.", param="status") from None


@get("/campaigns/{id:str}")
async def show_campaign(request: PageRequest) -> Response[bytes]:
    return await show(request)


async def show(request: PageRequest, *, refused: Conflict | None = None) -> Response[bytes]:
    """The page of one campaign, with what was refused at its top."""
    request.only_query(*campaign_view.QUERY)
    caller = request.caller
    async with request.services.db.transaction() as conn:
        view = await campaign_view.read(request, conn)
        campaign_id = view.campaign.id
        audited = await queries_timeline.audited(conn, caller.workspace_id, [str(campaign_id)])
    template = "campaigns/_people.html" if request.is_fragment else "campaigns/show.html"
    return page(
        request, template, title=view.campaign.name, crumb=LIST,
        activity=audited[: -ACTIVITY_SHOWN - 1 : -1], refused=refused, status=409 if refused else 200,
        **campaign_view.shown(view),
    )  # fmt: skip


@post("/campaigns/{id:str}/start")
async def start(request: PageRequest) -> Response[bytes]:
    return await _change(request, Scope.SEND, actions.start, "{} is running.")


@post("/campaigns/{id:str}/pause")
async def pause(request: PageRequest) -> Response[bytes]:
    return await _change(request, Scope.WRITE, actions.pause, "{} is paused: no further message begins.")


@post("/campaigns/{id:str}/resume")
async def resume(request: PageRequest) -> Response[bytes]:
    return await _change(request, Scope.SEND, actions.resume, "{} goes on.")


@post("/campaigns/{id:str}/cancel")
async def cancel(request: PageRequest) -> Response[bytes]:
    return await _change(request, Scope.WRITE, actions.cancel, "{} is cancelled.")


@post("/campaigns/{id:str}/clone")
async def clone(request: PageRequest) -> Response[bytes]:
    async def copied(conn: Connection, caller: Caller, campaign_id: CampaignId) -> Campaign:
        return await actions.clone(conn, caller, campaign_id, actions.Copy())

    return await _change(request, Scope.WRITE, copied, "{} is a draft; nobody is in it yet.", then="/setup")


@post("/campaigns/{id:str}/delete")
async def delete(request: PageRequest) -> Response[bytes]:
    return await _change(request, Scope.WRITE, actions.delete, "{} left the list.", then=None)


Verb = Callable[[Connection, Caller, CampaignId], Awaitable[Campaign]]


async def _change(
    request: PageRequest, needs: Scope, verb: Verb, flash: str, *, then: str | None = ""
) -> Response[bytes]:
    """Do it, then show the campaign it gave, or the list; a refusal stands at the top of the campaign's page."""
    await request.read_form(needs)
    campaign_id = request.path_id(CampaignId, CampaignNotFound)
    try:
        async with request.change() as conn:
            campaign = await verb(conn, request.caller, campaign_id)
    except Conflict as error:
        return await show(request, refused=error)
    path = "/campaigns" if then is None else f"/campaigns/{campaign.id}{then}"
    return request.go(path, flash=flash.format(campaign.name))


@get("/campaigns/{id:str}/results/{shape:str}")
async def download_results(request: PageRequest) -> Streamed:
    request.only_query("status")
    shape = str(request.path_params["shape"])
    if shape not in FORMATS:
        raise NotFound("Results come as csv and ndjson.")
    filters = Filters(states_named(request.query_params.get("status")), None)
    async with request.connection() as conn:
        campaign = await actions.find(conn, request.caller, request.path_id(CampaignId, CampaignNotFound))
    return results_file(request.services.db, request.caller.workspace_id, campaign, filters=filters, shape=shape)


ROUTES = [
    list_campaigns, show_campaign, start, pause, resume, cancel, clone, delete, download_results,
]  # fmt: skip
