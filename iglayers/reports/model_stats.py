"""A campaign and a month in numbers, as values."""

from datetime import date, datetime

import msgspec

from iglayers.core.clock import Moment
from iglayers.core.ids import CampaignId, ClientId, SenderId


class Bucket(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """One hour or day, named by its beginning: attempts by how they ended, and replies by when they came."""

    at: datetime
    sent: int
    failed: int
    unknown: int
    replied: int


class SenderNumbers(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    sender_id: SenderId
    sender_username: str
    sent: int
    failed: int
    unknown: int
    replied: int


class StepNumbers(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """One variant of one step; `replied` and `optedOut` count people whose answer came to this message."""

    step: int
    variant: int
    sent: int
    failed: int
    unknown: int
    replied: int
    opted_out: int
    is_best: bool = False  # of the step's variants, where the numbers can tell


class CampaignStats(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """The funnel counts people, everything else messages. Buckets are in `timezone`, and only those with something."""

    campaign_id: CampaignId
    timezone: str
    by: str
    funnel: dict[str, int]
    skipped_by: dict[str, int]
    failed_by: dict[str, int]
    series: list[Bucket]
    senders: list[SenderNumbers]
    steps: list[StepNumbers]


class ClientUsage(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    client_id: ClientId
    client_name: str
    sent: int


class SenderUsage(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    sender_id: SenderId
    sender_username: str
    sent: int


class Usage(msgspec.Struct, rename="camel", frozen=True, kw_only=True):
    """A workspace's month. Counted is what may have arrived; what proved not to have left is given back."""

    month: date
    timezone: str
    ends_at: Moment
    sent: int
    limit: int | None
    remaining: int | None
    projected: int  # by the end of the month, at the rate of the last seven days
    used_up_at: Moment | None  # when the limit is reached at that rate
    clients: list[ClientUsage]
    senders: list[SenderUsage]
