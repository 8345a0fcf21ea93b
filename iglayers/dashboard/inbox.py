"""The inbox: who wrote back, what both wrote, and an answer, within the rules of the platform."""

from typing import TypeVar

from litestar import Response, get, post

from iglayers.accounts.model import Scope
from iglayers.contacts import actions as contact_actions
from iglayers.contacts import queries as contacts
from iglayers.contacts.actions import WantedSuppression
from iglayers.contacts.model import Suppression
from iglayers.contacts.usernames import canonical
from iglayers.core.db import Connection
from iglayers.core.errors import Conflict, Invalid, LimitReached, NotFound, Unavailable
from iglayers.core.ids import CampaignId, ClientId, ConversationId, Id, MessageId, ReplyId, SenderId
from iglayers.core.paging import Page, place, place_of
from iglayers.dashboard import queries_inbox
from iglayers.dashboard.forms import Form
from iglayers.dashboard.pages import Crumb, page
from iglayers.dashboard.request import PageRequest
from iglayers.messages import queries as messages
from iglayers.messages.model import MessageState
from iglayers.replies import actions
from iglayers.replies import queries_conversations as queries
from iglayers.replies.actions import LabelChange, NewReply
from iglayers.replies.labels import Label, named
from iglayers.replies.model import ReplyNotFound
from iglayers.replies.model_conversations import Conversation, Filters, Word
from iglayers.senders import queries as senders
from iglayers.sending import answers
from iglayers.sending.model_answers import ConversationNotFound, NewAnswer

IdT = TypeVar("IdT", bound=Id)

_LIST = Crumb("Inbox", "/inbox")
_ROWS = 30
_WORDS = 100
LABELS = {
    Label.INTERESTED: "Interested",
    Label.NOT_NOW: "Not now",
    Label.NO: "No",
    Label.QUESTION: "Question",
    Label.AUTOMATIC: "Automatic",
    Label.OTHER: "Other",
}


class WrittenMeanwhile(Conflict):
    """Between opening the thread and answering, something else was written; also a second click on Send."""

    code = "conflict"
    remedy = "Read the thread as it is now, then send what you still want to say."


@get("/inbox")
async def list_conversations(request: PageRequest) -> Response[bytes]:
    request.only_query(
        "label", "needsAnswer", "optedOut", "window", "senderId", "clientId", "campaignId", "cursor", "limit"
    )
    caller, limit = request.caller, min(request.limit(), _ROWS)
    before, before_id = place_of(request.query_params.get("cursor"))
    filters = Filters(
        only=_chosen(request, ClientId, "clientId"), sender_id=_chosen(request, SenderId, "senderId"),
        campaign_id=_chosen(request, CampaignId, "campaignId"), label=named(request.query_params.get("label")),
        needs_answer=request.flag("needsAnswer") or None, opted_out=request.flag("optedOut") or None,
        window_open=True if request.query_params.get("window") == "open" else None,
    )  # fmt: skip
    async with request.connection() as conn:
        found = await queries.page(
            conn, caller.workspace_id, filters, now=caller.now, before=before, before_id=before_id, limit=limit + 1
        )
        choices = [
            ("senderId", "Account", "@", await queries_inbox.senders(conn, caller.workspace_id)),
            ("clientId", "Client", "", await queries_inbox.clients(conn, caller.workspace_id)),
            ("campaignId", "Campaign", "", await queries_inbox.campaigns(conn, caller.workspace_id)),
        ]
    shown = found[:limit]
    cursor = place(shown[-1].active_at, shown[-1].id) if len(found) > limit else None
    return page(
        request, "inbox/list.html", title="Inbox", found=Page(shown, cursor is not None, cursor), labels=LABELS,
        choices=choices, filters=filters,
    )  # fmt: skip


@get("/inbox/log")
async def new_reply(request: PageRequest) -> Response[bytes]:
    request.caller.needs(Scope.WRITE)
    request.only_query("username", "senderId")
    query = request.query_params
    return await _log(request, Form.of(instagramUsername=query.get("username"), senderId=query.get("senderId")))


