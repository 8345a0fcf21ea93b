"""The only SQL on inbound: raw facts as the providers said them, written once, read by the replies slice."""

from uuid import UUID

import msgspec

from iglayers.core.clock import Moment
from iglayers.core.db import Connection, execute, plain, row, rows
from iglayers.core.ids import ContactId, SenderId, WorkspaceId, uuid7_block
from iglayers.senders.model import Inbound, Received
from iglayers.senders.queries_conversations import Thread


class Holder(msgspec.Struct, frozen=True):
    """A workspace that has an Instagram account as its sender."""

    sender_id: SenderId
    workspace_id: WorkspaceId
    instagram_id: str


class TextState(msgspec.Struct, frozen=True, kw_only=True):
    """What edits and a deletion say about one message, whatever came first."""

    inbound_id: UUID | None  # of the message itself; None while it has not come
    is_unread: bool  # and will be
    is_deleted: bool
    edited_text: str | None  # of the newest edit
    edited_at: Moment | None


async def holders(conn: Connection, instagram_ids: list[str]) -> list[Holder]:
    """The senders that are these accounts, in all workspaces; deleted ones too, whose threads go on."""
    return await rows(conn, Holder, """
        SELECT id AS sender_id, workspace_id, instagram_id FROM senders WHERE instagram_id = ANY ($1)
    """, instagram_ids)  # fmt: skip


