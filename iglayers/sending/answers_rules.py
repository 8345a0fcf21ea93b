"""Whether a conversation may be answered now, and how, or the refusal that says why not. Pure."""

from datetime import datetime, timedelta
from typing import Protocol, cast

import msgspec

from iglayers.contacts.model import TargetSuppressed
from iglayers.core.errors import Error, InvalidState
from iglayers.senders.model import (
    Conversation,
    InstagramChallengeDetected,
    NotPermitted,
    Permitted,
    Recipient,
    SenderNotAvailable,
    SenderState,
    Transport,
)
from iglayers.sending.model_answers import Facts, NoPermittedRoute

BY_HAND = 'Write it in Instagram, then log it here: {"text", "byHand": true}.'


class Answering(Protocol):
    """A transport that permits more to a person who writes than to a campaign."""

    def permitted_answer(
        self, recipient: Recipient, conversation: Conversation | None, now: datetime
    ) -> Permitted | NotPermitted: ...


class Open(msgspec.Struct, frozen=True):
    """The way that is open, and the transport that takes it."""

    transport: Transport
    permitted: Permitted


def permitted(transports: dict[str, Transport], facts: Facts, now: datetime) -> Open | Error:
    """The way that is open to an answer now, or the refusal that says why there is none."""
    person = _person_refused(facts)
    if person is not None:
        return person
    account = _account_refused(facts, now)
    if account is not None:
        return account
    assert facts.contact_id is not None
    assert facts.username is not None
    recipient = Recipient(contact_id=facts.contact_id, username=facts.username)
    ways = [transports[name] for name in facts.routes if name in transports]
    rules: list[str] = []
    for transport in ways:
        if transport.by_hand:
            continue
        found = _asked(transport, recipient, facts, now)
        if isinstance(found, Permitted):
            return Open(transport, found)
        rules.append(found.rule)
    by_hand = any(each.by_hand for each in ways)
    told = "; ".join(rules) or f"a person sends what {facts.sender_username} writes, and nothing leaves from here"
    return NoPermittedRoute(f"{told[0].upper()}{told[1:]}.", remedy=BY_HAND if by_hand else None)


def _asked(transport: Transport, recipient: Recipient, facts: Facts, now: datetime) -> Permitted | NotPermitted:
    """What the transport permits to a person who writes, where it permits that more than to a campaign."""
    if hasattr(transport, "permitted_answer"):
        return cast("Answering", transport).permitted_answer(recipient, facts.conversation, now)
    return transport.permitted(recipient, facts.conversation, now)


def _person_refused(facts: Facts) -> Error | None:
    if facts.contact_id is None:
        return NoPermittedRoute("Instagram has not told yet who this person is.", remedy="Try again in a few minutes.")
    if facts.username is None or facts.is_merged:
        return InvalidState(
            "This person's data was erased, or stands under another name.", remedy="Nothing can be sent."
        )
    if facts.opted_out and facts.is_suppressed:
        return TargetSuppressed(
            "This person asked not to be written to.",
            remedy="Leave it at that. If they write that they want messages again, lift the suppression first: "
            "DELETE /suppressions/{username}.",
        )
    if facts.is_suppressed:
        return TargetSuppressed(
            "This person is on the suppression list.",
            remedy="Lift the suppression first if they may be written to: DELETE /suppressions/{username}.",
        )
    return None


def _account_refused(facts: Facts, now: datetime) -> Error | None:
    if facts.dispatch != "running":
        return InvalidState(
            "Sending is paused for the whole installation.", remedy="iglayers dispatch status says why."
        )
    if facts.is_archived:
        return SenderNotAvailable("This account was deleted here.", remedy="Add the same username again.")
    if facts.sender_state is SenderState.CHALLENGED:
        return InstagramChallengeDetected(f"Instagram asked {facts.sender_username} for something.")
    if facts.sender_state is not SenderState.ACTIVE:
        because = f": {facts.sender_state_reason}" if facts.sender_state_reason else "."
        return SenderNotAvailable(
            f"The account is {facts.sender_state.value}{because}", remedy="Resume the sender, then answer."
        )
    if facts.rests_until is not None and facts.rests_until > now:
        return SenderNotAvailable(
            f"Instagram asked {facts.sender_username} to wait.",
            remedy=f"Try again in {max(1, round((facts.rests_until - now) / timedelta(minutes=1)))} min.",
        )
    return None
