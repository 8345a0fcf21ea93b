"""Where Instagram delivers. No key: what comes in is known by its signature. Kept and answered; workers do the rest."""

import hmac
import re

from litestar import Response, get, post
from litestar.datastructures import MultiDict

from iglayers.accounts.request import ApiRequest
from iglayers.core.errors import Forbidden, InvalidJson
from iglayers.core.ids import uuid7
from iglayers.senders import queries_posts
from iglayers.senders.transports.instagram import inbound, signature

PATH = "/instagram/webhook"
# A thousand updates of the longest texts, with every character escaped.
MAX_DELIVERY_BYTES = 12 << 20
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{1,200}")
_TEXT = "text/plain"


class NotFromInstagram(Forbidden):
    """Somebody calls who is not Meta, or Meta with another app's secrets."""

    code = "not_from_instagram"
    remedy = "Compare the app's secrets and its verify token at Meta with IGLAYERS_INSTAGRAM_*; see iglayers doctor."


@get(PATH)
async def confirm_webhook(request: ApiRequest) -> Response[str]:
    """Meta asks whether this address wants its webhooks: the challenge comes back if it knows the verify token."""
    asked: MultiDict[str] = request.query_params
    wanted = request.services.settings.instagram_verify_token
    given, challenge = str(asked.get("hub.verify_token", "")), str(asked.get("hub.challenge", ""))
    knows = wanted is not None and hmac.compare_digest(given.encode(), wanted.encode())
    if asked.get("hub.mode") != "subscribe" or not knows or not _CHALLENGE.fullmatch(challenge):
        raise NotFromInstagram("The verify token is not the one of this installation, or there is no challenge.")
    return Response(challenge, media_type=_TEXT, headers={"X-Content-Type-Options": "nosniff"})


@post(PATH, status_code=200)
async def receive_webhook(request: ApiRequest) -> Response[str]:
    """Keep the bytes, in one row: Meta waits for the answer, and a thousand facts are no more work than one."""
    header, secrets = request.headers.get("x-hub-signature-256"), signature.secrets_of(request.services.settings)
    # Before a byte of the body is read.
    if not secrets or not signature.is_wellformed(header):
        raise NotFromInstagram("There is no signature that could be checked.")
    raw = await request.raw_body(most=MAX_DELIVERY_BYTES)
    if not signature.is_genuine(raw, header, secrets):
        raise NotFromInstagram("The signature is not of this body.")
    try:
        inbound.skim(raw)
    except inbound.Unreadable:
        raise InvalidJson("The body is not JSON that can be read.") from None
    async with request.services.db.connection() as conn:
        await queries_posts.keep(conn, uuid7(), raw)
    return Response("ok", media_type=_TEXT)


ROUTES = [confirm_webhook, receive_webhook]
