"""The ways in and out: the first owner's set-up link, invitations, login, logout."""

import asyncio

from litestar import Response, get, post

from iglayers.accounts import actions_people as people
from iglayers.accounts import queries_people
from iglayers.accounts.actions_people import NewPerson
from iglayers.accounts.model_people import LIFE, Invitation
from iglayers.core.crypto import token_hash
from iglayers.core.errors import Conflict, Invalid, LimitReached, NotFound
from iglayers.dashboard.forms import Form
from iglayers.dashboard.pages import page
from iglayers.dashboard.request import PageRequest


@get("/setup", public=True)
async def show_setup(request: PageRequest) -> Response[bytes]:
    token = request.query_params.get("token", "")
    async with request.services.db.connection() as conn:
        is_good = await queries_people.has_setup_token(conn, token_hash(token))
    if not is_good:
        raise NotFound(
            "This link was used or has been replaced.", remedy="`iglayers serve` says a new one at its start."
        )
    return _setup(request, Form.of(token=token))


def _setup(request: PageRequest, form: Form, status: int = 200) -> Response[bytes]:
    return page(request, "entry/setup.html", title="Set up", form=form, status=status)


@post("/setup", public=True)
async def set_up(request: PageRequest) -> Response[bytes]:
    form = await request.read_form()
    try:
        async with request.change() as conn:
            new = form.read(NewPerson, email=form.get("email"), password=form.get("password"))
            user_id = await people.set_up(conn, form.get("token"), new)
            token = await people.enter(conn, user_id)
    except (Invalid, Conflict) as error:
        return _setup(request, form.refused(error), 422)
    return _inside(request, token, "/", flash="Welcome. This installation is yours.")


@get("/invitations/{token:str}", public=True)
async def show_invitation(request: PageRequest) -> Response[bytes]:
    return _invitation(request, await _offered(request), Form())


async def _offered(request: PageRequest) -> Invitation:
    async with request.services.db.connection() as conn:
        offered = await queries_people.invitation(conn, token_hash(request.path_params["token"]))
    if offered is None:
        raise NotFound("This invitation was used or has ended.", remedy="Ask an owner for a new one.")
    return offered


def _invitation(request: PageRequest, offered: Invitation, form: Form, status: int = 200) -> Response[bytes]:
    return page(request, "entry/invitation.html", title="Join", offered=offered, form=form, status=status)


@post("/invitations/{token:str}", public=True)
async def accept_invitation(request: PageRequest) -> Response[bytes]:
    form = await request.read_form()
    token = str(request.path_params["token"])
    try:
        async with request.change() as conn:
            new = form.read(NewPerson, email=form.get("email"), password=form.get("password"))
            user_id = await people.accept(conn, token, new, request_id=request.scope["state"]["request_id"])
            opened = await people.enter(conn, user_id)
    except (Invalid, Conflict) as error:
        return _invitation(request, await _offered(request), form.refused(error), 422)
    return _inside(request, opened, "/", flash="Welcome.")


@get("/login", public=True)
async def show_login(request: PageRequest) -> Response[bytes]:
    wanted = _own_path(request.query_params.get("next", "/"))
    if request.visitor.session is not None:
        return request.go(wanted)
    return _login(request, Form.of(next=wanted))


def _login(request: PageRequest, form: Form, status: int = 200) -> Response[bytes]:
    return page(request, "entry/login.html", title="Log in", form=form, status=status)


@post("/login", public=True)
async def log_in(request: PageRequest) -> Response[bytes]:
    form = await request.read_form()
    try:
        token = await _checked(request, form.get("email").strip().lower()[:254], form.get("password"))
    except (Invalid, LimitReached) as error:
        return _login(request, form.refused(error), 429 if isinstance(error, LimitReached) else 422)
    return _inside(request, token, _own_path(form.get("next")))


async def _checked(request: PageRequest, email: str, password: str) -> str:
    """The token of a new session; the same refusal for a wrong password and for an e-mail that nobody has."""
    address = request.client.host if request.client else ""
    refused: LimitReached | None = None
    async with request.change() as conn:
        try:
            found = await people.knock(conn, email, address=address)
        except LimitReached as error:
            found, refused = None, error  # raised after the commit: this try counts, too
    if refused is not None:
        raise refused
    if not await asyncio.to_thread(people.matches, found, password) or found is None:
        raise Invalid("E-mail or password is wrong.", param="password")
    async with request.change() as conn:
        await people.prove(conn, email, address=address)
        return await people.enter(conn, found.id, instead_of=request.cookies.get(request.session_cookie))


@post("/logout")
async def log_out(request: PageRequest) -> Response[bytes]:
    await request.read_form()
    async with request.change() as conn:
        await queries_people.end_session(conn, request.session_token_hash())
    answer = request.go("/login", flash="You are logged out.")
    answer.cookies.append(request.cookie(request.session_cookie, "", max_age=0))
    return answer


def _inside(request: PageRequest, token: str, path: str, *, flash: str | None = None) -> Response[bytes]:
    answer = request.go(path, flash=flash)
    answer.cookies.append(request.cookie(request.session_cookie, token, max_age=int(LIFE.total_seconds())))
    return answer


def _own_path(text: str) -> str:
    """A path of this installation; browsers take two slashes at its start, of either kind, for another host."""
    is_own = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable()
    return text if is_own else "/"


ROUTES = [show_setup, set_up, show_invitation, accept_invitation, show_login, log_in, log_out]
