"""The only SQL on accounts' tables."""

from datetime import date, datetime
from uuid import UUID

import msgspec

from iglayers.accounts.model import ApiKey, AuditEntry, AuditFilters, KeyAccess, Mode, StoredAnswer, Workspace
from iglayers.core.clock import Clock
from iglayers.core.db import Connection, execute, row, rows, value
from iglayers.core.ids import AuditId, ClientId, ContactId, KeyId, WorkspaceId


class Lease(msgspec.Struct, frozen=True):
    """A block of calls taken from a key's bucket: how many were granted, how many are left after them."""

    granted: int
    remaining: int
    wait_s: float


async def pepper(conn: Connection) -> bytes | None:
    """The installation's encrypted pepper; None before the first start."""
    return await value(conn, "SELECT pepper FROM installation")


async def insert_installation(conn: Connection, *, pepper: bytes) -> bool:
    """The one installation row; False when it was there."""
    return bool(await execute(conn, "INSERT INTO installation (pepper) VALUES ($1) ON CONFLICT DO NOTHING", pepper))


async def insert_workspace(
    conn: Connection, workspace_id: WorkspaceId, *, pair_id: UUID, name: str, mode: Mode
) -> None:
    """A new workspace whose clock shows the real time."""
    await execute(
        conn,
        "INSERT INTO workspaces (id, pair_id, name, mode) VALUES ($1, $2, $3, $4)",
        workspace_id, pair_id, name, mode,
    )  # fmt: skip


async def workspaces(conn: Connection) -> list[Workspace]:
    """Every workspace of the installation, oldest first."""
    return await rows(conn, Workspace, """
        SELECT id, name, mode, monthly_limit, timezone, first_contact_scope, retention_days, created_at
        FROM workspaces
        ORDER BY created_at, mode
    """)  # fmt: skip


async def workspace(conn: Connection, workspace_id: WorkspaceId) -> Workspace | None:
    """One workspace with its settings."""
    return await row(conn, Workspace, """
        SELECT id, name, mode, monthly_limit, timezone, first_contact_scope, retention_days, created_at
        FROM workspaces
        WHERE id = $1
    """, workspace_id)  # fmt: skip


async def change_workspace(conn: Connection, workspace: Workspace) -> None:
    """Store a workspace's name and settings as they are now."""
    await execute(conn, """
        UPDATE workspaces
        SET name = $2, monthly_limit = $3, timezone = $4, first_contact_scope = $5, retention_days = $6
        WHERE id = $1
    """, workspace.id, workspace.name, workspace.monthly_limit, workspace.timezone, workspace.first_contact_scope,
        workspace.retention_days)  # fmt: skip


async def clock(conn: Connection, workspace_id: WorkspaceId) -> Clock | None:
    """The workspace's clock."""
    return await row(conn, Clock, """
        SELECT clock_real_at AS real_at, clock_at AS at, clock_speed AS speed
        FROM workspaces
        WHERE id = $1
    """, workspace_id)  # fmt: skip


async def set_clock(conn: Connection, workspace_id: WorkspaceId, new: Clock) -> None:
    """Move a test workspace's clock, never backwards; live workspaces are left alone."""
    await execute(conn, """
        UPDATE workspaces
        SET clock_real_at = $2, clock_at = greatest(clock_at, $3), clock_speed = $4
        WHERE id = $1 AND mode = 'test'
    """, workspace_id, new.real_at, new.at, new.speed)  # fmt: skip


async def wake(conn: Connection, workspace_id: WorkspaceId) -> None:
    """Ask the workers to plan this workspace's running campaigns anew, once this transaction has committed.

    Call it last: it holds a row that every change of the workspace's plans takes. It renews an old row too, so that
    a worker that is just following that one does not take this wake-up away before the change is there.
    """
    await execute(conn, """
        INSERT INTO wakeups (workspace_id) VALUES ($1)
        ON CONFLICT (workspace_id) DO UPDATE SET workspace_id = excluded.workspace_id
    """, workspace_id)  # fmt: skip


async def wakeups(conn: Connection) -> dict[WorkspaceId, str]:
    """Workspaces whose plans must be made anew, and the version of each note."""
    found = await conn.fetch("SELECT workspace_id, xmin::text AS version FROM wakeups")
    return {WorkspaceId(each["workspace_id"]): each["version"] for each in found}


