"""Clients: the list with its search, one client's form, archiving. The page that others imitate."""

from litestar import Response, get, post

from iglayers.accounts.model import Scope
from iglayers.campaigns.actions import archive_client
from iglayers.clients import actions, queries
from iglayers.clients.actions import ClientChange, NewClient
from iglayers.clients.model import Client, ClientNotFound
from iglayers.core.errors import Conflict, Invalid
from iglayers.core.ids import ClientId
from iglayers.core.paging import page as paged
from iglayers.dashboard.forms import Form
from iglayers.dashboard.pages import Crumb, page
from iglayers.dashboard.request import PageRequest

_LIST = Crumb("Clients", "/clients")


@get("/clients")
async def list_clients(request: PageRequest) -> Response[bytes]:
    request.only_query("q", "archived", "cursor", "limit")
    limit, before, is_archived = request.limit(), request.cursor(ClientId), request.flag("archived")
    async with request.connection() as conn:
        found = await queries.page(
            conn, request.caller.workspace_id, only=None, external_id=None, before=before, limit=limit + 1,
            search=request.searched(), is_archived=is_archived,
        )  # fmt: skip
    template = "clients/_table.html" if request.is_fragment else "clients/list.html"
    return page(request, template, title="Clients", found=paged(found, limit), is_archived=is_archived)


@get("/clients/new")
async def new_client(request: PageRequest) -> Response[bytes]:
    request.caller.needs(Scope.WRITE)
    return _form(request, Form())


@post("/clients")
async def create_client(request: PageRequest) -> Response[bytes]:
    form = await request.read_form(Scope.WRITE)
    try:
        new = form.read(NewClient, **_fields(form))
        async with request.change() as conn:
            client = await actions.create(conn, request.caller, new)
    except (Invalid, Conflict) as error:
        return _form(request, form.refused(error), status=422)
    return request.go(f"/clients/{client.id}", flash=f"{client.name} is there.")


@get("/clients/{id:str}")
async def show_client(request: PageRequest) -> Response[bytes]:
    client = await _client(request)
    return _form(request, Form.of(
        name=client.name, externalId=client.external_id, hourlyLimit=client.hourly_limit,
        dailyLimit=client.daily_limit,
    ), client)  # fmt: skip


@post("/clients/{id:str}")
async def change_client(request: PageRequest) -> Response[bytes]:
    form = await request.read_form(Scope.WRITE)
    client = await _client(request)
    try:
        wanted = form.read(ClientChange, **_fields(form))
        async with request.change() as conn:
            await actions.change(conn, request.caller, client.id, wanted)
    except (Invalid, Conflict) as error:
        return _form(request, form.refused(error), client, status=422)
    return request.go(f"/clients/{client.id}", flash="Saved.")


@post("/clients/{id:str}/archive")
async def archive(request: PageRequest) -> Response[bytes]:
    form = await request.read_form(Scope.WRITE)
    client = await _client(request)
    try:
        async with request.change() as conn:
            await archive_client(conn, request.caller, client.id)
    except Conflict as error:
        return _form(request, form.refused(error), client, status=409)
    return request.go("/clients", flash=f"{client.name} is archived.")


async def _client(request: PageRequest) -> Client:
    client_id = request.path_id(ClientId, ClientNotFound)
    async with request.connection() as conn:
        client = await queries.by_id(conn, request.caller.workspace_id, client_id, only=None)
    if client is None:
        raise ClientNotFound("There is no such client.")
    return client


def _fields(form: Form) -> dict[str, object]:
    return {
        "name": form.get("name"),
        "externalId": form.text("externalId"),
        "hourlyLimit": form.whole("hourlyLimit"),
        "dailyLimit": form.whole("dailyLimit"),
    }


def _form(request: PageRequest, form: Form, client: Client | None = None, *, status: int = 200) -> Response[bytes]:
    title = "New client" if client is None else client.name
    return page(request, "clients/form.html", title=title, crumb=_LIST, form=form, client=client, status=status)


ROUTES = [list_clients, new_client, create_client, show_client, change_client, archive]
