"""Whom not to write to, by which way the others, and with which text: from what the locks showed. Pure."""

from datetime import datetime

import msgspec

from iglayers.core.wire import decode_special
from iglayers.senders import ways
from iglayers.senders.model import Conversation, Recipient, Transport
from iglayers.senders.ways import Closed, Open
from iglayers.sending import planning
from iglayers.sending.model import Begun, Facts, Pick
from iglayers.templates import render


class Refusal(msgspec.Struct, frozen=True):
    """Why a person is not written to."""

    code: str
    reason: str


def way(transports: dict[str, Transport], pick: Pick, facts: Facts, now: datetime) -> Open | Refusal:
    """The way that is open to this person, or why there is none."""
    assert facts.contact_id is not None
    if facts.username is None:
        return Refusal("target_suppressed", "The person's data was erased.")
    known = facts.conversation
    found = ways.find(
        transports, of_sender=pick.sender_routes or [], of_campaign=pick.routes, now=now,
        recipient=Recipient(contact_id=facts.contact_id, username=facts.username),
        conversation=None if known is None else msgspec.convert(known, Conversation, dec_hook=decode_special),
    )  # fmt: skip
    return Refusal("no_permitted_route", found.reason) if isinstance(found, Closed) else found


def text(pick: Pick, facts: Facts, body: str) -> str | Refusal:
    """The frozen text with this person's fields."""
    rendered = render.render(render.parse(body), planning.recipient(pick, facts).values())
    if isinstance(rendered, render.Missing):
        return Refusal("missing_variable", f"No value and no fallback for {', '.join(rendered.names)}.")
    if (size := render.byte_length(rendered)) > render.MAX_MESSAGE_BYTES:
        return Refusal("message_too_long", f"The text has {size} bytes; Instagram takes {render.MAX_MESSAGE_BYTES}.")
    return rendered


def found_at_begin(begun: Begun) -> Refusal:
    """What only the point of no return could see, with the person locked."""
    if begun.suppressed:
        return Refusal("target_suppressed", "On the suppression list.")
    if begun.contacted:
        return Refusal("target_duplicate", "Already contacted for this client through another campaign.")
    return Refusal("replied", "The person has replied.")