async def forget_wakeups(conn: Connection, done: dict[WorkspaceId, str]) -> None:
    """Take back the notes that were followed; one that was renewed meanwhile stays."""
    await execute(conn, """
        DELETE FROM wakeups w
        USING unnest($1::uuid[], $2::text[]) AS done (workspace_id, version)
        WHERE w.workspace_id = done.workspace_id AND w.xmin::text = done.version
    """, list(done), list(done.values()))  # fmt: skip


async def insert_key(conn: Connection, key: ApiKey, *, workspace_id: WorkspaceId, key_hash: bytes) -> None:
    """A key by its hash; the key itself is stored nowhere."""
    await execute(conn, """
        INSERT INTO api_keys
            (id, workspace_id, name, key_hash, last4, scopes, client_id, addresses, expires_at, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    """, key.id, workspace_id, key.name, key_hash, key.last4, key.scopes, key.client_id, key.addresses,
        key.expires_at, key.created_at)  # fmt: skip


async def access(conn: Connection, key_hash: bytes) -> KeyAccess | None:
    """What the key with this hash grants. Notes its use, at most once a minute, only forward."""
    return await row(conn, KeyAccess, """
        WITH used AS (
            UPDATE api_keys SET last_used_at = now()
            WHERE key_hash = $1 AND revoked_at IS NULL
              AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
        )
        SELECT k.id, k.workspace_id, w.mode, k.name, k.scopes, k.client_id, k.addresses, k.expires_at, k.revoked_at,
               w.clock_real_at, w.clock_at, w.clock_speed
        FROM api_keys k
        JOIN workspaces w ON w.id = k.workspace_id
        WHERE k.key_hash = $1
    """, key_hash)  # fmt: skip


async def keys(conn: Connection, workspace_id: WorkspaceId, *, before: KeyId | None, limit: int) -> list[ApiKey]:
    """The workspace's keys, newest first, revoked ones too."""
    return await rows(conn, ApiKey, """
        SELECT id, name, last4, scopes, client_id, addresses, expires_at, revoked_at, last_used_at, created_at
        FROM api_keys
        WHERE workspace_id = $1 AND ($2::uuid IS NULL OR id < $2)
        ORDER BY id DESC
        LIMIT $3
    """, workspace_id, before, limit)  # fmt: skip


async def key(conn: Connection, workspace_id: WorkspaceId, key_id: KeyId) -> ApiKey | None:
    """One key, locked, so that two changes of it follow each other."""
    return await row(conn, ApiKey, """
        SELECT id, name, last4, scopes, client_id, addresses, expires_at, revoked_at, last_used_at, created_at
        FROM api_keys
        WHERE workspace_id = $1 AND id = $2
        FOR NO KEY UPDATE
    """, workspace_id, key_id)  # fmt: skip


async def revoke_key(conn: Connection, workspace_id: WorkspaceId, key_id: KeyId, *, at: datetime) -> None:
    """No process accepts the key later than `Settings.key_cache_s` after the commit."""
    await execute(
        conn,
        "UPDATE api_keys SET revoked_at = $3 WHERE workspace_id = $1 AND id = $2 AND revoked_at IS NULL",
        workspace_id, key_id, at,
    )  # fmt: skip


async def expire_key(conn: Connection, workspace_id: WorkspaceId, key_id: KeyId, *, at: datetime) -> None:
    """The key ends at `at`, or earlier if it was to end earlier."""
    await execute(
        conn,
        "UPDATE api_keys SET expires_at = least(expires_at, $3) WHERE workspace_id = $1 AND id = $2",
        workspace_id, key_id, at,
    )  # fmt: skip


async def lease_calls(conn: Connection, key_id: KeyId, *, block: int, per_minute: int, burst: int) -> Lease:
    """Take up to `block` calls from the key's bucket (GCRA: one stored moment, no counters)."""
    found = await conn.fetchrow("""
        INSERT INTO rate_limits AS bucket (key_id, full_at, granted)
        VALUES ($1, clock_timestamp() + make_interval(secs => least($2::int, $4::int) * 60.0 / $3),
                least($2::int, $4::int))
        ON CONFLICT (key_id) DO UPDATE SET
            granted = greatest(0, least($2, floor(
                $4 - extract(epoch FROM greatest(bucket.full_at - clock_timestamp(), interval '0')) * $3 / 60.0)))::int,
            full_at = greatest(bucket.full_at, clock_timestamp()) + make_interval(secs => 60.0 / $3 *
                greatest(0, least($2, floor($4 - extract(epoch FROM
                    greatest(bucket.full_at - clock_timestamp(), interval '0')) * $3 / 60.0))))
        RETURNING granted, extract(epoch FROM full_at - clock_timestamp())::float8 AS behind_s
    """, key_id.uuid, block, per_minute, burst)  # fmt: skip
    assert found is not None
    left = burst - found["behind_s"] * per_minute / 60
    return Lease(found["granted"], max(0, int(left)), max(0.0, (1 - left) * 60 / per_minute))


