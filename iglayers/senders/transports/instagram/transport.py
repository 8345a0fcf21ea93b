"""The official way: what Instagram permits, and one request for one message."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import structlog

from iglayers.accounts.services import Services
from iglayers.core.clock import Moment, awake_seconds, real_now
from iglayers.core.db import in_transaction
from iglayers.senders import queries_credentials as queries
from iglayers.senders.model import (
    Conversation,
    Fact,
    NotPermitted,
    NotSent,
    Order,
    Outcome,
    Permitted,
    Recipient,
    Sent,
    Trouble,
    Unknown,
)
from iglayers.senders.queries_credentials import Credential
from iglayers.senders.transports.instagram import credentials, eligibility, errors, inbound, outcomes
from iglayers.senders.transports.instagram.errors import Meaning
from iglayers.senders.transports.instagram.graph import Graph, GraphAnswer

log = structlog.get_logger("instagram")

MAX_TEXT_BYTES = 1_000
# Of the deadline, at most: what is written down after the answer must not turn a message that was sent into an
# unknown one.
RESERVE_S = 1.5
RETRY_AFTER = timedelta(minutes=1)
# After so long without a throttle the back-off starts anew.
THROTTLES_LAST = timedelta(hours=6)


class Ready(msgspec.Struct, frozen=True):
    """All that a request needs."""

    credential: Credential
    token: str
    path: str
    content: dict[str, Any]


class InstagramTransport:
    name: str = "instagram"
    by_hand: bool = False

    def __init__(self, services: Services, *, graph: Graph | None = None) -> None:
        self._services: Services = services
        self._graph: Graph = graph or Graph(services.settings)

    def permitted(
        self, recipient: Recipient, conversation: Conversation | None, now: datetime
    ) -> Permitted | NotPermitted:
        del recipient
        return eligibility.permitted(conversation, now)

    def permitted_answer(
        self, recipient: Recipient, conversation: Conversation | None, now: datetime
    ) -> Permitted | NotPermitted:
        """The same for what a person writes: as a human agent for longer, where Meta has approved that."""
        del recipient
        return eligibility.permitted_answer(
            conversation, now, human_agent=self._services.settings.instagram_human_agent
        )

    async def deliver(self, order: Order) -> Outcome:
        began_at = awake_seconds()
        try:
            async with asyncio.timeout(order.deadline_s):
                ready = await self._prepare(order)
        except Exception as error:  # noqa: BLE001 whatever it was, nothing has left
            log.warning("instagram.not_prepared", message_id=str(order.message_id), error=type(error).__name__)
            return _not_now(order, f"The message could not be prepared: {type(error).__name__}.")
        if isinstance(ready, NotSent):
            return ready
        try:
            return await self._send(order, ready, ends_at=began_at + order.deadline_s)
        except Exception as error:  # noqa: BLE001 whatever it was, the message may have left
            log.warning("instagram.failed", message_id=str(order.message_id), error=type(error).__name__)
            return Unknown(f"The transport failed: {type(error).__name__}; whether it was sent is not known.")

    async def look_up(self, order_reference: UUID, provider_message_id: str | None) -> Sent | None:
        """By Meta's id for the message alone: it takes no reference of ours, and texts and times prove nothing."""
        if not provider_message_id:
            return None
        async with self._services.db.connection() as conn:
            credential = await queries.of_message(conn, order_reference)
        if credential is None:
            return None
        answer = await self._graph.get(
            provider_message_id, token=credentials.opened(self._services.vault, credential), query={"fields": "id"}
        )
        found = (answer.fields or {}).get("id")
        return Sent(provider_message_id) if found == provider_message_id else None

    def parse_inbound(self, raw: dict[str, Any]) -> list[Fact]:
        """Of all accounts that a webhook tells of."""
        return [told.fact for told in inbound.parse(raw, now=real_now())]

    async def _prepare(self, order: Order) -> Ready | NotSent:
        """Everything that can go wrong without a byte leaving."""
        if in_transaction.get():
            log.error("instagram.called_in_transaction", message_id=str(order.message_id))
            return NotSent(code="provider_error", reason="Instagram was to be called inside a transaction.")
        if (size := len(order.text.encode())) > MAX_TEXT_BYTES:
            return NotSent(
                code="message_too_long", reason=f"The text has {size} bytes; Instagram takes {MAX_TEXT_BYTES}."
            )
        content = content_of(order)
        if content is None:
            return NotSent(code="no_permitted_route", reason="Neither the person's id nor a comment is known.")
        async with self._services.db.connection() as conn:
            credential = await queries.of_sender(conn, order.account.workspace_id, order.account.id)
        if credential is None:
            return NotSent(
                code="sender_not_available", reason="There is no access to the account: connect it.",
                retry_at=Moment.of(order.now + outcomes.ACCESS_RETRY), trouble=Trouble.DISABLED,
            )  # fmt: skip
        node = credential.instagram_id or order.account.instagram_id or "me"
        token = credentials.opened(self._services.vault, credential)
        return Ready(credential, token, f"{node}/messages", content)

    async def _send(self, order: Order, ready: Ready, *, ends_at: float) -> Outcome:
        """The one request, its outcome, and what the answer shows beside it."""
        deadline_s = ends_at - awake_seconds() - min(RESERVE_S, order.deadline_s / 5)
        if deadline_s <= 0:
            return _not_now(order, "There was no time left for the request.")
        answer = await self._graph.post(ready.path, token=ready.token, content=ready.content, deadline_s=deadline_s)
        throttled_before = _throttles(ready.credential, real_now())
        outcome = outcomes.outcome_of(
            answer, now=order.now, chance=(order.reference.int & 0xFFFF) / 0xFFFF, throttled_before=throttled_before
        )
        if isinstance(outcome, NotSent):
            try:
                async with asyncio.timeout(max(0.0, ends_at - awake_seconds())):
                    await self._note(order, ready.credential, answer, throttled_before)
            except Exception as error:  # noqa: BLE001 the outcome is what counts
                log.warning("instagram.not_noted", message_id=str(order.message_id), error=type(error).__name__)
        return outcome

    async def _note(self, order: Order, credential: Credential, answer: GraphAnswer, throttled_before: int) -> None:
        """Keep what Instagram told about the conversation or the account."""
        row = errors.row_of(answer.error) if answer.error else None
        if row is None:
            return
        of = (order.account.workspace_id, order.account.id, order.recipient.contact_id)
        async with self._services.db.connection() as conn:
            match row.meaning:
                case Meaning.WINDOW_CLOSED:
                    await queries.close_window(conn, *of, at=order.now)
                case Meaning.COMMENT_CLOSED if order.address.comment_id is not None:
                    await queries.close_comment(conn, *of, comment_id=order.address.comment_id)
                case Meaning.THROTTLED | Meaning.SLOW_DOWN:
                    await queries.count_throttle(conn, credential, count=throttled_before + 1, now=real_now())
                case _:
                    return


def content_of(order: Order) -> dict[str, Any] | None:
    """The body of a send; None when nobody is addressed. Never both kinds of address."""
    address = order.address
    if address.comment_id is not None:
        recipient = {"comment_id": address.comment_id}
    elif address.igsid is not None:
        recipient = {"id": address.igsid}
    else:
        return None
    content: dict[str, Any] = {"recipient": recipient, "message": {"text": order.text}}
    if order.route == eligibility.HUMAN_AGENT:
        content["tag"] = "HUMAN_AGENT"
    return content


def _throttles(credential: Credential, now: datetime) -> int:
    at = credential.throttled_at
    return credential.throttles if at is not None and now - at < THROTTLES_LAST else 0


def _not_now(order: Order, reason: str) -> NotSent:
    return NotSent(code="provider_error", reason=reason, retry_at=Moment.of(order.now + RETRY_AFTER))
