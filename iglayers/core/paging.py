"""Keyset pages: newest first by id, `limit` rows at a time, a cursor that names the last row seen."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec

from iglayers.core.errors import Invalid
from iglayers.core.ids import Id

T = TypeVar("T")

DEFAULT_LIMIT = 50
MAX_LIMIT = 1_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Page(msgspec.Struct, Generic[T], rename="camel"):
    data: list[T]
    has_more: bool
    next_cursor: str | None


def page(found: list[Any], limit: int) -> Page[Any]:
    """A page from `limit + 1` rows: the extra one tells that there is more. Rows have an `id`."""
    data = found[:limit]
    more = len(found) > limit
    return Page(data=data, has_more=more, next_cursor=str(data[-1].id) if more else None)


def place(at: datetime, id_: Id) -> str:
    """The cursor of a list in the order of a moment: the last row's, its id for those of the same moment."""
    return f"{(at - _EPOCH) // timedelta(microseconds=1)}-{id_.uuid.hex}"


def place_of(text: str | None) -> tuple[datetime | None, UUID | None]:
    """What `place` put into a `?cursor=`."""
    if text is None:
        return None, None
    found = re.fullmatch(r"([0-9]{1,17})-([0-9a-f]{32})", text)
    if found is None:
        raise Invalid("cursor must be the nextCursor of the page before.", param="cursor")
    return _EPOCH + timedelta(microseconds=int(found[1])), UUID(found[2])


def limit_of(text: str | None) -> int:
    """The `?limit=` of a list: 1 to 1,000, 50 when absent."""
    if text is None:
        return DEFAULT_LIMIT
    if text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= MAX_LIMIT:
        return int(text)
    raise Invalid(f"limit must be a whole number from 1 to {MAX_LIMIT}.", param="limit")
