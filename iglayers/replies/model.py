"""Replies as values."""

from datetime import datetime
from typing import Any

import msgspec

from iglayers.core.errors import NotFound
from iglayers.core.ids import CampaignId, ClientId, ContactId, MessageId, ReplyId, SenderId, TargetId
from iglayers.replies.labels import Label


class ReplyNotFound(NotFound):
    code = "not_found"


class Reply(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """A reply as the API shows it. Without a target: nobody had written to this person through this sender."""

    id: ReplyId
    instagram_username: str | None
    sender_id: SenderId
    sender_username: str
    client_id: ClientId | None
    campaign_id: CampaignId | None
    target_id: TargetId | None
    message_id: MessageId | None
    text: str | None
    opted_out: bool
    label: Label
    label_reason: str | None
    labelled_by: str | None  # None: the rules
    author: str | None
    received_at: datetime


class Relabelled(Reply, frozen=True, kw_only=True):
    """A reply with the label that a person gave it, and what that changed beside the label."""

    effect: str


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """The message that a reply answers."""

    message_id: MessageId
    target_id: TargetId
    campaign_id: CampaignId
    client_id: ClientId
    begun_at: datetime
    is_last: bool  # no person of ours wrote after it


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What an event tells beside the reply: the campaign, the target and the message, as they are now."""

    campaign_id: CampaignId
    campaign_name: str
    client_id: ClientId
    metadata: dict[str, Any]
    target_id: TargetId
    instagram_username: str | None
    profile_url: str | None
    full_name: str | None
    first_name: str | None
    category: str | None
    follower_count: int | None
    variables: dict[str, Any] | None
    message_id: MessageId
    step: int
    route: str
    message_text: str | None


class Filters(msgspec.Struct, frozen=True, kw_only=True):
    """What a list of replies is narrowed by; None: not narrowed."""

    only: ClientId | None
    campaign_id: CampaignId | None = None
    target_id: TargetId | None = None
    sender_id: SenderId | None = None
    contact_id: ContactId | None = None
    label: Label | None = None


def event_data(context: Context, reply: Reply) -> dict[str, Any]:
    """The campaign, the target, the message and the reply, as webhooks show them."""
    return {
        "campaign": {
            "id": context.campaign_id,
            "name": context.campaign_name,
            "clientId": context.client_id,
            "metadata": context.metadata,
        },
        "target": {
            "id": context.target_id,
            "instagramUsername": context.instagram_username,
            "profileUrl": context.profile_url,
            "fullName": context.full_name,
            "firstName": context.first_name,
            "category": context.category,
            "followerCount": context.follower_count,
            "variables": context.variables or {},
        },
        "message": {
            "id": context.message_id,
            "step": context.step,
            "route": context.route,
            "text": context.message_text,
        },
    } | reply_data(reply)


def reply_data(reply: Reply) -> dict[str, Any]:
    """The reply and the account that it came to."""
    return {
        "reply": {
            "id": reply.id,
            "text": reply.text,
            "receivedAt": reply.received_at,
            "optedOut": reply.opted_out,
            "label": reply.label,
            "labelReason": reply.label_reason,
        },
        "sender": {"id": reply.sender_id, "username": reply.sender_username},
    }
