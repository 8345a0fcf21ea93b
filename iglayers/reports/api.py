"""Routes that read across slices: what became of a campaign, why, what stands in its way, a target's story, a month."""

import msgspec
from litestar import Response, delete, get, post

from iglayers.accounts.model import Scope
from iglayers.accounts.request import ApiRequest, answer
from iglayers.campaigns import actions as campaigns
from iglayers.campaigns.model import CampaignNotFound
from iglayers.core.errors import Invalid
from iglayers.core.ids import CampaignId, TargetId
from iglayers.reports import eligibility, merge, people, preflight, queries, stats, status, timeline
from iglayers.reports.export import FORMATS, Streamed, results_file
from iglayers.reports.model import Filters, Results
from iglayers.targets import queries_counts
from iglayers.targets.model import TargetNotFound, states_named


@get("/campaigns/{id:str}/results")
async def show_results(request: ApiRequest) -> Response[bytes]:
    campaign_id = request.path_id(CampaignId, CampaignNotFound)
    shape = request.query_params.get("format", "json")
    filters = Filters(states_named(request.query_params.get("status")), request.moment("updatedSince"))
    if shape in FORMATS:
        request.only_query("format", "status", "updatedSince")
        return await _file(request, campaign_id, filters, shape)
    if shape != "json":
        raise Invalid("format must be json, csv or ndjson.", param="format")
    request.only_query("format", "status", "updatedSince", "limit", "cursor")
    return answer(await _page(request, campaign_id, filters))


async def _page(request: ApiRequest, campaign_id: CampaignId, filters: Filters) -> Results:
    caller, limit, before = request.caller, request.limit(), request.cursor(TargetId)
    async with request.connection() as conn:
        campaign = await campaigns.find(conn, request.caller, campaign_id)
        counts = await queries_counts.counts(conn, caller.workspace_id, campaign_id)
        found = await queries.page(
            conn, caller.workspace_id, campaign_id, filters=filters, before=before, limit=limit + 1
        )
    data, has_more = found[:limit], len(found) > limit
    return Results(
        campaign=campaign, summary={state.value: number for state, number in counts.items()}, data=data,
        has_more=has_more, next_cursor=str(data[-1].target_id) if has_more else None,
    )  # fmt: skip


async def _file(request: ApiRequest, campaign_id: CampaignId, filters: Filters, shape: str) -> Streamed:
    async with request.connection() as conn:
        campaign = await campaigns.find(conn, request.caller, campaign_id)
    return results_file(request.services.db, request.caller.workspace_id, campaign, filters=filters, shape=shape)


@get("/campaigns/{id:str}/status")
async def show_status(request: ApiRequest) -> Response[bytes]:
    request.only_query()
    campaign_id = request.path_id(CampaignId, CampaignNotFound)
    async with request.services.db.transaction() as conn:
        campaign = await campaigns.find(conn, request.caller, campaign_id)
        found = await status.read(conn, request.caller, campaign)
        routes = await eligibility.count(
            conn, request.caller, campaign, transports=request.app.state.transports, most=eligibility.NEXT_TARGETS
        )
        return answer(msgspec.structs.replace(found, routes=routes))


@post("/campaigns/{id:str}/preflight", status_code=200)
async def run_preflight(request: ApiRequest) -> Response[bytes]:
    request.only_query()
    campaign_id = request.path_id(CampaignId, CampaignNotFound)
    await request.read_nothing()
    async with request.services.db.transaction() as conn:
        campaign = await campaigns.find(conn, request.caller, campaign_id)
        found = await preflight.check(conn, request.caller, campaign)
        routes = await eligibility.count(conn, request.caller, campaign, transports=request.app.state.transports)
        return answer(msgspec.structs.replace(found, routes=routes))


@get("/campaigns/{id:str}/targets/{tgt:str}")
async def show_target(request: ApiRequest) -> Response[bytes]:
    request.only_query()
    campaign_id = request.path_id(CampaignId, CampaignNotFound)
    target_id = request.path_id(TargetId, TargetNotFound)
    async with request.services.db.transaction() as conn:
        campaign = await campaigns.find(conn, request.caller, campaign_id)
        story = await timeline.read(conn, request.caller, campaign, target_id)
        routes = await eligibility.of_target(
            conn, request.caller, campaign, target_id, transports=request.app.state.transports
        )
        return answer(msgspec.structs.replace(story, routes=routes))


@get("/campaigns/{id:str}/stats")
async def show_stats(request: ApiRequest) -> Response[bytes]:
    request.only_query("by")
    campaign_id = request.path_id(CampaignId, CampaignNotFound)
    by = request.query_params.get("by", "day")
    if by not in stats.SPANS:
        raise Invalid("by must be hour or day.", param="by")
    async with request.services.db.transaction() as conn:
        campaign = await campaigns.find(conn, request.caller, campaign_id)
        return answer(await stats.campaign(conn, request.caller, campaign, by=by))


@get("/usage")
async def show_usage(request: ApiRequest) -> Response[bytes]:
    request.only_query()
    async with request.services.db.transaction() as conn:
        return answer(await stats.month(conn, request.caller))


@get("/contacts/{username:str}")
async def show_person(request: ApiRequest) -> Response[bytes]:
    request.only_query()
    username = request.path_params["username"]
    async with request.services.db.transaction() as conn:
        return answer(await people.read(conn, request.caller, username, pepper=request.services.pepper))


@post("/contacts/{username:str}/merge", scope_needed=Scope.ADMIN, status_code=200)
async def merge_people(request: ApiRequest) -> Response[bytes]:
    request.only_query()
    username, pepper = request.path_params["username"], request.services.pepper
    wanted = await request.read(merge.Merge)
    async with request.unit() as unit:
        return unit.answer(await merge.merge(unit.conn, request.caller, username, wanted, pepper=pepper))


@delete("/contacts/{username:str}", scope_needed=Scope.ADMIN, status_code=200)
async def erase_person(request: ApiRequest) -> Response[bytes]:
    username, services = request.path_params["username"], request.services
    async with request.unit() as unit:
        return unit.answer(
            await people.erase(unit.conn, request.caller, username, pepper=services.pepper, vault=services.vault)
        )


ROUTES = [
    show_person, merge_people, erase_person, show_stats, show_usage, show_results, show_target, show_status,
    run_preflight,
]  # fmt: skip
