"""Routes of senders."""

import msgspec
from litestar import Response, delete, get, patch, post

from iglayers.accounts.model import Scope
from iglayers.accounts.request import ApiRequest, answer
from iglayers.core.errors import Invalid
from iglayers.core.ids import ClientId, SenderId
from iglayers.core.paging import page
from iglayers.senders import actions, queries, reading
from iglayers.senders.model import SenderChecked, SenderNotFound, SenderState
from iglayers.senders.transports.instagram import check, connect


@post("/senders")
async def add_sender(request: ApiRequest) -> Response[bytes]:
    new = await request.read(actions.NewSender)
    connected = await connect.by_new(request.services, request.caller, new)
    async with request.unit() as unit:
        sender = await connect.add(unit.conn, request.caller, request.services, new, connected)
        return unit.answer(await reading.report(unit.conn, request.caller, sender), status=201)


@get("/senders")
async def list_senders(request: ApiRequest) -> Response[bytes]:
    request.only_query("limit", "cursor", "username", "state", "clientId")
    caller, limit, before = request.caller, request.limit(), request.cursor(SenderId)
    client_id, state = request.cursor(ClientId, "clientId"), _state(request.query_params.get("state"))
    username = request.query_params.get("username")
    username = None if username is None else actions.canonical_username(username, "username")
    async with request.connection() as conn:
        found = await queries.page(
            conn, caller.workspace_id, only=caller.client_id, client_id=client_id, username=username, state=state,
            before=before, limit=limit + 1,
        )  # fmt: skip
        listed = page(found, limit)
        listed.data = await reading.reports(conn, caller, listed.data)
    return answer(listed)


@get("/senders/{id:str}")
async def show_sender(request: ApiRequest) -> Response[bytes]:
    sender_id = request.path_id(SenderId, SenderNotFound)
    async with request.connection() as conn:
        return answer(await reading.by_id(conn, request.caller, sender_id))


@patch("/senders/{id:str}")
async def change_sender(request: ApiRequest) -> Response[bytes]:
    sender_id = request.path_id(SenderId, SenderNotFound)
    wanted = await request.read(actions.SenderChange)
    async with request.unit() as unit:
        sender = await actions.change(unit.conn, request.caller, sender_id, wanted)
        return unit.answer(await reading.report(unit.conn, request.caller, sender))


@delete("/senders/{id:str}", status_code=200)
async def remove_sender(request: ApiRequest) -> Response[bytes]:
    sender_id = request.path_id(SenderId, SenderNotFound)
    async with request.unit() as unit:
        sender = await actions.remove(unit.conn, request.caller, sender_id)
        return unit.answer(await reading.report(unit.conn, request.caller, sender))


@post("/senders/{id:str}/pause", status_code=200)
async def pause_sender(request: ApiRequest) -> Response[bytes]:
    sender_id = request.path_id(SenderId, SenderNotFound)
    async with request.unit() as unit:
        sender = await actions.pause(unit.conn, request.caller, sender_id)
        return unit.answer(await reading.report(unit.conn, request.caller, sender))


@post("/senders/{id:str}/resume", status_code=200, scope_needed=Scope.SEND)
async def resume_sender(request: ApiRequest) -> Response[bytes]:
    sender_id = request.path_id(SenderId, SenderNotFound)
    wanted = await request.read(actions.Resume)
    async with request.unit() as unit:
        sender = await actions.resume(unit.conn, request.caller, sender_id, wanted)
        return unit.answer(await reading.report(unit.conn, request.caller, sender))


@post("/senders/{id:str}/check", status_code=200)
async def check_sender(request: ApiRequest) -> Response[bytes]:
    """As it is now, and as Instagram says when it is asked; an Idempotency-Key is ignored."""
    sender_id = request.path_id(SenderId, SenderNotFound)
    await request.read_nothing()
    async with request.connection() as conn:
        report = await reading.by_id(conn, request.caller, sender_id)
    connection = await check.of_sender(request.services, request.caller.workspace_id, report)
    return answer(SenderChecked(**msgspec.structs.asdict(report), connection=connection))


def _state(text: str | None) -> SenderState | None:
    if text is None:
        return None
    try:
        return SenderState(text)
    except ValueError:
        raise Invalid(f"state must be one of {', '.join(SenderState)}.", param="state") from None


ROUTES = [
    add_sender, list_senders, show_sender, change_sender, remove_sender, pause_sender, resume_sender, check_sender,
]  # fmt: skip
