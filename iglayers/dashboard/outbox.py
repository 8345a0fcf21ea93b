"""The outbox: one card at a time, for somebody who sends by hand with a phone.

What a person sees first: what nobody knows of their own cards, then the card in their hands, then one that waits.
"""

from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

import msgspec
from litestar import Response, get, post

from iglayers.accounts.model import Scope
from iglayers.contacts.usernames import canonical
from iglayers.core.clock import Moment, real_now
from iglayers.core.db import Connection
from iglayers.core.errors import Conflict, Error, Invalid, LimitReached, NotFound, Unavailable
from iglayers.core.ids import MessageId, SenderId
from iglayers.dashboard import queries_outbox as accounts
from iglayers.dashboard.forms import Form
from iglayers.dashboard.pages import page
from iglayers.dashboard.queries_outbox import Account
from iglayers.dashboard.request import PageRequest
from iglayers.dashboard.words import rule_in_words
from iglayers.messages.model import MessageState
from iglayers.senders import reading
from iglayers.senders.model import SenderReport
from iglayers.sending import outbox, queries_outbox
from iglayers.sending.model_outbox import Card, CardNotFound, CardRow, CardStatus, TooEarly, shown
from iglayers.sending.outbox import Because, Failure

_LOOKED_AT = 20
_ACCOUNTS_ASKED = 5
# What a person may find, in their words; the codes are `outbox.FAILURES`.
FAILURES = {
    "recipient_not_found": "There is no such account",
    "recipient_unavailable": "Takes no messages",
    "provider_error": "Instagram showed an error",
}
_SAID = {"sent": "Sent", "failed": "Could not be sent", "skipped": "Skipped"}


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """No card of this account before then; `seconds` of real time from now."""

    at: Moment
    seconds: int
    rule: str


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """What lies before one person: a card, what they can still undo, and what limits them."""

    card: Card | None
    report: SenderReport | None  # of the card's account
    wait: Wait | None
    undo: Card | None
    undo_seconds: int
    accounts: list[Account]
    can_pass: bool  # whether others come after this card

    @property
    def waiting(self) -> int:
        return sum(each.waiting for each in self.accounts)


@get("/outbox")
async def show_outbox(request: PageRequest) -> Response[bytes]:
    request.only_query("senderId", "after")
    return await _show(request, request.cursor(SenderId, "senderId"), after=request.cursor(MessageId, "after"))


@post("/outbox/{id:str}/claim")
async def claim(request: PageRequest) -> Response[bytes]:
    """Whoever comes second, or too early, is shown the next card and why."""
    transports = request.app.state.transports

    async def take(conn: Connection, card: MessageId, _form: Form) -> Card:
        return await outbox.claim(conn, request.caller, card, transports=transports)

    return await _do(request, take)


@post("/outbox/{id:str}/sent")
async def sent(request: PageRequest) -> Response[bytes]:
    return await _do(request, lambda conn, card, _: outbox.sent(conn, request.caller, card))


@post("/outbox/{id:str}/failed")
async def failed(request: PageRequest) -> Response[bytes]:
    return await _do(
        request,
        lambda conn, card, form: outbox.failed(conn, request.caller, card, form.read(Failure, code=form.get("code"))),
    )


@post("/outbox/{id:str}/skip")
async def skip(request: PageRequest) -> Response[bytes]:
    return await _do(request, lambda conn, card, _: outbox.skip(conn, request.caller, card, Because()))


@post("/outbox/{id:str}/release")
async def release(request: PageRequest) -> Response[bytes]:
    return await _do(request, lambda conn, card, _: outbox.release(conn, request.caller, card))


@post("/outbox/{id:str}/challenge")
async def challenge(request: PageRequest) -> Response[bytes]:
    return await _do(request, lambda conn, card, _: outbox.challenge(conn, request.caller, card, Because()))


@post("/outbox/{id:str}/undo")
async def undo(request: PageRequest) -> Response[bytes]:
    return await _do(request, lambda conn, card, _: outbox.undo(conn, request.caller, card))


@get("/practice/{username:str}")
async def practice(request: PageRequest) -> Response[bytes]:
    """What stands where Instagram would open from a test workspace; it keeps nothing."""
    username = canonical(str(request.path_params["username"]))
    return page(request, "outbox/practice.html", title=f"@{username}", username=username)


async def _do(request: PageRequest, step: Callable[[Connection, MessageId, Form], Awaitable[Card]]) -> Response[bytes]:
    """One thing that is done with a card, and what lies on the desk after it."""
    form = await request.read_form(Scope.SEND)
    message_id = request.path_id(MessageId, CardNotFound)
    sender_id = _sender(form)
    try:
        async with request.change() as conn:
            card = await step(conn, message_id, form)
    except (Conflict, NotFound, Invalid, LimitReached, Unavailable) as error:
        return await _show(request, sender_id, refused=error)
    path = "/outbox" + (f"?{urlencode({'senderId': sender_id})}" if sender_id else "")
    return request.go(path, flash=_told(card))


