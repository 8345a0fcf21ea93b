"""The headers that let a receiver trust a delivery: the published signature and Standard Webhooks 1.0.0 (pure)."""

import base64
import hmac
from collections.abc import Sequence

from iglayers import __version__

USER_AGENT = f"iglayers/{__version__}"


class Signer:
    """Signs what goes to one endpoint; `secrets` newest first, two while a rotation overlaps."""

    def __init__(self, secrets: Sequence[str]) -> None:
        # Keyed once: each signature goes on from a copy.
        self._printed: list[hmac.HMAC] = [keyed(secret.encode()) for secret in secrets]
        self._decoded: list[hmac.HMAC] = [keyed(base64.b64decode(secret.removeprefix("whsec_"))) for secret in secrets]

    def headers(self, body: bytes, *, event_id: str, kind: str, delivery_id: str, timestamp: int) -> dict[str, str]:
        """Of one attempt at `timestamp` (seconds)."""
        signed = b"%b.%d.%b" % (event_id.encode(), timestamp, body)
        sent = {
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            "X-IG-Layers-Signature": published(body, self._printed[0]),
            "X-IG-Layers-Event": kind,
            "X-IG-Layers-Delivery": delivery_id,
            "webhook-id": event_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join([standard(signed, key) for key in self._decoded]),
        }
        if len(self._printed) > 1:
            sent["X-IG-Layers-Signature-Previous"] = published(body, self._printed[1])
        return sent


def keyed(secret: bytes) -> hmac.HMAC:
    """HMAC-SHA256 that has taken in its key."""
    return hmac.new(secret, digestmod="sha256")


def published(body: bytes, key: hmac.HMAC) -> str:
    """HMAC-SHA256 of the raw body in hex, keyed with the secret as it is printed."""
    mac = key.copy()
    mac.update(body)
    return mac.hexdigest()


def standard(signed: bytes, key: hmac.HMAC) -> str:
    """`v1,` and HMAC-SHA256 over id, timestamp and body in base64, keyed with the bytes that the secret spells."""
    mac = key.copy()
    mac.update(signed)
    return "v1," + base64.b64encode(mac.digest()).decode()
