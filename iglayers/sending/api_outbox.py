"""Routes of the outbox: cards that people send by hand."""

from litestar import Response, get, post

from iglayers.accounts.model import Scope
from iglayers.accounts.request import ApiRequest, answer
from iglayers.core.errors import Invalid
from iglayers.core.ids import MessageId, SenderId
from iglayers.core.paging import page
from iglayers.sending import outbox, queries_outbox
from iglayers.sending.model_outbox import CardNotFound, CardStatus, shown


@get("/outbox")
async def list_cards(request: ApiRequest) -> Response[bytes]:
    request.only_query("limit", "cursor", "senderId", "status")
    caller, limit, after = request.caller, request.limit(), request.cursor(MessageId)
    sender_id, status = request.cursor(SenderId, "senderId"), _status(request.query_params.get("status"))
    async with request.connection() as conn:
        found = await queries_outbox.page(
            conn, caller.workspace_id, only=caller.client_id, actor=caller.actor, sender_id=sender_id, status=status,
            after=after, limit=limit + 1,
        )  # fmt: skip
    return answer(page([shown(each, mode=caller.mode, actor=caller.actor) for each in found], limit))


def _status(text: str | None) -> CardStatus | None:
    try:
        return None if text is None else CardStatus(text)
    except ValueError:
        raise Invalid(f"status must be one of {', '.join(CardStatus)}.", param="status") from None


@post("/outbox/{id:str}/claim", scope_needed=Scope.SEND, status_code=200)
async def claim_card(request: ApiRequest) -> Response[bytes]:
    message_id, transports = request.path_id(MessageId, CardNotFound), request.app.state.transports
    async with request.unit() as unit:
        return unit.answer(await outbox.claim(unit.conn, request.caller, message_id, transports=transports))


@post("/outbox/{id:str}/release", scope_needed=Scope.SEND, status_code=200)
async def release_card(request: ApiRequest) -> Response[bytes]:
    message_id = request.path_id(MessageId, CardNotFound)
    async with request.unit() as unit:
        return unit.answer(await outbox.release(unit.conn, request.caller, message_id))


@post("/outbox/{id:str}/sent", scope_needed=Scope.SEND, status_code=200)
async def card_sent(request: ApiRequest) -> Response[bytes]:
    message_id = request.path_id(MessageId, CardNotFound)
    async with request.unit() as unit:
        return unit.answer(await outbox.sent(unit.conn, request.caller, message_id))


@post("/outbox/{id:str}/failed", scope_needed=Scope.SEND, status_code=200)
async def card_failed(request: ApiRequest) -> Response[bytes]:
    message_id, why = request.path_id(MessageId, CardNotFound), await request.read(outbox.Failure)
    async with request.unit() as unit:
        return unit.answer(await outbox.failed(unit.conn, request.caller, message_id, why))


@post("/outbox/{id:str}/skip", scope_needed=Scope.SEND, status_code=200)
async def skip_card(request: ApiRequest) -> Response[bytes]:
    message_id, why = request.path_id(MessageId, CardNotFound), await request.read(outbox.Because)
    async with request.unit() as unit:
        return unit.answer(await outbox.skip(unit.conn, request.caller, message_id, why))


@post("/outbox/{id:str}/challenge", scope_needed=Scope.SEND, status_code=200)
async def card_challenged(request: ApiRequest) -> Response[bytes]:
    message_id, why = request.path_id(MessageId, CardNotFound), await request.read(outbox.Because)
    async with request.unit() as unit:
        return unit.answer(await outbox.challenge(unit.conn, request.caller, message_id, why))


@post("/outbox/{id:str}/undo", scope_needed=Scope.SEND, status_code=200)
async def undo_card(request: ApiRequest) -> Response[bytes]:
    message_id = request.path_id(MessageId, CardNotFound)
    async with request.unit() as unit:
        return unit.answer(await outbox.undo(unit.conn, request.caller, message_id))


ROUTES = [
    list_cards, claim_card, release_card, card_sent, card_failed, skip_card, card_challenged, undo_card,
]  # fmt: skip