async def lock_idempotency_key(conn: Connection, workspace_id: WorkspaceId, name: str) -> bool:
    """Hold the key until this transaction ends; False while another holds it. A crash frees it at once."""
    return await value(conn, "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 77))", f"{workspace_id} {name}")


async def stored_answer(conn: Connection, workspace_id: WorkspaceId, name: str) -> StoredAnswer | None:
    """The answer given to this key in the last 24 h."""
    return await row(conn, StoredAnswer, """
        SELECT fingerprint, status, body
        FROM idempotency_keys
        WHERE workspace_id = $1 AND key = $2 AND created_at > now() - interval '24 hours'
    """, workspace_id, name)  # fmt: skip


async def store_answer(conn: Connection, workspace_id: WorkspaceId, name: str, answer: StoredAnswer) -> None:
    """Keep the answer; one older than 24 h is replaced."""
    await execute(conn, """
        INSERT INTO idempotency_keys (workspace_id, key, fingerprint, status, body)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (workspace_id, key) DO UPDATE
        SET fingerprint = excluded.fingerprint, status = excluded.status, body = excluded.body, created_at = now()
    """, workspace_id, name, answer.fingerprint, answer.status, answer.body)  # fmt: skip


async def amend_answer(conn: Connection, workspace_id: WorkspaceId, name: str, *, status: int, body: bytes) -> None:
    """What was answered goes on after its commit: a repeat gets this from now on."""
    await execute(
        conn,
        "UPDATE idempotency_keys SET status = $3, body = $4 WHERE workspace_id = $1 AND key = $2",
        workspace_id, name, status, body,
    )  # fmt: skip


class SealedAnswer(msgspec.Struct, frozen=True):
    """An answer as it is kept; the vault opens it."""

    key: str
    body: bytes


async def sealed_answers(conn: Connection, workspace_id: WorkspaceId, *, after: str, limit: int) -> list[SealedAnswer]:
    """Kept answers in the order of their keys, from the one that follows `after` on."""
    return await rows(conn, SealedAnswer, """
        SELECT key, body
        FROM idempotency_keys
        WHERE workspace_id = $1 AND key > $2
        ORDER BY key
        LIMIT $3
    """, workspace_id, after, limit)  # fmt: skip


async def replace_answer(conn: Connection, workspace_id: WorkspaceId, key: str, *, body: bytes) -> None:
    """Another body for a kept answer; its status stays."""
    await execute(
        conn, "UPDATE idempotency_keys SET body = $3 WHERE workspace_id = $1 AND key = $2", workspace_id, key, body
    )


async def forget_old_answers(conn: Connection) -> int:
    """Answers older than 24 h can no longer be replayed."""
    return await execute(conn, "DELETE FROM idempotency_keys WHERE created_at < now() - interval '24 hours'")


async def insert_audit(
    conn: Connection, entry: AuditEntry, *, workspace_id: WorkspaceId, contact_id: UUID | None
) -> None:
    """One line of the audit log; lines are never changed."""
    await execute(conn, """
        INSERT INTO audit_log (id, workspace_id, at, actor, action, object_id, before, after, reason, request_id,
                               contact_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    """, entry.id, workspace_id, entry.at, entry.actor, entry.action, entry.object_id, entry.before, entry.after,
        entry.reason, entry.request_id, contact_id)  # fmt: skip


async def audit_log(
    conn: Connection, workspace_id: WorkspaceId, filters: AuditFilters, *, before: AuditId | None, limit: int
) -> list[AuditEntry]:
    """The audit log, newest first."""
    return await rows(conn, AuditEntry, """
        SELECT id, at, actor, action, object_id, before, after, reason, request_id
        FROM audit_log
        WHERE workspace_id = $1 AND ($2::uuid IS NULL OR id < $2)
          AND ($4::text IS NULL OR action = $4 OR starts_with(action, $4 || '.'))
          AND ($5::text IS NULL OR object_id = $5)
          AND ($6::text IS NULL OR actor = $6)
          -- Ids begin with the moment, so the newest first end at it without a look at what is older.
          AND ($7::timestamptz IS NULL OR (id >= uuid7_floor($7) AND at >= $7))
        ORDER BY id DESC
        LIMIT $3
    """, workspace_id, before, limit, filters.action, filters.object_id, filters.actor, filters.since)  # fmt: skip