async def insert(conn: Connection, received: list[Received]) -> int:
    """Store facts that are new; one that came before is ignored. The number stored.

    They are read in the order in which they happened, and written in one order, so that two calls with the same facts
    wait for each other and never deadlock.
    """
    received = sorted(received, key=lambda each: each.fact.occurred_at)
    return await execute(conn, """
        INSERT INTO inbound (id, workspace_id, sender_id, provider_key, kind, fact, occurred_at)
        SELECT each.id, each.workspace_id, each.sender_id, each.provider_key, each.kind, each.fact, each.occurred_at
        FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::jsonb[], $7::timestamptz[])
            AS each (id, workspace_id, sender_id, provider_key, kind, fact, occurred_at)
        ORDER BY each.sender_id, each.provider_key
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


async def put_off(conn: Connection, workspace_id: WorkspaceId, inbound_id: UUID, *, seconds: float) -> None:
    """Waits for something else to be known first, which is no failure."""
    await execute(conn, """
        UPDATE inbound SET not_before = clock_timestamp() + make_interval(secs => $3)
        WHERE workspace_id = $1 AND id = $2
    """, workspace_id, inbound_id, seconds)  # fmt: skip


async def read_again(conn: Connection, workspace_id: WorkspaceId, sender_id: SenderId, igsid: str) -> int:
    """What was read of a person before the name was known. The caller holds the thread."""
    return await execute(conn, """
        UPDATE inbound SET processed_at = NULL, not_before = NULL
        WHERE workspace_id = $1 AND sender_id = $2 AND fact ->> 'igsid' = $3
          AND contact_id IS NULL AND processed_at IS NOT NULL
    """, workspace_id, sender_id, igsid)  # fmt: skip


async def text_state(
    conn: Connection, workspace_id: WorkspaceId, sender_id: SenderId, *, key: str, deletion_key: str, edit_keys: str
) -> TextState:  # fmt: skip
    """What is known of a message's text. `edit_keys` is what the keys of its edits begin with."""
    found = await row(conn, TextState, """
        SELECT message.id AS inbound_id,
               -- One that failed again and again is no reason to keep what was unsent.
               coalesce(message.processed_at IS NULL AND message.failures < 3, false) AS is_unread,
               EXISTS (
                   SELECT FROM inbound WHERE workspace_id = $1 AND sender_id = $2 AND provider_key = $4) AS is_deleted,
               edit.fact ->> 'text' AS edited_text, edit.occurred_at AS edited_at
        FROM (SELECT) AS one
        LEFT JOIN (
            SELECT id, processed_at, failures FROM inbound
            WHERE workspace_id = $1 AND sender_id = $2 AND provider_key = $3
        ) AS message ON true
        LEFT JOIN (
            SELECT fact, occurred_at FROM inbound
            -- Keys in the order of bytes: a colon, the number, and ; is the byte after the colon.
            WHERE workspace_id = $1 AND sender_id = $2 AND provider_key > $5 AND provider_key < rtrim($5, ':') || ';'
            ORDER BY (fact ->> 'numEdit')::int DESC NULLS LAST
            LIMIT 1
        ) AS edit ON true
    """, workspace_id, sender_id, key, deletion_key, edit_keys)  # fmt: skip
    assert found is not None
    return found


async def forget_texts(
    conn: Connection, workspace_id: WorkspaceId, sender_id: SenderId, *, keys: list[str], edit_keys: str
) -> None:
    """What a message and its edits said, and nothing else: the message was unsent."""
    await execute(conn, """
        UPDATE inbound SET fact = fact - ARRAY['text', 'payload', 'referral']
        WHERE workspace_id = $1 AND sender_id = $2
          AND (provider_key = ANY ($3) OR (provider_key > $4 AND provider_key < rtrim($4, ':') || ';'))
    """, workspace_id, sender_id, keys, edit_keys)  # fmt: skip


async def mark_processed(
    conn: Connection, workspace_id: WorkspaceId, inbound_id: UUID, *, contact_id: ContactId | None
) -> None:
    """Read; the contact stands beside it so that erasure finds it."""
    await execute(conn, """
        UPDATE inbound
        SET processed_at = clock_timestamp(), contact_id = $3
        WHERE workspace_id = $1 AND id = $2
    """, workspace_id, inbound_id, contact_id)  # fmt: skip


async def unread_of(
    conn: Connection, workspace_id: WorkspaceId, contact_ids: list[ContactId], usernames: list[str]
) -> set[UUID | str]:
    """Those of these people, by contact or by name, of whom something came in that nobody has read yet."""
    found = await conn.fetch("""
        SELECT v.contact_id, coalesce(lower(i.fact ->> 'username'), v.username)
        FROM inbound i
        LEFT JOIN conversations v ON v.sender_id = i.sender_id AND v.igsid = i.fact ->> 'igsid'
        WHERE i.workspace_id = $1 AND i.processed_at IS NULL
          AND (v.contact_id = ANY ($2::uuid[]) OR v.username = ANY ($3::text[])
               OR lower(i.fact ->> 'username') = ANY ($3::text[]))
    """, *plain([workspace_id, contact_ids, usernames]))  # fmt: skip
    return {each for pair in found for each in pair if each is not None}


async def erase(
    conn: Connection, workspace_id: WorkspaceId, contact_ids: list[ContactId], usernames: list[str],
    threads: list[Thread],
) -> int:  # fmt: skip
    """What came in from these people, whose contacts and threads the caller holds; how much is being read just now.

    That is left as it is: who reads it waits for what the caller holds. The providers' keys stay, so nothing is read
    twice.
    """
    # What nobody has read yet is known by the name or the id in it alone.
    unread = await conn.fetch("""
        SELECT id FROM inbound
        WHERE workspace_id = $1 AND processed_at IS NULL
          AND (lower(fact ->> 'username') = ANY ($2::text[])
               OR EXISTS (SELECT FROM unnest($3::uuid[], $4::text[]) AS thread (sender_id, igsid)
                          WHERE thread.sender_id = inbound.sender_id AND thread.igsid = inbound.fact ->> 'igsid'))
    """, *plain([workspace_id, usernames, [each.sender_id for each in threads], [each.igsid for each in threads]])
    )  # fmt: skip
    ids = [each["id"] for each in unread]
    taken = await execute(conn, """
        UPDATE inbound SET fact = '{}', processed_at = clock_timestamp()
        WHERE workspace_id = $1 AND id IN (
            SELECT id FROM inbound WHERE id = ANY ($2) AND processed_at IS NULL FOR UPDATE SKIP LOCKED)
    """, workspace_id, ids)  # fmt: skip
    # Last, so that what was read between the two statements is among it.
    await execute(conn, """
        UPDATE inbound SET fact = '{}', processed_at = coalesce(processed_at, clock_timestamp())
        WHERE workspace_id = $1 AND contact_id = ANY ($2)
    """, workspace_id, contact_ids)  # fmt: skip
    return len(ids) - taken


async def drop_old(conn: Connection, *, limit: int) -> int:
    """Facts that were read and are older than their workspace keeps data: gone, or empty where a reply names them.

    Providers tell nothing again after so long, so the keys are not needed any more.
    """
    return await execute(conn, """
        WITH old AS (
            SELECT i.id, EXISTS (SELECT FROM replies r WHERE r.inbound_id = i.id) AS is_named
            FROM workspaces w
            JOIN inbound i ON i.workspace_id = w.id
            WHERE i.received_at < clock_timestamp() - make_interval(days => w.retention_days)
              AND i.processed_at IS NOT NULL AND i.fact <> '{}'
            LIMIT $1
        ), emptied AS (
            UPDATE inbound i SET fact = '{}' FROM old WHERE i.id = old.id AND old.is_named
        )
        DELETE FROM inbound i USING old WHERE i.id = old.id AND NOT old.is_named
    """, limit)  # fmt: skip
