"""Senders: how each account is, what it may still write today, and what a person can do about it."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
from litestar import Response, get, post

from iglayers.accounts.model import Caller, Mode, Scope
from iglayers.clients import queries as clients
from iglayers.clients.model import Client
from iglayers.core.db import Connection
from iglayers.core.errors import Conflict, Invalid
from iglayers.core.ids import CampaignId, ClientId, SenderId
from iglayers.core.paging import page as paged
from iglayers.dashboard import queries_senders
from iglayers.dashboard.forms import Form
from iglayers.dashboard.pages import Crumb, page
from iglayers.dashboard.queries_senders import SentDay
from iglayers.dashboard.request import PageRequest
from iglayers.dashboard.words import rule_in_words
from iglayers.messages import pacing
from iglayers.senders import actions, queries, reading
from iglayers.senders.actions import NewSender, Resume, SenderChange
from iglayers.senders.installed import allowed
from iglayers.senders.model import CheckStep, SenderNotFound, SenderReport, SenderState
from iglayers.senders.transports.instagram import check as connection
from iglayers.senders.transports.instagram import connect
from iglayers.senders.transports.instagram.connect import Started

_LIST = Crumb("Senders", "/senders")
# Each row asks the ledger for its budget.
_ROWS = 25
_CLIENTS_SHOWN = 200
_DAYS_BACK = 14
_DAYS_AHEAD = 21
TRANSPORTS = {
    "assisted": "By hand: a person sends from the outbox",
    "sandbox": "Sandbox: a simulated Instagram",
    "instagram": "Instagram: the official API",
}


class Ramp(msgspec.Struct, frozen=True, kw_only=True):
    """What an account may write on each day, until its ceiling, and what it wrote."""

    days: list[str]
    planned: list[int]
    sent: list[int]
    ceiling_on: date | None  # None: reached, or further away than is shown


@get("/senders")
async def list_senders(request: PageRequest) -> Response[bytes]:
    request.only_query("state", "cursor", "limit")
    caller, limit, before = request.caller, min(request.limit(), _ROWS), request.cursor(SenderId)
    state = _state(request.query_params.get("state"))
    async with request.connection() as conn:
        found = await queries.page(
            conn, caller.workspace_id, only=None, client_id=None, username=None, state=state, before=before,
            limit=limit + 1,
        )  # fmt: skip
        shown = paged(found, limit)
        reports = await reading.reports(conn, caller, shown.data)
    return page(
        request, "senders/list.html", title="Senders", found=shown, reports=reports, state=state,
        states=list(SenderState), rule=rule_in_words, now=caller.now,
    )  # fmt: skip


@get("/senders/new")
async def new_sender(request: PageRequest) -> Response[bytes]:
    request.caller.needs(Scope.WRITE)
    request.only_query("campaign")
    transport = "sandbox" if request.caller.mode is Mode.TEST else "assisted"
    campaign = request.query_params.get("campaign")
    first = Form.of(hourlyLimit=10, dailyLimit=50, transport=transport, ramp="on", campaign=campaign)
    return await _new(request, first)


@post("/senders")
async def create_sender(request: PageRequest) -> Response[bytes]:
    form = await request.read_form(Scope.WRITE)
    try:
        # Of a campaign that is being set up, where its newcomer goes on.
        campaign_id = CampaignId.parse(form.get("campaign")) if form.get("campaign") else None
    except ValueError:
        campaign_id = None
    try:
        new = form.read(
            NewSender, username=form.get("username"), transport=form.get("transport"),
            clientIds=_chosen(form, "client:"), **_limits(form),
        )  # fmt: skip
        async with request.change() as conn:
            sender = await actions.add(conn, request.caller, new)
    except (Invalid, Conflict) as error:
        return await _new(request, form.refused(error), status=422)
    path = f"/campaigns/{campaign_id}/setup#go" if campaign_id else f"/senders/{sender.id}"
    return request.go(path, flash=f"@{sender.username} is there.")


@get("/senders/connect")
async def connect_account(request: PageRequest) -> Response[bytes]:
    return _connect(request, Form())


@post("/senders/connect")
async def start_connecting(request: PageRequest) -> Response[bytes]:
    """A link to Instagram's login; its end is a page of its own, outside the dashboard."""
    form = await request.read_form(Scope.ADMIN)
    try:
        _refuse_test(request.caller)
        async with request.change() as conn:
            started = await connect.start(conn, request.caller, request.services.settings, SenderChange())
    except (Invalid, Conflict) as error:
        return _connect(request, form.refused(error), status=409)
    return _connect(request, form, started=started)


