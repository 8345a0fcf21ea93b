"""Unknown outcomes: what is known of each, and a person's word on it. No machine decides here."""

from litestar import Response, get, post

from iglayers.accounts.model import Scope
from iglayers.core.errors import Conflict, Invalid
from iglayers.core.ids import MessageId
from iglayers.core.paging import page as paged
from iglayers.dashboard.forms import Form
from iglayers.dashboard.pages import page
from iglayers.dashboard.request import PageRequest
from iglayers.messages import queries
from iglayers.messages.model import MessageNotFound, MessageState
from iglayers.sending import actions

SHOWN = 20


@get("/unknown")
async def list_unknown(request: PageRequest) -> Response[bytes]:
    request.only_query("cursor", "limit")
    return await _list(request, Form())


@post("/unknown/{id:str}")
async def resolve_unknown(request: PageRequest) -> Response[bytes]:
    form = await request.read_form(Scope.SEND)
    message_id = request.path_id(MessageId, MessageNotFound)
    said = form.get("said")
    try:
        wanted = form.read(
            actions.Resolution, outcome="not_sent" if said == "again" else said, reason=form.get("reason"),
            requeue=said == "again",
        )  # fmt: skip
        if wanted.requeue:
            transports = request.app.state.transports
            await actions.check_resend(request.services.db, request.caller, message_id, transports=transports)
        async with request.change() as conn:
            await actions.resolve(conn, request.caller, message_id, wanted)
    except (Invalid, Conflict) as error:
        return await _list(request, form.refused(error), at=message_id)
    told = {"sent": "Noted as sent.", "not_sent": "Noted as not sent: the person is not written to."}
    return request.go("/unknown", flash=told.get(said, "It is queued again and goes when its turn comes."))


async def _list(request: PageRequest, form: Form, *, at: MessageId | None = None) -> Response[bytes]:
    limit = request.limit() if "limit" in request.query_params else SHOWN
    async with request.connection() as conn:
        found = await queries.page(
            conn, request.caller.workspace_id, only=None, campaign_id=None, state=MessageState.UNKNOWN,
            before=request.cursor(MessageId), limit=limit + 1,
        )  # fmt: skip
    return page(
        request, "unknown/list.html", title="Unknown outcomes", found=paged(found, limit), form=form, at=at,
        status=422 if form.error else 200,
    )  # fmt: skip


ROUTES = [list_unknown, resolve_unknown]
