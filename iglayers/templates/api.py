"""Routes of message templates."""

from litestar import Response, delete, get, patch, post

from iglayers.accounts.request import ApiRequest, answer
from iglayers.core.ids import TemplateId
from iglayers.core.paging import page
from iglayers.templates import actions, queries
from iglayers.templates.model import TemplateNotFound


@post("/message-templates")
async def create_template(request: ApiRequest) -> Response[bytes]:
    new = await request.read(actions.NewTemplate)
    async with request.unit() as unit:
        return unit.answer(await actions.create(unit.conn, request.caller, new), status=201)


@get("/message-templates")
async def list_templates(request: ApiRequest) -> Response[bytes]:
    request.only_query("limit", "cursor")
    limit, before = request.limit(), request.cursor(TemplateId)
    async with request.connection() as conn:
        found = await queries.page(conn, request.caller.workspace_id, before=before, limit=limit + 1)
    return answer(page([actions.shown(each) for each in found], limit))


@get("/message-templates/{id:str}")
async def show_template(request: ApiRequest) -> Response[bytes]:
    template_id = request.path_id(TemplateId, TemplateNotFound)
    async with request.connection() as conn:
        found = await queries.by_id(conn, request.caller.workspace_id, template_id)
    if found is None:
        raise TemplateNotFound("There is no such message template.")
    return answer(actions.shown(found))


@patch("/message-templates/{id:str}")
async def change_template(request: ApiRequest) -> Response[bytes]:
    template_id = request.path_id(TemplateId, TemplateNotFound)
    wanted = await request.read(actions.TemplateChange)
    async with request.unit() as unit:
        return unit.answer(await actions.change(unit.conn, request.caller, template_id, wanted))


@delete("/message-templates/{id:str}", status_code=200)
async def archive_template(request: ApiRequest) -> Response[bytes]:
    template_id = request.path_id(TemplateId, TemplateNotFound)
    async with request.unit() as unit:
        return unit.answer(await actions.archive(unit.conn, request.caller, template_id))


@post("/message-templates/{id:str}/preview", status_code=200)
async def preview_template(request: ApiRequest) -> Response[bytes]:
    template_id = request.path_id(TemplateId, TemplateNotFound)
    wanted = await request.read(actions.PreviewFor)
    async with request.connection() as conn:
        return answer(await actions.preview(conn, request.caller, template_id, wanted))


ROUTES = [create_template, list_templates, show_template, change_template, archive_template, preview_template]
