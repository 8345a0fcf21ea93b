"""Field values as callers send them: cleaned, bounded, refused with the field's name."""

from typing import Any, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from iglayers.core.errors import Invalid, MissingField
from iglayers.core.text import clean_line, clean_text
from iglayers.core.wire import json_bytes

MAX_METADATA_BYTES = 4_096
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1


def line(text: str, param: str, *, most: int = 200) -> str:
    """A cleaned, non-empty line of at most `most` characters."""
    cleaned = optional_line(text, param, most=most)
    if not cleaned:
        raise MissingField(f"{param} must not be empty.", param=param)
    return cleaned


def optional_line(text: str | None, param: str, *, most: int = 200) -> str | None:
    """A cleaned line of at most `most` characters; None when nothing is left of it."""
    if text is None:
        return None
    try:
        cleaned = clean_line(text)
    except ValueError as error:
        raise Invalid(f"{param} {error}.", param=param) from None
    return _bounded(cleaned, param, most) or None


def text(value: str, param: str, *, most: int) -> str:
    """Cleaned, non-empty text of several lines, at most `most` characters."""
    try:
        cleaned = clean_text(value)
    except ValueError as error:
        raise Invalid(f"{param} {error}.", param=param) from None
    if not cleaned:
        raise MissingField(f"{param} must not be empty.", param=param)
    return _bounded(cleaned, param, most)


def _bounded(cleaned: str, param: str, most: int) -> str:
    if len(cleaned) > most:
        raise Invalid(f"{param} has {len(cleaned)} characters; at most {most} are allowed.", param=param)
    return cleaned


def metadata(tree: dict[str, Any], param: str = "metadata") -> dict[str, Any]:
    """A free JSON object of at most 4 KiB that the database can keep."""
    _refuse_unstorable(tree, param)
    size = len(json_bytes(tree))
    if size > MAX_METADATA_BYTES:
        raise Invalid(f"{param} has {size} bytes; at most {MAX_METADATA_BYTES} are allowed.", param=param)
    return tree


def _refuse_unstorable(item: Any, param: str) -> None:  # noqa: ANN401 any JSON value
    if isinstance(item, str):
        if "\x00" in item:
            raise Invalid(f"{param} holds the character U+0000.", param=param)
    elif isinstance(item, int) and not MIN_INTEGER <= item <= MAX_INTEGER:
        raise Invalid(f"{param} is an integer beyond 64 bits; send it as a string.", param=param)
    elif isinstance(item, dict):
        for name, value in cast("dict[str, Any]", item).items():
            if "\x00" in name:
                raise Invalid(f"A key of {param} holds the character U+0000.", param=param)
            _refuse_unstorable(value, f"{param}.{name[:64]}")
    elif isinstance(item, list):
        for index, value in enumerate(cast("list[object]", item)):
            _refuse_unstorable(value, f"{param}[{index}]")


def timezone(name: str, param: str) -> str:
    """A zone of the IANA database."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid(f"{param} is not an IANA time zone such as Europe/Madrid.", param=param) from None
    return name
