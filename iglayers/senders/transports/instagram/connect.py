"""How an account becomes a sender: log in at Instagram (or enter a token), ask who that is, subscribe, keep the access.

Whatever asks Meta happens before the transaction that keeps the result. A login ends once, in any browser, with the
state that it was started with.
"""

import secrets
from datetime import datetime, timedelta
from typing import TypeVar
from urllib.parse import urlencode

import msgspec

from iglayers.accounts import queries as account_queries
from iglayers.accounts.model import Caller, Mode, Scope
from iglayers.accounts.services import Services
from iglayers.core import body
from iglayers.core.clock import Moment, real_now
from iglayers.core.config import Settings, public_url
from iglayers.core.crypto import token_hash
from iglayers.core.db import Connection
from iglayers.core.errors import Conflict, Error, Invalid, Unavailable
from iglayers.core.wire import json_bytes
from iglayers.senders import actions, queries, queries_credentials
from iglayers.senders.model import Sender
from iglayers.senders.queries_credentials import Login
from iglayers.senders.transports.instagram import credentials, errors
from iglayers.senders.transports.instagram.credentials import Identity, Token
from iglayers.senders.transports.instagram.graph import Graph, GraphAnswer

T = TypeVar("T")

CALLBACK = "/instagram/callback"
LOGIN_LIVES = timedelta(hours=1)
SCOPES = ("instagram_business_basic", "instagram_business_manage_messages", "instagram_business_manage_comments")
# Without `messages` neither answers nor opt-outs would come in. The others fail together where one is not permitted.
NEEDED_FIELD = "messages"
FIELDS = (
    NEEDED_FIELD, "messaging_postbacks", "messaging_seen", "message_reactions", "messaging_referral", "message_edit",
)  # fmt: skip
# Needs Advanced Access; without it comments are not seen, and open no way.
COMMENTS_FIELD = "comments"
MAX_LIFE_S = 10 * credentials.TOKEN_LIVES.total_seconds()
ME = "user_id,username,name,account_type"


