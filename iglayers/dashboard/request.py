"""What a page's handler is given: the person, their workspace, the form that came in, and answers to give.

A handler that changes something reads the form first, then `async with request.change() as conn`: no change without
the form's token.
"""

import hmac
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import cast
from urllib.parse import quote, unquote, urlencode, urlsplit

import msgspec
from litestar import Response
from litestar.datastructures import Cookie

from iglayers.accounts.model import Scope
from iglayers.accounts.model_people import Membership, Role, Session
from iglayers.accounts.request import MAX_JSON_BYTES, ApiRequest
from iglayers.core.crypto import token_hash
from iglayers.core.db import Connection
from iglayers.core.errors import Forbidden
from iglayers.core.fields import optional_line
from iglayers.dashboard.forms import Form

SESSION_COOKIE = "iglayers_session"
# Of people who are not logged in: what the forms' tokens are made from.
VISIT_COOKIE = "iglayers_visit"
FLASH_COOKIE = "iglayers_flash"
UNDO_COOKIE = "iglayers_undo"
THEME_COOKIE = "iglayers_theme"
THEMES = ("system", "light", "dark")


class Refused(Forbidden):
    remedy = "Go back, load the page anew and try again."


class Undo(msgspec.Struct, frozen=True):
    """The form that takes back what was just done, offered once beside the line that tells it."""

    action: str
    fields: dict[str, str]


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """Whoever opened the page: the seed of their forms' tokens, and who they are once they are logged in."""

    seed: str
    session: Session | None = None
    memberships: list[Membership] = []

    @property
    def form_token(self) -> str:
        """Bound to the workspace: a form of the test workspace changes nothing after a switch to the live one."""
        bound_to = f"form {self.session.workspace_id if self.session else ''}"
        return hmac.new(self.seed.encode(), bound_to.encode(), "sha256").hexdigest()


class PageRequest(ApiRequest):
    """A request of a page. `caller` is the person's, as an API key's would be."""

    @property
    def visitor(self) -> Visitor:
        return cast("Visitor", self.scope["state"]["visitor"])

    @property
    def person(self) -> Session:
        """The person who is logged in, on every page that is not public."""
        assert self.visitor.session is not None
        return self.visitor.session

    @property
    def role(self) -> Role:
        return self.person.role

    @property
    def is_secure(self) -> bool:
        """Whether browsers come by https, here or to a proxy that IGLAYERS_PUBLIC_URL names."""
        return self.origin.startswith("https://")

    @property
    def session_cookie(self) -> str:
        """By https a name that browsers take from this host alone, for every path, and only as secure."""
        return f"__Host-{SESSION_COOKIE}" if self.is_secure else SESSION_COOKIE

    @property
    def origin(self) -> str:
        """Where people find this installation, without a path."""
        return (self.services.settings.public_url or f"{self.url.scheme}://{self.url.netloc}").rstrip("/")

    @property
    def is_fragment(self) -> bool:
        """Whether htmx asks for a part of the page."""
        return self.headers.get("hx-request") == "true" and "hx-history-restore-request" not in self.headers

    async def read_form(self, needs: Scope | None = None, *, most: int = MAX_JSON_BYTES) -> Form:
        """The fields that were sent, by somebody who has the scope `needs`, in at most so many bytes.

        Refused without the token of a form of this session and workspace.
        """
        if needs is not None:
            self.caller.needs(needs)
        return self.admit(Form.parse(await self.raw_body(most=most), self.headers.get("content-type", "")))

    def admit(self, form: Form) -> Form:
        """The same form, if it has the token of this session and workspace."""
        sent = self.headers.get("x-form-token") or form.get("form_token")
        if not hmac.compare_digest(sent.encode(), self.visitor.form_token.encode()):
            raise Refused("This form is out of date: it was opened before a login or in another workspace.")
        self.scope["state"]["form_checked"] = True
        return form

    @asynccontextmanager
    async def change(self) -> AsyncGenerator[Connection, None]:
        """One transaction, after `read_form`."""
        assert "form_checked" in self.scope["state"], "read the form before changing anything"
        async with self.services.db.transaction() as conn:
            yield conn

    def go(self, path: str, *, flash: str | None = None, undo: Undo | None = None) -> Response[bytes]:
        """On to another page, with a line that it shows once, and maybe a button that takes it back."""
        answer = Response(
            b"", status_code=303, media_type="text/html", headers={"Location": path, "Cache-Control": "no-store"}
        )
        if flash is not None:
            answer.cookies.append(self.cookie(FLASH_COOKIE, quote(flash[:500]), max_age=60))
        if undo is not None:
            answer.cookies.append(self.cookie(UNDO_COOKIE, quote(msgspec.json.encode(undo)), max_age=60))
        return answer

    @property
    def flash(self) -> str | None:
        text = self.cookies.get(FLASH_COOKIE)
        return unquote(text)[:500] if text else None

    @property
    def undo(self) -> Undo | None:
        text = self.cookies.get(UNDO_COOKIE)
        try:
            undo = msgspec.json.decode(unquote(text), type=Undo) if text else None
        except msgspec.MsgspecError:
            return None
        return undo if undo and undo.action.startswith("/") and not undo.action.startswith("//") else None

    def cookie(self, name: str, value: str, *, max_age: int) -> Cookie:
        return Cookie(
            key=name, value=value, max_age=max_age, path="/", httponly=True, samesite="lax", secure=self.is_secure
        )

    def here(self, **changes: str | None) -> str:
        """This page's address with other query parameters; None takes one away."""
        query = {name: text for name, text in self.query_params.items() if name not in changes}
        query |= {name: text for name, text in changes.items() if text}
        return self.url.path + (f"?{urlencode(query)}" if query else "")

    def searched(self) -> str | None:
        """What `?q=` looks for."""
        return optional_line(self.query_params.get("q"), "q")

    def session_token_hash(self) -> bytes:
        return token_hash(self.visitor.seed)

    def back(self) -> str:
        """The page of ours that the form stood on."""
        referer = urlsplit(self.headers.get("referer", ""))
        if referer.netloc != self.url.netloc or not referer.path.startswith("/") or referer.path.startswith("//"):
            return "/"
        return referer.path + (f"?{referer.query}" if referer.query else "")

    @property
    def theme(self) -> str:
        return self.cookies.get(THEME_COOKIE, "system")
