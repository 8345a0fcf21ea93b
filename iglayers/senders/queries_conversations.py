"""The only SQL on conversations: an account's thread with one person, by Instagram's id or by the contact.

Lock order: contacts before conversations, conversations before facts that were read already.
"""

from datetime import datetime, timedelta
from typing import LiteralString

import msgspec

from iglayers.core.clock import Moment
from iglayers.core.db import Connection, execute, row, rows, value
from iglayers.core.ids import ContactId, ConversationId, SenderId, WorkspaceId
from iglayers.senders.model import Comment

# After the last word of a person, and after a comment; Instagram's own.
WINDOW = timedelta(hours=24)
COMMENT_OPEN = timedelta(days=7)


class Thread(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a thread is with, as far as that is known."""

    id: ConversationId
    sender_id: SenderId
    igsid: str | None
    contact_id: ContactId | None
    username: str | None


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """What a person did, in the workspace's time. Words open the window; a comment opens one private reply."""

    at: datetime
    is_word: bool = False
    opens: bool = True  # not where a person writes by hand, to whom no window applies
    comment: Comment | None = None


class Unnamed(msgspec.Struct, frozen=True, kw_only=True):
    """A thread of which nobody knows yet whom it is with, and its account."""

    id: ConversationId
    workspace_id: WorkspaceId
    sender_id: SenderId
    igsid: str
    tries: int


async def by_igsid(conn: Connection, workspace_id: WorkspaceId, sender_id: SenderId, igsid: str) -> Thread | None:
    """The thread with the person of this id; nothing is locked."""
    return await row(conn, Thread, """
        SELECT id, sender_id, igsid, contact_id, username FROM conversations
        WHERE workspace_id = $1 AND sender_id = $2 AND igsid = $3
    """, workspace_id, sender_id, igsid)  # fmt: skip


async def of_contact(
    conn: Connection, workspace_id: WorkspaceId, sender_id: SenderId, contact_id: ContactId
) -> Thread | None:
    """The thread with this contact, locked."""
    return await row(conn, Thread, """
        SELECT id, sender_id, igsid, contact_id, username FROM conversations
        WHERE workspace_id = $1 AND sender_id = $2 AND contact_id = $3
        FOR UPDATE
    """, workspace_id, sender_id, contact_id)  # fmt: skip


async def note_by_igsid(
    conn: Connection, workspace_id: WorkspaceId, sender_id: SenderId, igsid: str, act: Act, *, now: datetime
) -> Thread:
    """Keep what a person did, in any order, any number of times; the thread is locked, and begins with it.

    Who has spoken has consented to be asked for: an unknown name is due again.
    """
    thread = await row(conn, Thread, _NOTE_BY_IGSID, *_noted(workspace_id, sender_id, act, now), igsid)
    assert thread is not None
    return thread


async def note_by_contact(  # noqa: PLR0913 the two keys of a thread, and what happened
    conn: Connection, workspace_id: WorkspaceId, sender_id: SenderId, contact_id: ContactId, act: Act, *,
    username: str | None, now: datetime,
) -> None:  # fmt: skip
    """The same for a provider that tells names."""
    await execute(conn, _NOTE_BY_CONTACT, *_noted(workspace_id, sender_id, act, now), contact_id, username)


def _noted(workspace_id: WorkspaceId, sender_id: SenderId, act: Act, now: datetime) -> list[object]:
    """The first eight arguments of both statements."""
    comments: list[dict[str, object]] = []
    if act.comment is not None:
        comments = [{"id": act.comment.id, "at": Moment.of(act.comment.at).rfc3339(), "mediaId": act.comment.media_id}]
    return [
        ConversationId.new(), workspace_id, sender_id, now, act.at + WINDOW if act.is_word and act.opens else None,
        act.at if act.is_word else None, comments, now - COMMENT_OPEN,
    ]  # fmt: skip


async def tie(
    conn: Connection, workspace_id: WorkspaceId, thread_id: ConversationId, *, contact_id: ContactId,
    username: str | None,
) -> None:  # fmt: skip
    """From now on the thread is this contact's."""
    await execute(conn, """
        UPDATE conversations SET contact_id = $3, username = $4, name_due_at = NULL
        WHERE workspace_id = $1 AND id = $2
    """, workspace_id, thread_id, contact_id, username)  # fmt: skip


async def absorb(conn: Connection, workspace_id: WorkspaceId, kept: ConversationId, gone: ConversationId) -> None:
    """Make one thread of two that turn out to be the same; the one that is left keeps its ids."""
    await execute(conn, """
        WITH gone AS (
            DELETE FROM conversations WHERE workspace_id = $1 AND id = $3
            RETURNING window_ends_at, last_inbound_at, comments
        )
        UPDATE conversations c
        SET window_ends_at = greatest(c.window_ends_at, gone.window_ends_at),
            last_inbound_at = greatest(c.last_inbound_at, gone.last_inbound_at),
            comments = c.comments || gone.comments
        FROM gone
        WHERE c.workspace_id = $1 AND c.id = $2
    """, workspace_id, kept, gone)  # fmt: skip


async def name(conn: Connection, workspace_id: WorkspaceId, thread_id: ConversationId, *, username: str) -> None:
    """What Instagram calls the person now, where that ties the thread to nobody."""
    await execute(conn, """
        UPDATE conversations SET username = $3, name_due_at = NULL WHERE workspace_id = $1 AND id = $2
    """, workspace_id, thread_id, username)  # fmt: skip


async def ask_again(conn: Connection, workspace_id: WorkspaceId, thread_id: ConversationId) -> None:
    """The name that is known may be somebody else's by now."""
    await execute(conn, """
        UPDATE conversations SET name_due_at = clock_timestamp(), name_tries = 0 WHERE workspace_id = $1 AND id = $2
    """, workspace_id, thread_id)  # fmt: skip


async def are_two_people(
    conn: Connection, workspace_id: WorkspaceId, contact_id: ContactId, other_id: ContactId
) -> bool:
    """Whether one account has a thread with each of them: then they are no one person under two handles."""
    return await value(conn, """
        SELECT EXISTS (
            SELECT FROM conversations one
            JOIN conversations two ON two.workspace_id = $1 AND two.sender_id = one.sender_id AND two.contact_id = $3
            WHERE one.workspace_id = $1 AND one.contact_id = $2 AND one.igsid <> two.igsid)
    """, workspace_id, contact_id, other_id)  # fmt: skip


async def move(conn: Connection, workspace_id: WorkspaceId, gone: ContactId, kept: ContactId) -> None:
    """The threads of a contact that was merged; where an account has one with both, the one by Instagram's id stays.

    A second one by another id stays too, as nobody's: the contact is written to in the first.
    """
    await execute(conn, """
        DELETE FROM conversations c
        USING conversations other
        WHERE c.workspace_id = $1 AND other.workspace_id = $1 AND other.sender_id = c.sender_id
          AND ((c.contact_id = $2 AND other.contact_id = $3 AND c.igsid IS NULL)
               OR (c.contact_id = $3 AND other.contact_id = $2 AND c.igsid IS NULL AND other.igsid IS NOT NULL))
    """, workspace_id, gone, kept)  # fmt: skip
    await execute(conn, """
        UPDATE conversations c
        SET contact_id = CASE WHEN EXISTS (
            SELECT FROM conversations other
            WHERE other.workspace_id = $1 AND other.sender_id = c.sender_id AND other.contact_id = $3
        ) THEN NULL ELSE $3::uuid END
        WHERE c.workspace_id = $1 AND c.contact_id = $2
    """, workspace_id, gone, kept)  # fmt: skip


async def hold_of(
    conn: Connection, workspace_id: WorkspaceId, contact_ids: list[ContactId], usernames: list[str]
) -> list[Thread]:
    """The threads with these people, locked; also a second one of an account with this name, which is nobody's yet."""
    return await rows(conn, Thread, """
        SELECT id, sender_id, igsid, contact_id, username FROM conversations
        WHERE workspace_id = $1 AND (contact_id = ANY ($2) OR (contact_id IS NULL AND username = ANY ($3)))
        ORDER BY id
        FOR UPDATE
    """, workspace_id, contact_ids, usernames)  # fmt: skip


async def erase(conn: Connection, workspace_id: WorkspaceId, threads: list[Thread]) -> None:
    await execute(conn, """
        DELETE FROM conversations WHERE workspace_id = $1 AND id = ANY ($2)
    """, workspace_id, [each.id for each in threads])  # fmt: skip


async def take_unnamed(conn: Connection, *, lease_s: float) -> list[Unnamed]:
    """Threads whose person Instagram is to be asked for, one of each account; nobody else asks until the lease ends."""
    return await rows(conn, Unnamed, """
        WITH due AS (
            SELECT c.id, c.sender_id
            FROM conversations c
            WHERE c.name_due_at <= clock_timestamp() AND c.igsid IS NOT NULL
            ORDER BY c.name_due_at
            LIMIT 200
            FOR UPDATE OF c SKIP LOCKED
        ), one AS (
            SELECT DISTINCT ON (sender_id) id FROM due ORDER BY sender_id, id
        )
        UPDATE conversations c
        SET name_due_at = clock_timestamp() + make_interval(secs => $1), name_tries = least(c.name_tries + 1, 1000)
        FROM one
        WHERE c.id = one.id
        RETURNING c.id, c.workspace_id, c.sender_id, c.igsid, c.name_tries AS tries
    """, lease_s)  # fmt: skip


async def put_off_name(
    conn: Connection, workspace_id: WorkspaceId, thread_id: ConversationId, *, again_in_s: float | None
) -> None:
    """When Instagram is asked again; None: not before the person speaks."""
    await execute(conn, """
        UPDATE conversations SET name_due_at = clock_timestamp() + make_interval(secs => $3)
        WHERE workspace_id = $1 AND id = $2 AND contact_id IS NULL
    """, workspace_id, thread_id, again_in_s)  # fmt: skip


# Late facts move nothing back: greatest() passes over what is unknown. A comment stands once, until its time is over.
_KEEP: LiteralString = """
    DO UPDATE SET
        window_ends_at = greatest(c.window_ends_at, excluded.window_ends_at),
        last_inbound_at = greatest(c.last_inbound_at, excluded.last_inbound_at),
        comments = CASE WHEN excluded.comments = '[]' THEN c.comments ELSE (
            SELECT coalesce(jsonb_agg(each.comment ORDER BY each.comment ->> 'at'), '[]')
            FROM (
                SELECT once.comment
                FROM (
                    SELECT DISTINCT ON (held.comment ->> 'id') held.comment
                    FROM jsonb_array_elements(c.comments || excluded.comments) WITH ORDINALITY AS held (comment, place)
                    ORDER BY held.comment ->> 'id', held.place
                ) AS once
                WHERE (once.comment ->> 'at')::timestamptz > $8
                ORDER BY once.comment ->> 'at' DESC
                LIMIT 20
            ) AS each) END,
"""

_NOTE_BY_IGSID: LiteralString = (
    """
    INSERT INTO conversations AS c
        (id, workspace_id, sender_id, igsid, window_ends_at, last_inbound_at, comments, name_due_at, created_at)
    VALUES ($1, $2, $3, $9, $5::timestamptz, $6::timestamptz,
            CASE WHEN $7::jsonb -> 0 ->> 'at' IS NULL OR ($7 -> 0 ->> 'at')::timestamptz > $8 THEN $7 ELSE '[]' END,
            clock_timestamp(), $4)
    ON CONFLICT (sender_id, igsid)
"""
    + _KEEP
    + """
        name_due_at = CASE WHEN c.contact_id IS NULL AND c.username IS NULL AND $6 IS NOT NULL
                           THEN coalesce(c.name_due_at, clock_timestamp()) ELSE c.name_due_at END,
        name_tries = CASE WHEN c.name_due_at IS NULL THEN 0 ELSE c.name_tries END
    RETURNING id, sender_id, igsid, contact_id, username
"""
)

_NOTE_BY_CONTACT: LiteralString = (
    """
    INSERT INTO conversations AS c
        (id, workspace_id, sender_id, contact_id, username, window_ends_at, last_inbound_at, comments, created_at)
    VALUES ($1, $2, $3, $9, $10, $5::timestamptz, $6::timestamptz, $7::jsonb, $4)
    ON CONFLICT (sender_id, contact_id)
"""
    + _KEEP
    + """
        username = excluded.username
"""
)
