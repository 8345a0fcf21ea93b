"""Typed ids: UUIDv7 inside, a prefix and 32 hex digits outside (`cmp_0198...`), sortable by time."""

import os
import time
from typing import ClassVar, Self
from uuid import UUID


class Id:
    """One row's identity. Two ids are equal only when their kinds are."""

    __slots__: ClassVar[tuple[str, ...]] = ("uuid",)
    prefix: ClassVar[str]
    uuid: UUID

    def __init__(self, value: UUID) -> None:
        self.uuid = value

    @classmethod
    def new(cls) -> Self:
        return cls(uuid7())

    @classmethod
    def parse(cls, text: str) -> Self:
        """The id that `text` spells; ValueError with a remedy when it spells none."""
        head, _, digits = text.rpartition("_")
        if head != cls.prefix or len(digits) != 32 or not digits.isascii() or not digits.isalnum():
            raise ValueError(f"expected an id that starts with {cls.prefix}_")
        try:
            return cls(UUID(hex=digits))
        except ValueError:
            raise ValueError(f"expected an id that starts with {cls.prefix}_") from None

    @classmethod
    def of_nothing(cls) -> Self:
        """The id that no row has."""
        return cls(UUID(int=0))

    @property
    def bytes(self) -> bytes:
        """What the database driver writes; the same name as UUID's, so that it takes both."""
        return self.uuid.bytes

    def __str__(self) -> str:
        return f"{self.prefix}_{self.uuid.hex}"

    def __repr__(self) -> str:
        return f"<{self}>"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.uuid == self.uuid

    def __hash__(self) -> int:
        return hash(self.uuid)


def uuid7() -> UUID:
    """A UUIDv7 of this moment (RFC 9562, 6.2 method 3: the 12 bits after the milliseconds are parts of one)."""
    return uuid7_block(1)[0]


def uuid7_block(count: int) -> list[UUID]:
    """`count` UUIDv7 of one moment that sort in the order returned, each a 4,096th of a millisecond after the last."""
    nanoseconds = time.time_ns()
    ticks = (nanoseconds // 1_000_000 << 12) + (nanoseconds % 1_000_000 << 12) // 1_000_000
    noise = os.urandom(8 * count)
    made: list[UUID] = []
    for index in range(count):
        milliseconds, part = divmod(ticks + index, 4_096)
        head = milliseconds << 16 | 0x7000 | part
        tail = int.from_bytes(noise[8 * index : 8 * index + 8]) & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        made.append(UUID(int=head << 64 | tail))
    return made


class WorkspaceId(Id):
    prefix = "ws"


class UserId(Id):
    prefix = "usr"


class KeyId(Id):
    prefix = "key"


class ClientId(Id):
    prefix = "cl"


class TemplateId(Id):
    prefix = "tpl"


class ContactId(Id):
    prefix = "con"


class SuppressionId(Id):
    prefix = "sup"


class SenderId(Id):
    prefix = "snd"


class ConversationId(Id):
    prefix = "cnv"


class CampaignId(Id):
    prefix = "cmp"


class TargetId(Id):
    prefix = "tgt"


class MessageId(Id):
    prefix = "msg"


class ReplyId(Id):
    prefix = "rpl"


class EndpointId(Id):
    prefix = "whe"


class EventId(Id):
    prefix = "evt"


class DeliveryId(Id):
    prefix = "dlv"


class AttemptId(Id):
    prefix = "att"


class ReplayId(Id):
    prefix = "rpy"


class ImportId(Id):
    prefix = "imp"


class AuditId(Id):
    prefix = "aud"
