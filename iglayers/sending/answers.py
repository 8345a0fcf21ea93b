"""How a person's answer in a conversation gets sent: the promises of `send.py`, without a campaign. Read downward.

    refuse    answers_rules.py: the person opted out, the account is stopped, no route is open; nothing is written
    begin     committed before the network is touched; the caller's transaction
    deliver   the only network call, one request with one deadline
    settle    answers_settle.py: outcome and event in one transaction

After begin an answer is never sent again by itself. If the process is lost there, its lease ends and the answer is
unknown, until evidence or a named person settles it. Limits of pace hold nobody up who answers; an answer counts
against its sender's limits like any message, and not against the month.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import msgspec
import structlog

from iglayers.accounts import actions as accounts
from iglayers.accounts import queries as account_queries
from iglayers.accounts.model import Caller
from iglayers.contacts import queries as contacts
from iglayers.core.clock import Clock, Moment, awake_seconds, real_now
from iglayers.core.config import Settings
from iglayers.core.db import Connection, Database
from iglayers.core.errors import Conflict, Error, Invalid
from iglayers.core.fields import text as clean
from iglayers.core.ids import ConversationId, MessageId, uuid7
from iglayers.senders import queries as senders
from iglayers.senders.model import Account, NotSent, Order, Outcome, Recipient, Transport, Unknown
from iglayers.sending import answers_rules, answers_settle
from iglayers.sending import queries_answers as queries
from iglayers.sending.model_answers import Answer, ConversationNotFound, Ending, Facts, NewAnswer, NoPermittedRoute, Way
from iglayers.templates.render import MAX_MESSAGE_BYTES, byte_length

log = structlog.get_logger("sending")
_MAX_CHARACTERS = 10_000


class Post(msgspec.Struct, frozen=True):
    """What a process needs to send answers."""

    db: Database
    settings: Settings
    transports: dict[str, Transport]


class Ready(msgspec.Struct, frozen=True):
    """An answer that has begun and is about to leave."""

    answer: Answer
    order: Order
    transport: Transport
    commit_asked_at: float  # by a clock that counts sleep


async def way(conn: Connection, post: Post, caller: Caller, conversation_id: ConversationId) -> Way:
    """How an answer would go now, or the rule that forbids it."""
    now = (await _clock(conn, caller)).shows(real_now())
    facts = await queries.facts(conn, caller.workspace_id, conversation_id, only=caller.client_id, now=now)
    if facts is None:
        raise ConversationNotFound("There is no such conversation.")
    found = answers_rules.permitted(post.transports, facts, now)
    if isinstance(found, Error):
        return Way(route=None, rule=found.message)
    return Way(route=found.permitted.route, rule=found.permitted.rule, until=found.permitted.until)


async def begin(conn: Connection, post: Post, caller: Caller, conversation_id: ConversationId, new: NewAnswer) -> Ready:
    """Refuse, or take the point of no return in the caller's transaction; locks the sender, then the contact."""
    text = _text(new)
    facts, clock, now = await _hold(conn, caller, conversation_id)
    found = answers_rules.permitted(post.transports, facts, now)
    if isinstance(found, Error):
        raise found
    answer = _answer(caller, facts, clock, now, route=found.permitted.route)
    if facts.is_busy or not await queries.begin(
        conn, answer, text=text, comment_id=found.permitted.address.comment_id, lease_s=post.settings.send_lease_s
    ):
        raise Conflict(
            "Another message of this account is on its way.", remedy="Try again in a moment: one goes after the other."
        )
    assert facts.username is not None
    order = Order(
        message_id=answer.message_id, reference=answer.message_id.uuid, route=found.permitted.route, text=text, now=now,
        account=Account(
            id=facts.sender_id, workspace_id=caller.workspace_id, username=facts.sender_username,
            instagram_id=facts.instagram_id,
        ),
        recipient=Recipient(contact_id=answer.contact_id, username=facts.username), address=found.permitted.address,
        deadline_s=post.settings.send_deadline_s,
    )  # fmt: skip
    return Ready(answer, order, found.transport, commit_asked_at=awake_seconds())


async def write_down(
    conn: Connection, post: Post, caller: Caller, conversation_id: ConversationId, new: NewAnswer
) -> MessageId:
    """Keep what a person has written in Instagram already, through an account that people use.

    That it happened is kept whatever rule it broke.
    """
    text = _text(new)
    facts, clock, now = await _hold(conn, caller, conversation_id)
    by_hand = [name for name in facts.routes if name in post.transports and post.transports[name].by_hand]
    if not by_hand:
        raise Invalid(
            "byHand is for accounts that a person uses; this one sends by itself.", param="byHand",
            remedy="Leave byHand out, and the answer is sent.",
        )  # fmt: skip
    answer = _answer(caller, facts, clock, now, route=by_hand[0])
    await queries.write_down(conn, answer, text=text, event=answers_settle.event(answer, Ending(state="sent"), at=now))
    await accounts.audit(
        conn, caller, "answer.logged", answer.message_id, after={"conversationId": str(conversation_id)},
        contact_id=answer.contact_id.uuid,
    )  # fmt: skip
    return answer.message_id


