"""Answers that are kept for a day, sealed, for the Idempotency-Keys they were given to."""

import asyncio
import re
from collections.abc import Sequence

from iglayers.accounts import queries
from iglayers.core.crypto import Vault
from iglayers.core.db import Connection
from iglayers.core.ids import WorkspaceId

ERASED = b'{"erased":true}'
# One may be as long as a list of 10,000 people.
_AT_ONCE = 50


def bound_to(workspace_id: WorkspaceId, name: str) -> str:
    """The row that a sealed answer belongs to."""
    return f"idempotency_keys.body {workspace_id} {name}"


async def erase(conn: Connection, vault: Vault, workspace_id: WorkspaceId, usernames: Sequence[str]) -> None:
    """What answers say of these people; a key stays used, so that nothing is done again for it."""
    if not usernames:
        return
    either = "|".join(re.escape(each) for each in usernames)
    # A longer name that holds this one is another person's; a period may end a sentence.
    names = re.compile(rf"(?<![a-z0-9._])(?:{either})(?![a-z0-9_]|\.[a-z0-9._])".encode(), re.IGNORECASE)

    def that_name_them(found: Sequence[queries.SealedAnswer]) -> list[str]:
        opened = ((each.key, vault.open(each.body, bound_to=bound_to(workspace_id, each.key))) for each in found)
        return [key for key, body in opened if names.search(body)]

    after = ""
    while found := await queries.sealed_answers(conn, workspace_id, after=after, limit=_AT_ONCE):
        after = found[-1].key
        for key in await asyncio.to_thread(that_name_them, found):
            await queries.replace_answer(
                conn, workspace_id, key, body=vault.seal(ERASED, bound_to=bound_to(workspace_id, key))
            )
