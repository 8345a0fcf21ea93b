"""A person's own: password, the workspace that is shown, light or dark."""

from litestar import Response, get, post

from iglayers.accounts import actions_people as people
from iglayers.accounts import queries_people
from iglayers.accounts.actions_people import NewPassword
from iglayers.accounts.model_people import LIFE
from iglayers.core.errors import Invalid, NotFound
from iglayers.core.ids import WorkspaceId
from iglayers.dashboard.forms import Form
from iglayers.dashboard.pages import page
from iglayers.dashboard.request import THEME_COOKIE, THEMES, PageRequest

_YEAR_S = 31_536_000


@get("/account")
async def show_account(request: PageRequest) -> Response[bytes]:
    return _account(request, Form())


def _account(request: PageRequest, form: Form, status: int = 200) -> Response[bytes]:
    return page(request, "account/show.html", title="Your account", form=form, status=status)


@post("/account/password")
async def change_password(request: PageRequest) -> Response[bytes]:
    form = await request.read_form()
    person = request.person
    try:
        async with request.change() as conn:
            new = form.read(NewPassword, current=form.get("current"), password=form.get("password"))
            await people.change_password(conn, request.caller, person.user_id, new)
            token = await people.enter(conn, person.user_id, at=person.workspace_id)
    except Invalid as error:
        return _account(request, form.refused(error), 422)
    answer = request.go("/account", flash="Your password is changed. Every other session has ended.")
    answer.cookies.append(request.cookie(request.session_cookie, token, max_age=int(LIFE.total_seconds())))
    return answer


@post("/workspace")
async def switch_workspace(request: PageRequest) -> Response[bytes]:
    form = await request.read_form()
    missing = NotFound("There is no such workspace, or you are no member of it.")
    try:
        workspace_id = WorkspaceId.parse(form.get("workspace"))
    except ValueError:
        raise missing from None
    async with request.change() as conn:
        if not await queries_people.look_at(conn, request.session_token_hash(), workspace_id):
            raise missing
    return request.go("/")


@post("/theme", public=True)
async def choose_theme(request: PageRequest) -> Response[bytes]:
    form = await request.read_form()
    theme = form.get("theme") if form.get("theme") in THEMES else THEMES[0]
    answer = request.go(request.back())
    answer.cookies.append(request.cookie(THEME_COOKIE, theme, max_age=_YEAR_S))
    return answer


ROUTES = [show_account, change_password, switch_workspace, choose_theme]
