"""The only SQL on contacts and suppressions."""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from iglayers.contacts.model import ContactRow, Gone, MergedMeanwhile, Suppression
from iglayers.contacts.usernames import handle_hash
from iglayers.core.db import Connection, execute, plain, row, rows, stream, value
from iglayers.core.ids import ClientId, ContactId, SuppressionId, WorkspaceId


class NewSuppression(msgspec.Struct, frozen=True, kw_only=True):
    """A suppression to be written."""

    id: UUID
    contact_id: ContactId
    client_id: ClientId | None
    reason: str
    source: str
    expires_at: datetime | None


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What a suppression became: a repeat keeps its id."""

    id: SuppressionId
    contact_id: ContactId
    client_id: ClientId | None
    username: str | None
    reason: str
    source: str
    expires_at: datetime | None
    created_at: datetime
    is_new: bool


async def upsert_many(
    conn: Connection,
    workspace_id: WorkspaceId,
    *,
    ids: list[UUID],
    hashes: list[bytes],
    usernames: list[str],
    now: datetime,
) -> list[ContactRow]:
    """The contacts of these handles, in the order given; unknown ones are inserted, forgotten ones known again.

    At most 10,000 at a time. None of them is forgotten before the transaction ends.
    """
    made = await conn.fetch("""
        INSERT INTO contacts (id, workspace_id, handle_hash, username, created_at)
        SELECT id, $1, handle_hash, username, $5
        FROM unnest($2::uuid[], $3::bytea[], $4::text[]) AS asked (id, handle_hash, username)
        -- Everybody inserts in one order, so that two uploads of the same people wait and never deadlock.
        ORDER BY handle_hash
        ON CONFLICT (workspace_id, handle_hash) DO NOTHING
        RETURNING id, handle_hash, username
    """, workspace_id, ids, hashes, usernames, now)  # fmt: skip
    known = {each[1]: ContactRow(ContactId(each[0]), each[1], each[2]) for each in made}
    # A statement of its own: only a new snapshot sees what another upload committed while this one waited.
    if left := [digest for digest in hashes if digest not in known]:
        await _keep(conn, workspace_id, left)
        known |= {each.handle_hash: each for each in await by_hashes(conn, workspace_id, left)}
        if forgotten := [each.id for each in known.values() if each.is_forgotten]:
            await _recall(conn, workspace_id, forgotten, hashes=hashes, usernames=usernames)
            known |= {each.handle_hash: each for each in await by_hashes(conn, workspace_id, left)}
    return [known[digest] for digest in hashes]


async def _keep(conn: Connection, workspace_id: WorkspaceId, hashes: list[bytes]) -> None:
    """Retention passes over these until the transaction ends; nobody else is held up."""
    await execute(conn, """
        SELECT FROM contacts
        WHERE workspace_id = $1 AND handle_hash = ANY ($2::bytea[])
        ORDER BY handle_hash
        FOR KEY SHARE
    """, workspace_id, hashes)  # fmt: skip


async def _recall(
    conn: Connection, workspace_id: WorkspaceId, people: list[ContactId], *, hashes: list[bytes], usernames: list[str]
) -> None:
    """Forgotten people have names again: their own, or the older handle that they are named by, if that is all."""
    await lock(conn, workspace_id, people)
    await execute(conn, """
        WITH named AS (
            SELECT DISTINCT ON (person_id) coalesce(asked.merged_into, asked.id) AS person_id, given.username
            FROM unnest($3::bytea[], $4::text[]) AS given (handle_hash, username)
            JOIN contacts asked ON asked.workspace_id = $1 AND asked.handle_hash = given.handle_hash
            ORDER BY person_id, asked.merged_into IS NOT NULL
        )
        UPDATE contacts k SET username = named.username, forgotten_at = NULL
        FROM named
        WHERE k.id = named.person_id AND k.id = ANY ($2::uuid[]) AND k.forgotten_at IS NOT NULL
    """, workspace_id, people, hashes, usernames)  # fmt: skip


async def by_hashes(conn: Connection, workspace_id: WorkspaceId, hashes: Sequence[bytes]) -> list[ContactRow]:
    """The known ones of these handles, in no order; a merge leaves one step to follow, never two."""
    found = await conn.fetch("""
        SELECT coalesce(kept.id, asked.id) AS id, asked.handle_hash,
               CASE WHEN kept.id IS NULL THEN asked.username ELSE kept.username END AS username,
               CASE WHEN kept.id IS NULL THEN asked.forgotten_at ELSE kept.forgotten_at END IS NOT NULL AS is_forgotten
        FROM contacts asked
        LEFT JOIN contacts kept ON kept.id = asked.merged_into
        WHERE asked.workspace_id = $1 AND asked.handle_hash = ANY($2::bytea[])
    """, workspace_id, list(hashes))  # fmt: skip
    return [ContactRow(ContactId(each[0]), each[1], each[2], each[3]) for each in found]


async def by_hash(conn: Connection, workspace_id: WorkspaceId, digest: bytes) -> ContactRow | None:
    """The person behind one handle."""
    found = await by_hashes(conn, workspace_id, [digest])
    return found[0] if found else None


async def by_username(
    conn: Connection, workspace_id: WorkspaceId, username: str, *, pepper: bytes
) -> ContactRow | None:
    """The person behind one canonical username; also an erased one, whose hash is kept."""
    return await by_hash(conn, workspace_id, handle_hash(pepper, username))


async def by_id(conn: Connection, workspace_id: WorkspaceId, contact_id: ContactId) -> ContactRow | None:
    """One person, by the id of the contact that is left after merges."""
    return await row(conn, ContactRow, """
        SELECT id, handle_hash, username FROM contacts WHERE workspace_id = $1 AND id = $2
    """, workspace_id, contact_id)  # fmt: skip


async def lock(conn: Connection, workspace_id: WorkspaceId, contact_ids: Sequence[ContactId]) -> None:
    """Hold these people until the transaction ends, in the order of every bulk statement.

    MergedMeanwhile if one of them is by now somebody else, who is not held: what is written for them would be lost.
    """
    found = await conn.fetch("""
        SELECT merged_into
        FROM contacts
        WHERE workspace_id = $1 AND id = ANY($2::uuid[])
        ORDER BY handle_hash
        FOR NO KEY UPDATE
    """, *plain([workspace_id, list(contact_ids)]))  # fmt: skip
    if {each[0] for each in found} - {None, *(each.uuid for each in contact_ids)}:
        raise MergedMeanwhile("This person was merged with another handle just now.")


async def suppressed_among(
    conn: Connection, workspace_id: WorkspaceId, contact_ids: Sequence[ContactId | UUID],
    client_id: ClientId | None, now: datetime,
) -> set[UUID]:  # fmt: skip
    """Who of these must not be written to for this client at `now`, the workspace's time."""
    found = await conn.fetch("""
        SELECT contact_id
        FROM suppressions
        WHERE workspace_id = $1 AND contact_id = ANY($2::uuid[])
          AND (client_id IS NULL OR client_id = $3)
          AND (expires_at IS NULL OR expires_at > $4)
    """, workspace_id, list(contact_ids), client_id, now)  # fmt: skip
    return {each[0] for each in found}


