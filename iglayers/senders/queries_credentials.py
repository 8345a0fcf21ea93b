"""The only SQL on sender_credentials and started logins; and on what an answer of Meta's shows at once."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from iglayers.core.db import Connection, execute, row, rows, value
from iglayers.core.ids import ContactId, SenderId, WorkspaceId


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """A sender's access as it is stored; times are real."""

    sender_id: SenderId
    workspace_id: WorkspaceId
    username: str
    instagram_id: str | None
    secret: bytes
    expires_at: datetime | None
    refreshed_at: datetime
    throttles: int
    throttled_at: datetime | None


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """A login that somebody has started, and what the sender is to be like."""

    workspace_id: WorkspaceId
    actor: str
    wanted: dict[str, Any]


async def of_sender(conn: Connection, workspace_id: WorkspaceId, sender_id: SenderId) -> Credential | None:
    return await row(conn, Credential, """
        SELECT c.sender_id, c.workspace_id, s.username, s.instagram_id, c.secret, c.expires_at, c.refreshed_at,
               c.throttles, c.throttled_at
        FROM sender_credentials c
        JOIN senders s ON s.id = c.sender_id
        WHERE c.workspace_id = $1 AND c.sender_id = $2
    """, workspace_id, sender_id)  # fmt: skip


async def of_message(conn: Connection, message_id: UUID) -> Credential | None:
    """The access of the sender that a message went out from."""
    return await row(conn, Credential, """
        SELECT c.sender_id, c.workspace_id, s.username, s.instagram_id, c.secret, c.expires_at, c.refreshed_at,
               c.throttles, c.throttled_at
        FROM messages m
        JOIN sender_credentials c ON c.workspace_id = m.workspace_id AND c.sender_id = m.sender_id
        JOIN senders s ON s.id = c.sender_id
        WHERE m.id = $1
    """, message_id)  # fmt: skip


async def keep(  # noqa: PLR0913 what a connection consists of
    conn: Connection, workspace_id: WorkspaceId, sender_id: SenderId, *, secret: bytes, instagram_id: str,
    app_scoped_id: str | None, expires_at: datetime | None, now: datetime,
) -> None:  # fmt: skip
    """The access of a sender, new or in the place of an older one."""
    await execute(conn, """
        INSERT INTO sender_credentials (sender_id, workspace_id, secret, app_scoped_id, expires_at, refreshed_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (sender_id) DO UPDATE
        SET secret = excluded.secret, app_scoped_id = excluded.app_scoped_id, expires_at = excluded.expires_at,
            refreshed_at = excluded.refreshed_at, tried_at = NULL, warned_at = NULL, throttles = 0, throttled_at = NULL
    """, sender_id, workspace_id, secret, app_scoped_id, expires_at, now)  # fmt: skip
    await execute(
        conn, "UPDATE senders SET instagram_id = $3 WHERE workspace_id = $1 AND id = $2",
        workspace_id, sender_id, instagram_id,
    )  # fmt: skip


async def refresh(conn: Connection, old: Credential, *, secret: bytes, expires_at: datetime, now: datetime) -> bool:
    """A younger token in the place of the one it was made from; False when that is no longer the one in use."""
    return bool(await execute(conn, """
        UPDATE sender_credentials
        SET secret = $4, expires_at = $5, refreshed_at = $6, warned_at = NULL
        WHERE workspace_id = $1 AND sender_id = $2 AND secret = $3
    """, old.workspace_id, old.sender_id, old.secret, secret, expires_at, now))  # fmt: skip


async def take_due(
    conn: Connection, *, older_than: datetime, not_tried_since: datetime, entered_before: datetime, now: datetime
) -> Credential | None:
    """The token that has waited longest for a refresh, marked as tried; one worker gets it.

    Of a token that somebody entered the age is not known: it is due once it was here for a while.
    """
    return await row(conn, Credential, """
        WITH due AS (
            SELECT c.sender_id
            FROM sender_credentials c
            JOIN senders s ON s.id = c.sender_id
            WHERE (c.refreshed_at <= $1 OR c.expires_at IS NULL AND c.refreshed_at <= $4)
              AND (c.tried_at IS NULL OR c.tried_at <= $2) AND s.archived_at IS NULL
              -- One that has ended cannot be refreshed; that is told once, and stops the sender.
              AND (c.expires_at IS NULL OR c.expires_at > $3 OR s.state IN ('active', 'paused'))
            ORDER BY c.refreshed_at
            LIMIT 1
            FOR NO KEY UPDATE OF c SKIP LOCKED
        )
        UPDATE sender_credentials c
        SET tried_at = $3
        FROM due, senders s
        WHERE c.sender_id = due.sender_id AND s.id = due.sender_id
        RETURNING c.sender_id, c.workspace_id, s.username, s.instagram_id, c.secret, c.expires_at, c.refreshed_at,
                  c.throttles, c.throttled_at
    """, older_than, not_tried_since, now, entered_before)  # fmt: skip


async def mark_warned(conn: Connection, credential: Credential, *, not_since: datetime, now: datetime) -> bool:
    """Somebody is told that this token grows old; False when that was told lately."""
    return bool(await execute(conn, """
        UPDATE sender_credentials
        SET warned_at = $4
        WHERE workspace_id = $1 AND sender_id = $2 AND (warned_at IS NULL OR warned_at <= $3)
    """, credential.workspace_id, credential.sender_id, not_since, now))  # fmt: skip


