"""By what key a fact about a provider's message is known: what it tells, and the message's id."""

import hashlib

# Longer ids are kept by their hash: an index entry holds about 2,700 bytes.
_MAX_ID = 600


def reply_key(mid: str) -> str:
    return f"reply:{short(mid)}"


def echo_key(mid: str) -> str:
    return f"echo:{short(mid)}"


def deletion_key(mid: str) -> str:
    return f"deletion:{short(mid)}"


def edit_keys(mid: str) -> str:
    """What the keys of a message's edits begin with; the number of the edit follows."""
    return f"edit:{short(mid)}:"


def short(provider_id: str) -> str:
    """An id as a part of a key; a colon stands between the parts."""
    if len(provider_id) <= _MAX_ID and ":" not in provider_id:
        return provider_id
    return f"sha256-{hashlib.sha256(provider_id.encode()).hexdigest()}"
