"""How a webhook looks on the wire: the bytes, their signature, and the shapes an update may come in."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any


@dataclass
class Update:
    """One thing that happened to an account: an item of `messaging[]`, or the value of a `changes[]` item."""

    ig_id: str
    field: str
    is_messaging: bool
    value: dict[str, Any]
    at: float


def as_meta_writes(payload: object) -> bytes:
    """Non-ASCII as lowercase escapes, slashes escaped: what the signature is over, byte for byte."""
    return json.dumps(payload, separators=(",", ":")).replace("/", "\\/").encode()


def signature(secret: str, raw: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()


def old_signature(secret: str, raw: bytes) -> str:
    return "sha1=" + hmac.new(secret.encode(), raw, hashlib.sha1).hexdigest()


def signed_request(secret: str, payload: dict[str, Any]) -> str:
    """For the deauthorize and the data-deletion callback: `signature.payload`, the payload signed as encoded."""
    encoded = _unpadded(json.dumps(payload, separators=(",", ":")).encode())
    return f"{_unpadded(hmac.new(secret.encode(), encoded.encode(), hashlib.sha256).digest())}.{encoded}"


def payload(updates: list[Update], *, sent_at: float, shape: str, unit: str, unknown: bool, array: bool) -> object:
    """One POST: updates of one account share an entry, if they are of one kind.

    `shape` is documented (messaging[] and changes[]), changes (changes[] for all) or flat (field and value in the
    entry). `unit` is documented (messages in ms, changes in s), s or ms.
    """
    entries: list[dict[str, Any]] = []
    for update in updates:
        key = "messaging" if update.is_messaging and shape == "documented" else "changes"
        in_ms = (update.is_messaging and unit == "documented") or unit == "ms"
        value = _timed(update, in_ms=in_ms) | ({"not_seen_before": {"depth": [1]}} if unknown else {})
        time = round(sent_at * (1000 if in_ms else 1))
        entry = {"time": time, "id": update.ig_id} | ({"also_new": "x"} if unknown else {})
        if shape == "flat":
            entries.append(entry | {"field": update.field, "value": value})
            continue
        item = value if key == "messaging" else {"field": update.field, "value": value}
        last = entries[-1] if entries else {}
        if last.get("id") == update.ig_id and key in last:
            last[key].append(item)
        else:
            entries.append(entry | {key: [item]})
    whole = {"object": "instagram", "entry": entries} | ({"delivery_hint": "unknown"} if unknown else {})
    return [whole] if array else whole


def test_button(field: str) -> dict[str, Any]:
    """What the dashboard's Test button sends; nothing in it is real."""
    return {
        "field": field,
        "value": {
            "sender": {"id": "12334"},
            "recipient": {"id": "23245"},
            "timestamp": "1527459824",
            "message": {"mid": "random_mid", "text": "random_text"},
        },
    }


def _timed(update: Update, *, in_ms: bool) -> dict[str, Any]:
    if not update.is_messaging:
        return dict(update.value)
    sides = {key: update.value[key] for key in ("sender", "recipient")}
    rest = {key: item for key, item in update.value.items() if key not in sides}
    return sides | {"timestamp": round(update.at * (1000 if in_ms else 1))} | rest


def _unpadded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
