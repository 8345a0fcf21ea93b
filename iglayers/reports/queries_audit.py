"""Whether anybody was written to twice, in every workspace: asked of the ledger, and of the sandbox's own log.

Each question is one statement, so that it sees one moment. People known under two handles count as one.
"""

from uuid import UUID

import msgspec

from iglayers.core.db import Connection, rows, value
from iglayers.core.ids import ClientId, ContactId, MessageId, WorkspaceId


class WrittenTwice(msgspec.Struct, frozen=True, kw_only=True):
    """One person, client and step with several messages that may have arrived, and who decided on any of them."""

    workspace_id: WorkspaceId
    contact_id: ContactId
    client_id: ClientId | None
    step: int
    messages: list[MessageId]
    states: list[str]
    decided_by: list[str]


class StoredTwice(msgspec.Struct, frozen=True, kw_only=True):
    """One message of the provider that stands in several rows of ours."""

    workspace_id: WorkspaceId
    provider_message_id: str
    messages: list[MessageId]


class DeliveredTwice(msgspec.Struct, frozen=True, kw_only=True):
    """One person who got a step of a client more than once by the sandbox's log; no client: not in the ledger."""

    workspace_id: WorkspaceId
    contact_id: ContactId | None
    client_id: ClientId | None
    step: int | None
    count: int
    sandbox_messages: list[UUID]


async def written_twice(conn: Connection) -> list[WrittenTwice]:
    """People with more than one message of a client's step that may have reached them."""
    return await rows(conn, WrittenTwice, """
        WITH RECURSIVE merged AS (
            SELECT id AS contact_id, merged_into AS person_id FROM contacts WHERE merged_into IS NOT NULL
            UNION
            SELECT m.contact_id, c.merged_into
            FROM merged m
            JOIN contacts c ON c.id = m.person_id
            WHERE c.merged_into IS NOT NULL
        ), person AS (
            SELECT m.contact_id, m.person_id
            FROM merged m
            JOIN contacts c ON c.id = m.person_id
            WHERE c.merged_into IS NULL
        )
        SELECT m.workspace_id, coalesce(p.person_id, m.contact_id) AS contact_id, m.client_id, m.step,
               array_agg(m.id ORDER BY m.id) AS messages,
               array_agg(m.state ORDER BY m.id) AS states,
               coalesce(array_agg(DISTINCT m.author) FILTER (WHERE m.author IS NOT NULL), '{}') AS decided_by
        FROM messages m
        LEFT JOIN person p ON p.contact_id = m.contact_id
        WHERE m.kind = 'step' AND m.state IN ('sent', 'unknown', 'claimed')
        GROUP BY m.workspace_id, coalesce(p.person_id, m.contact_id), m.client_id, m.step
        HAVING count(*) > 1
        ORDER BY messages
    """)  # fmt: skip


async def stored_twice(conn: Connection) -> list[StoredTwice]:
    """Provider's message ids that more than one message of ours claims."""
    return await rows(conn, StoredTwice, """
        SELECT workspace_id, provider_message_id, array_agg(id ORDER BY id) AS messages
        FROM messages
        WHERE provider_message_id IS NOT NULL
        GROUP BY workspace_id, provider_message_id
        HAVING count(*) > 1
        ORDER BY messages
    """)  # fmt: skip


async def delivered_twice(conn: Connection) -> list[DeliveredTwice]:
    """People whom the sandbox delivered a client's step to more than once, or anything that the ledger has not.

    The log names the message by the reference that it was given; what a person wrote in a conversation is no step.
    """
    return await rows(conn, DeliveredTwice, """
        WITH RECURSIVE merged AS (
            SELECT id AS contact_id, merged_into AS person_id FROM contacts WHERE merged_into IS NOT NULL
            UNION
            SELECT m.contact_id, c.merged_into
            FROM merged m
            JOIN contacts c ON c.id = m.person_id
            WHERE c.merged_into IS NOT NULL
        ), person AS (
            SELECT m.contact_id, m.person_id
            FROM merged m
            JOIN contacts c ON c.id = m.person_id
            WHERE c.merged_into IS NULL
        ), log AS (
            SELECT s.id, s.workspace_id, s.recipient, coalesce(p.person_id, m.contact_id) AS contact_id,
                   m.client_id, m.step, m.id IS NULL AS is_unknown_to_us
            FROM sandbox_messages s
            LEFT JOIN messages m ON m.id = s.reference
            LEFT JOIN person p ON p.contact_id = m.contact_id
            WHERE m.kind IS DISTINCT FROM 'answer'
        )
        SELECT workspace_id, contact_id, client_id, step, count(*) AS count,
               array_agg(id ORDER BY id) AS sandbox_messages
        FROM log
        GROUP BY workspace_id, coalesce(contact_id::text, recipient), contact_id, client_id, step
        HAVING count(*) > 1 OR bool_or(is_unknown_to_us)
        ORDER BY sandbox_messages
    """)  # fmt: skip


async def counted(conn: Connection) -> int:
    """How many messages of steps may have reached somebody: what was looked at."""
    return await value(
        conn, "SELECT count(*) FROM messages WHERE kind = 'step' AND state IN ('sent', 'unknown', 'claimed')"
    )
