"""Routes of conversations, and a person's answer in one."""

from typing import TypeVar

import msgspec
from litestar import Response, get, post

from iglayers.accounts.model import Scope
from iglayers.accounts.request import ApiRequest, answer
from iglayers.contacts import queries as contacts
from iglayers.contacts.usernames import canonical
from iglayers.core.errors import Invalid
from iglayers.core.ids import ConversationId, SenderId
from iglayers.core.paging import Page, page, place, place_of
from iglayers.messages import queries as messages
from iglayers.replies import queries_conversations as queries
from iglayers.replies.labels import named
from iglayers.replies.model_conversations import Filters, Thread
from iglayers.sending import answers
from iglayers.sending.model_answers import ConversationNotFound, NewAnswer

T = TypeVar("T")


@get("/conversations")
async def list_conversations(request: ApiRequest) -> Response[bytes]:
    request.only_query("limit", "cursor", "senderId", "instagramUsername", "label", "window", "needsAnswer")
    caller, limit, query = request.caller, request.limit(), request.query_params
    before, before_id = place_of(query.get("cursor"))
    filters = Filters(
        only=caller.client_id, sender_id=request.cursor(SenderId, "senderId"), label=named(query.get("label")),
        window_open=_choice(query.get("window"), "window", {"open": True, "closed": False}),
        needs_answer=_choice(query.get("needsAnswer"), "needsAnswer", {"true": True, "false": False}),
    )  # fmt: skip
    name = query.get("instagramUsername")
    username = None if name is None else canonical(name)
    async with request.connection() as conn:
        if username is not None:
            contact = await contacts.by_username(conn, caller.workspace_id, username, pepper=request.services.pepper)
            if contact is None:
                return answer(page([], limit))
            filters = msgspec.structs.replace(filters, contact_id=contact.id)
        found = await queries.page(
            conn, caller.workspace_id, filters, now=caller.now, before=before, before_id=before_id, limit=limit + 1
        )
    shown = found[:limit]
    cursor = place(shown[-1].active_at, shown[-1].id) if len(found) > limit else None
    return answer(Page(data=shown, has_more=cursor is not None, next_cursor=cursor))


@get("/conversations/{id:str}")
async def show_conversation(request: ApiRequest) -> Response[bytes]:
    """The newest `limit` words in the order of time; the cursor leads to older ones."""
    request.only_query("limit", "cursor")
    caller, limit = request.caller, request.limit()
    conversation_id = request.path_id(ConversationId, ConversationNotFound)
    before, before_id = place_of(request.query_params.get("cursor"))
    async with request.connection() as conn:
        found = await queries.by_id(conn, caller.workspace_id, conversation_id, only=caller.client_id, now=caller.now)
        if found is None:
            raise ConversationNotFound("There is no such conversation.")
        way = await answers.way(conn, _post(request), caller, conversation_id)
        words = await queries.words(
            conn, caller.workspace_id, conversation_id, only=caller.client_id, before=before, before_id=before_id,
            limit=limit + 1,
        )  # fmt: skip
    shown = words[:limit]
    cursor = place(shown[-1].at, shown[-1].id) if len(words) > limit else None
    return answer(Thread(
        **msgspec.structs.asdict(found), answer=way, words=shown[::-1], has_more=cursor is not None,
        next_cursor=cursor,
    ))  # fmt: skip


@post("/conversations/{id:str}/messages", scope_needed=Scope.SEND)
async def answer_conversation(request: ApiRequest) -> Response[bytes]:
    """Begin in one transaction, send outside any, then answer with what became of it.

    A repeat with the same Idempotency-Key gets the message as it was last known, and sends nothing.
    """
    conversation_id = request.path_id(ConversationId, ConversationNotFound)
    caller, new, post_ = request.caller, await request.read(NewAnswer), _post(request)
    begun: list[answers.Ready] = []
    async with answers.unless_unconfirmed(post_, begun), request.unit() as unit:
        if new.by_hand:
            message_id = await answers.write_down(unit.conn, post_, caller, conversation_id, new)
        else:
            begun.append(await answers.begin(unit.conn, post_, caller, conversation_id, new))
            message_id = begun[0].answer.message_id
        answered = unit.answer(await messages.by_id(unit.conn, caller.workspace_id, message_id, only=None), status=201)
    if not begun:
        return answered
    await answers.finish(post_, begun[0])
    async with request.connection() as conn:
        message = await messages.by_id(conn, caller.workspace_id, message_id, only=None)
    return await request.amend(message, status=201)


def _post(request: ApiRequest) -> answers.Post:
    services = request.services
    return answers.Post(services.db, services.settings, request.app.state.transports)


def _choice(text: str | None, param: str, choices: dict[str, T]) -> T | None:
    if text is not None and text not in choices:
        raise Invalid(f"{param} must be {' or '.join(choices)}.", param=param)
    return None if text is None else choices[text]


ROUTES = [list_conversations, show_conversation, answer_conversation]