def _told(card: Card) -> str | None:
    """What became of a card that has left the desk by itself."""
    name = f"@{card.instagram_username}"
    if card.status is MessageState.SKIPPED and card.said is None:
        return f"{name} is not written to: {card.reason or card.error_code}"
    if card.status is MessageState.FAILED and card.error_code == "instagram_challenge_detected":
        return f"@{card.sender_username} sends nothing until somebody resumes it; {name} was not written to."
    return None


def _sender(form: Form) -> SenderId | None:
    text = form.text("senderId")
    try:
        return None if text is None else SenderId.parse(text)
    except ValueError as error:
        raise Invalid(f"senderId: {error}.", param="senderId") from None


async def _show(
    request: PageRequest, sender_id: SenderId | None, *, after: MessageId | None = None, refused: Error | None = None
) -> Response[bytes]:
    async with request.connection() as conn:
        desk = await _desk(conn, request, sender_id, after=after, refused=refused)
    template = "outbox/_desk.html" if request.is_fragment else "outbox/show.html"
    # A part that htmx asked for is put in place only where it says that all is well.
    status = 409 if refused is not None and not request.is_fragment else 200
    return page(
        request, template, title="Outbox", desk=desk, sender_id=sender_id, after=after, refused=refused,
        failures=FAILURES, said=_SAID, is_fragment=request.is_fragment, status=status,
    )  # fmt: skip


async def _desk(
    conn: Connection, request: PageRequest, sender_id: SenderId | None, *, after: MessageId | None,
    refused: Error | None,
) -> Desk:  # fmt: skip
    caller, now = request.caller, real_now()
    mine = await queries_outbox.page(
        conn, caller.workspace_id, only=None, actor=caller.actor, sender_id=None, status=None, after=None,
        limit=_LOOKED_AT, mine=True,
    )  # fmt: skip
    waiting = await accounts.accounts(conn, caller.workspace_id)
    held = [each for each in mine if each.held_until is not None and each.held_until > now]
    undo = max(held, key=lambda each: each.held_until or now, default=None)
    open_ = [each for each in mine if each.held is None]
    row = next((each for each in open_ if each.state is MessageState.UNKNOWN), open_[0] if open_ else None)
    report, can_pass = None, False
    if row is not None:
        report = await reading.by_id(conn, caller, row.sender_id)
    else:
        row, report, can_pass = await _next(conn, request, sender_id, after)
    wait = None
    if row is not None and report is not None and row.state is MessageState.HANDED_OVER:
        wait = _wait(request, report, refused)
    return Desk(
        card=None if row is None else shown(row, mode=caller.mode, actor=caller.actor), report=report, wait=wait,
        undo=None if undo is None else shown(undo, mode=caller.mode, actor=caller.actor),
        undo_seconds=0 if undo is None or undo.held_until is None else round((undo.held_until - now).total_seconds()),
        accounts=waiting, can_pass=can_pass,
    )  # fmt: skip


async def _next(
    conn: Connection, request: PageRequest, sender_id: SenderId | None, after: MessageId | None
) -> tuple[CardRow | None, SenderReport | None, bool]:
    """The oldest card whose account may write now; where none may, that of the account that may first."""
    caller = request.caller
    found = await queries_outbox.page(
        conn, caller.workspace_id, only=None, actor=caller.actor, sender_id=sender_id, status=CardStatus.HANDED_OVER,
        after=after, limit=_LOOKED_AT,
    )  # fmt: skip
    firsts: dict[SenderId, CardRow] = {}
    cards = [each for each in found if each.held is None]
    for each in cards:
        firsts.setdefault(each.sender_id, each)
    best: tuple[CardRow, SenderReport] | None = None
    for row in list(firsts.values())[:_ACCOUNTS_ASKED]:
        report = await reading.by_id(conn, caller, row.sender_id)
        ready_at = report.budget.ready_at
        if ready_at is not None and ready_at <= caller.now:
            return row, report, row is not cards[-1]
        if best is None or (ready_at and best[1].budget.ready_at and ready_at < best[1].budget.ready_at):
            best = row, report
    return (None, None, False) if best is None else (*best, best[0] is not cards[-1])


def _wait(request: PageRequest, report: SenderReport, refused: Error | None) -> Wait | None:
    """Until when the card has to wait: by its account's limits, or by what its claim was refused for."""
    caller = request.caller
    at, rule = report.budget.ready_at, report.budget.limited_by
    if isinstance(refused, TooEarly) and isinstance(next_at := refused.details["nextAt"], Moment):
        at, rule = next_at, str(refused.details["limitedBy"])
    if at is None or at <= caller.now:
        return None
    seconds = (caller.clock.real(at) - real_now()).total_seconds()
    return Wait(at=Moment.of(at), seconds=max(1, round(seconds)), rule=rule_in_words(rule))


ROUTES = [show_outbox, claim, sent, failed, skip, release, challenge, undo, practice]
