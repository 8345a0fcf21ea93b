"""Keyset pages: newest first by id, `limit` rows at a time, a cursor that names the last row seen."""

from typing import Any, Generic, TypeVar

import msgspec

from iglayers.core.errors import Invalid

T = TypeVar("T")

DEFAULT_LIMIT = 50
MAX_LIMIT = 1_000


class Page(msgspec.Struct, Generic[T], rename="camel"):
    data: list[T]
    has_more: bool
    next_cursor: str | None


def page(found: list[Any], limit: int) -> Page[Any]:
    """A page from `limit + 1` rows: the extra one tells that there is more. Rows have an `id`."""
    data = found[:limit]
    more = len(found) > limit
    return Page(data=data, has_more=more, next_cursor=str(data[-1].id) if more else None)


def limit_of(text: str | None) -> int:
    """The `?limit=` of a list: 1 to 1,000, 50 when absent."""
    if text is None:
        return DEFAULT_LIMIT
    if text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= MAX_LIMIT:
        return int(text)
    raise Invalid(f"limit must be a whole number from 1 to {MAX_LIMIT}.", param="limit")
