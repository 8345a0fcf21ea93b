"""What Meta calls when an owner removes the app or asks for deletion: signed, and true for every workspace at once."""

import base64
import binascii
import hashlib
import hmac
import secrets
from datetime import date

import msgspec

from iglayers.accounts import actions as accounts
from iglayers.accounts import queries as account_queries
from iglayers.accounts.model import Caller, Mode, Scope
from iglayers.accounts.services import Services
from iglayers.core.clock import real_now
from iglayers.core.config import Settings, public_url
from iglayers.core.crypto import keyed_hash
from iglayers.core.db import Connection
from iglayers.senders import actions, queries_credentials
from iglayers.senders import queries as sender_queries
from iglayers.senders.model import Trouble
from iglayers.senders.queries_credentials import Credential

DELETION_PAGE = "/instagram/deletion"
MAX_SIGNED_LENGTH = 4_096
_REMOVED = "The account's owner has removed the app at Instagram: connect the account again."
_DELETED = "The account's owner has asked Instagram to have its data deleted: connect the account again."


class _Payload(msgspec.Struct):
    user_id: str | int
    algorithm: str = ""


class Deletion(msgspec.Struct, frozen=True):
    """What Meta shows the owner: where to look, and the code that says that it was done."""

    url: str
    confirmation_code: str


def user_of(signed_request: str, settings: Settings) -> str | None:
    """Whom a signed request is about; None where neither of the app's secrets has signed it."""
    encoded, _, payload = signed_request.partition(".")
    if not payload or len(signed_request) > MAX_SIGNED_LENGTH or not signed_request.isascii():
        return None
    try:
        given, told = _unpadded(encoded), msgspec.json.decode(_unpadded(payload), type=_Payload)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        return None
    is_signed = False
    # Which of the two signs is nowhere said; all are tried, so that the time tells nothing.
    for secret in (settings.instagram_app_secret, settings.instagram_meta_app_secret):
        if secret:
            is_signed |= hmac.compare_digest(given, hmac.digest(secret.encode(), payload.encode(), hashlib.sha256))
    return str(told.user_id) if is_signed and told.algorithm.upper() == "HMAC-SHA256" else None


async def deauthorize(services: Services, user_id: str) -> int:
    """The owner has removed the app: its tokens are dead, and the senders stop. How many they were."""
    found = await _found(services, user_id)
    for each in found:
        async with services.db.transaction() as conn:
            await sender_queries.lock(conn, each.workspace_id, each.sender_id)
            await queries_credentials.forget(conn, each.workspace_id, each.sender_id)
            await _stop(conn, each, "sender.deauthorized", _REMOVED)
    return len(found)


async def delete(services: Services, user_id: str) -> Deletion:
    """What Meta told of the account is erased before the answer; also where nothing is known of it."""
    for each in await _found(services, user_id):
        async with services.db.transaction() as conn:
            await sender_queries.lock(conn, each.workspace_id, each.sender_id)
            await queries_credentials.erase_account(conn, each.workspace_id, each.sender_id)
            await _stop(conn, each, "sender.data_deleted", _DELETED)
    code = _code(services.pepper, real_now().date(), secrets.token_hex(8))
    return Deletion(f"{public_url(services.settings)}{DELETION_PAGE}?c={code}", code)


def deleted_on(pepper: bytes, code: str) -> date | None:
    """The day of a confirmation code that this installation gave out; None for any other."""
    day, _, rest = code.partition("-")
    try:
        on = date.fromisoformat(day)
    except ValueError:
        return None
    return on if hmac.compare_digest(code.encode(), _code(pepper, on, rest.partition("-")[0]).encode()) else None


async def _found(services: Services, user_id: str) -> list[Credential]:
    async with services.db.connection() as conn:
        return await queries_credentials.of_account(conn, user_id)


async def _stop(conn: Connection, of: Credential, action: str, reason: str) -> None:
    clock = await account_queries.clock(conn, of.workspace_id)
    assert clock is not None
    meta = Caller(workspace_id=of.workspace_id, mode=Mode.LIVE, scopes=frozenset[Scope](), actor="Meta", clock=clock)
    await accounts.audit(conn, meta, action, of.sender_id, reason=reason)
    await actions.report_trouble(
        conn, workspace_id=of.workspace_id, sender_id=of.sender_id, trouble=Trouble.DISABLED, reason=reason,
        now=meta.now,
    )  # fmt: skip


def _code(pepper: bytes, on: date, nonce: str) -> str:
    """Says by itself that it is ours: a deletion is done when it is confirmed, so there is nothing to keep."""
    body = f"{on:%Y%m%d}-{nonce}"
    return f"{body}-{keyed_hash(pepper, f'instagram deletion {body}').hex()[:24]}"


def _unpadded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
