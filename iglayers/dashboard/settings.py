"""A workspace's settings, for owners: its name, month, zone, who counts as written to, how long people are kept."""

from zoneinfo import available_timezones

from litestar import Response, get, post

from iglayers.accounts import queries
from iglayers.accounts.model import Scope
from iglayers.core.errors import Invalid
from iglayers.dashboard.forms import Form
from iglayers.dashboard.pages import page
from iglayers.dashboard.request import PageRequest
from iglayers.messages.actions import WorkspaceChange, change_workspace


@get("/settings")
async def show_settings(request: PageRequest) -> Response[bytes]:
    request.caller.needs(Scope.ADMIN)
    async with request.connection() as conn:
        workspace = await queries.workspace(conn, request.caller.workspace_id)
    assert workspace is not None
    return _form(request, Form.of(
        name=workspace.name, monthlyLimit=workspace.monthly_limit, timezone=workspace.timezone,
        firstContactScope=workspace.first_contact_scope, retentionDays=workspace.retention_days,
    ))  # fmt: skip


@post("/settings")
async def change_settings(request: PageRequest) -> Response[bytes]:
    form = await request.read_form(Scope.ADMIN)
    try:
        wanted = form.read(
            WorkspaceChange, name=form.get("name"), monthlyLimit=form.whole("monthlyLimit"),
            timezone=form.get("timezone").strip(), firstContactScope=form.get("firstContactScope"),
            retentionDays=form.whole("retentionDays") or 0,
        )  # fmt: skip
        async with request.change() as conn:
            await change_workspace(conn, request.caller, wanted)
    except Invalid as error:
        return _form(request, form.refused(error), status=422)
    return request.go("/settings", flash="Saved. Running campaigns follow from their next message on.")


def _form(request: PageRequest, form: Form, *, status: int = 200) -> Response[bytes]:
    return page(
        request, "settings/show.html", title="Settings", form=form, zones=sorted(available_timezones()), status=status
    )


ROUTES = [show_settings, change_settings]
