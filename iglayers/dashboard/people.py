"""The people of a workspace, for its owners: who they are, their roles, invitations."""

from litestar import Response, get, post

from iglayers.accounts import actions_people as people
from iglayers.accounts import queries_people
from iglayers.accounts.model import Scope
from iglayers.accounts.model_people import Role
from iglayers.core.errors import Conflict, Invalid, NotFound
from iglayers.core.ids import UserId
from iglayers.dashboard.forms import Form
from iglayers.dashboard.pages import page
from iglayers.dashboard.request import PageRequest


class NoSuchMember(NotFound):
    code = "not_found"


@get("/people")
async def list_people(request: PageRequest) -> Response[bytes]:
    return await _list(request, Form())


@post("/people/invitations")
async def invite(request: PageRequest) -> Response[bytes]:
    """The link is in this answer and nowhere else."""
    form = await request.read_form(Scope.ADMIN)
    async with request.change() as conn:
        token = await people.invite(conn, request.caller, _role(form))
    return await _list(request, form, link=f"{request.origin}/invitations/{token}")


@post("/people/{id:str}/role")
async def change_role(request: PageRequest) -> Response[bytes]:
    form = await request.read_form(Scope.ADMIN)
    user_id = request.path_id(UserId, NoSuchMember)
    try:
        async with request.change() as conn:
            await people.change_role(conn, request.caller, user_id, _role(form))
    except Conflict as error:
        return await _list(request, form.refused(error), status=409)
    return request.go("/people", flash="The role is changed.")


@post("/people/{id:str}/remove")
async def remove(request: PageRequest) -> Response[bytes]:
    form = await request.read_form(Scope.ADMIN)
    user_id = request.path_id(UserId, NoSuchMember)
    try:
        async with request.change() as conn:
            await people.remove(conn, request.caller, user_id)
    except Conflict as error:
        return await _list(request, form.refused(error), status=409)
    return request.go("/people", flash="That person is out, as of now.")


async def _list(request: PageRequest, form: Form, *, link: str | None = None, status: int = 200) -> Response[bytes]:
    request.caller.needs(Scope.ADMIN)
    async with request.connection() as conn:
        found = await queries_people.members(conn, request.caller.workspace_id)
    return page(
        request, "people/list.html", title="People", found=found, roles=list(Role), form=form, link=link, status=status
    )


def _role(form: Form) -> Role:
    try:
        return Role(form.get("role"))
    except ValueError:
        raise Invalid("role must be owner, operator or viewer.", param="role") from None


ROUTES = [list_people, invite, change_role, remove]
