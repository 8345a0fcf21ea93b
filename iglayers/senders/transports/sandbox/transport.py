"""The simulated Instagram: one statement a delivery, committed by itself before the answer; what follows is planned."""

import asyncio
from datetime import datetime, timedelta
from typing import Any, assert_never
from uuid import UUID

import structlog

from iglayers.core.clock import Moment
from iglayers.core.db import Database, in_transaction
from iglayers.core.ids import uuid7
from iglayers.core.wire import decode_special
from iglayers.senders import actions
from iglayers.senders.model import (
    Conversation,
    Fact,
    NotPermitted,
    NotSent,
    Order,
    Outcome,
    Permitted,
    Received,
    Recipient,
    Sent,
    Unknown,
)
from iglayers.senders.transports.sandbox import queries
from iglayers.senders.transports.sandbox.behaviour import RETRY_AFTER, Answer, Behaviour, behaviour_of
from iglayers.senders.transports.sandbox.queries import Handled, Plan

log = structlog.get_logger("sandbox")

TICK = 500
HUMAN_AGENT = timedelta(days=7)


class SandboxTransport:
    name: str = "sandbox"
    by_hand: bool = False

    def __init__(self, db: Database, *, slow_s: float = 5.0) -> None:
        self._db: Database = db
        self._slow_s: float = slow_s

    def permitted(
        self, recipient: Recipient, conversation: Conversation | None, now: datetime
    ) -> Permitted | NotPermitted:
        del conversation, now
        if behaviour_of(recipient.username).has_route:
            return Permitted(route=self.name, rule="the sandbox lets everybody be written to")
        return NotPermitted(rule="the sandbox opens no route to this person")

    def permitted_answer(
        self, recipient: Recipient, conversation: Conversation | None, now: datetime
    ) -> Permitted | NotPermitted:
        """As on Instagram: 24 hours from the person's last word, and as a human agent seven days."""
        if not behaviour_of(recipient.username).has_route:
            return NotPermitted(rule="the sandbox opens no route to this person")
        ends_at = conversation and conversation.window_ends_at
        if ends_at is not None and now < ends_at:
            return Permitted(route=self.name, rule="within 24 hours of the person's last word", until=ends_at)
        last = conversation and conversation.last_inbound_at
        if last is not None and now < last + HUMAN_AGENT:
            rule = "a person answers within seven days of the person's last word"
            return Permitted(route=f"{self.name}.human_agent", rule=rule, until=last + HUMAN_AGENT)
        return NotPermitted(rule="the person's last word is more than seven days old")

    async def deliver(self, order: Order) -> Outcome:
        if in_transaction.get():
            log.error("sandbox.called_in_transaction", message_id=str(order.message_id))
            return NotSent(code="provider_error", reason="The sandbox was called inside a transaction.")
        try:
            async with asyncio.timeout(order.deadline_s):
                return await self._deliver(order)
        except TimeoutError:
            return Unknown("The sandbox did not answer in time.")
        except Exception as error:  # noqa: BLE001 whatever it was, the message may have been logged
            log.warning("sandbox.failed", message_id=str(order.message_id), error=type(error).__name__)
            return Unknown(f"The sandbox failed: {type(error).__name__}.")

    async def _deliver(self, order: Order) -> Outcome:
        does = behaviour_of(order.recipient.username)
        log_id = uuid7()
        async with self._db.connection() as conn:
            handled = await queries.handle(
                conn, order, log_id=log_id, delivers=does.delivers, strikes_once=does.answer is Answer.SLOW_DOWN,
                plans=_plans(order, does, log_id),
            )  # fmt: skip
        if does.is_slow:
            await asyncio.sleep(self._slow_s)
        return _outcome(order, does, handled, log_id)

    async def look_up(self, order_reference: UUID, provider_message_id: str | None) -> Sent | None:
        """By the id that the sandbox gave out, else by the order's reference: its log forgets nothing."""
        try:
            log_id = UUID(provider_message_id) if provider_message_id else None
        except ValueError:
            return None
        async with self._db.connection() as conn:
            found = await queries.logged(conn, log_id=log_id, reference=order_reference)
        return None if found is None else Sent(str(found))

    def parse_inbound(self, raw: dict[str, Any]) -> list[Fact]:
        return [parse(raw)]


def parse(raw: dict[str, Any]) -> Fact:
    """What the sandbox tells, as a fact: `key`, `kind`, `at`, and the rest as it is."""
    rest = {name: item for name, item in raw.items() if name not in ("key", "kind", "at")}
    at = decode_special(Moment, raw["at"])
    assert isinstance(at, Moment)
    return Fact(provider_key=raw["key"], kind=raw["kind"], occurred_at=at, fact=rest)


async def tick(db: Database, *, limit: int = TICK) -> int:
    """Tell what is due, through the door of every provider; the number told. Any number of workers at once."""
    async with db.transaction() as conn:
        due = await queries.take_due(conn, limit=limit)
        await actions.receive_all(
            conn,
            [Received(workspace_id=each.workspace_id, sender_id=each.sender_id, fact=parse(each.fact)) for each in due],
        )
    return len(due)


def _plans(order: Order, does: Behaviour, log_id: UUID) -> list[Plan]:
    """What the sandbox will tell later about this message."""
    plans: list[Plan] = []

    def plan(kind: str, at: datetime, **rest: str) -> None:
        moment = Moment.of(at)
        fact = {"key": f"{kind}:{log_id.hex}", "kind": kind, "at": moment.rfc3339(), **rest}
        plans.append(Plan(
            id=uuid7(), workspace_id=order.account.workspace_id, sender_id=order.account.id, kind=kind, due_at=moment,
            fact=fact,
        ))  # fmt: skip

    if does.reply is not None:
        plan("reply", order.now + does.reply_after, username=order.recipient.username, text=does.reply)
    if does.echo_after is not None:
        plan("echo", order.now + does.echo_after, reference=str(order.reference), providerMessageId=str(log_id))
    return plans


def _outcome(order: Order, does: Behaviour, handled: Handled, log_id: UUID) -> Outcome:
    if not handled.is_simulated:
        return NotSent(code="no_permitted_route", reason="The sandbox serves test workspaces only.")
    match does.answer:
        case Answer.ACCEPTED:
            return Sent(str(log_id))
        case Answer.SILENCE:
            return Unknown(does.reason)
        case Answer.REFUSED:
            return NotSent(code=does.code, reason=does.reason, trouble=does.trouble)
        case Answer.SLOW_DOWN if handled.struck:
            again = Moment.of(order.now + RETRY_AFTER)
            return NotSent(code=does.code, reason=does.reason, retry_at=again, trouble=does.trouble)
        case Answer.SLOW_DOWN:
            return Sent(str(log_id))
        case _:
            assert_never(does.answer)
