"""The only SQL on inbound: raw facts as the providers said them, written once, read by the replies slice."""

from uuid import UUID

from iglayers.core.db import Connection, execute, row
from iglayers.core.ids import ContactId, WorkspaceId, uuid7_block
from iglayers.senders.model import Inbound, Received


async def insert(conn: Connection, received: list[Received]) -> int:
    """Store facts that are new; one that came before is ignored. The number stored.

    Sorted, so that two calls with the same facts meet them in one order.
    """
    received = sorted(received, key=lambda each: (each.sender_id.bytes, each.fact.provider_key))
    return await execute(conn, """
        INSERT INTO inbound (id, workspace_id, sender_id, provider_key, kind, fact, occurred_at)
        SELECT each.id, each.workspace_id, each.sender_id, each.provider_key, each.kind, each.fact, each.occurred_at
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::jsonb[], $7::timestamptz[])
            AS each (id, workspace_id, sender_id, provider_key, kind, fact, occurred_at)
        ON CONFLICT (sender_id, provider_key) DO NOTHING
    """, uuid7_block(len(received)), [each.workspace_id for each in received], [each.sender_id for each in received],
        [each.fact.provider_key for each in received], [each.fact.kind for each in received],
        [each.fact.fact for each in received], [each.fact.occurred_at for each in received])  # fmt: skip


async def take(conn: Connection) -> Inbound | None:
    """The oldest fact that nobody has read or is reading, locked; one that failed waits its time."""
    return await row(conn, Inbound, """
        SELECT id, workspace_id, sender_id, provider_key, kind, fact, occurred_at
        FROM inbound
        WHERE processed_at IS NULL AND (not_before IS NULL OR not_before <= clock_timestamp())
        ORDER BY id
        LIMIT 1
        FOR UPDATE SKIP LOCKED
    """)  # fmt: skip


async def put_back(conn: Connection, workspace_id: WorkspaceId, inbound_id: UUID) -> None:
    """Could not be read: again in 1 s, then 2, 4, … up to an hour; never lost."""
    await execute(conn, """
        UPDATE inbound
        SET failures = least(failures + 1, 100),
            not_before = clock_timestamp() + least(interval '1 hour', interval '1 second' * 2 ^ least(failures, 12))
        WHERE workspace_id = $1 AND id = $2
    """, workspace_id, inbound_id)  # fmt: skip


async def mark_processed(
    conn: Connection, workspace_id: WorkspaceId, inbound_id: UUID, *, contact_id: ContactId | None
) -> None:
    """Read; the contact stands beside it so that erasure finds it."""
    await execute(conn, """
        UPDATE inbound
        SET processed_at = clock_timestamp(), contact_id = $3
        WHERE workspace_id = $1 AND id = $2
    """, workspace_id, inbound_id, contact_id)  # fmt: skip


async def erase(conn: Connection, workspace_id: WorkspaceId, contact_ids: list[ContactId]) -> None:
    """What came in from these people, and the threads with them; the providers' keys stay, so nothing is read twice."""
    await execute(conn, """
        UPDATE inbound SET fact = '{}', processed_at = coalesce(processed_at, clock_timestamp())
        WHERE workspace_id = $1 AND contact_id = ANY ($2)
    """, workspace_id, contact_ids)  # fmt: skip
    await execute(
        conn, "DELETE FROM conversations WHERE workspace_id = $1 AND contact_id = ANY ($2)", workspace_id, contact_ids
    )


async def move(conn: Connection, workspace_id: WorkspaceId, *, gone: ContactId, kept: ContactId) -> None:
    """The threads with one locked person are with the other, but where a sender has one with each."""
    await execute(conn, """
        UPDATE conversations v SET contact_id = $3
        WHERE v.workspace_id = $1 AND v.contact_id = $2
          AND NOT EXISTS (
              SELECT FROM conversations other
              WHERE other.workspace_id = $1 AND other.sender_id = v.sender_id AND other.contact_id = $3)
    """, workspace_id, gone, kept)  # fmt: skip
