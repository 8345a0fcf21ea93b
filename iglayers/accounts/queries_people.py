"""The SQL of people who log in: users, members, invitations, sessions, failed logins, the set-up link.

A person is member of a pair of workspaces, live and test, in one role.
"""

from datetime import datetime, timedelta

import msgspec

from iglayers.accounts.model_people import Credentials, Invitation, Member, Membership, Role, Session
from iglayers.core.db import Connection, execute, row, rows, value
from iglayers.core.ids import UserId, WorkspaceId


class Failures(msgspec.Struct, frozen=True):
    """How often logins with this e-mail or from this address have failed in a row, and how long ago the last did."""

    failed: int
    ago_s: float


async def set_setup_token(conn: Connection, token_hash: bytes) -> bool:
    """The one-time link's token; False once there is a user."""
    return await execute(conn, """
        UPDATE installation SET setup_token_hash = $1
        WHERE NOT EXISTS (SELECT FROM users)
    """, token_hash) > 0  # fmt: skip


async def has_setup_token(conn: Connection, token_hash: bytes) -> bool:
    """Whether this link creates the first user."""
    return await value(conn, """
        SELECT EXISTS (SELECT FROM installation WHERE setup_token_hash = $1) AND NOT EXISTS (SELECT FROM users)
    """, token_hash)  # fmt: skip


async def take_setup_token(conn: Connection, token_hash: bytes) -> bool:
    """Use the link up; of two who use it at once, one gets False."""
    return await execute(conn, """
        UPDATE installation SET setup_token_hash = NULL
        WHERE setup_token_hash = $1 AND NOT EXISTS (SELECT FROM users)
    """, token_hash) > 0  # fmt: skip


async def by_email(conn: Connection, email: str) -> Credentials | None:
    """The user who logs in with this e-mail."""
    return await row(conn, Credentials, "SELECT id, email, password_hash FROM users WHERE email = $1", email)


async def by_id(conn: Connection, user_id: UserId) -> Credentials | None:
    """One user, locked, so that two changes of a password follow each other."""
    return await row(
        conn, Credentials, "SELECT id, email, password_hash FROM users WHERE id = $1 FOR NO KEY UPDATE", user_id
    )


async def set_password(conn: Connection, user_id: UserId, password_hash: str) -> None:
    """Sessions are ended beside it."""
    await execute(conn, "UPDATE users SET password_hash = $2 WHERE id = $1", user_id, password_hash)


async def count_failure(conn: Connection, key_hash: bytes, *, forget_after: timedelta) -> Failures:
    """What had failed before, counting this login as failed too until it has proved good.

    Counted first, so that many guesses at once are all counted.
    """
    found = await row(conn, Failures, """
        WITH old AS (
            SELECT failed, extract(epoch FROM clock_timestamp() - last_at)::float8 AS ago_s
            FROM login_failures
            WHERE key_hash = $1 AND last_at > clock_timestamp() - $2::interval
            FOR UPDATE
        ), counted AS (
            INSERT INTO login_failures AS f (key_hash, failed, last_at)
            VALUES ($1, 1, clock_timestamp())
            ON CONFLICT (key_hash) DO UPDATE SET
                failed = CASE WHEN f.last_at > clock_timestamp() - $2::interval THEN f.failed + 1 ELSE 1 END,
                last_at = clock_timestamp()
        )
        SELECT failed, ago_s FROM old
    """, key_hash, forget_after)  # fmt: skip
    return found or Failures(0, 0.0)


async def forget_failures(conn: Connection, *, email_hash: bytes, address_hash: bytes, older_than: timedelta) -> None:
    """A good login: its e-mail starts afresh, its address has one failure less, and what is old goes."""
    await execute(conn, """
        WITH gone AS (
            DELETE FROM login_failures
            WHERE key_hash = $1 OR (last_at < clock_timestamp() - $3::interval AND key_hash <> $2)
        )
        UPDATE login_failures SET failed = failed - 1
        WHERE key_hash = $2
    """, email_hash, address_hash, older_than)  # fmt: skip


async def insert_session(
    conn: Connection, token_hash: bytes, *, user_id: UserId, workspace_id: WorkspaceId, at: datetime
) -> None:
    """A session by its token's hash; the token itself is stored nowhere."""
    await execute(conn, """
        INSERT INTO sessions (token_hash, user_id, looks_at, created_at, seen_at)
        VALUES ($1, $2, $3, $4, $4)
    """, token_hash, user_id, workspace_id, at)  # fmt: skip


async def session(conn: Connection, token_hash: bytes, *, idle: timedelta, life: timedelta) -> Session | None:
    """The session of this token while it lives and its user is a member. Notes its use, at most once a minute."""
    return await row(conn, Session, """
        WITH used AS (
            UPDATE sessions SET seen_at = now()
            WHERE token_hash = $1 AND seen_at < now() - interval '1 minute' AND seen_at > now() - $2::interval
        )
        SELECT u.id AS user_id, u.email, m.role, w.id AS workspace_id, w.name AS workspace_name, w.mode, w.timezone,
               w.clock_real_at, w.clock_at, w.clock_speed
        FROM sessions s
        JOIN users u ON u.id = s.user_id
        JOIN workspaces w ON w.id = s.looks_at
        JOIN members m ON m.workspace_id = s.looks_at AND m.user_id = s.user_id
        WHERE s.token_hash = $1 AND s.seen_at > now() - $2::interval AND s.created_at > now() - $3::interval
    """, token_hash, idle, life)  # fmt: skip


