"""The transport whose messages leave by a person's hands: nothing goes out from here."""

from datetime import datetime
from typing import Any
from uuid import UUID

from iglayers.senders.model import (
    Conversation,
    Fact,
    HandedOver,
    NotPermitted,
    Order,
    Outcome,
    Permitted,
    Recipient,
    Sent,
)


class AssistedTransport:
    name: str = "assisted"
    by_hand: bool = True

    def permitted(
        self, recipient: Recipient, conversation: Conversation | None, now: datetime
    ) -> Permitted | NotPermitted:
        """A person may write to anybody."""
        del recipient, conversation, now
        return Permitted(route=self.name, rule="a person sends it by hand")

    async def deliver(self, order: Order) -> Outcome:
        del order
        return HandedOver()

    async def look_up(self, order_reference: UUID, provider_message_id: str | None) -> Sent | None:
        """Only the person who sent it can tell."""
        del order_reference, provider_message_id
        return None

    def parse_inbound(self, raw: dict[str, Any]) -> list[Fact]:
        """Replies are logged by hand."""
        del raw
        return []
