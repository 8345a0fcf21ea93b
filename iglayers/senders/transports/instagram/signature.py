"""Whether something comes from Meta: HMAC-SHA256 over the raw bytes, by either of an app's secrets."""

import hmac
import re

from iglayers.core.config import Settings

_SIGNATURE = re.compile(r"sha256=[0-9a-fA-F]{64}")


def secrets_of(settings: Settings) -> list[bytes]:
    """The secrets that a signature may be made with: of the Instagram app, and of the Meta app that it belongs to."""
    both = (settings.instagram_app_secret, settings.instagram_meta_app_secret)
    return [each.encode() for each in both if each]


def is_wellformed(header: str | None) -> bool:
    return header is not None and _SIGNATURE.fullmatch(header.strip()) is not None


def is_genuine(raw: bytes, header: str | None, secrets: list[bytes]) -> bool:
    """Whether the header X-Hub-Signature-256 is of these bytes. Takes as long for a wrong one as for a right one."""
    if header is None or not is_wellformed(header):
        return False
    given = header.strip()[7:].lower().encode()
    matches = [hmac.compare_digest(given, hmac.digest(secret, raw, "sha256").hex().encode()) for secret in secrets]
    return any(matches)
