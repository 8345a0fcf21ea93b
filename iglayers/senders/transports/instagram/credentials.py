"""The token of a sender: sealed for its row, opened only to be used, never shown."""

from datetime import datetime, timedelta

import msgspec

from iglayers.core.crypto import Vault
from iglayers.core.db import Connection
from iglayers.core.ids import SenderId, WorkspaceId
from iglayers.senders import queries_credentials as queries
from iglayers.senders.queries_credentials import Credential

# Meta's own figure; it tells how long a token lives only when it gives one out.
TOKEN_LIVES = timedelta(days=60)


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """An access as Meta gave it; `expires_at` None where somebody entered it."""

    text: str
    expires_at: datetime | None = None

    def __repr__(self) -> str:
        return "Token(…)"


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who a token belongs to, as `/me` says."""

    instagram_id: str
    username: str
    account_type: str = ""
    app_scoped_id: str | None = None


async def keep(  # noqa: PLR0913 what a connection consists of
    conn: Connection, vault: Vault, workspace_id: WorkspaceId, sender_id: SenderId, *, token: Token,
    identity: Identity, now: datetime,
) -> None:  # fmt: skip
    await queries.keep(
        conn, workspace_id, sender_id, secret=sealed(vault, sender_id, token), instagram_id=identity.instagram_id,
        app_scoped_id=identity.app_scoped_id, expires_at=token.expires_at, now=now,
    )  # fmt: skip


def sealed(vault: Vault, sender_id: SenderId, token: Token) -> bytes:
    return vault.seal(token.text.encode(), bound_to=_bound_to(sender_id))


def opened(vault: Vault, credential: Credential) -> str:
    """The token; SecretKeyError where the installation's key does not open it."""
    return vault.open(credential.secret, bound_to=_bound_to(credential.sender_id)).decode()


def _bound_to(sender_id: SenderId) -> str:
    return f"sender_credentials.secret {sender_id}"
