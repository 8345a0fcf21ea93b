"""SQL of retention: the daily look through a workspace's people, and what is left of one who was forgotten."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from iglayers.contacts.model import ContactRow
from iglayers.core.db import Connection, execute, plain, row, rows
from iglayers.core.ids import ContactId, WorkspaceId


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace's look through its people, held; everybody up to `after_hash` has been looked at."""

    workspace_id: WorkspaceId
    retention_days: int
    after_hash: bytes
    forgotten: int


class Met(msgspec.Struct, frozen=True):
    """A handle that was come to; `is_candidate` where it is a person who is known by name for long enough."""

    id: ContactId
    handle_hash: bytes
    is_candidate: bool


class Told(msgspec.Struct, frozen=True):
    """What metrics tell: people forgotten so far, and since when the most overdue run waits or goes on."""

    forgotten_ever: int
    oldest_due_at: datetime | None


async def plan_new(conn: Connection) -> None:
    """Every workspace has its daily run; the first is due at once."""
    await execute(conn, """
        INSERT INTO retentions (workspace_id, due_at)
        SELECT w.id, clock_timestamp() FROM workspaces w
        WHERE NOT EXISTS (SELECT FROM retentions r WHERE r.workspace_id = w.id)
        ON CONFLICT (workspace_id) DO NOTHING
    """)  # fmt: skip


async def plan_in_bulk(conn: Connection) -> None:
    """Until the transaction ends, statements are planned for a thousand people each: workers plan for one row.

    As they plan, a lock in the order of ids walks the whole table along its key.
    """
    await execute(conn, """
        SELECT set_config('plan_cache_mode', 'force_custom_plan', true),
               set_config('join_collapse_limit', '8', true),
               set_config('enable_seqscan', 'on', true), set_config('enable_bitmapscan', 'on', true),
               set_config('enable_sort', 'on', true), set_config('enable_hashjoin', 'on', true),
               set_config('enable_mergejoin', 'on', true)
    """)  # fmt: skip


async def take(conn: Connection) -> Run | None:
    """Hold the most overdue run for one batch; None when none is due that no other worker has."""
    return await row(conn, Run, """
        SELECT r.workspace_id, w.retention_days, r.after_hash, r.forgotten
        FROM retentions r
        JOIN workspaces w ON w.id = r.workspace_id
        WHERE r.due_at <= clock_timestamp()
        ORDER BY r.due_at
        LIMIT 1
        FOR NO KEY UPDATE OF r SKIP LOCKED
    """)  # fmt: skip


async def move_mark(
    conn: Connection, workspace_id: WorkspaceId, *, after_hash: bytes, forgotten: int, next_due_at: datetime | None
) -> None:
    """So many more were forgotten up to this hash; at the end of a run, when the next begins and the first mark."""
    await execute(conn, """
        UPDATE retentions
        SET after_hash = $2, forgotten = CASE WHEN $4::timestamptz IS NULL THEN forgotten + $3 ELSE 0 END,
            forgotten_ever = forgotten_ever + $3, due_at = coalesce($4, due_at)
        WHERE workspace_id = $1
    """, workspace_id, after_hash, forgotten, next_due_at)  # fmt: skip


async def told(conn: Connection) -> Told:
    """For metrics, over the whole installation."""
    found = await row(conn, Told, """
        SELECT coalesce(sum(forgotten_ever), 0)::bigint AS forgotten_ever, min(due_at) AS oldest_due_at FROM retentions
    """)  # fmt: skip
    assert found is not None
    return found


async def page(
    conn: Connection, workspace_id: WorkspaceId, *, after_hash: bytes, before: datetime, limit: int
) -> list[Met]:
    """The next handles in the order of their hashes, whoever they are: a step is bounded though nobody is old."""
    return await rows(conn, Met, """
        SELECT id, handle_hash, merged_into IS NULL AND username IS NOT NULL AND created_at < $3 AS is_candidate
        FROM contacts
        WHERE workspace_id = $1 AND handle_hash > $2
        ORDER BY handle_hash
        LIMIT $4
    """, workspace_id, after_hash, before, limit)  # fmt: skip


async def handles_of(
    conn: Connection, workspace_id: WorkspaceId, contact_ids: Sequence[ContactId]
) -> dict[ContactId, list[ContactRow]]:
    """Of each of these people, every handle; nothing is held."""
    found = await conn.fetch("""
        SELECT id AS person_id, id, handle_hash, username
        FROM contacts
        WHERE workspace_id = $1 AND id = ANY ($2::uuid[])
        UNION ALL
        SELECT merged_into, id, handle_hash, username
        FROM contacts
        WHERE workspace_id = $1 AND merged_into = ANY ($2::uuid[])
    """, *plain([workspace_id, list(contact_ids)]))  # fmt: skip
    people: dict[ContactId, list[ContactRow]] = {}
    for each in found:
        people.setdefault(ContactId(each[0]), []).append(ContactRow(ContactId(each[1]), each[2], each[3]))
    return people


async def hold(conn: Connection, workspace_id: WorkspaceId, contact_ids: Sequence[ContactId]) -> set[UUID]:
    """Lock these rows against everybody who would refer to them; those that somebody holds are left out."""
    found = await conn.fetch("""
        SELECT id
        FROM contacts
        WHERE workspace_id = $1 AND id = ANY ($2::uuid[])
        ORDER BY handle_hash
        FOR UPDATE SKIP LOCKED
    """, *plain([workspace_id, list(contact_ids)]))  # fmt: skip
    return {each[0] for each in found}


async def forget(
    conn: Connection, workspace_id: WorkspaceId, contact_ids: Sequence[ContactId], *, at: datetime
) -> None:
    """Leave the hashes of these held handles; what suppresses them stays, without words about them."""
    await execute(conn, """
        UPDATE contacts SET username = NULL, instagram_id = NULL, forgotten_at = $3
        WHERE workspace_id = $1 AND id = ANY ($2::uuid[]) AND username IS NOT NULL
    """, workspace_id, list(contact_ids), at)  # fmt: skip
    await execute(
        conn,
        "UPDATE suppressions SET reason = '' WHERE workspace_id = $1 AND contact_id = ANY ($2::uuid[])",
        workspace_id, list(contact_ids),
    )  # fmt: skip
