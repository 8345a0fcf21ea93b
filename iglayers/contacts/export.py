"""The suppressions in force as a file, a thousand rows at a time."""

from collections.abc import AsyncGenerator
from typing import Any

import msgspec

from iglayers.accounts.model import Caller
from iglayers.contacts import queries
from iglayers.contacts.model import Suppression
from iglayers.core.clock import Moment
from iglayers.core.csv_text import write_rows
from iglayers.core.db import Database
from iglayers.core.ids import ClientId, ContactId

FILE_NAME = "suppressions.csv"
_HEADER = ("instagramUsername", "clientId", "reason", "source", "expiresAt", "createdAt")
_ROWS_AT_ONCE = 1_000


class Whose(msgspec.Struct, frozen=True, kw_only=True):
    """What the list is narrowed to; `nobody` when it was asked for a person who is not known."""

    client_id: ClientId | None = None
    contact_id: ContactId | None = None
    nobody: bool = False


async def as_csv(db: Database, caller: Caller, whose: Whose) -> AsyncGenerator[bytes, None]:
    """The list as parts of a CSV file; a failure breaks it off."""
    rows: list[tuple[Any, ...]] = [_HEADER]
    if not whose.nobody:
        async with db.transaction() as conn:
            async for each in queries.every(
                conn, caller.workspace_id, client_id=whose.client_id, contact_id=whose.contact_id, now=caller.now
            ):
                rows.append(_cells(each))
                if len(rows) == _ROWS_AT_ONCE:
                    yield write_rows(rows)
                    rows = []
    yield write_rows(rows)


def _cells(each: Suppression) -> tuple[object, ...]:
    moments = [moment and Moment.of(moment).rfc3339() for moment in (each.expires_at, each.created_at)]
    return (each.username, each.client_id, each.reason, each.source, *moments)
