"""Who owns which table, read by the tests of ownership and tenancy. A new table gets its line here."""

import re
from pathlib import Path

from tests.house.source import without_comments

# Table -> the slice whose queries alone write it. `senders.transports.sandbox` is a folder inside a slice.
OWNERS: dict[str, str] = {
    "migrations": "core",
    "installation": "accounts",
    "workspaces": "accounts",
    "wakeups": "accounts",
    "users": "accounts",
    "members": "accounts",
    "invitations": "accounts",
    "sessions": "accounts",
    "login_failures": "accounts",
    "api_keys": "accounts",
    "rate_limits": "accounts",
    "idempotency_keys": "accounts",
    "audit_log": "accounts",
    "events": "events",
    "webhook_endpoints": "events",
    "deliveries": "events",
    "delivery_attempts": "events",
    "webhook_replays": "events",
    "clients": "clients",
    "message_templates": "templates",
    "contacts": "contacts",
    "retentions": "contacts",
    "suppressions": "contacts",
    "usage_months": "usage",
    "messages": "messages",
    "first_contacts": "messages",
    "senders": "senders",
    "reconciliations": "senders",
    "sender_credentials": "senders",
    "instagram_logins": "senders",
    "conversations": "senders",
    "inbound": "senders",
    "inbound_posts": "senders",
    "sandbox_messages": "senders.transports.sandbox",
    "sandbox_plans": "senders.transports.sandbox",
    "sandbox_faults": "senders.transports.sandbox",
    "targets": "targets",
    "target_counts": "targets",
    "imports": "targets",
    "import_pieces": "targets",
    "import_names": "targets",
    "import_rejects": "targets",
    "campaigns": "campaigns",
    "campaign_steps": "campaigns",
    "replies": "replies",
}

# The engine's statements (steps 1 to 4 and 6 of design section 6) read, lock and write across slices in one
# round trip: one statement did 1,400 messages a second where a statement a step did 860.
ENGINE_FILES = re.compile(r"iglayers/sending/queries(_\w+)?\.py")
ENGINE_WRITES = frozenset({
    "messages", "first_contacts", "targets", "campaigns", "senders", "usage_months", "conversations",
})  # fmt: skip

# Statements on tenant tables that name no workspace_id, as `module.function` below iglayers, with the reason:
# of workers, which serve all workspaces, and look-ups by which a caller's workspace becomes known.
CROSS_TENANT: dict[str, str] = {
    "accounts.queries.forget_old_answers": "retention: every answer older than 24 h, whoever asked",
    "accounts.queries_people.use_invitation": "by the secret of a link, which says the workspace",
    "contacts.queries_retention.told": "the operator's metrics tell of the whole installation",
    "campaigns.queries.wake": "by id, from the engine: what its slot holds",
    "events.queries_engine.backlog": "the operator's metrics tell of the whole installation",
    "events.queries_engine.with_work": "workers serve all workspaces: endpoints that have something to deliver",
    "events.queries_engine.targets": "by id and lease, from the engine",
    "events.queries_engine.tell_endpoints": "by id, from the engine: endpoints that its worker holds",
    "events.queries_engine.cancel_expired": "by id, from the engine: what its worker has taken",
    "events.queries_engine.renew": "by id and lease, from the engine",
    "events.queries_engine.release": "by id and lease, from the engine",
    "events.queries_engine.has_failed_since": "by id, from the engine: an endpoint that its worker holds",
    "events.queries_engine.cancel_orphans": "housekeeping: what was queued for endpoints that are gone",
    "reports.queries_audit.counted": "the installation's audit for duplicates, over all workspaces",
    "senders.queries_reconciliations.hasten": "workers serve all workspaces: after downtime",
    "sending.queries.lock_clients": "by id, from the engine: clients of the campaigns that its step holds",
    "sending.queries._CLIENT_HISTORY": "the same, and of the campaign whose card is claimed",
    "sending.queries_outbox.answered": "workers settle what was said of cards in all workspaces",
    "sending.queries_rest.next_due": "workers serve all workspaces: the moment of the next campaign",
    "sending.queries_settle.lock_campaign_for_settling": "by the id in the message's row, from the engine",
    "sending.queries_upkeep.ended_leases": "workers end the leases of all workspaces",
    "sending.queries_answers.ended_leases": "the same, of answers",
    "sending.queries_upkeep.newest_begun": "the installation's newest message, against restored databases",
    "sending.queries_upkeep.knows": "the same: whether that message is still here",
    "targets.queries_imports.drop_names_of_ended": "housekeeping: what is left of imports that ended",
    "targets.queries_imports.drop_unfinished": "housekeeping: files that never came in whole",
    "targets.queries_imports.drop_old_rejects": "retention: rejects that are past their time",
    "targets.queries_imports.drop_files_kept_long_enough": "retention: files of dry runs that nobody had read again",
    "senders.transports.sandbox.queries.logged": "a provider's look-up: by its own id, or by the order's reference",
}

_NAME = r'(?:"?\w+"?\.)?"?(\w+)"?'
_CREATE = re.compile(rf"CREATE\s+(?:UNLOGGED\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?{_NAME}\s*\(", re.IGNORECASE)
_ADD_TENANT = re.compile(
    rf"ALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?{_NAME}[^;]*?"
    r"\bADD\s+(?:COLUMN\s+)?(?:IF\s+NOT\s+EXISTS\s+)?workspace_id\b",
    re.IGNORECASE,
)
_RENAME = re.compile(rf"ALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?{_NAME}\s+RENAME\s+TO\s+(\w+)", re.IGNORECASE)
_DROP = re.compile(rf"DROP\s+TABLE\s+(?:IF\s+EXISTS\s+)?{_NAME}", re.IGNORECASE)
_COLUMN = re.compile(r"(?:^|,)\s*workspace_id\s+\w", re.IGNORECASE)


def schema(root: Path) -> dict[str, bool]:
    """Every table that the migrations leave, and whether it has a workspace_id; partitions are left out."""
    tables: dict[str, bool] = {}
    for path in sorted((root / "iglayers" / "migrations").glob("[0-9]*.sql")):
        sql = without_comments(path.read_text(encoding="utf-8"))
        for found in _CREATE.finditer(sql):
            tables[found[1]] = bool(_COLUMN.search(_brackets(sql, found.end())))
        for found in _ADD_TENANT.finditer(sql):
            tables[found[1]] = True
        for found in _RENAME.finditer(sql):
            tables[found[2]] = tables.pop(found[1], False)
        for found in _DROP.finditer(sql):
            tables.pop(found[1], None)
    return tables


def tenant_tables(root: Path) -> set[str]:
    return {table for table, is_tenant in schema(root).items() if is_tenant}


def _brackets(sql: str, start: int) -> str:
    """From behind an opening bracket to its partner."""
    depth = 1
    for end in range(start, len(sql)):
        depth += {"(": 1, ")": -1}.get(sql[end], 0)
        if depth == 0:
            return sql[start:end]
    return sql[start:]
