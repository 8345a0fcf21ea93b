"""Instagram Login: the authorize page, the code endpoint, the long-lived token and its refresh."""

import html
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tests.doubles.instagram.errors import GraphError, OAuthError, bad_token, dead_token
from tests.doubles.instagram.webhooks import App
from tests.doubles.instagram.world import DAY_S, HOUR_S, SCOPES, Account, Code, Token, World


@dataclass
class Login:
    """Who sits in front of the authorize page and what they do there."""

    account: str | None = None
    deny: bool = False
    grant: list[str] | None = None
    flat: bool = False
    user_id_as_number: bool = False


@dataclass
class PageError(Exception):
    """What the browser shows instead of going back to the app."""

    message: str

    @property
    def page(self) -> str:
        return f"<!doctype html><title>Error</title><p>{html.escape(self.message)}</p>"


def authorize(world: World, app: App, login: Login, query: dict[str, str]) -> str:
    """Where the browser goes next."""
    account, scopes = _asked(world, app, login, query)
    back = query["redirect_uri"] + ("&" if "?" in query["redirect_uri"] else "?")
    state = {"state": query["state"]} if "state" in query else {}
    if login.deny:
        reason = "The user denied your request"
        denied = {"error": "access_denied", "error_reason": "user_denied", "error_description": reason}
        return back + urlencode(denied | state)
    granted = scopes if login.grant is None else frozenset(login.grant)
    code = world.opaque("AQC7", 60)
    world.codes[code] = Code(account.ig_id, query["redirect_uri"], world.now() + HOUR_S, granted)
    return back + urlencode({"code": code} | state) + "#_"


def short_token(world: World, app: App, login: Login, form: dict[str, str]) -> tuple[Token, dict[str, Any]]:
    """The code for a token of one hour. A code works once, even if the first use was refused later on."""
    if form.get("client_id") != app.app_id:
        raise OAuthError("Invalid platform app")
    if form.get("client_secret") != app.secret:
        raise OAuthError("Error validating client secret")
    if form.get("grant_type") != "authorization_code":
        raise OAuthError("Invalid grant_type: must be authorization_code")
    code = world.codes.get(form.get("code", ""))
    if code is None:
        raise OAuthError("Invalid authorization code")
    if code.is_used:
        raise OAuthError("This authorization code has been used")
    if code.expires_at <= world.now():
        raise OAuthError("This authorization code has expired")
    if code.redirect_uri != form.get("redirect_uri"):
        raise OAuthError("Error validating verification code. Please make sure your redirect_uri is identical")
    code.is_used = True
    token = world.issue_token(code.ig_id, is_long=False, scopes=code.scopes)
    scoped: str | int = world.accounts[code.ig_id].app_scoped_id
    answer: dict[str, Any] = {
        "access_token": token.value,
        "user_id": int(scoped) if login.user_id_as_number else scoped,
        "permissions": ",".join(sorted(code.scopes)),
    }
    return token, answer if login.flat else {"data": [answer]}


def long_token(world: World, app: App, query: dict[str, str], *, bad_status: int) -> dict[str, Any]:
    if query.get("grant_type") != "ig_exchange_token":
        raise GraphError(100, "Invalid grant_type", type="OAuthException")
    if query.get("client_secret") != app.secret:
        raise GraphError(1, "Error validating client secret.", type="OAuthException")
    token = usable(world, query.get("access_token", ""), bad_status=bad_status)
    if token.is_long:
        raise GraphError(100, "Session key invalid: a short-lived token is required", type="OAuthException")
    return _answer(world, world.issue_token(token.ig_id, is_long=True, scopes=token.scopes))


def refreshed_token(world: World, query: dict[str, str], *, bad_status: int) -> dict[str, Any]:
    """Refused before the token is a day old and once it has expired. The old one goes on until its own end."""
    if query.get("grant_type") != "ig_refresh_token":
        raise GraphError(100, "Invalid grant_type", type="OAuthException")
    token = usable(world, query.get("access_token", ""), bad_status=bad_status)
    if not token.is_long:
        raise GraphError(100, "A long-lived token is required", type="OAuthException")
    if "instagram_business_basic" not in token.scopes:
        raise GraphError(10, "The permission instagram_business_basic is required", type="OAuthException")
    if world.now() - token.issued_at < DAY_S:
        raise GraphError(100, "The token must be at least 24 hours old", type="OAuthException")
    return _answer(world, world.issue_token(token.ig_id, is_long=True, scopes=token.scopes))


def usable(world: World, value: str, *, bad_status: int) -> Token:
    token = world.tokens.get(value)
    if token is None:
        raise bad_token(bad_status)
    if token.dead_subcode is not None:
        raise dead_token(token.dead_subcode, bad_status, token.error_data)
    if token.expires_at <= world.now():
        raise dead_token(463, bad_status)
    return token


def _asked(world: World, app: App, login: Login, query: dict[str, str]) -> tuple[Account, frozenset[str]]:
    if query.get("client_id") != app.app_id:
        raise PageError("Invalid Request: Request parameters are invalid: Invalid platform app")
    redirect_uri = query.get("redirect_uri", "")
    if not redirect_uri or (app.redirect_uris and redirect_uri not in app.redirect_uris):
        raise PageError("Invalid Request: Request parameters are invalid: Invalid redirect_uri")
    if query.get("response_type") != "code":
        raise PageError("Invalid Request: response_type must be code")
    scopes = frozenset(query.get("scope", "").replace(",", " ").split())
    if not scopes or scopes - SCOPES:
        raise PageError(f"Invalid Scopes: {', '.join(sorted(scopes - SCOPES)) or 'none given'}")
    if "instagram_business_basic" not in scopes:
        raise PageError("Invalid Scopes: instagram_business_basic is always required")
    account = world.account(login.account) if login.account else next(iter(world.accounts.values()), None)
    if account is None:
        raise PageError("Nobody is logged in: create an account through the control API first")
    return account, scopes


def _answer(world: World, token: Token) -> dict[str, Any]:
    return {
        "access_token": token.value,
        "token_type": "bearer",
        "expires_in": int(token.expires_at - world.now()),
    }
