"""Providers that behave as no sandbox does: one that answers when it is told to, and some that break."""

import asyncio
from datetime import datetime
from typing import NoReturn

from iglayers.core.db import Database
from iglayers.senders.model import Conversation, NotPermitted, Order, Outcome, Permitted, Recipient
from iglayers.senders.transports.sandbox.transport import SandboxTransport


class HeldProvider(SandboxTransport):
    """Takes every request, and delivers and answers once `answer` is set."""

    def __init__(self, db: Database) -> None:
        super().__init__(db)
        self.asked = asyncio.Event()
        self.answer = asyncio.Event()

    async def deliver(self, order: Order) -> Outcome:
        self.asked.set()
        await self.answer.wait()
        return await super().deliver(order)


class BrokenProvider(SandboxTransport):
    """Fails in a way that nobody has thought of."""

    async def deliver(self, order: Order) -> NoReturn:
        raise LookupError(order.message_id)


class PoisonedProvider(SandboxTransport):
    """Fails for one person before anything leaves, while it is asked whether they may be written to."""

    def permitted(
        self, recipient: Recipient, conversation: Conversation | None, now: datetime
    ) -> Permitted | NotPermitted:
        if recipient.username == "poison":
            raise LookupError(recipient.username)
        return super().permitted(recipient, conversation, now)
