"""Text that means harm in every field that holds what people, providers, receivers or files wrote."""

from iglayers.core.db import Database
from iglayers.core.ids import EventId

MARK = "fetch('https://evil.example')"
# One line, without a blank to break at, left to right, right to left, and emoji of several characters.
LINE = (
    f"<script>{MARK}</script><img/src=x/onerror=alert(1)>\"'&"
    + "x" * 90
    + "الاسم\U0001f468\u200d\U0001f469\u200d\U0001f467"
)
TEXT = f"{LINE}\n" + "w" * 9_800 + "\U0001f600" * 50
# What comes from elsewhere may turn the direction of what follows; what people type may not (it is refused).
FOREIGN = f"\u202e\u2066{TEXT}"

# By table, the columns and what stands in them then. Usernames, addresses and states have their own alphabets.
_FIELDS: dict[str, dict[str, str]] = {
    "workspaces": {"name": LINE[:200]},
    "api_keys": {"name": LINE[:200]},
    "audit_log": {"actor": LINE, "reason": TEXT},
    "webhook_endpoints": {"description": LINE},
    "clients": {"name": LINE},
    "message_templates": {"name": LINE, "body": TEXT},
    "suppressions": {"reason": TEXT},
    "senders": {"state_reason": FOREIGN},
    "campaigns": {"name": LINE},
    "campaign_steps": {"body": TEXT},
    "targets": {"full_name": LINE, "first_name": LINE, "category": LINE, "reason": FOREIGN},
    "imports": {"actor": LINE, "reason": FOREIGN},
    "messages": {"body": TEXT, "reason": FOREIGN, "author": LINE},
    "replies": {"text": FOREIGN, "label_reason": TEXT, "author": LINE},
}


async def spoil(database: Database) -> None:
    """Everything in the database, by the columns above; what an attempt of a delivery was answered, too."""
    async with database.transaction() as conn:
        for table, fields in _FIELDS.items():
            assignments = ", ".join(f"{name} = ${number}" for number, name in enumerate(fields, start=1))
            await conn.execute(f"UPDATE {table} SET {assignments}", *fields.values())
        await conn.execute("UPDATE clients SET external_id = $1 || id::text, metadata = $2", LINE, {LINE: TEXT})
        await conn.execute("UPDATE campaigns SET metadata = $1", {LINE: TEXT})
        await conn.execute("UPDATE targets SET variables = $1", {"city": TEXT})
        await conn.execute(
            """
            INSERT INTO delivery_attempts (id, workspace_id, delivery_id, cause, started_at, duration_ms,
                                           error, response)
            SELECT $1, workspace_id, id, 'automatic', now(), 30, $2, $3 FROM deliveries LIMIT 1
            """,
            EventId.new().uuid, LINE, FOREIGN,
        )  # fmt: skip
        await conn.execute(
            """
            INSERT INTO import_rejects (import_id, line, workspace_id, username, code, reason)
            SELECT id, 2, workspace_id, $1, 'invalid_field', $2 FROM imports
            """,
            LINE, FOREIGN,
        )  # fmt: skip
