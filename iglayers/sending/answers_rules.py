"""Whether a conversation may be answered now, and how, or the refusal that says why not. Pure."""

from datetime import datetime, timedelta
from typing import Protocol, cast

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


class Answering(Protocol):
    """A transport that permits more to a person who writes than to a campaign."""

    def permitted_answer(
        self, recipient: Recipient, conversation: Conversation | None, now: datetime
    ) -> Permitted | NotPermitted: ...


def permitted(transports: dict[str, Transport], facts: Facts, now: datetime) -> Permitted | Error:
    """The way that is open to an answer now, or the refusal that says why there is none."""
    person = _person_refused(facts)
    if person is not None:
        return person
    account = _account_refused(facts, now)
    if account is not None:
        return account
    assert facts.contact_id is not None
    assert facts.username is not None
    transport = transports.get(facts.transport)
    if transport is None or is_by_hand(transport):
        return NoPermittedRoute(
            f"A person sends what {facts.sender_username} writes; nothing leaves from here.",
            remedy='Write it in Instagram, then log it here: {"text", "byHand": true}.',
        )
    recipient = Recipient(contact_id=facts.contact_id, username=facts.username)
    if hasattr(transport, "permitted_answer"):
        found = cast("Answering", transport).permitted_answer(recipient, facts.conversation, now)
    else:
        found = transport.permitted(recipient, facts.conversation, now)
    return NoPermittedRoute(_sentence(found.rule)) if isinstance(found, NotPermitted) else found


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


def is_by_hand(transport: Transport) -> bool:
    return transport.name == "assisted" or bool(getattr(transport, "by_hand", False))


def _sentence(rule: str) -> str:
    return f"{rule[:1].upper()}{rule[1:]}{'' if rule.endswith('.') else '.'}"