async def suppress(
    conn: Connection, workspace_id: WorkspaceId, new: Sequence[NewSuppression], *, now: datetime
) -> list[Written]:
    """Write suppressions of people who are locked, each person and client once; a repeat changes the old row."""
    return await rows(conn, Written, """
        WITH written AS (
            INSERT INTO suppressions AS old
                (id, workspace_id, contact_id, client_id, reason, source, expires_at, created_at)
            SELECT id, $1, contact_id, client_id, reason, source, expires_at, $8
            FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::timestamptz[])
                 AS asked (id, contact_id, client_id, reason, source, expires_at)
            ON CONFLICT (workspace_id, contact_id, client_id) DO UPDATE SET
                -- What the person asked for is not weakened by a list.
                (reason, source, expires_at) = (
                    SELECT CASE WHEN stays THEN old.reason ELSE excluded.reason END,
                           CASE WHEN stays THEN old.source ELSE excluded.source END,
                           CASE WHEN stays THEN old.expires_at ELSE excluded.expires_at END
                    FROM (SELECT old.source = 'erasure'
                              OR (old.source = 'opt_out' AND excluded.source NOT IN ('opt_out', 'erasure'))
                              AS stays) AS rule
                )
            RETURNING id, contact_id, client_id, reason, source, expires_at, created_at
        )
        SELECT w.id, w.contact_id, w.client_id, c.username, w.reason, w.source, w.expires_at, w.created_at,
               w.id = ANY($2::uuid[]) AS is_new
        FROM written w
        JOIN contacts c ON c.id = w.contact_id
    """, workspace_id, [each.id for each in new], [each.contact_id for each in new],
        [each.client_id for each in new], [each.reason for each in new],
        [each.source for each in new], [each.expires_at for each in new], now)  # fmt: skip


