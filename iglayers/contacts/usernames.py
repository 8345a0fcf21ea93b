"""The one spelling of an Instagram username, and its keyed hash. Pure.

What people paste (`@Name`, links, full-width letters) is mapped to it or refused with a reason; look-alike
letters are refused, never guessed: a guess would reach the wrong person.
"""

import re
import unicodedata
from urllib.parse import parse_qs, unquote, urlsplit

from iglayers.core.crypto import keyed_hash
from iglayers.core.errors import Invalid

MAX_LENGTH = 30
_MAX_RAW = 2_000

_CANONICAL = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+)*")
_HOSTS = frozenset({"instagram.com", "www.instagram.com", "m.instagram.com", "instagr.am", "www.instagr.am"})
_CHAT_HOSTS = frozenset({"ig.me", "www.ig.me"})
_ALL_HOSTS = _HOSTS | _CHAT_HOSTS
# First parts of paths on Instagram that are no profiles.
_POSTS = frozenset({"p", "reel", "reels", "tv"})
_RESERVED = frozenset({
    "s", "explore", "accounts", "direct", "about", "developer", "legal", "privacy", "terms", "directory", "graphql",
    "nametag", "web", "api", "challenge", "emails", "session", "ar", "lite", "oauth", "popular",
})  # fmt: skip
_ZERO_WIDTH = re.compile("[\u00ad\u180e\u200b-\u200f\u2060-\u2064\ufeff]")
_EDGES = (
    " \t\r\n\f\v\u2028\u2029\u0085\"'`‘’“”„«»<>()[]{},;|\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
# What they look like, for the remedy alone.
_LOOKALIKES = str.maketrans("аеорсухіјѕԁһӏкмтвнбгαοενρτυικωßıøłđ", "aeopcyxijsdhlkmtbhbraoevptuikwbiold")


class InvalidUsername(Invalid):
    """Not a username that Instagram knows, or not one that can be read without guessing."""

    code = "invalid_field"
    remedy = "Copy the username from the person's profile."


def canonical(raw: str) -> str:
    """The username that `raw` means: lower case, without @ or link; InvalidUsername with the reason."""
    if _CANONICAL.fullmatch(raw) and len(raw) <= MAX_LENGTH and raw not in _ALL_HOSTS:
        return raw
    if len(raw) > _MAX_RAW:
        raise _refusal(f"has {len(raw)} characters; a username has at most {MAX_LENGTH}")
    text = _cleaned(raw)
    name = _cleaned(_name_in_link(text)) if _is_link(text) else text
    return _checked(name)


def handle_hash(pepper: bytes, username: str) -> bytes:
    """What a person is found by, also after erasure; `username` is canonical."""
    return keyed_hash(pepper, username)


def _cleaned(raw: str) -> str:
    text = _ZERO_WIDTH.sub("", unicodedata.normalize("NFKC", raw)).lower()
    return text.strip(_EDGES).lstrip("@").strip(_EDGES)


def _is_link(text: str) -> bool:
    return "/" in text or ":" in text or text in _ALL_HOSTS


def _name_in_link(text: str) -> str:
    if any(character.isspace() or not character.isprintable() for character in text):
        raise _refusal("is a link with a blank or a control character in it")
    try:
        link = urlsplit(text if "://" in text else f"https://{text}")
        host, _ = link.hostname or "", link.port
    except ValueError:
        raise _refusal("is not a link that can be read") from None
    if link.scheme == "instagram":
        if named := parse_qs(link.query).get("username"):
            return named[0]
        raise _refusal("is a link that names no person")
    if link.scheme not in ("http", "https") or "@" in link.netloc or host not in _ALL_HOSTS:
        raise _refusal(
            f"is a link to another site ({(link.netloc or link.scheme)[:60]})",
            "Give the username, or a link to the profile on instagram.com.",
        )
    parts = [unquote(part) for part in link.path.split("/") if part]
    return _name_in_path(parts, is_chat=host in _CHAT_HOSTS)


def _name_in_path(parts: list[str], *, is_chat: bool) -> str:
    match parts:
        case ["m", name, *_] if is_chat:
            return name
        case ["_u", name, *_] if not is_chat:
            return name
        case ["stories", name, *_] if name != "highlights" and not is_chat:
            return name
        case ["share", *_]:
            raise _refusal(
                "is a share link, which tells only Instagram whom it means",
                "Open it and copy the username from the profile.",
            )
        case [first, *_] if first in _POSTS:
            raise _refusal("is a link to a post, not to a person", "Open it and copy the username of its author.")
        case [first, *_] if first in _RESERVED or first in ("_u", "stories") or is_chat:
            raise _refusal(f"is a link to Instagram's own page /{first[:30]}, not to a person")
        case [first, *_]:
            return first
        case _:
            raise _refusal("is a link that names no person")


def _checked(name: str) -> str:
    if not name:
        raise _refusal("is empty")
    if _CANONICAL.fullmatch(name) and len(name) <= MAX_LENGTH:
        if name in _ALL_HOSTS:
            raise _refusal("is a link that names no person")
        return name
    for character in name:
        if not (character.isascii() and (character.isalnum() or character in "._")):
            raise _bad_character(character)
    if len(name) > MAX_LENGTH:
        raise _refusal(f"has {len(name)} characters; a username has at most {MAX_LENGTH}")
    if ".." in name:
        raise _refusal("has two periods in a row")
    raise _refusal(f"{'starts' if name.startswith('.') else 'ends'} with a period")


def _bad_character(character: str) -> InvalidUsername:
    if character == "@":
        return _refusal("has an @ inside; it may be an e-mail address")
    if character.isspace():
        return _refusal("has a blank inside", "Give one username without blanks; a full name belongs in fullName.")
    called = f"U+{ord(character):04X} {unicodedata.name(character, 'a control character')}"
    shown = f"“{character}” ({called})" if character.isprintable() else called
    latin = character.translate(_LOOKALIKES)
    remedy = f"It looks like “{latin}” and is another letter. " if latin != character else ""
    return _refusal(
        f"holds {shown}; usernames have only a to z, 0 to 9, period and underscore",
        remedy + "Copy the username from the person's profile.",
    )


def _refusal(reason: str, remedy: str | None = None) -> InvalidUsername:
    return InvalidUsername(f"instagramUsername {reason}.", param="instagramUsername", remedy=remedy)