async def count_throttle(conn: Connection, credential: Credential, *, count: int, now: datetime) -> None:
    """How often in a row the account was throttled, for the next back-off."""
    await execute(conn, """
        UPDATE sender_credentials
        SET throttles = $3, throttled_at = $4
        WHERE workspace_id = $1 AND sender_id = $2
    """, credential.workspace_id, credential.sender_id, count, now)  # fmt: skip


async def of_account(conn: Connection, provider_id: str) -> list[Credential]:
    """The access to one Instagram account in every workspace, by either of its ids."""
    return await rows(conn, Credential, """
        SELECT c.sender_id, c.workspace_id, s.username, s.instagram_id, c.secret, c.expires_at, c.refreshed_at,
               c.throttles, c.throttled_at
        FROM sender_credentials c
        JOIN senders s ON s.id = c.sender_id
        WHERE c.app_scoped_id = $1 OR s.instagram_id = $1
        ORDER BY c.sender_id
    """, provider_id)  # fmt: skip


async def connected(conn: Connection) -> list[Credential]:
    """Every access of the installation, for its doctor."""
    return await rows(conn, Credential, """
        SELECT c.sender_id, c.workspace_id, s.username, s.instagram_id, c.secret, c.expires_at, c.refreshed_at,
               c.throttles, c.throttled_at
        FROM sender_credentials c
        JOIN senders s ON s.id = c.sender_id
        WHERE s.archived_at IS NULL
        ORDER BY c.sender_id
    """)  # fmt: skip


async def forget(conn: Connection, workspace_id: WorkspaceId, sender_id: SenderId) -> None:
    """The token is of no use any more, or must not be kept."""
    await execute(
        conn, "DELETE FROM sender_credentials WHERE workspace_id = $1 AND sender_id = $2", workspace_id, sender_id
    )


async def erase_account(conn: Connection, workspace_id: WorkspaceId, sender_id: SenderId) -> None:
    """What Meta told of an account and its conversations. The ledger stays, so that nobody is written to twice."""
    await forget(conn, workspace_id, sender_id)
    await execute(
        conn, "UPDATE senders SET instagram_id = NULL WHERE workspace_id = $1 AND id = $2", workspace_id, sender_id
    )
    await execute(conn, "DELETE FROM conversations WHERE workspace_id = $1 AND sender_id = $2", workspace_id, sender_id)
    # The providers' keys stay, so that nothing is read twice.
    await execute(conn, """
        UPDATE inbound SET fact = '{}', processed_at = coalesce(processed_at, clock_timestamp())
        WHERE workspace_id = $1 AND sender_id = $2
    """, workspace_id, sender_id)  # fmt: skip


async def sender_of_account(conn: Connection, workspace_id: WorkspaceId, instagram_id: str) -> SenderId | None:
    """The sender that is this Instagram account, under whatever name."""
    found = await value(conn, """
        SELECT id FROM senders WHERE workspace_id = $1 AND instagram_id = $2 ORDER BY archived_at NULLS FIRST LIMIT 1
    """, workspace_id, instagram_id)  # fmt: skip
    return None if found is None else SenderId(found)


async def account_of_sender(conn: Connection, workspace_id: WorkspaceId, sender_id: SenderId) -> str | None:
    return await value(
        conn, "SELECT instagram_id FROM senders WHERE workspace_id = $1 AND id = $2", workspace_id, sender_id
    )


async def start_login(conn: Connection, login: Login, *, state_hash: bytes, expires_at: datetime) -> None:
    """A login that may be ended once until `expires_at` (real). Those that nobody ended go with it."""
    await execute(
        conn, "DELETE FROM instagram_logins WHERE workspace_id = $1 AND expires_at < now()", login.workspace_id
    )
    await execute(conn, """
        INSERT INTO instagram_logins (state_hash, workspace_id, actor, wanted, expires_at)
        VALUES ($1, $2, $3, $4, $5)
    """, state_hash, login.workspace_id, login.actor, login.wanted, expires_at)  # fmt: skip


async def take_login(conn: Connection, state_hash: bytes) -> Login | None:
    """The login of this state, which is thereby used up; None when there is none, or its time is over."""
    return await row(conn, Login, """
        DELETE FROM instagram_logins
        WHERE state_hash = $1 AND expires_at > now()
        RETURNING workspace_id, actor, wanted
    """, state_hash)  # fmt: skip


async def close_window(
    conn: Connection, workspace_id: WorkspaceId, sender_id: SenderId, contact_id: ContactId, *, at: datetime
) -> None:
    """Instagram says that the window is over, whatever was known of it."""
    await execute(conn, """
        UPDATE conversations
        SET window_ends_at = least(window_ends_at, $4)
        WHERE workspace_id = $1 AND sender_id = $2 AND contact_id = $3
    """, workspace_id, sender_id, contact_id, at)  # fmt: skip


async def close_comment(
    conn: Connection, workspace_id: WorkspaceId, sender_id: SenderId, contact_id: ContactId, *, comment_id: str
) -> None:
    """Instagram says that this comment cannot be answered."""
    await execute(conn, """
        UPDATE conversations
        SET comments = (SELECT coalesce(jsonb_agg(each), '[]') FROM jsonb_array_elements(comments) AS each
                        WHERE each ->> 'id' IS DISTINCT FROM $4)
        WHERE workspace_id = $1 AND sender_id = $2 AND contact_id = $3
    """, workspace_id, sender_id, contact_id, comment_id)  # fmt: skip
