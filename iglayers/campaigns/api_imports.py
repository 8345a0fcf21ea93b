"""Routes of imports: a CSV file of up to a million rows goes to the workers, who answer for each row in a file."""

from litestar import Response, get, post
from litestar.response import Stream

from iglayers.accounts.request import ApiRequest, answer
from iglayers.campaigns import actions as campaign_actions
from iglayers.campaigns import actions_imports as actions
from iglayers.campaigns.model import CampaignNotFound
from iglayers.core.csv_text import MEDIA_TYPE
from iglayers.core.errors import UnsupportedMediaType
from iglayers.core.ids import CampaignId, ImportId
from iglayers.core.paging import page
from iglayers.targets import actions_imports, queries_imports
from iglayers.targets.model_imports import FILE_DEADLINE_S, MAX_IMPORT_BYTES, ImportNotFound


@post("/campaigns/{id:str}/imports")
async def create_import(request: ApiRequest) -> Response[bytes]:
    request.only_query("dryRun")
    campaign_id = request.path_id(CampaignId, CampaignNotFound)
    caller, db, dry_run = request.caller, request.services.db, request.flag("dryRun")
    async with db.transaction() as conn:
        import_id = await actions.begin(conn, caller, campaign_id, dry_run=dry_run)
        _refuse_other_kinds(request)
    try:
        # No transaction is open while the file comes in: a slow sender holds nothing of the database.
        receiver = actions_imports.Receiver(db, caller, import_id)
        await request.stream_body(receiver.take, most=MAX_IMPORT_BYTES, within_s=FILE_DEADLINE_S)
        await receiver.end()
        async with request.unit() as unit:
            made = await actions_imports.queue(unit.conn, caller, import_id, bytes_total=receiver.size)
            return unit.answer(made, status=201)
    finally:
        await actions_imports.forget_unless_queued(db, caller, import_id)


@get("/campaigns/{id:str}/imports")
async def list_imports(request: ApiRequest) -> Response[bytes]:
    request.only_query("limit", "cursor")
    caller, limit, before = request.caller, request.limit(), request.cursor(ImportId)
    campaign_id = request.path_id(CampaignId, CampaignNotFound)
    async with request.connection() as conn:
        await campaign_actions.find(conn, caller, campaign_id)
        found = await queries_imports.page(conn, caller.workspace_id, campaign_id, before=before, limit=limit + 1)
    return answer(page(found, limit))


@get("/imports/{id:str}")
async def show_import(request: ApiRequest) -> Response[bytes]:
    import_id = request.path_id(ImportId, ImportNotFound)
    async with request.connection() as conn:
        return answer(await actions_imports.show(conn, request.caller, import_id))


@get("/imports/{id:str}/rejects")
async def export_rejects(request: ApiRequest) -> Stream:
    caller, db, import_id = request.caller, request.services.db, request.path_id(ImportId, ImportNotFound)
    async with request.connection() as conn:
        await actions_imports.show(conn, caller, import_id)

    parts = actions_imports.rejects_file(db, caller, import_id)
    filename = f"rejects-{import_id}.csv"
    return Stream(parts, media_type=MEDIA_TYPE, headers={"Content-Disposition": f'attachment; filename="{filename}"'})


@post("/imports/{id:str}/cancel", status_code=200)
async def cancel_import(request: ApiRequest) -> Response[bytes]:
    import_id = request.path_id(ImportId, ImportNotFound)
    async with request.unit() as unit:
        ended = await actions.cancel(unit.conn, request.caller, import_id)
        answered = unit.answer(ended)
    await actions_imports.drop_names(request.services.db, ended, workspace_id=request.caller.workspace_id)
    return answered


def _refuse_other_kinds(request: ApiRequest) -> None:
    kind = request.headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() != MEDIA_TYPE:
        raise UnsupportedMediaType(
            f"Content-Type must be text/csv, not {kind[:80] or 'absent'}.", remedy="Send Content-Type: text/csv."
        )


ROUTES = [create_import, list_imports, show_import, export_rejects, cancel_import]
