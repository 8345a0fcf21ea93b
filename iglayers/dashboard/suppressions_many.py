"""Suppressing many people at once: pasted names, or a CSV file; what was refused is shown row by row."""

import asyncio

from litestar import Response, get, post

from iglayers.accounts.model import Scope
from iglayers.contacts import actions
from iglayers.contacts.actions import MAX_LIST_BYTES, MOST_AT_ONCE, MOST_REJECTS_SHOWN, Suppressed, WantedSuppression
from iglayers.core.csv_text import read_rows
from iglayers.core.errors import Invalid, NotFound
from iglayers.core.ids import ClientId
from iglayers.dashboard.forms import Form
from iglayers.dashboard.pages import Crumb, page
from iglayers.dashboard.queries import client_names
from iglayers.dashboard.request import PageRequest

_LIST = Crumb("Suppressions", "/suppressions")


@get("/suppressions/new")
async def new_suppressions(request: PageRequest) -> Response[bytes]:
    request.caller.needs(Scope.WRITE)
    return await _form(request, Form())


@post("/suppressions")
async def suppress_pasted(request: PageRequest) -> Response[bytes]:
    form = await request.read_form(Scope.WRITE, most=MAX_LIST_BYTES)
    try:
        wanted = _wanted(form, request.person.timezone)
        async with request.change() as conn:
            done = await actions.suppress_many(conn, request.caller, wanted, pepper=request.services.pepper)
    except (Invalid, NotFound) as error:
        return await _form(request, form.refused(error), status=422)
    if not done.refused:
        return request.go("/suppressions", flash=_told(done))
    left = "\n".join(each.username for each in done.refused)
    again = Form.of(usernames=left, clientId=form.get("clientId"), reason=form.get("reason"),
                    expiresAt=form.get("expiresAt"))  # fmt: skip
    return await _form(request, again, done=done, status=422)


@post("/suppressions/import")
async def import_suppressions(request: PageRequest) -> Response[bytes]:
    # The file, and some room for the form around it.
    form = await request.read_form(Scope.WRITE, most=MAX_LIST_BYTES + 100_000)
    caller, pepper, file = request.caller, request.services.pepper, form.file("file")
    if not file:
        return await _form(request, form.refused(Invalid("Choose a CSV file first.", param="file")), status=422)
    try:
        client_id = _client_id(form)
        # A long list takes seconds to read, in which others are to be answered.
        reading = await asyncio.to_thread(
            lambda: actions.read_sheet(read_rows(file), pepper=pepper, client_id=client_id, now=caller.now)
        )
        async with request.change() as conn:
            await actions.check_client(conn, caller, client_id)
            done = await actions.suppress_read(conn, caller, reading, source="import")
    except (Invalid, NotFound) as error:
        # Wherever in the file it stands, it is told at the file.
        error.param = "file"
        return await _form(request, form.refused(error), status=422)
    if not done.refused:
        return request.go("/suppressions", flash=_told(done))
    return await _form(request, Form(), done=done, is_file=True, status=422)


def _wanted(form: Form, zone: str) -> list[WantedSuppression]:
    names = [each.strip() for line in form.get("usernames").splitlines() for each in line.split(",")]
    names = [each for each in names if each]
    if not 1 <= len(names) <= MOST_AT_ONCE:
        raise Invalid(f"Name 1 to {MOST_AT_ONCE:,} people.", param="usernames")
    same = {
        "clientId": form.text("clientId"), "reason": form.text("reason"), "expiresAt": form.moment("expiresAt", zone)
    }  # fmt: skip
    return [form.read(WantedSuppression, instagramUsername=each, **same) for each in names]


def _client_id(form: Form) -> ClientId | None:
    text = form.text("clientId")
    try:
        return ClientId.parse(text) if text else None
    except ValueError as error:
        raise Invalid(f"clientId: {error}.", param="file") from None


def _told(done: Suppressed) -> str:
    count = len(done.accepted)
    return f"{count:,} {'person is' if count == 1 else 'people are'} suppressed."


async def _form(
    request: PageRequest, form: Form, *, done: Suppressed | None = None, is_file: bool = False, status: int = 200
) -> Response[bytes]:
    async with request.connection() as conn:
        clients = await client_names(conn, request.caller.workspace_id)
    refused = [
        (each.place if is_file else None, each.username[:200], each.error)
        for each in (done.refused[:MOST_REJECTS_SHOWN] if done else [])
    ]
    return page(
        request, "suppressions/many.html", title="Suppress people", crumb=_LIST, form=form, clients=clients,
        done=done and _told(done), refused=refused, more=len(done.refused) - len(refused) if done else 0,
        status=status,
    )  # fmt: skip


ROUTES = [new_suppressions, suppress_pasted, import_suppressions]