async def end_session(conn: Connection, token_hash: bytes) -> None:
    """Logging out, and logging in anew."""
    await execute(conn, "DELETE FROM sessions WHERE token_hash = $1", token_hash)


async def end_sessions(conn: Connection, user_id: UserId) -> None:
    """Everywhere."""
    await execute(conn, "DELETE FROM sessions WHERE user_id = $1", user_id)


async def end_old_sessions(conn: Connection, *, idle: timedelta, life: timedelta) -> None:
    """Those that nobody can use any more."""
    await execute(conn, """
        DELETE FROM sessions
        WHERE seen_at < now() - $1::interval OR created_at < now() - $2::interval
    """, idle, life)  # fmt: skip


async def look_at(conn: Connection, token_hash: bytes, workspace_id: WorkspaceId) -> bool:
    """Switch a session to another workspace; False when its user is no member there."""
    return await execute(conn, """
        UPDATE sessions s SET looks_at = $2
        WHERE s.token_hash = $1
          AND EXISTS (SELECT FROM members m WHERE m.workspace_id = $2 AND m.user_id = s.user_id)
    """, token_hash, workspace_id) > 0  # fmt: skip


async def memberships(conn: Connection, user_id: UserId) -> list[Membership]:
    """Where a person may work, each pair with its live workspace first."""
    return await rows(conn, Membership, """
        SELECT m.workspace_id, w.name, w.mode, m.role
        FROM members m
        JOIN workspaces w ON w.id = m.workspace_id
        WHERE m.user_id = $1
        ORDER BY w.created_at, w.pair_id, w.mode
    """, user_id)  # fmt: skip


async def members(conn: Connection, workspace_id: WorkspaceId) -> list[Member]:
    """The people of a workspace, by e-mail."""
    return await rows(conn, Member, """
        SELECT m.user_id, u.email, m.role, m.created_at,
               (SELECT max(s.seen_at) FROM sessions s WHERE s.user_id = m.user_id) AS seen_at
        FROM members m
        JOIN users u ON u.id = m.user_id
        WHERE m.workspace_id = $1
        ORDER BY u.email
    """, workspace_id)  # fmt: skip


async def lock_pair(conn: Connection, workspace_id: WorkspaceId) -> None:
    """Changes of who may do what in a pair follow each other, so that an owner is always left."""
    await execute(conn, """
        SELECT FROM workspaces
        WHERE pair_id = (SELECT pair_id FROM workspaces WHERE id = $1)
        ORDER BY id
        FOR NO KEY UPDATE
    """, workspace_id)  # fmt: skip


async def add_to_pair(conn: Connection, workspace_id: WorkspaceId, user_id: UserId, *, role: Role) -> None:
    """What a person may do in a workspace and its twin."""
    await execute(conn, """
        INSERT INTO members (workspace_id, user_id, role)
        SELECT twin.id, $2, $3
        FROM workspaces w
        JOIN workspaces twin ON twin.pair_id = w.pair_id
        WHERE w.id = $1
        ON CONFLICT (workspace_id, user_id) DO UPDATE SET role = excluded.role
    """, workspace_id, user_id, role)  # fmt: skip


async def remove_from_pair(conn: Connection, workspace_id: WorkspaceId, user_id: UserId) -> None:
    """Out of a workspace and its twin; a session that looks at one of them finds no way in."""
    await execute(conn, """
        DELETE FROM members m
        USING workspaces w, workspaces twin
        WHERE w.id = $1 AND twin.pair_id = w.pair_id AND m.workspace_id = twin.id AND m.user_id = $2
    """, workspace_id, user_id)  # fmt: skip


async def insert_invitation(
    conn: Connection, token_hash: bytes, *, workspace_id: WorkspaceId, role: Role, expires_at: datetime
) -> None:
    """A link that makes whoever opens it first a member."""
    await execute(
        conn,
        "INSERT INTO invitations (token_hash, workspace_id, role, expires_at) VALUES ($1, $2, $3, $4)",
        token_hash, workspace_id, role, expires_at,
    )  # fmt: skip


async def invitation(conn: Connection, token_hash: bytes) -> Invitation | None:
    """What a link offers, while it can be used."""
    return await row(conn, Invitation, """
        SELECT i.workspace_id, w.name AS workspace_name, i.role, i.expires_at
        FROM invitations i
        JOIN workspaces w ON w.id = i.workspace_id
        WHERE i.token_hash = $1 AND i.used_at IS NULL AND i.expires_at > now()
    """, token_hash)  # fmt: skip


async def use_invitation(conn: Connection, token_hash: bytes) -> bool:
    """Of two who use it at once, one gets False."""
    return await execute(conn, """
        UPDATE invitations SET used_at = now()
        WHERE token_hash = $1 AND used_at IS NULL AND expires_at > now()
    """, token_hash) > 0  # fmt: skip
