"""Secrets: encryption at rest bound to its row, keyed hashes, and the formats of keys that people see.

Every ciphertext carries the id of the key that made it, so that old keys can still read after a rotation.
"""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_KEY_RANDOM: Final = 32
_KEY_CHECK: Final = 6


class SecretKeyError(RuntimeError):
    """The installation's secret key is missing, malformed, or not the one that encrypted the data."""


class Vault:
    """AES-256-GCM under the installation's secret key. Layout: 4 bytes key id, 12 bytes nonce, ciphertext."""

    def __init__(self, key: bytes, *older: bytes) -> None:
        self._ciphers: dict[bytes, AESGCM] = {_key_id(each): AESGCM(each) for each in (key, *older)}
        self._current: bytes = _key_id(key)

    def seal(self, plain: bytes, *, bound_to: str) -> bytes:
        """Encrypt; `bound_to` names the row and column, so that a value moved elsewhere does not open."""
        nonce = os.urandom(12)
        sealed = self._ciphers[self._current].encrypt(nonce, plain, bound_to.encode())
        return self._current + nonce + sealed

    def open(self, sealed: bytes, *, bound_to: str) -> bytes:
        """Decrypt; SecretKeyError when no key of this installation opens it."""
        cipher = self._ciphers.get(sealed[:4])
        if cipher is None:
            raise SecretKeyError("the secret key is not the one this database was made with")
        try:
            return cipher.decrypt(sealed[4:16], sealed[16:], bound_to.encode())
        except InvalidTag:
            raise SecretKeyError(f"a stored secret does not belong to {bound_to}") from None


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"iglayers key id" + key).digest()[:4]


def vault_key(text: str) -> bytes:
    """The 32 bytes that IGLAYERS_SECRET_KEY spells in base64 or hex."""
    for decode in (bytes.fromhex, base64.urlsafe_b64decode, base64.b64decode):
        try:
            key = decode(text.strip())
        except (ValueError, binascii.Error):
            continue
        if len(key) == 32:
            return key
    raise SecretKeyError("IGLAYERS_SECRET_KEY must be 32 bytes in hex or base64; `openssl rand -hex 32` makes one")


def kept_key(path: Path) -> bytes:
    """The key in `path` (0600), made on first use by whichever process comes first."""
    if not path.exists():
        partial = path.with_name(f"{path.name}.{os.getpid()}")
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        # A link appears whole or not at all, and never replaces a key that is in use.
        with suppress(FileExistsError):
            os.link(partial, path)
        partial.unlink()
    return vault_key(path.read_text())


def new_api_key(mode: str) -> str:
    """`sk_<mode>_`, 32 random base62 characters (190 bits), 6 of base62 CRC32 over all before them."""
    body = f"sk_{mode}_" + "".join(secrets.choice(_BASE62) for _ in range(_KEY_RANDOM))
    return body + _checksum(body)


def is_api_key(text: str) -> bool:
    """Whether prefix, alphabet, length and checksum fit; tells nothing about the database."""
    if not text.startswith(("sk_live_", "sk_test_")) or len(text) != 8 + _KEY_RANDOM + _KEY_CHECK:
        return False
    body, check = text[:-_KEY_CHECK], text[-_KEY_CHECK:]
    return text.isascii() and text[8:].isalnum() and hmac.compare_digest(_checksum(body), check)


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode("ascii", "replace"))
    digits: list[str] = []
    for _ in range(_KEY_CHECK):
        number, digit = divmod(number, 62)
        digits.append(_BASE62[digit])
    return "".join(reversed(digits))


def token_hash(token: str) -> bytes:
    """How keys and session tokens are stored: they hold over 128 random bits, so a fast hash is enough."""
    return hashlib.sha256(token.encode()).digest()


def keyed_hash(pepper: bytes, text: str) -> bytes:
    return hmac.digest(pepper, text.encode(), "sha256")


def new_webhook_secret() -> str:
    """Standard Webhooks 1.0.0: `whsec_` and 32 random bytes in base64."""
    return "whsec_" + base64.b64encode(os.urandom(32)).decode()
