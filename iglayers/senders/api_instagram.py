"""Routes of the official API: connecting an account, and what browsers and Meta call outside of /api."""

from html import escape
from urllib.parse import parse_qs

from litestar import Response, get, post

from iglayers.accounts.model import Scope
from iglayers.accounts.request import ApiRequest, answer
from iglayers.core.errors import Conflict, Error, Invalid
from iglayers.senders import actions
from iglayers.senders.transports.instagram import callbacks, connect
from iglayers.senders.transports.instagram.graph import Graph

MAX_FORM_BYTES = 16 * 1024
# Nothing of these pages comes from elsewhere, and the address of a login is told to nobody.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_STYLE = "body{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:4rem auto;padding:0 1rem}"


@post("/senders/connect", status_code=201, scope_needed=Scope.ADMIN)
async def connect_sender(request: ApiRequest) -> Response[bytes]:
    wanted = await request.read(actions.SenderChange)
    async with request.unit() as unit:
        return unit.answer(
            await connect.start(unit.conn, request.caller, request.services.settings, wanted), status=201
        )


@get("/instagram/callback")
async def end_login(request: ApiRequest) -> Response[str]:
    """Where a browser comes back to after a login; `state` is all that it needs to prove."""
    query = request.query_params
    state, code = query.get("state", ""), query.get("code", "").removesuffix("#_")
    if "error" in query:
        return _page("Not connected", "Instagram says that the login was cancelled. Nothing was connected.", status=400)
    try:
        if not (0 < len(state) <= 200 and 0 < len(code) <= 2_000):
            raise Conflict("This address ends a login and was called without one.")
        sender, connected = await connect.end(
            request.services, Graph(request.services.settings), state=state, code=code
        )
    except Error as error:
        return _page("Not connected", error.message, error.next_step, status=409)
    lines = [f"{sender.username} is connected and can be used as the sender {sender.id}."]
    if sender.state != "active":
        lines.append(f"The sender is {sender.state}: resume it to go on.")
    if connected.not_subscribed:
        lines.append(
            f"Instagram does not tell this server of: {', '.join(connected.not_subscribed)}. Tick these fields in the "
            "app's webhook settings at Meta; comments also need Advanced Access."
        )
    return _page("Connected", *lines, "This page can be closed.")


@post("/instagram/deauthorize", status_code=200)
async def deauthorize(request: ApiRequest) -> Response[bytes]:
    await callbacks.deauthorize(request.services, await _user(request))
    return answer({"success": True})


@post("/instagram/deletion", status_code=200)
async def request_deletion(request: ApiRequest) -> Response[bytes]:
    return answer(await callbacks.delete(request.services, await _user(request)))


@get("/instagram/deletion")
async def show_deletion(request: ApiRequest) -> Response[str]:
    on = callbacks.deleted_on(request.services.pepper, request.query_params.get("c", "")[:200])
    if on is None:
        return _page("Not found", "This is no confirmation code of this server.", status=404)
    return _page("Deleted", f"The data that Instagram gave about this account was deleted on {on.isoformat()}.")


async def _user(request: ApiRequest) -> str:
    """Whom the signed request of Meta's is about."""
    form = parse_qs((await request.raw_body(most=MAX_FORM_BYTES)).decode("latin-1"), max_num_fields=10)
    user_id = callbacks.user_of(form.get("signed_request", [""])[0], request.services.settings)
    if user_id is None:
        raise Invalid(
            "signed_request is missing, or not signed by this app.", param="signed_request",
            remedy="Check IGLAYERS_INSTAGRAM_APP_SECRET and IGLAYERS_INSTAGRAM_META_APP_SECRET.",
        )  # fmt: skip
    return user_id


def _page(title: str, *lines: str, status: int = 200) -> Response[str]:
    text = "".join(f"<p>{escape(each)}</p>" for each in lines if each)
    html = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style><h1>{escape(title)}</h1>{text}</html>"
    )
    return Response(html, status_code=status, media_type="text/html", headers=_HEADERS)


ROUTES = [connect_sender]
PAGES = [end_login, deauthorize, request_deletion, show_deletion]
