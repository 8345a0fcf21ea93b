"""Which way is open to a person through one account, and which rules forbid the others. Pure."""

from datetime import datetime

import msgspec

from iglayers.senders.model import Conversation, NotPermitted, Permitted, Recipient, Transport


class Open(msgspec.Struct, frozen=True):
    """The way that a message would take now."""

    transport: Transport
    permitted: Permitted


class Closed(msgspec.Struct, frozen=True):
    """No way is open; every rule that forbids one, as a sentence."""

    reason: str


def find(
    transports: dict[str, Transport], *, of_sender: list[str], of_campaign: list[str], recipient: Recipient,
    conversation: Conversation | None, now: datetime,
) -> Open | Closed:  # fmt: skip
    """The first open way in the campaign's order, else in the sender's: `instagram.comment` names its transport too."""
    rules: list[str] = []
    for name in dict.fromkeys(route.partition(".")[0] for route in of_campaign or of_sender):
        if name not in of_sender or name not in transports:
            continue
        permitted = transports[name].permitted(recipient, conversation, now)
        if isinstance(permitted, NotPermitted):
            rules.append(permitted.rule)
        elif of_campaign and not {permitted.route, name} & set(of_campaign):
            rules.append(f"only the route {permitted.route} is open, and the campaign does not use it")
        else:
            return Open(transports[name], permitted)
    told = "; ".join(rules) or "the account has none of the campaign's routes"
    return Closed(f"{told[0].upper()}{told[1:]}.")


def rank(transport: Transport, of_campaign: list[str]) -> int:
    """The place of an open way among those of several accounts, the best first.

    In the campaign's order of routes; where it has none, a person's hands come last.
    """
    names = [route.partition(".")[0] for route in of_campaign]
    return names.index(transport.name) if names else int(transport.by_hand)