class Started(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """Where to log in, and until when that login can be ended."""

    url: str
    expires_at: Moment


class Connected(msgspec.Struct, frozen=True, kw_only=True):
    """An account that may be used: its access, who it is, and which fields Meta did not subscribe."""

    token: Token
    identity: Identity
    not_subscribed: list[str]


class _Granted(msgspec.Struct):
    access_token: str
    permissions: str | list[str] | None = None


class _Exchanged(msgspec.Struct):
    data: list[_Granted] = []
    access_token: str | None = None
    permissions: str | list[str] | None = None


class _LongLived(msgspec.Struct):
    access_token: str
    expires_in: float = 0


class _Me(msgspec.Struct):
    user_id: str | int
    username: str
    account_type: str | None = None
    id: str | int | None = None


class _Done(msgspec.Struct):
    success: bool = True


class _Field(msgspec.Struct):
    name: str


class _App(msgspec.Struct):
    subscribed_fields: list[str | _Field] = []


class _Apps(msgspec.Struct):
    data: list[_App] = []


async def start(conn: Connection, caller: Caller, settings: Settings, wanted: actions.SenderChange) -> Started:
    """A login for one account that becomes a sender with these settings."""
    await actions.check_settings(conn, caller, "instagram", wanted)
    app_id, _ = app_of(settings)
    state = secrets.token_urlsafe(32)
    expires_at = Moment.of(real_now() + LOGIN_LIVES)
    login = Login(workspace_id=caller.workspace_id, actor=caller.actor, wanted=msgspec.json.decode(json_bytes(wanted)))
    await queries_credentials.start_login(conn, login, state_hash=token_hash(state), expires_at=expires_at)
    query = urlencode({
        "client_id": app_id, "redirect_uri": redirect_uri(settings), "response_type": "code",
        "scope": ",".join(SCOPES), "state": state,
    })  # fmt: skip
    return Started(url=f"{settings.instagram_www_url.rstrip('/')}/oauth/authorize?{query}", expires_at=expires_at)


async def end(services: Services, graph: Graph, *, state: str, code: str) -> tuple[Sender, Connected]:
    """The second half of a login, for whoever comes back with its state: the sender, and what was connected."""
    async with services.db.transaction() as conn:
        login = await queries_credentials.take_login(conn, token_hash(state))
    if login is None:
        raise Conflict(
            "This login was ended before, or it is older than an hour.", remedy="Start again with connecting."
        )
    connected = await by_code(graph, services.settings, code)
    async with services.db.transaction() as conn:
        clock = await account_queries.clock(conn, login.workspace_id)
        assert clock is not None
        caller = Caller(
            workspace_id=login.workspace_id, mode=Mode.LIVE, scopes=frozenset(Scope), actor=login.actor, clock=clock
        )
        wanted = body.convert(login.wanted, actions.SenderChange)
        return await keep(conn, caller, services, connected, wanted), connected


async def by_code(graph: Graph, settings: Settings, code: str) -> Connected:
    """The account behind a code of a login: a token for an hour, then one for 60 days."""
    app_id, secret = app_of(settings)
    form = {
        "client_id": app_id, "client_secret": secret, "grant_type": "authorization_code",
        "redirect_uri": redirect_uri(settings), "code": code,
    }  # fmt: skip
    answer = await graph.post_form("oauth/access_token", form, secrets=[secret, code])
    short, permissions = _granted(_read(answer, _Exchanged, "exchange the login for an access"))
    if missing := _missing_scopes(permissions):
        raise Conflict(
            f"The login did not grant {', '.join(missing)}.",
            remedy="Connect again and leave every switch on that Instagram shows.",
        )
    query = {"grant_type": "ig_exchange_token", "client_secret": secret, "access_token": short}
    answer = await graph.get_token("access_token", query, secrets=[secret, short])
    return await _connected(graph, token_in(answer, "exchange the access for one of 60 days", now=real_now()))


async def by_new(services: Services, caller: Caller, new: actions.NewSender) -> Connected | None:
    """What Instagram says of the token that comes with a new sender; None where there is none. No transaction yet."""
    if new.access_token is None:
        return None
    actions.refuse_bound(caller)
    if actions.checked_transport(caller.mode, new.transport) != "instagram":
        raise Invalid("accessToken belongs to senders of the transport instagram only.", param="accessToken")
    connected = await by_token(Graph(services.settings), new.access_token)
    wanted = actions.canonical_username(new.username, "username")
    if actions.canonical_username(connected.identity.username, "username") != wanted:
        raise Invalid(
            f"The access token belongs to the account {connected.identity.username}, not {wanted}.",
            param="accessToken", remedy="Send the token of this account, or correct username.",
        )  # fmt: skip
    return connected


async def by_token(graph: Graph, text: str) -> Connected:
    """The account behind a token of the App Dashboard; how long that lives is not known."""
    if not text.isascii() or not text.isprintable() or " " in text:
        raise Invalid("accessToken holds characters that no access token has.", param="accessToken")
    return await _connected(graph, Token(text=text))


async def add(
    conn: Connection, caller: Caller, services: Services, new: actions.NewSender, connected: Connected | None
) -> Sender:
    """A new sender, or a known one whose account is connected again."""
    if connected is None:
        return await actions.add(conn, caller, new)
    wanted = actions.SenderChange(
        client_ids=new.client_ids, hourly_limit=new.hourly_limit, daily_limit=new.daily_limit,
        routes=msgspec.UNSET if new.routes is None else new.routes,
        ramp=msgspec.UNSET if new.ramp is None else new.ramp,
        min_gap_seconds=msgspec.UNSET if new.min_gap_seconds is None else new.min_gap_seconds,
    )  # fmt: skip
    return await keep(conn, caller, services, connected, wanted)


async def keep(
    conn: Connection, caller: Caller, services: Services, connected: Connected, wanted: actions.SenderChange
) -> Sender:
    """The sender of a connected account, new or known, and its access beside it."""
    identity = connected.identity
    username = actions.canonical_username(identity.username, "username")
    workspace_id = caller.workspace_id
    known = await queries_credentials.sender_of_account(conn, workspace_id, identity.instagram_id)
    if known is None and (known := await queries.id_of(conn, workspace_id, username, only=None)) is not None:
        other = await queries_credentials.account_of_sender(conn, workspace_id, known)
        if other is not None:
            raise Conflict(
                f"The sender {username} is another Instagram account, which had this name before.",
                remedy="Connect that account again first: the sender takes its new name.",
            )
    if known is not None:
        sender = await actions.connect(conn, caller, known, wanted, username=username)
    else:
        fields = {name: item for name, item in msgspec.structs.asdict(wanted).items() if item is not msgspec.UNSET}
        new = actions.NewSender(username=username, transport="instagram", **fields)
        sender = await actions.add(conn, caller, new, is_connected=True)
    await credentials.keep(
        conn, services.vault, workspace_id, sender.id, token=connected.token, identity=identity, now=real_now()
    )
    return sender


def app_of(settings: Settings) -> tuple[str, str]:
    """The app's id and secret; Conflict where this installation has none."""
    if settings.instagram_app_id is None or settings.instagram_app_secret is None:
        raise Conflict(
            "This installation has no app at Meta yet.",
            remedy="Set IGLAYERS_INSTAGRAM_APP_ID and IGLAYERS_INSTAGRAM_APP_SECRET (docs/instagram.md), or send an "
            "accessToken that the App Dashboard made.",
        )  # fmt: skip
    return settings.instagram_app_id, settings.instagram_app_secret


def redirect_uri(settings: Settings) -> str:
    """Where a login comes back to; it must stand in the app's settings to the letter."""
    return public_url(settings) + CALLBACK


def token_in(answer: GraphAnswer, what: str, *, now: datetime) -> Token:
    """A long-lived token; Conflict where the answer holds none."""
    given = _read(answer, _LongLived, what)
    said_s = given.expires_in
    lives = timedelta(seconds=said_s) if 0 < said_s <= MAX_LIFE_S else credentials.TOKEN_LIVES
    return Token(text=given.access_token, expires_at=now + lives)


async def identity_of(graph: Graph, token: Token) -> Identity:
    """Who the token is; the id that a login tells is another one than that of webhooks."""
    answer = await graph.get("me", token=token.text, query={"fields": ME})
    me = _read(answer, _Me, "say whose access this is")
    return Identity(
        instagram_id=str(me.user_id), username=me.username, account_type=me.account_type or "",
        app_scoped_id=None if me.id is None else str(me.id),
    )  # fmt: skip


async def subscribe(graph: Graph, token: Token, instagram_id: str) -> list[str]:
    """Have Meta tell this app of the account; the fields that are missing when it is asked what it tells.

    The fields are taken together or not at all, so that what comments need does not cost the messages.
    """
    path = f"{instagram_id}/subscribed_apps"
    answer = await graph.post(path, token=token.text, query={"subscribed_fields": ",".join([*FIELDS, COMMENTS_FIELD])})
    if answer.error is not None:
        answer = await graph.post(path, token=token.text, query={"subscribed_fields": ",".join(FIELDS)})
    _read(answer, _Done, "subscribe the app to the account's messages")
    missing = not_subscribed(await graph.get(path, token=token.text))
    if NEEDED_FIELD in missing:
        raise Conflict(
            "Instagram took the subscription but does not list it: answers and opt-outs would not come in.",
            remedy="Tick the field messages in the app's webhook settings at Meta, and connect again.",
        )
    return missing


def not_subscribed(answer: GraphAnswer) -> list[str]:
    """Which fields Meta does not tell this app, by its own list: of names, or of objects that have one."""
    told: set[str] = set()
    for app in _read(answer, _Apps, "list the app's subscriptions").data:
        told |= {each if isinstance(each, str) else each.name for each in app.subscribed_fields}
    return [name for name in (*FIELDS, COMMENTS_FIELD) if name not in told]


async def _connected(graph: Graph, token: Token) -> Connected:
    identity = await identity_of(graph, token)
    missing = await subscribe(graph, token, identity.instagram_id)
    return Connected(token=token, identity=identity, not_subscribed=missing)


def _granted(given: _Exchanged) -> tuple[str, str | list[str] | None]:
    """Token and permissions of an exchange's answer, which is an object or a list of one."""
    if given.data:
        return given.data[0].access_token, given.data[0].permissions
    if given.access_token is None:
        raise Conflict("Instagram answered the login without an access.", remedy="Connect again.")
    return given.access_token, given.permissions


def _missing_scopes(permissions: str | list[str] | None) -> list[str]:
    """What a login left out; nothing where the answer does not say."""
    told = permissions.split(",") if isinstance(permissions, str) else permissions
    return [scope for scope in SCOPES if scope not in told] if told else []


def _read(answer: GraphAnswer, kind: type[T], what: str) -> T:
    """An answer that succeeded, as a `kind`; or why Instagram did not do `what`."""
    if answer.fields is None:
        raise refusal(answer, what)
    try:
        return msgspec.convert(answer.fields, kind)
    except msgspec.ValidationError as error:
        # The text names types and paths, never a value.
        raise Conflict(f"Instagram did {what}, but its answer is a strange one: {error}.") from None


def refusal(answer: GraphAnswer, what: str) -> Error:
    """Why Instagram did not do `what`, in words, with the numbers for its support."""
    error = answer.error
    if error is None:
        told = answer.failure.value.replace("_", " ") if answer.failure else f"it answered {answer.status}"
        return Unavailable(f"Instagram could not {what}: {told}.")
    row = errors.row_of(error)
    said = error.message or (row.sentence if row else "it gave no reason")
    return Conflict(
        f"Instagram would not {what}: {said} ({errors.named(error)})", remedy="docs/instagram.md says what to check."
    )
