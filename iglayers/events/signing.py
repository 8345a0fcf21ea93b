"""The headers that let a receiver trust a delivery: the published signature and Standard Webhooks 1.0.0 (pure)."""

import base64
import hmac
from collections.abc import Sequence
from hashlib import sha256

from iglayers import __version__
from iglayers.core.ids import DeliveryId, EventId

USER_AGENT = f"iglayers/{__version__}"


def headers(
    body: bytes, *, event_id: EventId, kind: str, delivery_id: DeliveryId, secrets: Sequence[str], timestamp: int
) -> dict[str, str]:
    """Of one attempt at `timestamp` (seconds); `secrets` newest first, two while a rotation overlaps."""
    signed = b"%s.%d." % (str(event_id).encode(), timestamp) + body
    sent = {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "X-IG-Layers-Signature": published(body, secrets[0]),
        "X-IG-Layers-Event": kind,
        "X-IG-Layers-Delivery": str(delivery_id),
        "webhook-id": str(event_id),
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(standard(signed, secret) for secret in secrets),
    }
    if len(secrets) > 1:
        sent["X-IG-Layers-Signature-Previous"] = published(body, secrets[1])
    return sent


def published(body: bytes, secret: str) -> str:
    """HMAC-SHA256 of the raw body in hex, keyed with the secret as it is printed."""
    return hmac.digest(secret.encode(), body, sha256).hex()


def standard(signed: bytes, secret: str) -> str:
    """`v1,` and HMAC-SHA256 over id, timestamp and body in base64, keyed with the bytes that the secret spells."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.digest(key, signed, sha256)).decode()
