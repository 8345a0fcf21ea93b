"""Who must not be written to: the list with search and scope, one more, lifting, the list as a file."""

from litestar import Response, get, post
from litestar.response import Stream

from iglayers.accounts.model import Scope
from iglayers.contacts import actions, queries
from iglayers.contacts.actions import WantedSuppression
from iglayers.contacts.export import FILE_NAME, Whose, as_csv
from iglayers.contacts.model import ERASURE, OPT_OUT, ContactRow, Suppression
from iglayers.contacts.usernames import InvalidUsername, canonical
from iglayers.core.clock import Moment
from iglayers.core.csv_text import MEDIA_TYPE
from iglayers.core.db import Connection
from iglayers.core.errors import Invalid
from iglayers.core.ids import ClientId, SuppressionId
from iglayers.core.paging import page as paged
from iglayers.dashboard.pages import page
from iglayers.dashboard.queries import client_names
from iglayers.dashboard.request import PageRequest, Undo

# Lists of ours can be written again as they were; what a person asked for cannot.
_KEPT = (OPT_OUT, ERASURE)


@get("/suppressions")
async def list_suppressions(request: PageRequest) -> Response[bytes]:
    request.only_query("q", "clientId", "cursor", "limit")
    limit, before, client_id = request.limit(), request.cursor(SuppressionId), request.cursor(ClientId, "clientId")
    caller, named, refused = request.caller, request.searched(), None
    found: list[Suppression] = []
    async with request.connection() as conn:
        clients = await client_names(conn, caller.workspace_id)
        try:
            contact = await _named(conn, request, named)
        except InvalidUsername as error:
            contact, refused = None, error
        if contact or not named:
            found = await queries.page(
                conn, caller.workspace_id, client_id=client_id, contact_id=contact.id if contact else None,
                now=caller.now, before=before, limit=limit + 1,
            )  # fmt: skip
    return page(
        request, "suppressions/_table.html" if request.is_fragment else "suppressions/list.html", title="Suppressions",
        found=paged(found, limit), clients=clients, names={each.id: each.name for each in clients}, refused=refused,
        client_id=str(client_id or ""), kept=_KEPT,
    )  # fmt: skip


@get("/suppressions/export.csv")
async def export_suppressions(request: PageRequest) -> Stream:
    request.only_query("clientId")
    whose = Whose(client_id=request.cursor(ClientId, "clientId"))
    headers = {"Content-Disposition": f'attachment; filename="{FILE_NAME}"', "Cache-Control": "no-store"}
    return Stream(as_csv(request.services.db, request.caller, whose), media_type=MEDIA_TYPE, headers=headers)


@post("/suppressions/one")
async def suppress(request: PageRequest) -> Response[bytes]:
    """One person, in the fields of the API; back to where the form stood, with the way to take it back."""
    form = await request.read_form(Scope.WRITE)
    client_id = form.text("clientId")
    wanted = form.read(
        WantedSuppression, instagramUsername=form.get("instagramUsername"), clientId=client_id,
        reason=form.text("reason"), source=form.text("source"), expiresAt=form.text("expiresAt"),
    )  # fmt: skip
    async with request.change() as conn:
        was_there = await _is_suppressed(conn, request, wanted)
        done = await actions.suppress(conn, request.caller, wanted, pepper=request.services.pepper)
    undo = None
    if not was_there:
        undo = Undo("/suppressions/lift", {"instagramUsername": done.username or "", "clientId": client_id or ""})
    return request.go(request.back(), flash=f"{done.username} is suppressed.", undo=undo)


@post("/suppressions/lift")
async def lift(request: PageRequest) -> Response[bytes]:
    form = await request.read_form(Scope.WRITE)
    client_id = _client_id(form.text("clientId"))
    async with request.change() as conn:
        lifted = await actions.unsuppress(
            conn, request.caller, form.get("instagramUsername"), client_id=client_id, pepper=request.services.pepper
        )
    undo = None
    if lifted.source not in _KEPT:
        fields = {
            "instagramUsername": lifted.username, "clientId": lifted.client_id, "reason": lifted.reason,
            "source": lifted.source, "expiresAt": lifted.expires_at and Moment.of(lifted.expires_at).rfc3339(),
        }  # fmt: skip
        undo = Undo("/suppressions/one", {name: str(item or "") for name, item in fields.items()})
    return request.go(request.back(), flash=f"{lifted.username} may be written to again.", undo=undo)


async def _named(conn: Connection, request: PageRequest, named: str | None) -> ContactRow | None:
    if named is None:
        return None
    return await queries.by_username(
        conn, request.caller.workspace_id, canonical(named), pepper=request.services.pepper
    )


async def _is_suppressed(conn: Connection, request: PageRequest, wanted: WantedSuppression) -> bool:
    """Whether an older suppression of the same scope is there, which an undo must not take away."""
    contact = await _named(conn, request, wanted.instagram_username)
    if contact is None:
        return False
    found = await queries.of_contact(conn, request.caller.workspace_id, contact.id)
    return any(each.client_id == wanted.client_id for each in found)


def _client_id(text: str | None) -> ClientId | None:
    try:
        return ClientId.parse(text) if text else None
    except ValueError as error:
        raise Invalid(f"clientId: {error}.", param="clientId") from None


ROUTES = [list_suppressions, export_suppressions, suppress, lift]
