"""Who is behind an id: Instagram tells an account ids of its own, and names only when it is asked, or with a comment.

What was read of a person before the name was known is read again with it; an opt-out among it holds from the same
commit on in which the person becomes one who could be written to.
"""

import structlog

from iglayers.accounts import queries as account_queries
from iglayers.contacts import actions as contact_actions
from iglayers.contacts import queries as contacts
from iglayers.contacts.model import ContactRow
from iglayers.core.clock import Moment
from iglayers.core.db import Connection
from iglayers.core.ids import SenderId, WorkspaceId
from iglayers.messages import queries as messages
from iglayers.replies import queries
from iglayers.replies.actions import ASKED, known_contact
from iglayers.senders import queries_conversations as conversations
from iglayers.senders import queries_inbound
from iglayers.senders.queries_conversations import Thread

log = structlog.get_logger("replies")


async def learn(  # noqa: PLR0913 whom, of which account, under which name
    conn: Connection, workspace_id: WorkspaceId, sender_id: SenderId, *, igsid: str, username: str, pepper: bytes,
    now: Moment,
) -> None:  # fmt: skip
    """The person of this id has this canonical name now. Locks contacts, then threads, then facts that were read."""
    named = await known_contact(conn, workspace_id, username, pepper=pepper, now=now)
    thread = await conversations.by_igsid(conn, workspace_id, sender_id, igsid)
    if thread is not None and thread.contact_id is not None and thread.contact_id != named.id:
        await _rename(conn, workspace_id, thread, named, username=username)
        return
    await contacts.lock(conn, workspace_id, [named.id])
    if await queries.opted_out_unnamed(conn, workspace_id, sender_id, igsid):
        # Until the reply is read again, which makes it an opt-out and tells it.
        await contact_actions.suppress_contact(
            conn, workspace_id=workspace_id, contact_id=named.id, reason=ASKED, source="merge", now=now
        )
    thread = await conversations.note_by_igsid(conn, workspace_id, sender_id, igsid, conversations.Act(at=now), now=now)
    await _tie(conn, workspace_id, sender_id, thread, named, username=username)
    await queries_inbound.read_again(conn, workspace_id, sender_id, igsid)


async def _tie(
    conn: Connection, workspace_id: WorkspaceId, sender_id: SenderId, thread: Thread, named: ContactRow, *,
    username: str,
) -> None:  # fmt: skip
    """The thread becomes the contact's, unless the account has another one with somebody who had the name before."""
    claimed = await conversations.of_contact(conn, workspace_id, sender_id, named.id)
    if claimed is not None and claimed.igsid is not None and claimed.id != thread.id:
        await conversations.name(conn, workspace_id, thread.id, username=username)
        await conversations.ask_again(conn, workspace_id, claimed.id)
        return
    if claimed is not None and claimed.id != thread.id:
        await conversations.absorb(conn, workspace_id, thread.id, claimed.id)
    # An erased person is known by the hash alone, here too.
    await conversations.tie(conn, workspace_id, thread.id, contact_id=named.id, username=named.username)


async def _rename(
    conn: Connection, workspace_id: WorkspaceId, thread: Thread, named: ContactRow, *, username: str
) -> None:
    """The person has a new name: who is known under it becomes one with the contact that the id belongs to."""
    assert thread.contact_id is not None
    await contacts.lock(conn, workspace_id, [thread.contact_id, named.id])
    kept = await contacts.by_id(conn, workspace_id, thread.contact_id)
    if kept is None or kept.username is None or named.username is None:
        # One of them was erased; what is left of an erased person is not tied to anybody.
        await conversations.name(conn, workspace_id, thread.id, username=username)
        return
    if await conversations.are_two_people(conn, workspace_id, kept.id, named.id):
        log.warning("names.two_people", contact_id=str(kept.id), other_id=str(named.id))
        await conversations.name(conn, workspace_id, thread.id, username=username)
        return
    await contacts.rename(conn, workspace_id, named, into=kept)
    await messages.merge_first_contacts(conn, workspace_id, named.id, into=kept.id)
    await conversations.move(conn, workspace_id, named.id, kept.id)
    await conversations.name(conn, workspace_id, thread.id, username=username)
    await account_queries.wake(conn, workspace_id)
