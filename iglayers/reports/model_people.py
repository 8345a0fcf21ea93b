"""Everything that is known of one person, as a value."""

from datetime import datetime

import msgspec

from iglayers.contacts.model import Suppression
from iglayers.core.ids import CampaignId, ClientId, ContactId, TargetId
from iglayers.messages.model import ContactedTwice, Message
from iglayers.replies.model import Reply

# Of each kind, the newest so many are shown.
MOST_SHOWN = 500


class PersonTarget(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """A person in one campaign."""

    target_id: TargetId
    campaign_id: CampaignId
    campaign_name: str
    client_id: ClientId
    status: str
    error_code: str | None
    reason: str | None
    sent_at: datetime | None
    replied_at: datetime | None
    created_at: datetime


class Person(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """`handles` are all usernames that were merged into this person.

    Of an erased or a forgotten one nothing is left but this; a forgotten one may be named again.
    """

    id: ContactId
    instagram_username: str | None
    handles: list[str]
    erased_at: datetime | None
    forgotten_at: datetime | None
    suppressions: list[Suppression]
    targets: list[PersonTarget]
    messages: list[Message]
    replies: list[Reply]


class Merged(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """Two names that are one person: what was moved, what will not be sent, and the person as they are now.

    `written_to_twice`: clients that had written under both names already, which nobody can take back.
    """

    merged: str
    into: str
    targets_moved: int = 0
    targets_skipped: int = 0
    follow_ups_stopped: int = 0
    messages_moved: int = 0
    suppressions_moved: int = 0
    written_to_twice: list[ContactedTwice] = []
    person: Person
