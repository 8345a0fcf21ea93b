"""Routes of a campaign's targets: upload, list, read, cancel. They need the campaign, so they stand here."""

import msgspec
from litestar import Response, delete, get, post

from iglayers.accounts.request import ApiRequest, answer
from iglayers.campaigns import actions as campaign_actions
from iglayers.campaigns.actions_imports import hold_for_upload
from iglayers.campaigns.model import CampaignNotFound
from iglayers.core.errors import Invalid
from iglayers.core.ids import CampaignId, TargetId
from iglayers.core.paging import page
from iglayers.targets import actions, csv, queries, rows
from iglayers.targets.model import (
    RowResult,
    TargetNotFound,
    UploadedRows,
    states_named,
)

MAX_BODY_BYTES = 10 << 20
CSV = "text/csv"


class Uploaded(msgspec.Struct):
    accepted: int
    rejected: int
    results: list[RowResult]


@post("/campaigns/{id:str}/targets")
async def upload_targets(request: ApiRequest) -> Response[bytes]:
    request.only_query("dryRun", "results")
    campaign_id = request.path_id(CampaignId, CampaignNotFound)
    dry_run, only_rejected = request.flag("dryRun"), _only_rejected(request)
    sent = await _rows(request)
    async with request.unit() as unit:
        campaign = await hold_for_upload(unit.conn, request.caller, campaign_id)
        report = await actions.upload(
            unit.conn, request.caller, campaign, sent, pepper=request.services.pepper, dry_run=dry_run
        )
        shown = [each for each in report.results if not only_rejected or each.error is not None]
        actions.refuse_if_none_accepted(report, shown=shown)
        answered = unit.answer(Uploaded(report.accepted, report.rejected, shown), status=201)
    if not dry_run:
        await campaign_actions.wake(request.services.db, campaign_id)
    return answered


@get("/campaigns/{id:str}/targets")
async def list_targets(request: ApiRequest) -> Response[bytes]:
    request.only_query("limit", "cursor", "status")
    caller, limit, before = request.caller, request.limit(), request.cursor(TargetId)
    campaign_id = request.path_id(CampaignId, CampaignNotFound)
    states = states_named(request.query_params.get("status"))
    async with request.connection() as conn:
        await campaign_actions.find(conn, caller, campaign_id)
        found = await queries.page(
            conn, caller.workspace_id, campaign_id, states=states, before=before, limit=limit + 1
        )
    return answer(page(found, limit))


@delete("/campaigns/{id:str}/targets/{tgt:str}", status_code=200)
async def cancel_target(request: ApiRequest) -> Response[bytes]:
    campaign_id = request.path_id(CampaignId, CampaignNotFound)
    target_id = request.path_id(TargetId, TargetNotFound)
    async with request.unit() as unit:
        await campaign_actions.find(unit.conn, request.caller, campaign_id)
        answered = unit.answer(await actions.cancel(unit.conn, request.caller, campaign_id, target_id))
    await campaign_actions.wake(request.services.db, campaign_id)
    return answered


async def _rows(request: ApiRequest) -> UploadedRows:
    data = await request.raw_body(most=MAX_BODY_BYTES)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return csv.from_csv(data) if kind == CSV else rows.from_json(await request.json_tree(most=MAX_BODY_BYTES))


def _only_rejected(request: ApiRequest) -> bool:
    wanted = request.query_params.get("results", "all")
    if wanted not in ("all", "rejected"):
        raise Invalid("results must be all or rejected.", param="results")
    return wanted == "rejected"


ROUTES = [upload_targets, list_targets, cancel_target]
