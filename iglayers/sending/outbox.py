"""How a message gets sent by a person's hands. Read downward.

    hand over   send.py    where only the route `assisted` is open, a card: a plan, which counts against no limit
    claim       here       the point of no return: the same locks, limits, refusals and statement as a begin
    answer      here       sent, failed, skipped: kept for a minute, in which it can be undone
    settle      here       then written down like any outcome

A claim without an answer for 15 minutes is unknown: its claimer is asked again, and nobody else is given the card.
"""

from typing import assert_never

import msgspec

from iglayers.accounts import actions as accounts
from iglayers.accounts import queries as account_queries
from iglayers.accounts.model import Caller
from iglayers.campaigns import queries as campaigns
from iglayers.campaigns.model import CampaignState
from iglayers.clients import queries as clients
from iglayers.core.clock import Moment, real_now
from iglayers.core.db import Connection, Database
from iglayers.core.errors import Invalid, InvalidState, Unavailable
from iglayers.core.fields import optional_line
from iglayers.core.ids import MessageId
from iglayers.messages.model import MessageState
from iglayers.senders import queries as senders
from iglayers.senders.model import NotSent, SenderNotAvailable, SenderState, Sent, Transport, Trouble
from iglayers.sending import looking, planning, queries, queries_outbox, queries_settle, refuse, settle
from iglayers.sending import queries_upkeep as upkeep
from iglayers.sending.model import Attempt, Pick, Settlement
from iglayers.sending.model_outbox import Card, CardNotFound, CardPlace, CardRow, CardTaken, Said, TooEarly, shown
from iglayers.sending.refuse import Refusal
from iglayers.usage.model import UsageLimitExceeded

CLAIM_LASTS_S = 900.0
UNDO_LASTS_S = 60.0
_BATCH = 100
# What a person may find; everything else is told in words.
FAILURES = ("recipient_not_found", "recipient_unavailable", "provider_error")