@get("/senders/{id:str}")
async def show_sender(request: PageRequest) -> Response[bytes]:
    return await _show(request)


@post("/senders/{id:str}")
async def change_sender(request: PageRequest) -> Response[bytes]:
    form = await request.read_form(Scope.WRITE)
    sender_id = request.path_id(SenderId, SenderNotFound)
    try:
        wanted = form.read(
            SenderChange, routes=_chosen(form, "route:"), clientIds=_chosen(form, "client:"), **_limits(form)
        )
        async with request.change() as conn:
            await actions.change(conn, request.caller, sender_id, wanted)
    except (Invalid, Conflict) as error:
        return await _show(request, form.refused(error), status=422)
    return request.go(f"/senders/{sender_id}", flash="Saved. New limits hold from the next message.")


@post("/senders/{id:str}/pause")
async def pause(request: PageRequest) -> Response[bytes]:
    form = await request.read_form(Scope.WRITE)
    sender_id = request.path_id(SenderId, SenderNotFound)
    try:
        async with request.change() as conn:
            await actions.pause(conn, request.caller, sender_id)
    except Conflict as error:
        return await _show(request, form.refused(error), status=409)
    return request.go(f"/senders/{sender_id}", flash="Paused: nothing more goes out through this account.")


@post("/senders/{id:str}/resume")
async def resume(request: PageRequest) -> Response[bytes]:
    """A challenged account asks what was done; the words go into the audit log."""
    form = await request.read_form(Scope.SEND)
    sender_id = request.path_id(SenderId, SenderNotFound)
    try:
        async with request.change() as conn:
            _asks_what_was_done(await reading.by_id(conn, request.caller, sender_id), form)
            await actions.resume(conn, request.caller, sender_id, form.read(Resume, reason=form.text("reason")))
    except (Invalid, Conflict) as error:
        return await _show(request, form.refused(error), status=422)
    return request.go(f"/senders/{sender_id}", flash="It sends again, within its limits.")


@post("/senders/{id:str}/check")
async def check(request: PageRequest) -> Response[bytes]:
    """Ask Instagram, outside any transaction, and show each step."""
    await request.read_form(Scope.WRITE)
    sender_id = request.path_id(SenderId, SenderNotFound)
    async with request.connection() as conn:
        sender = await reading.by_id(conn, request.caller, sender_id)
    steps = await connection.of_sender(request.services, request.caller.workspace_id, sender)
    return await _show(request, steps=steps)


@post("/senders/{id:str}/delete")
async def delete(request: PageRequest) -> Response[bytes]:
    form = await request.read_form(Scope.WRITE)
    sender_id = request.path_id(SenderId, SenderNotFound)
    try:
        async with request.change() as conn:
            sender = await actions.remove(conn, request.caller, sender_id)
    except Conflict as error:
        return await _show(request, form.refused(error), status=409)
    return request.go("/senders", flash=f"@{sender.username} is deleted.")


def _refuse_test(caller: Caller) -> None:
    if caller.mode is Mode.TEST:
        raise Conflict("Nobody is written to from a test workspace.", remedy="Switch to the live one first.")


def _connect(request: PageRequest, form: Form, *, started: Started | None = None, status: int = 200) -> Response[bytes]:
    request.caller.needs(Scope.ADMIN)
    return page(
        request, "senders/connect.html", title="Connect an Instagram account", crumb=_LIST, form=form, started=started,
        status=status,
    )  # fmt: skip


async def _show(
    request: PageRequest, form: Form | None = None, *, steps: list[CheckStep] | None = None, status: int = 200
) -> Response[bytes]:
    caller, zone = request.caller, request.person.timezone
    sender_id = request.path_id(SenderId, SenderNotFound)
    today = caller.now.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    async with request.connection() as conn:
        sender = await reading.by_id(conn, caller, sender_id)
        sent = await queries_senders.days(
            conn, caller.workspace_id, sender_id, since=today - timedelta(days=_DAYS_BACK), zone=zone
        )
        recent = await queries_senders.recent(conn, caller.workspace_id, sender_id, limit=10)
        history = await queries_senders.history(conn, caller.workspace_id, sender_id, limit=10)
        known = await _clients(conn, request, sender.client_ids)
    return page(
        request, "senders/show.html", title=f"@{sender.username}", crumb=_LIST, sender=sender, status=status,
        ramp=ramp(sender, sent, today), recent=recent, history=history, clients=known, form=form or _form(sender),
        routes=[name for name in allowed(caller.mode) if name != "instagram" or sender.transport == "instagram"],
        transports=TRANSPORTS, rule=rule_in_words, now=caller.now, steps=steps,
    )  # fmt: skip