async def of_contact(conn: Connection, workspace_id: WorkspaceId, contact_id: ContactId) -> list[Suppression]:
    """All suppressions of one person, expired ones too."""
    return await rows(conn, Suppression, """
        SELECT s.id, c.username, s.client_id, s.reason, s.source, s.expires_at, s.created_at
        FROM suppressions s
        JOIN contacts c ON c.id = s.contact_id
        WHERE s.workspace_id = $1 AND s.contact_id = $2
    """, workspace_id, contact_id)  # fmt: skip


async def delete(conn: Connection, workspace_id: WorkspaceId, suppression_id: SuppressionId) -> None:
    """Lift one suppression."""
    await execute(conn, "DELETE FROM suppressions WHERE workspace_id = $1 AND id = $2", workspace_id, suppression_id)


async def page(  # noqa: PLR0913 the filters of a list
    conn: Connection,
    workspace_id: WorkspaceId,
    *,
    client_id: ClientId | None,
    contact_id: ContactId | None,
    now: datetime,
    before: SuppressionId | None,
    limit: int,
) -> list[Suppression]:
    """Suppressions in force, newest first."""
    return await rows(conn, Suppression, """
        SELECT s.id, c.username, s.client_id, s.reason, s.source, s.expires_at, s.created_at
        FROM suppressions s
        JOIN contacts c ON c.id = s.contact_id
        WHERE s.workspace_id = $1
          AND ($2::uuid IS NULL OR s.client_id = $2)
          AND ($3::uuid IS NULL OR s.contact_id = $3)
          AND (s.expires_at IS NULL OR s.expires_at > $4)
          AND ($5::uuid IS NULL OR s.id < $5)
        ORDER BY s.id DESC
        LIMIT $6
    """, workspace_id, client_id, contact_id, now, before, limit)  # fmt: skip


def every(
    conn: Connection, workspace_id: WorkspaceId, *, client_id: ClientId | None, contact_id: ContactId | None,
    now: datetime,
) -> AsyncGenerator[Suppression, None]:  # fmt: skip
    """All suppressions in force of people who have a name, newest first, one by one; needs a transaction."""
    return stream(conn, Suppression, """
        SELECT s.id, c.username, s.client_id, s.reason, s.source, s.expires_at, s.created_at
        FROM suppressions s
        JOIN contacts c ON c.id = s.contact_id
        WHERE s.workspace_id = $1 AND c.username IS NOT NULL
          AND ($2::uuid IS NULL OR s.client_id = $2)
          AND ($3::uuid IS NULL OR s.contact_id = $3)
          AND (s.expires_at IS NULL OR s.expires_at > $4)
        ORDER BY s.id DESC
    """, workspace_id, client_id, contact_id, now)  # fmt: skip


async def handles(conn: Connection, workspace_id: WorkspaceId, contact_id: ContactId) -> list[ContactRow]:
    """A person under every handle that was merged into theirs, their own first."""
    return await rows(conn, ContactRow, """
        SELECT id, handle_hash, username, forgotten_at IS NOT NULL AS is_forgotten
        FROM contacts
        WHERE workspace_id = $1 AND (id = $2 OR merged_into = $2)
        ORDER BY id <> $2, id
    """, workspace_id, contact_id)  # fmt: skip


async def gone(conn: Connection, workspace_id: WorkspaceId, contact_id: ContactId) -> Gone:
    """When a known person's data was erased, or was forgotten by retention."""
    found = await row(
        conn, Gone, "SELECT erased_at, forgotten_at FROM contacts WHERE workspace_id = $1 AND id = $2",
        workspace_id, contact_id,
    )  # fmt: skip
    assert found is not None
    return found


