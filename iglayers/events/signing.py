"""The headers that let a receiver trust a delivery: the published signature and Standard Webhooks 1.0.0 (pure)."""

import base64
import hmac
from collections.abc import Sequence
from hashlib import sha256

from iglayers import __version__

USER_AGENT = f"iglayers/{__version__}"


class Signer:
    """Signs what goes to one endpoint; `secrets` newest first, two while a rotation overlaps."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._printed: list[bytes] = [secret.encode() for secret in secrets]
        self._decoded: list[bytes] = [base64.b64decode(secret.removeprefix("whsec_")) for secret in secrets]

    def headers(self, body: bytes, *, event_id: str, kind: str, delivery_id: str, timestamp: int) -> dict[str, str]:
        """Of one attempt at `timestamp` (seconds)."""
        signed = f"{event_id}.{timestamp}.".encode() + body
        sent = {
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            "X-IG-Layers-Signature": published(body, self._printed[0]),
            "X-IG-Layers-Event": kind,
            "X-IG-Layers-Delivery": delivery_id,
            "webhook-id": event_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(standard(signed, key) for key in self._decoded),
        }
        if len(self._printed) > 1:
            sent["X-IG-Layers-Signature-Previous"] = published(body, self._printed[1])
        return sent


def published(body: bytes, secret: bytes) -> str:
    """HMAC-SHA256 of the raw body in hex, keyed with the secret as it is printed."""
    return hmac.digest(secret, body, sha256).hex()


def standard(signed: bytes, key: bytes) -> str:
    """`v1,` and HMAC-SHA256 over id, timestamp and body in base64, keyed with the bytes that the secret spells."""
    return "v1," + base64.b64encode(hmac.digest(key, signed, sha256)).decode()
