"""The workspace's settings: they change together with the ledger that follows them."""

from litestar import Response, patch

from iglayers.accounts.model import Scope
from iglayers.accounts.request import ApiRequest
from iglayers.messages import actions


@patch("/workspace", scope_needed=Scope.ADMIN)
async def change_workspace(request: ApiRequest) -> Response[bytes]:
    wanted = await request.read(actions.WorkspaceChange)
    async with request.unit() as unit:
        return unit.answer(await actions.change_workspace(unit.conn, request.caller, wanted))


ROUTES = [change_workspace]