async def insert_user(conn: Connection, user_id: UUID, *, email: str, password_hash: str) -> bool:
    """A user who can log in to the dashboard; False when the e-mail is taken."""
    return bool(await execute(
        conn,
        "INSERT INTO users (id, email, password_hash) VALUES ($1, $2, $3) ON CONFLICT (email) DO NOTHING",
        user_id, email, password_hash,
    ))  # fmt: skip


async def insert_member(conn: Connection, workspace_id: WorkspaceId, user_id: UUID, *, role: str) -> None:
    """What a user may do in a workspace."""
    await execute(
        conn,
        "INSERT INTO members (workspace_id, user_id, role) VALUES ($1, $2, $3)",
        workspace_id, user_id, role,
    )  # fmt: skip


async def owners_of_all(conn: Connection) -> list[UUID]:
    """The users who are owners of every workspace."""
    found = await conn.fetch("""
        SELECT user_id FROM members
        WHERE role = 'owner'
        GROUP BY user_id
        HAVING count(workspace_id) = (SELECT count(*) FROM workspaces)
    """)
    return [each["user_id"] for each in found]


async def client_exists(conn: Connection, workspace_id: WorkspaceId, client_id: ClientId) -> bool:
    """Whether a key may be bound to this client."""
    return await value(
        conn, "SELECT EXISTS (SELECT FROM clients WHERE workspace_id = $1 AND id = $2)", workspace_id, client_id
    )


class Dispatch(msgspec.Struct, frozen=True):
    """Whether this installation sends at all, and which database it is."""

    state: str
    reason: str | None
    epoch: int
    system_identifier: int


async def dispatch(conn: Connection) -> Dispatch:
    """The dispatch switch and the identity of the database."""
    found = await row(conn, Dispatch, """
        SELECT dispatch AS state, dispatch_reason AS reason, epoch,
               (SELECT system_identifier FROM pg_control_system()) AS system_identifier
        FROM installation
    """)  # fmt: skip
    assert found is not None
    return found


async def pause_dispatch(conn: Connection, *, reason: str) -> None:
    """No worker begins another message."""
    await execute(conn, "UPDATE installation SET dispatch = 'paused', dispatch_reason = $1", reason)


# Run by psql, in the transaction that restores a backup.
PAUSE_RESTORED = """
    UPDATE public.installation
    SET dispatch = 'paused',
        dispatch_reason = 'Restored from a backup: what was sent after it was made is forgotten. '
            'Cancel or pause what would be sent again, then resume.'
"""


async def resume_dispatch(conn: Connection) -> None:
    """A person vouches for this database: a new epoch, which older marks accept."""
    await execute(conn, "UPDATE installation SET dispatch = 'running', dispatch_reason = NULL, epoch = epoch + 1")


async def partition_events(conn: Connection, *, month: date) -> None:
    """Make the event tables' partitions for this month and the two after it."""
    await execute(conn, "SELECT make_event_partitions($1, 3)", month)


class Durability(msgspec.Struct, frozen=True):
    """The settings without which a committed message may be forgotten in a crash, as this connection has them."""

    fsync: str
    synchronous_commit: str


async def durability(conn: Connection) -> Durability:
    """Whether the database keeps what it has committed."""
    found = await row(
        conn,
        Durability,
        """
        SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS synchronous_commit
    """,
    )
    assert found is not None
    return found


async def lock_installation(conn: Connection) -> None:
    """Processes that start at once follow each other."""
    await execute(conn, "SELECT FROM installation FOR UPDATE")


async def erase_audit(conn: Connection, workspace_id: WorkspaceId, contact_ids: list[ContactId]) -> None:
    """Who did what and when stays; what it was about a person goes."""
    await execute(conn, """
        UPDATE audit_log SET before = NULL, after = NULL, reason = NULL
        WHERE workspace_id = $1 AND contact_id = ANY ($2)
    """, workspace_id, contact_ids)  # fmt: skip