class Failure(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """Why a message could not be sent by hand."""

    code: str = "recipient_unavailable"
    reason: str | None = None


class Because(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    reason: str | None = None


async def claim(conn: Connection, caller: Caller, message_id: MessageId, *, transports: dict[str, Transport]) -> Card:
    """Take a card to send it now, with every limit as at this moment; its text comes with it.

    Where the person must not be written to any more, the card ends as skipped and says why.
    """
    place = await queries_outbox.place(conn, caller.workspace_id, message_id, only=caller.client_id)
    if place is None:
        raise CardNotFound("There is no such card.")
    pick = await _locked(conn, caller, place)
    card = await _visible(conn, caller, message_id)
    if card.state is MessageState.CLAIMED and card.author == caller.actor:
        return _shown(caller, card)
    if card.state is not MessageState.HANDED_OVER or card.held is not None:
        raise CardTaken(f"The card is {card.state.value}{f' by {card.author}' if card.author else ''}.")
    [client] = await queries.client_histories(conn, [pick]) if pick.client_has_limits else [None]
    seen = await looking.look(conn, pick, client, target_id=place.target_id)
    _refuse_now(seen)
    way = refuse.way({name: each for name, each in transports.items() if each.by_hand}, pick, seen.facts, seen.now)
    if isinstance(way, Refusal):
        return await _end(conn, caller, message_id, way)
    address = way.permitted.address
    variant, body = planning.variant(seen.facts)
    text = refuse.text(pick, seen.facts, body)
    if isinstance(text, Refusal):
        return await _end(conn, caller, message_id, text)
    planned = planning.attempt(pick, seen.facts, seen.now, route=way.permitted.route)
    attempt = msgspec.structs.replace(planned, message_id=message_id)
    message = planning.message(pick, seen.facts, seen.limits, attempt, variant=variant, text=text, address=address)
    begun = await queries.claim(conn, message, lease_s=CLAIM_LASTS_S, author=caller.actor)
    if begun.month_full:
        raise UsageLimitExceeded("The month's messages are used up.")
    if not begun.begun:
        return await _end(conn, caller, message_id, refuse.found_at_begin(begun))
    await accounts.audit(conn, caller, "message.claimed", message_id, contact_id=attempt.contact_id.uuid)
    await account_queries.wake(conn, caller.workspace_id)
    return await _read(conn, caller, message_id)


async def sent(conn: Connection, caller: Caller, message_id: MessageId) -> Card:
    """The claimer has sent it."""
    return await _say(conn, caller, message_id, Said(outcome="sent"))


async def failed(conn: Connection, caller: Caller, message_id: MessageId, why: Failure) -> Card:
    """The claimer could not send it, and nothing was sent."""
    if why.code not in FAILURES:
        raise Invalid(f"code must be one of {', '.join(FAILURES)}.", param="code")
    return await _say(conn, caller, message_id, Said(outcome="failed", code=why.code, reason=_reason(why.reason)))


async def skip(conn: Connection, caller: Caller, message_id: MessageId, why: Because) -> Card:
    """Nobody shall write to this person: said of a claimed card, nothing was sent."""
    return await _say(conn, caller, message_id, Said(outcome="skipped", reason=_reason(why.reason)))


async def undo(conn: Connection, caller: Caller, message_id: MessageId) -> Card:
    """Take back what was said of a card, within a minute."""
    card = await _own(conn, caller, message_id)
    if card.held is None:
        raise InvalidState(
            f"There is nothing to undo: the card is {card.state.value}.",
            remedy="An outcome can be undone for a minute; after that it stands.",
        )
    await queries_outbox.let_go(conn, caller.workspace_id, message_id, lease_s=CLAIM_LASTS_S)
    return await _read(conn, caller, message_id)


async def release(conn: Connection, caller: Caller, message_id: MessageId) -> Card:
    """Its claimer has not sent it and will not: the card is anybody's again, and counts against no limit."""
    card = await _own(conn, caller, message_id)
    if card.state is not MessageState.CLAIMED or card.held is not None:
        raise InvalidState("Only a claimed card of which nothing was said can be given back.")
    attempt = await upkeep.attempt(conn, message_id)
    assert attempt is not None
    await queries_outbox.give_back(conn, attempt)
    await accounts.audit(conn, caller, "message.released", message_id, contact_id=attempt.contact_id.uuid)
    return await _read(conn, caller, message_id)


async def challenge(conn: Connection, caller: Caller, message_id: MessageId, why: Because) -> Card:
    """Instagram asked the account for something: it stops at once, and nothing was sent to this person."""
    told = _reason(why.reason)
    card = await _visible(conn, caller, message_id)
    # Campaign and sender before target and message, as every settling that changes a sender.
    await queries_settle.lock_campaign_for_settling(conn, card.campaign_id)
    await senders.lock(conn, caller.workspace_id, card.sender_id)
    card = await _visible(conn, caller, message_id)
    _refuse_other(caller, card)
    if card.state is not MessageState.CLAIMED:
        raise InvalidState(f"Only a claimed card can tell of a challenge; this one is {card.state.value}.")
    attempt = await upkeep.attempt(conn, message_id)
    assert attempt is not None
    reason = told or f"{caller.actor} says that Instagram asked this account to confirm who it is."
    outcome = NotSent(code="instagram_challenge_detected", reason=reason, trouble=Trouble.CHALLENGED)
    await settle.apply(conn, attempt, outcome)
    return await _read(conn, caller, message_id)


async def settle_answers(db: Database) -> int:
    """Write down what can no longer be undone; how many cards there were."""
    async with db.connection() as conn:
        due = await queries_outbox.answered(conn, limit=_BATCH)
    for message_id in due:
        async with db.transaction() as conn:
            attempt = await upkeep.attempt(conn, message_id)
            if attempt is not None:
                await _settle(conn, attempt)
    return len(due)


async def take_cards_back(db: Database) -> int:
    """Cards of senders that were stopped: their people wait for another sender, or until this one goes on."""
    async with db.connection() as conn:
        stopped = await queries_outbox.stopped_senders(conn)
    for workspace_id, sender_id in stopped:
        async with db.transaction() as conn:
            clock = await account_queries.clock(conn, workspace_id)
            assert clock is not None
            await queries_outbox.take_back_of_sender(conn, workspace_id, sender_id, at=clock.shows(real_now()))
            await account_queries.wake(conn, workspace_id)
    return len(stopped)


async def _locked(conn: Connection, caller: Caller, place: CardPlace) -> Pick:
    """Client, campaign and sender, held in this order, and able to send."""
    workspace_id = caller.workspace_id
    await clients.lock(conn, workspace_id, place.client_id, only=None)
    await campaigns.lock(conn, workspace_id, place.campaign_id, only=None)
    sender = await senders.lock(conn, workspace_id, place.sender_id)
    campaign = await campaigns.by_id(conn, workspace_id, place.campaign_id, only=None)
    assert campaign is not None
    assert sender is not None
    if campaign.state is not CampaignState.RUNNING:
        raise InvalidState(f"The campaign is {campaign.state.value}.", remedy="Resume it, or take another card.")
    if sender.state is not SenderState.ACTIVE or sender.archived_at is not None:
        raise SenderNotAvailable(f"The account {sender.username} is {sender.state.value}.")
    return await queries_outbox.pick(conn, workspace_id, place)


def _refuse_now(seen: looking.Look) -> None:
    """Not now: the rule that limits, and until when."""
    if seen.facts.dispatch != "running":
        raise Unavailable("Sending is held for the whole installation.", remedy="iglayers dispatch resume")
    if seen.facts.merged:  # while this waited for the person, who is another one now
        raise InvalidState("The person was merged into another one just now.", remedy="Claim it again.")
    if seen.month_is_full:
        raise UsageLimitExceeded("The month's messages are used up.")
    verdict = seen.verdict
    if verdict.at is None:
        raise InvalidState("The campaign's schedule is over; its cards are taken back.")
    if verdict.at > seen.now:
        next_at = Moment.of(verdict.at)
        raise TooEarly(
            f"Not before {next_at.rfc3339()}: {verdict.rule} limits it.",
            details={"limitedBy": verdict.rule, "nextAt": next_at},
        )


async def _end(conn: Connection, caller: Caller, message_id: MessageId, why: Refusal) -> Card:
    """The person is not written to; card and target say why. Campaign, sender and person are held."""
    attempt = await upkeep.attempt(conn, message_id)
    assert attempt is not None
    await _write_skip(conn, attempt, why.code, why.reason)
    await account_queries.wake(conn, caller.workspace_id)
    return await _read(conn, caller, message_id)


async def _write_skip(conn: Connection, attempt: Attempt, code: str | None, reason: str) -> None:
    at = attempt.clock.shows(real_now())
    end = Settlement(message_state="skipped", target_state="skipped", error_code=code, reason=reason, gives_back=True)
    await queries_settle.settle(conn, settle.ended(attempt, end, at))


async def _say(conn: Connection, caller: Caller, message_id: MessageId, said: Said) -> Card:
    """Keep what became of a card; of one that nobody claimed it can only be said that it is skipped."""
    card = await _own(conn, caller, message_id)
    if card.held is not None and card.held == msgspec.to_builtins(said):
        return _shown(caller, card)
    match card.state:
        case MessageState.CLAIMED | MessageState.UNKNOWN:
            pass
        case MessageState.HANDED_OVER if said.outcome == "skipped":
            pass
        case MessageState.HANDED_OVER:
            raise InvalidState("Nobody has claimed this card.", remedy="Claim it first: the text comes with the claim.")
        case _:
            raise InvalidState(f"The card is {card.state.value} already.")
    await queries_outbox.hold(
        conn, caller.workspace_id, message_id, held=msgspec.to_builtins(said), author=caller.actor, for_s=UNDO_LASTS_S
    )
    await accounts.audit(
        conn, caller, f"message.said_{said.outcome}", message_id, reason=said.reason, contact_id=card.contact_id.uuid
    )
    return await _read(conn, caller, message_id)


async def _own(conn: Connection, caller: Caller, message_id: MessageId) -> CardRow:
    """A card that this person claimed, locked."""
    await _visible(conn, caller, message_id)
    card = await queries_outbox.lock(conn, caller.workspace_id, message_id)
    assert card is not None
    _refuse_other(caller, card)
    return card


def _refuse_other(caller: Caller, card: CardRow) -> None:
    if card.author is not None and card.author != caller.actor:
        raise CardTaken(f"The card is {card.author}'s.", remedy="Only its claimer can say what became of it.")


async def _settle(conn: Connection, attempt: Attempt) -> None:
    """Write down what was said of a card."""
    # Campaign and sender before target and message, as every settling that gives something back.
    await queries_settle.lock_campaign_for_settling(conn, attempt.campaign_id)
    await senders.lock(conn, attempt.workspace_id, attempt.sender_id)
    said = await queries_outbox.said(conn, attempt.workspace_id, attempt.message_id)
    if said is None:  # undone, or settled by another worker
        return
    match said.outcome:
        case "sent":
            await settle.apply(conn, attempt, Sent(None))
        case "failed":
            reason = said.reason or "A person could not send it."
            await settle.apply(conn, attempt, NotSent(code=said.code or "provider_error", reason=reason))
        case "skipped":
            await _write_skip(conn, attempt, "skipped_by_operator", said.reason or "Skipped in the outbox.")
        case _:
            assert_never(said.outcome)
    await account_queries.wake(conn, attempt.workspace_id)


async def _visible(conn: Connection, caller: Caller, message_id: MessageId) -> CardRow:
    card = await queries_outbox.by_id(conn, caller.workspace_id, message_id, only=caller.client_id)
    if card is None:
        raise CardNotFound("There is no such card.")
    return card


async def _read(conn: Connection, caller: Caller, message_id: MessageId) -> Card:
    return _shown(caller, await _visible(conn, caller, message_id))


def _shown(caller: Caller, card: CardRow) -> Card:
    return shown(card, mode=caller.mode, actor=caller.actor)


def _reason(text: str | None) -> str | None:
    return optional_line(text, "reason", most=500)
