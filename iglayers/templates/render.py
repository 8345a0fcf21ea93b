"""From a text with `{{firstName}}` or `{{firstName|there}}` to the text one person gets. Pure.

Nothing else is understood: no expressions, no attributes; what a variable holds is never looked at again.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NoReturn

import msgspec

from iglayers.core.errors import Invalid

# Instagram takes no longer text.
MAX_MESSAGE_BYTES = 1_000

_OPENING = "{{"
_CLOSING = "}}"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_BRACE = re.compile(r"[{}]")


class Variable(msgspec.Struct, frozen=True):
    name: str
    fallback: str | None


class Template(msgspec.Struct, frozen=True):
    """A parsed text: literal pieces and variables in turn."""

    parts: tuple[str | Variable, ...]


class Missing(msgspec.Struct, frozen=True):
    """Why a text could not be rendered: variables without a value and without a fallback."""

    names: tuple[str, ...]


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a text is rendered for; everybody's values are made here, so that preview and sending agree."""

    username: str
    profile_url: str | None = None
    full_name: str | None = None
    first_name: str | None = None
    category: str | None = None
    follower_count: int | None = None
    variables: dict[str, Any] | None = None
    client_name: str | None = None
    sender_username: str | None = None

    def values(self) -> dict[str, Any]:
        """By the names that templates use; an uploaded variable never hides a published field."""
        return (self.variables or {}) | {
            "instagramUsername": self.username,
            "profileUrl": self.profile_url,
            "fullName": self.full_name,
            "firstName": self.first_name,
            "category": self.category,
            "followerCount": self.follower_count,
            "clientName": self.client_name,
            "senderUsername": self.sender_username,
        }


@lru_cache(maxsize=1_024)
def parse(body: str) -> Template:
    """The parts of a text; Invalid with line and column where braces make no variable."""
    parts: list[str | Variable] = []
    at = 0
    while (start := body.find(_OPENING, at)) >= 0:
        _literal(parts, body, at, start)
        end = body.find(_CLOSING, start + 2)
        if end < 0:
            _refuse(body, start, "is opened and never closed")
        parts.append(_variable(body, start, end))
        at = end + 2
        if body.startswith("}", at):
            _refuse(body, at, "is one brace too many")
    _literal(parts, body, at, len(body))
    return Template(tuple(parts))


def variables(body: str) -> list[str]:
    """The names that a text uses, in the order of their first use."""
    return list(dict.fromkeys(part.name for part in parse(body).parts if isinstance(part, Variable)))


def render(template: Template, values: Mapping[str, str | int | None]) -> str | Missing:
    """The text for one person, or what is missing for it."""
    text, missing = fill(template, values)
    return Missing(tuple(missing)) if missing else text


def fill(template: Template, values: Mapping[str, str | int | None]) -> tuple[str, list[str]]:
    """The text, with what is missing left as `{{name}}`, and the missing names. Only to be shown."""
    texts: list[str] = []
    missing: dict[str, None] = {}
    for part in template.parts:
        if isinstance(part, str):
            texts.append(part)
        elif (found := _text(values.get(part.name))) is not None:
            texts.append(found)
        elif part.fallback is not None:
            texts.append(part.fallback)
        else:
            texts.append(f"{{{{{part.name}}}}}")
            missing[part.name] = None
    return "".join(texts), list(missing)


def byte_length(text: str) -> int:
    """The length that Instagram counts."""
    return len(text.encode())


def _text(value: str | int | None) -> str | None:
    """A value as text; an empty one counts as missing."""
    if value is None:
        return None
    text = str(value)
    return text if text.strip() else None


def _literal(parts: list[str | Variable], body: str, start: int, end: int) -> None:
    stray = body.find(_CLOSING, start, end)
    if stray >= 0:
        _refuse(body, stray, "closes nothing")
    if end > start:
        parts.append(body[start:end])


def _variable(body: str, start: int, end: int) -> Variable:
    inner = body[start + 2 : end]
    if _BRACE.search(inner):
        _refuse(body, start, "has a brace inside")
    name, bar, fallback = inner.partition("|")
    if not _NAME.fullmatch(name.strip()):
        _refuse(body, start, f"does not hold a variable's name but “{inner[:40]}”")
    return Variable(name.strip(), fallback.strip() if bar else None)


def _refuse(body: str, at: int, why: str) -> NoReturn:
    before = body[:at]
    line, column = before.count("\n") + 1, at - (before.rfind("\n") + 1) + 1
    shown = body[at : at + 2]
    raise Invalid(
        f"body: the “{shown}” at line {line}, character {column} {why}.", param="body",
        remedy="Write {{firstName}}, or {{firstName|there}} with a text for people who have none.",
    )  # fmt: skip