async def erase(conn: Connection, workspace_id: WorkspaceId, contact_ids: Sequence[ContactId], *, at: datetime) -> None:
    """Leave nothing of these locked people but the hashes of their handles, and reasons that name nobody."""
    await execute(conn, """
        UPDATE contacts
        SET username = NULL, instagram_id = NULL, erased_at = coalesce(erased_at, $3), forgotten_at = NULL
        WHERE workspace_id = $1 AND id = ANY ($2::uuid[])
    """, workspace_id, list(contact_ids), at)  # fmt: skip
    await execute(
        conn,
        "UPDATE suppressions SET reason = '' WHERE workspace_id = $1 AND contact_id = ANY ($2::uuid[])",
        workspace_id, list(contact_ids),
    )  # fmt: skip


async def merge(conn: Connection, workspace_id: WorkspaceId, *, gone: ContactId, kept: ContactId) -> None:
    """One locked person is from now on the other, with every handle that was merged into theirs."""
    await execute(conn, """
        UPDATE contacts SET merged_into = $3 WHERE workspace_id = $1 AND (id = $2 OR merged_into = $2)
    """, workspace_id, gone, kept)  # fmt: skip


async def move_suppressions(conn: Connection, workspace_id: WorkspaceId, *, gone: ContactId, kept: ContactId) -> int:
    """What holds for either locked person holds for the one who is left; the number of suppressions moved.

    Of two for the same client the longer one holds, and what the person asked for is not weakened by a list.
    """
    return await value(conn, """
        WITH gone AS MATERIALIZED (
            DELETE FROM suppressions WHERE workspace_id = $1 AND contact_id = $2
            RETURNING id, client_id, reason, source, expires_at, created_at
        ), written AS (
            INSERT INTO suppressions AS old
                (id, workspace_id, contact_id, client_id, reason, source, expires_at, created_at)
            SELECT id, $1, $3, client_id, reason, source, expires_at, created_at FROM gone
            ON CONFLICT (workspace_id, contact_id, client_id) DO UPDATE SET
                (reason, source) = (
                    SELECT CASE WHEN stays THEN old.reason ELSE excluded.reason END,
                           CASE WHEN stays THEN old.source ELSE excluded.source END
                    FROM (SELECT CASE
                              WHEN (old.source = 'opt_out') <> (excluded.source = 'opt_out') THEN old.source = 'opt_out'
                              ELSE coalesce(old.expires_at, 'infinity') >= coalesce(excluded.expires_at, 'infinity')
                          END AS stays) AS rule),
                expires_at = nullif(greatest(
                    coalesce(old.expires_at, 'infinity'), coalesce(excluded.expires_at, 'infinity')), 'infinity')
        )
        SELECT count(*)::int FROM gone
    """, workspace_id, gone, kept)  # fmt: skip


async def rename(conn: Connection, workspace_id: WorkspaceId, gone: ContactRow, *, into: ContactRow) -> None:
    """One person under two handles, both locked: `into` takes the newer handle, of `gone`, which keeps the older one.

    Both handles mean `into` from now on. What suppresses one suppresses the person.
    """
    await execute(conn, """
        INSERT INTO suppressions (id, workspace_id, contact_id, client_id, reason, source, expires_at, created_at)
        SELECT gen_random_uuid(), workspace_id, $3, client_id, reason, source, expires_at, created_at
        FROM suppressions
        WHERE workspace_id = $1 AND contact_id = $2
        ON CONFLICT (workspace_id, contact_id, client_id) DO NOTHING
    """, workspace_id, gone.id, into.id)  # fmt: skip
    # The hashes change places, one row at a time: each is unique at every moment.
    for contact_id, digest, username, target in (
        (gone.id, b"merging" + gone.handle_hash, into.username, into.id),
        (into.id, gone.handle_hash, gone.username, None),
        (gone.id, into.handle_hash, into.username, into.id),
    ):
        await execute(conn, """
            UPDATE contacts SET handle_hash = $3, username = $4, merged_into = $5 WHERE workspace_id = $1 AND id = $2
        """, workspace_id, contact_id, digest, username, target)  # fmt: skip
    # A merge leaves one step to follow, never two.
    await execute(
        conn,
        "UPDATE contacts SET merged_into = $3 WHERE workspace_id = $1 AND merged_into = $2",
        workspace_id, gone.id, into.id,
    )  # fmt: skip