@post("/inbox/log")
async def log_reply(request: PageRequest) -> Response[bytes]:
    """It does all that a reply does that comes in by itself."""
    form = await request.read_form(Scope.WRITE)
    try:
        new = form.read(
            NewReply, instagramUsername=form.get("instagramUsername"), senderId=form.text("senderId"),
            text=form.get("text"), label=form.text("label"),
        )  # fmt: skip
        async with request.change() as conn:
            reply = await actions.log_by_hand(conn, request.caller, new, pepper=request.services.pepper)
    except (Invalid, NotFound, Conflict) as error:
        return await _log(request, form.refused(error), status=422)
    told = "; they asked not to be written to, and nobody writes to them any more" if reply.opted_out else ""
    return request.go("/inbox", flash=f"The reply of @{reply.instagram_username} is logged{told}.")


@get("/inbox/{id:str}")
async def show_thread(request: PageRequest) -> Response[bytes]:
    request.only_query("cursor")
    return await _thread(request, Form())


@post("/inbox/{id:str}/answer")
async def answer(request: PageRequest) -> Response[bytes]:
    """Begin in one transaction, send outside any, then say what became of it.

    A second click finds that something was written since the page was opened, and sends nothing.
    """
    form = await request.read_form(Scope.SEND)
    conversation_id, caller = request.path_id(ConversationId, ConversationNotFound), request.caller
    post_, begun = _post(request), list[answers.Ready]()
    try:
        new = form.read(NewAnswer, text=form.get("text"), byHand=form.get("byHand") == "on")
        async with answers.unless_unconfirmed(post_, begun), request.change() as conn:
            ready: answers.Ready | None = None
            if new.by_hand:
                message_id = await answers.write_down(conn, post_, caller, conversation_id, new)
            else:
                ready = await answers.begin(conn, post_, caller, conversation_id, new)
                message_id = ready.answer.message_id
            # Account and person are held now, so this is the last word; refused, all is rolled back.
            await _refuse_what_crossed(conn, request, conversation_id, message_id, form)
            begun += [ready] if ready else []
    except (Invalid, Conflict, LimitReached, Unavailable) as error:
        return await _thread(request, form.refused(error), status=422)
    if begun:
        await answers.finish(post_, begun[0])
    async with request.connection() as conn:
        sent = await messages.by_id(conn, caller.workspace_id, message_id, only=None)
    assert sent is not None
    told = {
        MessageState.SENT: "Logged." if new.by_hand else "Sent.",
        MessageState.UNKNOWN: "Nobody knows whether it arrived. Look into the chat; it is not sent again.",
    }.get(sent.status, f"It was not sent: {sent.reason or sent.error_code}")
    return request.go(f"/inbox/{conversation_id}", flash=told)


@post("/inbox/{id:str}/label")
async def relabel(request: PageRequest) -> Response[bytes]:
    form = await request.read_form(Scope.WRITE)
    conversation_id = request.path_id(ConversationId, ConversationNotFound)
    wanted = form.read(LabelChange, label=form.get("label"))
    async with request.change() as conn:
        changed = await actions.relabel(conn, request.caller, _reply_id(form), wanted)
    return request.go(f"/inbox/{conversation_id}", flash=f"{LABELS[changed.label]}. {changed.effect}")


@post("/inbox/{id:str}/opt-out")
async def opt_out(request: PageRequest) -> Response[bytes]:
    """Nobody in the workspace writes to this person again; the next page offers to undo it."""
    await request.read_form(Scope.WRITE)
    conversation_id = request.path_id(ConversationId, ConversationNotFound)
    async with request.change() as conn:
        name = (await _conversation(conn, request, conversation_id)).instagram_username
        wanted = WantedSuppression(instagram_username=name or "", reason="asked in the inbox")
        await contact_actions.suppress(conn, request.caller, wanted, pepper=request.services.pepper)
    return request.go(f"/inbox/{conversation_id}", flash=f"Nobody writes to @{name} any more.")


@post("/inbox/{id:str}/opt-in")
async def undo_opt_out(request: PageRequest) -> Response[bytes]:
    await request.read_form(Scope.WRITE)
    conversation_id = request.path_id(ConversationId, ConversationNotFound)
    async with request.change() as conn:
        name = (await _conversation(conn, request, conversation_id)).instagram_username or ""
        await contact_actions.unsuppress(conn, request.caller, name, client_id=None, pepper=request.services.pepper)
    return request.go(f"/inbox/{conversation_id}", flash=f"@{name} may be written to again.")