async def _new(request: PageRequest, form: Form, *, status: int = 200) -> Response[bytes]:
    async with request.connection() as conn:
        known = await _clients(conn, request, [])
    names = [name for name in allowed(request.caller.mode) if name != "instagram"]
    return page(
        request, "senders/new.html", title="New sender", crumb=_LIST, form=form, clients=known, status=status,
        transports=[(name, TRANSPORTS.get(name, name)) for name in names],
    )  # fmt: skip


async def _clients(conn: Connection, request: PageRequest, ids: list[ClientId]) -> list[Client]:
    """The newest clients, and whom the sender serves already."""
    workspace_id = request.caller.workspace_id
    found = await clients.page(
        conn, workspace_id, only=None, external_id=None, before=None, limit=_CLIENTS_SHOWN, search=None,
        is_archived=False,
    )  # fmt: skip
    shown = {each.id for each in found}
    others = [await clients.by_id(conn, workspace_id, each, only=None) for each in ids if each not in shown]
    return found + [each for each in others if each is not None]


def ramp(sender: SenderReport, sent: list[SentDay], today: datetime) -> Ramp:
    """The days back to the first one shown on which it wrote, and on to the one that reaches the ceiling.

    It grows on a day after one on which it sent; the way ahead takes it that each day is one.
    """
    by_day = {each.day: each.begun for each in sent}
    last = today.date()
    first = min(by_day, default=last) if sender.ramp else last - timedelta(days=_DAYS_BACK)
    # Of the days on which it sent, those that lie within what is shown, so that earlier ones can be told.
    before = sender.sent_days - len(by_day)
    days: list[date] = []
    planned: list[int] = []
    ceiling_on: date | None = None
    day, grown = first, max(0, before)
    while day <= last or (planned[-1] < sender.daily_limit and (day - last).days <= _DAYS_AHEAD):
        limit = pacing.RAMP_START + pacing.RAMP_STEP * grown if sender.ramp else sender.daily_limit
        days.append(day)
        planned.append(min(limit, sender.daily_limit))
        if day > last and ceiling_on is None and planned[-1] == sender.daily_limit:
            ceiling_on = day
        grown += day in by_day or day >= last
        day += timedelta(days=1)
    return Ramp(
        days=[each.isoformat() for each in days], planned=planned, sent=[by_day.get(each, 0) for each in days],
        ceiling_on=ceiling_on,
    )  # fmt: skip


def _asks_what_was_done(sender: SenderReport, form: Form) -> None:
    if sender.state in (SenderState.CHALLENGED, SenderState.DISABLED) and form.text("reason") is None:
        raise Invalid("Say what was done, so that others can read it later.", param="reason")


def _form(sender: SenderReport) -> Form:
    chosen = {f"client:{each}": "on" for each in sender.client_ids} | {f"route:{each}": "on" for each in sender.routes}
    return Form.of(
        hourlyLimit=sender.hourly_limit, dailyLimit=sender.daily_limit, minGapSeconds=sender.min_gap_seconds,
        ramp="on" if sender.ramp else None, reason=None, **chosen,
    )  # fmt: skip


def _limits(form: Form) -> dict[str, object]:
    """The limits that were filled in; an empty field keeps what holds."""
    limits: dict[str, object] = {"ramp": form.get("ramp") == "on"}
    for name in ("hourlyLimit", "dailyLimit", "minGapSeconds"):
        if (number := form.whole(name)) is not None:
            limits[name] = number
    return limits


def _chosen(form: Form, prefix: str) -> list[str]:
    """The boxes that are ticked, each a field of its own."""
    return [name.removeprefix(prefix) for name in form.names() if name.startswith(prefix)]


def _state(text: str | None) -> SenderState | None:
    try:
        return SenderState(text) if text else None
    except ValueError:
        raise Invalid(f"state must be one of {', '.join(SenderState)}.", param="state") from None


ROUTES = [
    list_senders, new_sender, create_sender, connect_account, start_connecting, show_sender, change_sender, pause,
    resume, check, delete,
]  # fmt: skip
