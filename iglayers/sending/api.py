"""Routes of messages: which outcomes nobody knows, and a person's word on them."""

from litestar import Response, get, post

from iglayers.accounts.model import Scope
from iglayers.accounts.request import ApiRequest, answer
from iglayers.core.errors import Invalid
from iglayers.core.ids import CampaignId, MessageId
from iglayers.core.paging import page
from iglayers.messages import queries as message_queries
from iglayers.messages.model import MessageNotFound, MessageState
from iglayers.sending import actions


@get("/messages")
async def list_messages(request: ApiRequest) -> Response[bytes]:
    request.only_query("limit", "cursor", "status", "campaignId")
    caller, limit, before = request.caller, request.limit(), request.cursor(MessageId)
    campaign_id, state = request.cursor(CampaignId, "campaignId"), _state(request.query_params.get("status"))
    async with request.connection() as conn:
        found = await message_queries.page(
            conn, caller.workspace_id, only=caller.client_id, campaign_id=campaign_id, state=state, before=before,
            limit=limit + 1,
        )  # fmt: skip
    return answer(page(found, limit))


def _state(text: str | None) -> MessageState | None:
    try:
        return None if text is None else MessageState(text)
    except ValueError:
        raise Invalid(f"status must be one of {', '.join(MessageState)}.", param="status") from None


@get("/messages/{id:str}")
async def show_message(request: ApiRequest) -> Response[bytes]:
    caller, message_id = request.caller, request.path_id(MessageId, MessageNotFound)
    async with request.connection() as conn:
        message = await message_queries.by_id(conn, caller.workspace_id, message_id, only=caller.client_id)
    if message is None:
        raise MessageNotFound("There is no such message.")
    return answer(message)


@post("/messages/{id:str}/resolve", scope_needed=Scope.SEND, status_code=200)
async def resolve_message(request: ApiRequest) -> Response[bytes]:
    message_id = request.path_id(MessageId, MessageNotFound)
    wanted = await request.read(actions.Resolution)
    if wanted.requeue:
        transports = request.app.state.transports
        await actions.check_resend(request.services.db, request.caller, message_id, transports=transports)
    async with request.unit() as unit:
        return unit.answer(await actions.resolve(unit.conn, request.caller, message_id, wanted))


ROUTES = [list_messages, show_message, resolve_message]
