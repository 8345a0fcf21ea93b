"""A connection step by step, each with what to do where it fails. Asks Meta, changes nothing."""

from datetime import datetime

from iglayers.accounts.services import Services
from iglayers.core.clock import real_now
from iglayers.core.config import Settings, public_url
from iglayers.core.crypto import SecretKeyError
from iglayers.core.errors import Error
from iglayers.core.ids import WorkspaceId
from iglayers.senders import queries_credentials
from iglayers.senders.model import CheckStep, Sender
from iglayers.senders.queries_credentials import Credential
from iglayers.senders.transports.instagram import connect, credentials, refresh
from iglayers.senders.transports.instagram.credentials import Token
from iglayers.senders.transports.instagram.graph import Graph

PROFESSIONAL = ("business", "media_creator", "creator")


def settings_steps(settings: Settings) -> list[CheckStep]:
    """What the installation needs before any account."""
    has_app = settings.instagram_app_id is not None and settings.instagram_app_secret is not None
    has_word = settings.instagram_verify_token is not None
    url = public_url(settings)
    return [
        CheckStep(
            step="app", ok=has_app,
            text="App id and secret are set."
            if has_app
            else "Set IGLAYERS_INSTAGRAM_APP_ID and IGLAYERS_INSTAGRAM_APP_SECRET: without them nobody can log in, and "
            "no webhook can be told from a forged one.",
        ),
        CheckStep(
            step="webhook word", ok=has_word,
            text="The verify token is set."
            if has_word
            else "Set IGLAYERS_INSTAGRAM_VERIFY_TOKEN, and enter the same word beside the webhook's address at Meta.",
        ),
        CheckStep(
            step="public address", ok=url.startswith("https://"),
            text=f"At Meta, the login's address is {connect.redirect_uri(settings)}."
            if url.startswith("https://")
            else f"Meta calls https addresses only, and this server says that it is at {url}: set IGLAYERS_PUBLIC_URL.",
        ),
    ]  # fmt: skip


async def of_sender(services: Services, workspace_id: WorkspaceId, sender: Sender) -> list[CheckStep]:
    """Everything that a sender of the transport instagram needs; nothing for others."""
    if sender.transport != "instagram":
        return []
    async with services.db.connection() as conn:
        credential = await queries_credentials.of_sender(conn, workspace_id, sender.id)
    graph = Graph(services.settings)
    of_account = await connection_steps(services, graph, credential, username=sender.username, now=real_now())
    return [*settings_steps(services.settings), *of_account]


async def connection_steps(
    services: Services, graph: Graph, credential: Credential | None, *, username: str, now: datetime
) -> list[CheckStep]:
    """One account, as far as it gets: token, identity, messages, subscription, age. `now` is real."""
    if credential is None:
        text = "There is no access to this account: connect it (POST /senders/connect or iglayers senders connect)."
        return [CheckStep(step="access", ok=False, text=text)]
    try:
        token = Token(text=credentials.opened(services.vault, credential))
    except SecretKeyError as error:
        return [CheckStep(step="access", ok=False, text=f"{error}. Put the right secret key back, or connect again.")]
    steps = [_age(credential, now)]
    try:
        identity = await connect.identity_of(graph, token)
    except Error as error:
        return [*steps, CheckStep(step="identity", ok=False, text=f"{error.message} {error.next_step}")]
    is_same = identity.instagram_id == credential.instagram_id and identity.username.lower() == username
    steps.append(CheckStep(
        step="identity", ok=is_same,
        text=f"The access belongs to {identity.username}."
        if is_same
        else f"The account is called {identity.username} now: connect it again, and the sender takes that name.",
    ))  # fmt: skip
    if identity.account_type and identity.account_type.lower() not in PROFESSIONAL:
        text = f"The account is of the type {identity.account_type}; Instagram's API needs a professional one."
        steps.append(CheckStep(step="account type", ok=False, text=text))
    return [*steps, await _messages(graph, token), await _subscription(graph, token, identity.instagram_id)]


def _age(credential: Credential, now: datetime) -> CheckStep:
    age = now - credential.refreshed_at
    ends_at = credential.expires_at or credential.refreshed_at + credentials.TOKEN_LIVES
    if now >= ends_at:
        return CheckStep(step="access", ok=False, text=f"It ended on {ends_at.date()}: connect the account again.")
    if age >= refresh.ALARM_FROM:
        text = f"It could not be renewed and ends on {ends_at.date()}: connect the account again before."
        return CheckStep(step="access", ok=False, text=text)
    return CheckStep(step="access", ok=True, text=f"Renewed {age.days} days ago; it lasts until {ends_at.date()}.")


async def _messages(graph: Graph, token: Token) -> CheckStep:
    answer = await graph.get("me/conversations", token=token.text, query={"platform": "instagram", "limit": "1"})
    if answer.fields is not None:
        return CheckStep(step="messages", ok=True, text="The app may read and write messages.")
    told = connect.refusal(answer, "show the account's conversations")
    text = (
        f"{told.message} The login must grant instagram_business_manage_messages, and the owner must leave “Allow "
        "access to messages” on (Instagram > Settings > Messages > Message controls > Connected tools)."
    )
    return CheckStep(step="messages", ok=False, text=text)


async def _subscription(graph: Graph, token: Token, instagram_id: str) -> CheckStep:
    try:
        missing = connect.not_subscribed(await graph.get(f"{instagram_id}/subscribed_apps", token=token.text))
    except Error as error:
        return CheckStep(step="subscription", ok=False, text=f"{error.message} {error.next_step}")
    if not missing:
        return CheckStep(step="subscription", ok=True, text="Instagram tells this app of everything that it needs.")
    text = (
        f"Instagram does not tell of {', '.join(missing)}: tick them in the app's webhook settings, and connect again."
    )
    return CheckStep(step="subscription", ok=connect.NEEDED_FIELD not in missing, text=text)