async def _thread(request: PageRequest, form: Form, *, status: int = 200) -> Response[bytes]:
    caller, conversation_id = request.caller, request.path_id(ConversationId, ConversationNotFound)
    before, before_id = place_of(request.query_params.get("cursor"))
    async with request.connection() as conn:
        found = await _conversation(conn, request, conversation_id)
        way = await answers.way(conn, _post(request), caller, conversation_id)
        sender = await senders.by_id(conn, caller.workspace_id, found.sender_id, only=None)
        words = await queries.words(
            conn, caller.workspace_id, conversation_id, only=None, before=before, before_id=before_id, limit=_WORDS + 1
        )
        last = await queries_inbox.last_of_ours(conn, caller.workspace_id, conversation_id, but=None)
        suppressed = await _suppressed(conn, request, found)
    return page(
        request, "inbox/thread.html", title=f"@{found.instagram_username or 'erased'}", crumb=_LIST, status=status,
        conversation=found, way=way, words=words[:_WORDS][::-1], older=_older(words), labels=LABELS, form=form,
        last=last, suppressed=suppressed, by_hand=sender is not None and "assisted" in sender.routes,
    )  # fmt: skip


def _older(words: list[Word]) -> str | None:
    """The cursor of what was written before the words that are shown."""
    return place(words[_WORDS - 1].at, words[_WORDS - 1].id) if len(words) > _WORDS else None


async def _conversation(conn: Connection, request: PageRequest, conversation_id: ConversationId) -> Conversation:
    caller = request.caller
    found = await queries.by_id(conn, caller.workspace_id, conversation_id, only=None, now=caller.now)
    if found is None:
        raise ConversationNotFound("There is no such conversation.")
    return found


async def _suppressed(conn: Connection, request: PageRequest, found: Conversation) -> Suppression | None:
    """What keeps the whole workspace from writing to this person."""
    if found.instagram_username is None:
        return None
    workspace_id, now = request.caller.workspace_id, request.caller.now
    person = await contacts.by_username(
        conn, workspace_id, canonical(found.instagram_username), pepper=request.services.pepper
    )
    if person is None:
        return None
    held = await contacts.of_contact(conn, workspace_id, person.id)
    return next(
        (each for each in held if each.client_id is None and (each.expires_at is None or each.expires_at > now)), None
    )


async def _refuse_what_crossed(
    conn: Connection, request: PageRequest, conversation_id: ConversationId, message_id: MessageId, form: Form
) -> None:
    last = await queries_inbox.last_of_ours(conn, request.caller.workspace_id, conversation_id, but=message_id)
    if str(last or "") != form.get("last"):
        raise WrittenMeanwhile("Something was written to this person since you opened the thread; nothing was sent.")


async def _log(request: PageRequest, form: Form, *, status: int = 200) -> Response[bytes]:
    async with request.connection() as conn:
        found = await queries_inbox.senders(conn, request.caller.workspace_id)
    accounts = [("", "Choose…")] + [(str(each.id), f"@{each.name}") for each in found]
    labels = [("", "By the rules")] + [(each.value, words) for each, words in LABELS.items()]
    return page(
        request, "inbox/log.html", title="Log a reply", crumb=_LIST, form=form, accounts=accounts, labels=labels,
        status=status,
    )  # fmt: skip


def _post(request: PageRequest) -> answers.Post:
    services = request.services
    return answers.Post(services.db, services.settings, request.app.state.transports)


def _reply_id(form: Form) -> ReplyId:
    try:
        return ReplyId.parse(form.get("replyId"))
    except ValueError:
        raise ReplyNotFound("There is no such reply.") from None


def _chosen(request: PageRequest, kind: type[IdT], param: str) -> IdT | None:
    """A choice of the filter's form; the empty one chooses nothing."""
    return request.cursor(kind, param) if request.query_params.get(param) else None


ROUTES = [
    list_conversations, new_reply, log_reply, show_thread, answer, relabel, opt_out, undo_opt_out,
]  # fmt: skip