@asynccontextmanager
async def unless_unconfirmed(post: Post, begun: list[Ready]) -> AsyncGenerator[None, None]:
    """Around the transaction of `begin`: if its commit is not confirmed, nothing leaves, and that is written down."""
    try:
        yield
    except Exception:
        for ready in begun:
            outcome = NotSent(code="provider_error", reason="The commit was not confirmed; nothing was sent.")
            await answers_settle.settle(post.db, ready.answer, outcome)
        raise


async def finish(post: Post, ready: Ready) -> None:
    """Deliver an answer that has begun, and settle it whatever happens."""
    try:
        outcome = await _deliver(post, ready)
    except asyncio.CancelledError:
        outcome = Unknown("The process was stopped while the answer was on its way.")
        await asyncio.shield(answers_settle.settle(post.db, ready.answer, outcome))
        raise
    await answers_settle.settle(post.db, ready.answer, outcome)
    log.info(
        "answer.attempted", message_id=str(ready.answer.message_id), sender_id=str(ready.answer.sender_id),
        outcome=type(outcome).__name__, code=getattr(outcome, "code", None),
    )  # fmt: skip


async def _hold(conn: Connection, caller: Caller, conversation_id: ConversationId) -> tuple[Facts, Clock, Moment]:
    """Lock the conversation's sender and person, then read clock and facts, in statements of their own."""
    await queries.hold_begins(conn)
    looked = await queries.facts(
        conn, caller.workspace_id, conversation_id, only=caller.client_id, now=caller.clock.shows(real_now())
    )
    if looked is None:
        raise ConversationNotFound("There is no such conversation.")
    if looked.contact_id is None:
        raise NoPermittedRoute("Instagram has not told yet who this person is.", remedy="Try again in a few minutes.")
    await senders.lock(conn, caller.workspace_id, looked.sender_id)
    await contacts.lock(conn, caller.workspace_id, [looked.contact_id])
    clock = await _clock(conn, caller)
    now = clock.shows(real_now())
    facts = await queries.facts(conn, caller.workspace_id, conversation_id, only=caller.client_id, now=now)
    if facts is None or facts.contact_id != looked.contact_id:
        raise ConversationNotFound("This conversation is no more.")
    return facts, clock, now


async def _clock(conn: Connection, caller: Caller) -> Clock:
    """The workspace's clock as it is: what the caller brings may be some seconds old."""
    clock = await account_queries.clock(conn, caller.workspace_id)
    assert clock is not None
    return clock


def _text(new: NewAnswer) -> str:
    text = clean(new.text, "text", most=_MAX_CHARACTERS)
    if (size := byte_length(text)) > MAX_MESSAGE_BYTES:
        raise Invalid(f"The text has {size} bytes; Instagram takes {MAX_MESSAGE_BYTES}.", param="text")
    return text


def _answer(caller: Caller, facts: Facts, clock: Clock, now: Moment, *, route: str) -> Answer:
    assert facts.contact_id is not None
    return Answer(
        message_id=MessageId.new(), attempt_id=uuid7(), workspace_id=caller.workspace_id, client_id=facts.client_id,
        contact_id=facts.contact_id, username=facts.username, sender_id=facts.sender_id,
        sender_username=facts.sender_username, conversation_id=facts.id, route=route, author=caller.actor,
        begun_at=now, clock=clock,
    )  # fmt: skip


async def _deliver(post: Post, ready: Ready) -> Outcome:
    """The only network call. A process that was stopped or frozen around the commit gives up before the first byte."""
    waited_s = awake_seconds() - ready.commit_asked_at
    if waited_s > post.settings.commit_patience_s:
        return NotSent(code="provider_error", reason=f"The commit took {waited_s:.1f} s; nothing was sent.")
    try:
        async with asyncio.timeout(post.settings.send_deadline_s):
            return await ready.transport.deliver(ready.order)
    except TimeoutError:
        return Unknown(f"No answer within {post.settings.send_deadline_s:g} s.")
    except Exception:
        log.exception("answer.transport_broke", message_id=str(ready.answer.message_id))
        return Unknown("The transport failed in a way it does not know.")
