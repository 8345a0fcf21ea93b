"""What a person makes of a message afterwards: edits and unsending, in whatever order the facts come in."""

from iglayers.contacts import queries as contacts
from iglayers.contacts.model import ContactRow
from iglayers.core.clock import Moment
from iglayers.core.db import Connection
from iglayers.events import queries as events
from iglayers.replies import actions, queries
from iglayers.replies.actions import NotYet
from iglayers.replies.model import Stored
from iglayers.replies.optout import is_opt_out
from iglayers.senders import keys, queries_inbound
from iglayers.senders.model import Inbound

# A message that has come and was not read yet is read within the second.
_SOON_S = 1.0


async def read_change(conn: Connection, fact: Inbound, contact: ContactRow | None, *, now: Moment) -> None:
    """An edit or a deletion; the message may have come before it, may come later, or may be the account's own."""
    if contact is not None:
        await contacts.lock(conn, fact.workspace_id, [contact.id])
    await bring_up_to_date(conn, fact, fact.fact["mid"], now=now)


async def bring_up_to_date(conn: Connection, fact: Inbound, mid: str, *, now: Moment) -> None:
    """Leave of a message what its edits and its deletion leave of it; any number of times. The contact is locked."""
    workspace_id, sender_id = fact.workspace_id, fact.sender_id
    state = await queries_inbound.text_state(
        conn, workspace_id, sender_id, key=keys.reply_key(mid), deletion_key=keys.deletion_key(mid),
        edit_keys=keys.edit_keys(mid),
    )  # fmt: skip
    if state.is_unread and state.inbound_id != fact.id:
        raise NotYet(_SOON_S)
    reply = state.inbound_id and await queries.stored(conn, workspace_id, state.inbound_id)
    if state.is_deleted:
        if reply:
            await queries.set_text(conn, workspace_id, reply.id, text=None, opted_out=False)
            await events.forget_reply(conn, workspace_id, reply.id)
        await queries_inbound.forget_texts(
            conn, workspace_id, sender_id, keys=[keys.reply_key(mid), keys.echo_key(mid)],
            edit_keys=keys.edit_keys(mid),
        )  # fmt: skip
    elif reply and reply.text is not None and state.edited_text and state.edited_text != reply.text:
        await _edit(conn, fact, reply, state.edited_text, now=now)


async def _edit(conn: Connection, fact: Inbound, reply: Stored, text: str, *, now: Moment) -> None:
    """The new text stands; one that asks for no more messages is obeyed."""
    asks = is_opt_out(text) and not reply.opted_out
    await queries.set_text(conn, fact.workspace_id, reply.id, text=text, opted_out=asks)
    if asks and reply.contact_id is not None:
        shown = await queries.by_id(conn, fact.workspace_id, reply.id, only=None)
        assert shown is not None
        await actions.opt_out(conn, fact.workspace_id, reply.contact_id, shown, now=now)
