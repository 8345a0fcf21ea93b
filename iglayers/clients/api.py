"""Routes of clients; DELETE needs the campaigns and stands with them."""

from litestar import Response, get, patch, post

from iglayers.accounts.request import ApiRequest, answer
from iglayers.clients import actions, queries
from iglayers.clients.model import ClientNotFound
from iglayers.core.ids import ClientId
from iglayers.core.paging import page


@post("/clients")
async def create_client(request: ApiRequest) -> Response[bytes]:
    new = await request.read(actions.NewClient)
    async with request.unit() as unit:
        return unit.answer(await actions.create(unit.conn, request.caller, new), status=201)


@get("/clients")
async def list_clients(request: ApiRequest) -> Response[bytes]:
    request.only_query("limit", "cursor", "externalId")
    caller, limit, before = request.caller, request.limit(), request.cursor(ClientId)
    external_id = request.query_params.get("externalId")
    async with request.connection() as conn:
        found = await queries.page(
            conn, caller.workspace_id, only=caller.client_id, external_id=external_id, before=before, limit=limit + 1
        )
    return answer(page(found, limit))


@get("/clients/{id:str}")
async def show_client(request: ApiRequest) -> Response[bytes]:
    caller, client_id = request.caller, request.path_id(ClientId, ClientNotFound)
    async with request.connection() as conn:
        client = await queries.by_id(conn, caller.workspace_id, client_id, only=caller.client_id)
    if client is None:
        raise ClientNotFound("There is no such client.")
    return answer(client)


@patch("/clients/{id:str}")
async def change_client(request: ApiRequest) -> Response[bytes]:
    client_id = request.path_id(ClientId, ClientNotFound)
    wanted = await request.read(actions.ClientChange)
    async with request.unit() as unit:
        return unit.answer(await actions.change(unit.conn, request.caller, client_id, wanted))


ROUTES = [create_client, list_clients, show_client, change_client]
