"""The outbox as values: a card as it is kept, as it is shown, and what may be said of it."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

import msgspec

from iglayers.accounts.model import Mode
from iglayers.core.errors import Conflict, InvalidState, NotFound
from iglayers.core.ids import CampaignId, ClientId, ContactId, MessageId, SenderId, TargetId
from iglayers.messages.model import MessageState


class CardNotFound(NotFound):
    code = "not_found"


class CardTaken(Conflict):
    code = "conflict"
    remedy = "Take another card of GET /outbox."


class TooEarly(InvalidState):
    """A limit holds at this moment; `details` tell the rule and until when."""

    code = "invalid_state"
    remedy = "Claim it at nextAt, or take a card of another account."


class CardStatus(StrEnum):
    """What a list of cards may be narrowed to."""

    HANDED_OVER = "handed_over"
    CLAIMED = "claimed"
    UNKNOWN = "unknown"


class CardPlace(msgspec.Struct, frozen=True, kw_only=True):
    """What a card belongs to."""

    campaign_id: CampaignId
    client_id: ClientId
    sender_id: SenderId
    target_id: TargetId


class CardRow(msgspec.Struct, frozen=True, kw_only=True):
    """A card as the database keeps it."""

    id: MessageId
    state: MessageState
    campaign_id: CampaignId
    campaign_name: str
    campaign_state: str
    client_id: ClientId
    target_id: TargetId
    contact_id: ContactId
    instagram_username: str | None
    full_name: str | None
    first_name: str | None
    category: str | None
    follower_count: int | None
    sender_id: SenderId
    sender_username: str
    step: int
    body: str | None
    author: str | None
    begun_at: datetime
    lease_until: datetime | None
    held: dict[str, Any] | None
    held_until: datetime | None
    error_code: str | None
    reason: str | None


class Said(msgspec.Struct, rename="camel", frozen=True, kw_only=True, omit_defaults=True):
    """What somebody said became of a card."""

    outcome: Literal["sent", "failed", "skipped"]
    code: str | None = None
    reason: str | None = None


class Card(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """A message that waits for a person's hands, as the API shows it. The text comes with the claim."""

    id: MessageId
    status: MessageState
    campaign_id: CampaignId
    campaign_name: str
    client_id: ClientId
    target_id: TargetId
    instagram_username: str | None
    full_name: str | None
    first_name: str | None
    category: str | None
    follower_count: int | None
    sender_id: SenderId
    sender_username: str
    step: int
    text: str | None
    profile_url: str | None
    chat_url: str | None
    claimed_by: str | None
    claimed_at: datetime | None
    answer_by: datetime | None  # after that nobody knows whether it was sent
    said: Said | None
    undo_until: datetime | None
    error_code: str | None
    reason: str | None


_WITH_TEXT = frozenset({MessageState.CLAIMED, MessageState.UNKNOWN})


def shown(card: CardRow, *, mode: Mode, actor: str) -> Card:
    """A card as this person sees it: the text is its claimer's."""
    is_plan = card.state is MessageState.HANDED_OVER
    profile, chat = _links(card.instagram_username, mode)
    return Card(
        id=card.id, status=card.state, campaign_id=card.campaign_id, campaign_name=card.campaign_name,
        client_id=card.client_id, target_id=card.target_id, instagram_username=card.instagram_username,
        full_name=card.full_name, first_name=card.first_name, category=card.category,
        follower_count=card.follower_count, sender_id=card.sender_id, sender_username=card.sender_username,
        step=card.step, text=card.body if card.state in _WITH_TEXT and card.author == actor else None,
        profile_url=profile, chat_url=chat, claimed_by=card.author, claimed_at=None if is_plan else card.begun_at,
        answer_by=card.lease_until if card.held is None else None,
        said=None if card.held is None else msgspec.convert(card.held, Said), undo_until=card.held_until,
        error_code=card.error_code, reason=card.reason,
    )  # fmt: skip


def _links(username: str | None, mode: Mode) -> tuple[str | None, str | None]:
    """The person's profile and their chat in the app; of a test workspace, which never reaches Instagram, our page."""
    if username is None:
        return None, None
    if mode is Mode.TEST:
        return f"/practice/{username}", f"/practice/{username}"
    return f"https://www.instagram.com/{username}/", f"https://ig.me/m/{username}"
