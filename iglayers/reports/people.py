"""One person: everything known, and its erasure."""

from iglayers.accounts import actions as accounts
from iglayers.accounts import answers
from iglayers.accounts import queries as account_queries
from iglayers.accounts.model import Caller, InsufficientScope
from iglayers.contacts import actions as contacts
from iglayers.contacts import queries as contact_queries
from iglayers.contacts.model import ERASURE, ContactNotFound, ContactRow, MergedMeanwhile, TargetSuppressed
from iglayers.contacts.usernames import canonical
from iglayers.core.crypto import Vault
from iglayers.core.db import Connection
from iglayers.core.errors import Conflict
from iglayers.core.ids import ContactId, WorkspaceId
from iglayers.events import queries as event_queries
from iglayers.messages import queries as message_queries
from iglayers.replies import queries as reply_queries
from iglayers.reports import queries_people
from iglayers.reports.model_people import MOST_SHOWN, Person
from iglayers.senders import queries_conversations as conversations
from iglayers.senders import queries_inbound
from iglayers.senders.transports.sandbox import queries as sandbox_queries
from iglayers.targets import queries_imports
from iglayers.targets import queries_lifecycle as target_queries


async def read(conn: Connection, caller: Caller, username: str, *, pepper: bytes) -> Person:
    """Everything known of a person; of one client's campaigns alone for a key that is bound to it."""
    workspace_id, only = caller.workspace_id, caller.client_id
    contact_id = await _find(conn, caller, username, pepper=pepper)
    handles = await contact_queries.handles(conn, workspace_id, contact_id)
    ids = [each.id for each in handles]
    targets = await queries_people.targets(conn, workspace_id, ids, only=only, limit=MOST_SHOWN)
    suppressions = [
        each
        for each in await contact_queries.of_contact(conn, workspace_id, contact_id)
        if only is None or each.client_id in (None, only)
    ]
    if only is not None and not targets and not suppressions:
        raise ContactNotFound("Nobody of this name is known.")
    gone = await contact_queries.gone(conn, workspace_id, contact_id)
    return Person(
        id=contact_id, instagram_username=handles[0].username,
        handles=[each.username for each in handles if each.username is not None],
        erased_at=gone.erased_at, forgotten_at=gone.forgotten_at, suppressions=suppressions, targets=targets,
        messages=await message_queries.of_contacts(conn, workspace_id, ids, only=only, limit=MOST_SHOWN),
        replies=await reply_queries.of_contacts(conn, workspace_id, ids, only=only, limit=MOST_SHOWN),
    )  # fmt: skip


async def erase(conn: Connection, caller: Caller, username: str, *, pepper: bytes, vault: Vault) -> Person:
    """Remove what is known of a person from every table, and keep a keyed hash that stays suppressed.

    The ledger keeps that somebody was written to, without who or what. Refused while a message is on its way, a word
    of the person is being read, or an upload brings the person in.
    """
    if caller.client_id is not None:
        raise InsufficientScope("This key is bound to one client and cannot erase people.")
    workspace_id, now = caller.workspace_id, caller.now
    contact_id = await _find(conn, caller, username, pepper=pepper)
    handles = await contact_queries.handles(conn, workspace_id, contact_id)
    ids = [each.id for each in handles]
    # Targets before people, as everywhere; what was uploaded in between is found by the count below.
    await target_queries.erase(
        conn, workspace_id, ids, at=now, code=TargetSuppressed.code, reason="The person's data was erased."
    )
    await contact_queries.lock(conn, workspace_id, ids)
    if await contact_queries.handles(conn, workspace_id, contact_id) != handles:
        raise MergedMeanwhile("Another name was merged into this person just now.")
    if await message_queries.in_flight(conn, workspace_id, ids):
        raise Conflict("A message to this person is on its way.", remedy="Try again in a minute.")
    if await target_queries.count_known(conn, workspace_id, ids):
        raise Conflict("An upload brings this person in just now.", remedy="Try again in a few seconds.")
    if await queries_imports.count_unended(conn, workspace_id):
        raise Conflict("An import that is not at its end may hold this person.", remedy="Try again when it has ended.")
    await contacts.suppress_contact(
        conn, workspace_id=workspace_id, contact_id=contact_id, reason="", source=ERASURE, now=now
    )
    await contact_queries.erase(conn, workspace_id, ids, at=now)
    await event_queries.erase(conn, workspace_id, ids)
    await queries_imports.drop_kept_files(conn, workspace_id)
    if await take_out(conn, workspace_id, handles):
        raise Conflict("A word of this person is being read just now.", remedy="Try again in a few seconds.")
    await answers.erase(conn, vault, workspace_id, [each.username for each in handles if each.username is not None])
    await accounts.audit(conn, caller, "contact.erased", contact_id)
    return await read(conn, caller, username, pepper=pepper)


async def take_out(conn: Connection, workspace_id: WorkspaceId, handles: list[ContactRow]) -> int:
    """What stands about locked people beside their targets, their contacts and the events: texts, names, facts.

    How many facts are being read just now and are left.
    """
    ids = [each.id for each in handles]
    names = [each.username for each in handles if each.username is not None]
    await message_queries.erase(conn, workspace_id, ids)
    await reply_queries.erase(conn, workspace_id, ids)
    await account_queries.erase_audit(conn, workspace_id, ids)
    await queries_imports.erase_rejects(conn, workspace_id, ids, names)
    threads = await conversations.hold_of(conn, workspace_id, ids, names)
    left = await queries_inbound.erase(conn, workspace_id, ids, names, threads)
    await conversations.erase(conn, workspace_id, threads)
    await sandbox_queries.erase(conn, workspace_id, names)
    await queries_imports.erase_names(conn, workspace_id, names)
    return left


async def _find(conn: Connection, caller: Caller, username: str, *, pepper: bytes) -> ContactId:
    contact = await contact_queries.by_username(conn, caller.workspace_id, canonical(username), pepper=pepper)
    if contact is None:
        raise ContactNotFound("Nobody of this name is known.")
    return contact.id
