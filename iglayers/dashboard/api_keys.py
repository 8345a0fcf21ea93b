"""API keys, for owners: create (shown once, with the call to try it), rotate, revoke, when each was last used."""

from litestar import Response, get, post

from iglayers.accounts import actions, queries
from iglayers.accounts.actions import NewKey
from iglayers.accounts.model import ApiKey, CreatedKey, KeyNotFound, Scope
from iglayers.core.clock import real_now
from iglayers.core.errors import Conflict, Invalid
from iglayers.core.ids import KeyId
from iglayers.core.paging import page as paged
from iglayers.dashboard.forms import Form
from iglayers.dashboard.pages import Crumb, page
from iglayers.dashboard.queries import client_names
from iglayers.dashboard.request import PageRequest

_LIST = Crumb("API keys", "/api-keys")


@get("/api-keys")
async def list_keys(request: PageRequest) -> Response[bytes]:
    request.only_query("cursor", "limit")
    return await _list(request, Form())


@get("/api-keys/new")
async def new_key(request: PageRequest) -> Response[bytes]:
    request.caller.needs(Scope.ADMIN)
    return await _form(request, Form.of(scopes=["read", "write", "send"]))


@post("/api-keys")
async def create_key(request: PageRequest) -> Response[bytes]:
    """The key is in this answer and nowhere else."""
    form = await request.read_form(Scope.ADMIN)
    try:
        new = form.read(
            NewKey, name=form.get("name"), scopes=form.all("scopes"), clientId=form.text("clientId"),
            addresses=form.get("addresses").replace(",", " ").split(),
            expiresAt=form.moment("expiresAt", request.person.timezone),
        )  # fmt: skip
        async with request.change() as conn:
            made = await actions.create_key(conn, request.caller, new)
    except Invalid as error:
        return await _form(request, form.refused(error), status=422)
    return _made(request, made)


@post("/api-keys/{id:str}/rotate")
async def rotate_key(request: PageRequest) -> Response[bytes]:
    form = await request.read_form(Scope.ADMIN)
    key_id = request.path_id(KeyId, KeyNotFound)
    try:
        hours = form.whole("overlapHours") or 0
        async with request.change() as conn:
            made = await actions.rotate_key(conn, request.caller, key_id, overlap_hours=hours)
    except (Invalid, Conflict) as error:
        return await _list(request, form.refused(error), status=409)
    request.forget_key(key_id)
    return _made(request, made, overlap_hours=hours)


@post("/api-keys/{id:str}/revoke")
async def revoke_key(request: PageRequest) -> Response[bytes]:
    await request.read_form(Scope.ADMIN)
    key_id = request.path_id(KeyId, KeyNotFound)
    async with request.change() as conn:
        key = await actions.revoke_key(conn, request.caller, key_id)
    request.forget_key(key_id)
    return request.go("/api-keys", flash=f"{key.name} is revoked.")


def state_of(key: ApiKey) -> str:
    """`active`, `revoked` or `expired`."""
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= real_now() else "active"


async def _list(request: PageRequest, form: Form, *, status: int = 200) -> Response[bytes]:
    request.caller.needs(Scope.ADMIN)
    limit, before = request.limit(), request.cursor(KeyId)
    async with request.connection() as conn:
        found = await queries.keys(conn, request.caller.workspace_id, before=before, limit=limit + 1)
        names = {each.id: each.name for each in await client_names(conn, request.caller.workspace_id)}
    return page(
        request, "api_keys/list.html", title="API keys", found=paged(found, limit), names=names, form=form,
        state_of=state_of, status=status,
    )  # fmt: skip


async def _form(request: PageRequest, form: Form, *, status: int = 200) -> Response[bytes]:
    async with request.connection() as conn:
        clients = await client_names(conn, request.caller.workspace_id)
    return page(
        request, "api_keys/form.html", title="New API key", crumb=_LIST, form=form, clients=clients, status=status
    )


def _made(request: PageRequest, made: CreatedKey, *, overlap_hours: int | None = None) -> Response[bytes]:
    return page(request, "api_keys/made.html", title=made.name, crumb=_LIST, made=made, overlap_hours=overlap_hours)


ROUTES = [list_keys, new_key, create_key, rotate_key, revoke_key]
