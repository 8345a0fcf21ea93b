"""A sender that is connected to an Instagram account, and deliveries signed as Meta signs them."""

import hmac
import json
from datetime import datetime
from typing import Any

import msgspec

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.core.clock import real_now
from iglayers.core.db import Database
from iglayers.senders.model import Sender
from iglayers.senders.transports.instagram import credentials
from iglayers.senders.transports.instagram.credentials import Identity, Token
from tests.serving import Answer, Api

SECRET = "ig-app-secret-for-tests-0001"
META_SECRET = "meta-app-secret-for-tests-0001"
VERIFY_TOKEN = "verify-me"
ACCOUNT = "17841400000000042"
JANE = "880000000000017"
PATH = "/instagram/webhook"


def configured(services: Services, **more: Any) -> Services:
    """The same installation with an app at Meta."""
    settings = msgspec.structs.replace(
        services.settings, instagram_app_secret=SECRET, instagram_meta_app_secret=META_SECRET,
        instagram_verify_token=VERIFY_TOKEN, **more,
    )  # fmt: skip
    return msgspec.structs.replace(services, settings=settings)


async def connect(
    database: Database, services: Services, caller: Caller, sender: Sender, *, instagram_id: str = ACCOUNT,
    token: str = "IGAAtoken",
) -> None:  # fmt: skip
    async with database.transaction() as conn:
        await credentials.keep(
            conn, services.vault, caller.workspace_id, sender.id, token=Token(text=token),
            identity=Identity(instagram_id=instagram_id, username=sender.username), now=real_now(),
        )  # fmt: skip
        await conn.execute("UPDATE senders SET transport = 'instagram' WHERE id = $1", sender.id.uuid)


def envelope(*events: dict[str, Any], account: str = ACCOUNT, **entry: Any) -> dict[str, Any]:
    return {
        "object": "instagram",
        "entry": [{"id": account, "time": 1_790_000_000_123, "messaging": list(events)} | entry],
    }


def message(mid: str, text: str | None = "Hello", *, by: str = JANE, at: datetime | None = None, **more: Any) -> Any:
    said = {"mid": mid} | ({} if text is None else {"text": text}) | more
    return event(message=said, by=by, at=at)


def event(*, by: str = JANE, to: str = ACCOUNT, at: datetime | None = None, **what: Any) -> dict[str, Any]:
    """One event of `messaging`; without `at` it happened some seconds ago."""
    moment = at.timestamp() if at else real_now().timestamp() - 5
    return {"sender": {"id": by}, "recipient": {"id": to}, "timestamp": int(moment * 1000)} | what


def echo(mid: str, text: str, *, to: str = JANE, at: datetime | None = None, **more: Any) -> dict[str, Any]:
    return event(by=ACCOUNT, to=to, at=at, message={"mid": mid, "text": text, "is_echo": True} | more)


def comment(comment_id: str, *, by: str = JANE, username: str = "jane.doe", text: str = "price?") -> dict[str, Any]:
    value = {
        "id": comment_id, "from": {"id": by, "username": username}, "text": text,
        "media": {"id": "17900000000000007", "media_product_type": "REELS"},
    }  # fmt: skip
    return {"field": "comments", "value": value}


def signed(raw: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"X-Hub-Signature-256": "sha256=" + hmac.digest(secret.encode(), raw, "sha256").hex()}


async def deliver(api: Api, tree: object, **options: Any) -> Answer:
    """One delivery, its text escaped as Meta escapes it."""
    raw = json.dumps(tree).replace("/", "\\/").encode()
    headers = options.pop("headers", None) or signed(raw, **options)
    return await api.outside("POST", PATH, data=raw, headers=headers)
