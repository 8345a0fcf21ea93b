"""Routes of replies."""

from litestar import Response, get, patch, post

from iglayers.accounts.request import ApiRequest, answer
from iglayers.contacts import queries as contacts
from iglayers.contacts.usernames import canonical
from iglayers.core.ids import CampaignId, ReplyId, SenderId, TargetId
from iglayers.core.paging import page
from iglayers.replies import actions, queries
from iglayers.replies.labels import named
from iglayers.replies.model import Filters, ReplyNotFound


@get("/replies")
async def list_replies(request: ApiRequest) -> Response[bytes]:
    request.only_query("limit", "cursor", "campaignId", "targetId", "senderId", "instagramUsername", "label")
    caller, limit, before = request.caller, request.limit(), request.cursor(ReplyId)
    name = request.query_params.get("instagramUsername")
    username = None if name is None else canonical(name)
    async with request.connection() as conn:
        contact = username and await contacts.by_username(
            conn, caller.workspace_id, username, pepper=request.services.pepper
        )
        if username and not contact:
            return answer(page([], limit))
        filters = Filters(
            only=caller.client_id, campaign_id=request.cursor(CampaignId, "campaignId"),
            target_id=request.cursor(TargetId, "targetId"), sender_id=request.cursor(SenderId, "senderId"),
            contact_id=contact.id if contact else None, label=named(request.query_params.get("label")),
        )  # fmt: skip
        found = await queries.page(conn, caller.workspace_id, filters, before=before, limit=limit + 1)
    return answer(page(found, limit))


@get("/replies/{id:str}")
async def show_reply(request: ApiRequest) -> Response[bytes]:
    caller, reply_id = request.caller, request.path_id(ReplyId, ReplyNotFound)
    async with request.connection() as conn:
        reply = await queries.by_id(conn, caller.workspace_id, reply_id, only=caller.client_id)
    if reply is None:
        raise ReplyNotFound("There is no such reply.")
    return answer(reply)


@post("/replies")
async def log_reply(request: ApiRequest) -> Response[bytes]:
    new = await request.read(actions.NewReply)
    async with request.unit() as unit:
        reply = await actions.log_by_hand(unit.conn, request.caller, new, pepper=request.services.pepper)
        return unit.answer(reply, status=201)


@patch("/replies/{id:str}")
async def label_reply(request: ApiRequest) -> Response[bytes]:
    reply_id = request.path_id(ReplyId, ReplyNotFound)
    wanted = await request.read(actions.LabelChange)
    async with request.unit() as unit:
        return unit.answer(await actions.relabel(unit.conn, request.caller, reply_id, wanted))


ROUTES = [list_replies, show_reply, log_reply, label_reply]
