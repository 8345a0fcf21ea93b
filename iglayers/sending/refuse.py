"""Whom not to write to, by which way the others, and with which text: from what the locks showed. Pure."""

from datetime import datetime

import msgspec

from iglayers.core.wire import decode_special
from iglayers.senders.model import Address, Conversation, NotPermitted, Recipient, Transport
from iglayers.sending import planning
from iglayers.sending.model import Begun, Facts, Pick
from iglayers.templates import render


class Refusal(msgspec.Struct, frozen=True):
    """Why a person is not written to."""

    code: str
    reason: str


class Way(msgspec.Struct, frozen=True):
    """How a person may be written to now: the transport, its route, and where it finds the person."""

    transport: Transport
    route: str
    address: Address


def way(transports: dict[str, Transport], pick: Pick, facts: Facts, now: datetime) -> Way | Refusal:
    """The first way that is open to this person, in the campaign's order, or why there is none."""
    assert facts.contact_id is not None
    if facts.merged:
        return Refusal("target_duplicate", "The same person as another contact.")
    if facts.username is None:
        return Refusal("target_suppressed", "The person's data was erased.")
    recipient = Recipient(contact_id=facts.contact_id, username=facts.username)
    rules: list[str] = []
    for transport in _in_order(transports, pick):
        permitted = transport.permitted(recipient, _conversation(facts), now)
        if isinstance(permitted, NotPermitted):
            rules.append(permitted.rule)
        elif pick.routes and not {permitted.route, transport.name} & set(pick.routes):
            rules.append(f"only the route {permitted.route} is open, and the campaign does not use it")
        else:
            return Way(transport, permitted.route, permitted.address)
    told = "; ".join(rules) or f"the campaign uses no route that {pick.sender_username} has"
    return Refusal("no_permitted_route", f"{told[0].upper()}{told[1:]}.")


def _in_order(transports: dict[str, Transport], pick: Pick) -> list[Transport]:
    """The sender's transports as the campaign wants to try them: `instagram.comment` names its transport too."""
    wanted = [route.partition(".")[0] for route in pick.routes or pick.sender_routes or []]
    return [
        transports[name] for name in dict.fromkeys(wanted) if name in (pick.sender_routes or []) and name in transports
    ]


def _conversation(facts: Facts) -> Conversation | None:
    known = facts.conversation
    return None if known is None else msgspec.convert(known, Conversation, dec_hook=decode_special)


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
