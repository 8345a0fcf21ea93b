"""Message templates: the list with its search, one template with its text as a person would get it, archiving."""

import msgspec
from litestar import Response, get, post

from iglayers.accounts.model import Scope
from iglayers.core.errors import Conflict, Invalid
from iglayers.core.ids import TemplateId
from iglayers.core.paging import page as paged
from iglayers.dashboard.forms import Form
from iglayers.dashboard.pages import Crumb, page
from iglayers.dashboard.queries import using_template
from iglayers.dashboard.request import PageRequest
from iglayers.templates import actions, queries, render
from iglayers.templates.actions import NewTemplate, TemplateChange
from iglayers.templates.model import MessageTemplate, TemplateNotFound

_LIST = Crumb("Templates", "/templates")
MOST_USING = 100
# Somebody to try a text on; fields of these names and what else a text asks for can be changed on the page.
_SAMPLES = {
    "instagramUsername": "jane.doe", "profileUrl": "https://www.instagram.com/jane.doe/", "fullName": "Jane Doe",
    "firstName": "Jane", "category": "travel", "followerCount": "12400", "clientName": "Acme",
    "senderUsername": "acme.team",
}  # fmt: skip
_SAMPLE = "sample."


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A variable of a text: what it is tried with, and what stands in for it."""

    name: str
    value: str
    fallback: str | None


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A text as the sample person would get it.

    `error` instead where its braces make no variable, with the `samples` that are kept until they do.
    """

    text: str = ""
    bytes: int = 0
    most_bytes: int = render.MAX_MESSAGE_BYTES
    variables: list[Wanted] = []
    missing: list[str] = []
    error: Invalid | None = None
    samples: dict[str, str] = {}


@get("/templates")
async def list_templates(request: PageRequest) -> Response[bytes]:
    request.only_query("q", "archived", "cursor", "limit")
    limit, before, is_archived = request.limit(), request.cursor(TemplateId), request.flag("archived")
    async with request.connection() as conn:
        found = await queries.page(
            conn, request.caller.workspace_id, before=before, limit=limit + 1, search=request.searched(),
            is_archived=is_archived,
        )  # fmt: skip
    template = "message_templates/_table.html" if request.is_fragment else "message_templates/list.html"
    shown = paged([actions.shown(each) for each in found], limit)
    return page(request, template, title="Templates", found=shown, is_archived=is_archived)


@get("/templates/new")
async def new_template(request: PageRequest) -> Response[bytes]:
    request.caller.needs(Scope.WRITE)
    return await _form(request, Form())


@post("/templates/preview")
async def preview(request: PageRequest) -> Response[bytes]:
    """The text as it stands in the form, nothing stored; without a script the whole page again."""
    form = await request.read_form(Scope.READ)
    if request.is_fragment:
        return page(request, "message_templates/_preview.html", title="Preview", shown=shown_as(form))
    return await _form(request, form, await _template(request, form.text("id")) if form.text("id") else None)


@post("/templates")
async def create_template(request: PageRequest) -> Response[bytes]:
    form = await request.read_form(Scope.WRITE)
    try:
        new = form.read(NewTemplate, name=form.get("name"), body=form.get("body"))
        async with request.change() as conn:
            made = await actions.create(conn, request.caller, new)
    except Invalid as error:
        return await _form(request, form.refused(error), status=422)
    return request.go(f"/templates/{made.id}", flash=f"{made.name} is there.")


@get("/templates/{id:str}")
async def show_template(request: PageRequest) -> Response[bytes]:
    template = await _template(request, str(request.path_params["id"]))
    return await _form(request, Form.of(name=template.name, body=template.body), template)


@post("/templates/{id:str}")
async def change_template(request: PageRequest) -> Response[bytes]:
    form = await request.read_form(Scope.WRITE)
    template = await _template(request, str(request.path_params["id"]))
    try:
        wanted = form.read(TemplateChange, name=form.get("name"), body=form.get("body"))
        async with request.change() as conn:
            changed = await actions.change(conn, request.caller, template.id, wanted)
    except (Invalid, Conflict) as error:
        return await _form(request, form.refused(error), template, status=422)
    older = len(changed.used_by)
    told = (
        f" {older} started {'campaign goes' if older == 1 else 'campaigns go'} on with the text before."
        if older
        else ""
    )
    return request.go(f"/templates/{template.id}", flash=f"Saved.{told}")


@post("/templates/{id:str}/archive")
async def archive_template(request: PageRequest) -> Response[bytes]:
    form = await request.read_form(Scope.WRITE)
    template = await _template(request, str(request.path_params["id"]))
    try:
        async with request.change() as conn:
            await actions.archive(conn, request.caller, template.id)
    except Conflict as error:
        form = Form.of(name=template.name, body=template.body).refused(error)
        return await _form(request, form, template, status=409)
    return request.go("/templates", flash=f"{template.name} is archived.")


def shown_as(form: Form) -> Shown:
    """The form's text for its sample person, by the renderer that sends."""
    try:
        parsed = render.parse(form.get("body").strip())
    except Invalid as error:
        return Shown(error=error, samples=form.below(_SAMPLE))
    wanted: dict[str, Wanted] = {}
    for part in parsed.parts:
        if isinstance(part, render.Variable) and part.name not in wanted:
            name = _SAMPLE + part.name
            value = form.get(name) if form.has(name) else _SAMPLES.get(part.name, "")
            wanted[part.name] = Wanted(name=part.name, value=value, fallback=part.fallback)
    text, missing = render.fill(parsed, {each.name: each.value for each in wanted.values()})
    return Shown(text=text, bytes=render.byte_length(text), variables=list(wanted.values()), missing=missing)


async def _template(request: PageRequest, written: str | None) -> MessageTemplate:
    missing = TemplateNotFound("There is no such message template.")
    try:
        template_id = TemplateId.parse(written or "")
    except ValueError:
        raise missing from None
    async with request.connection() as conn:
        found = await queries.by_id(conn, request.caller.workspace_id, template_id)
    if found is None:
        raise missing
    return actions.shown(found)


async def _form(
    request: PageRequest, form: Form, template: MessageTemplate | None = None, *, status: int = 200
) -> Response[bytes]:
    using = None
    if template is not None:
        async with request.connection() as conn:
            using = await using_template(
                conn, request.caller.workspace_id, template.id, body=template.body, limit=MOST_USING
            )
    return page(
        request, "message_templates/form.html", title="New template" if template is None else template.name,
        crumb=_LIST, form=form, saved=template, using=using, shown=shown_as(form), status=status,
    )  # fmt: skip


ROUTES = [
    list_templates, new_template, preview, create_template, show_template, change_template, archive_template,
]  # fmt: skip
