"""The time that rules see. Live workspaces run on real time; a test workspace has a clock of its own.

Rules take `now` as an argument; only edges call `real_now`.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Self

import msgspec


class Moment(datetime):
    """A time as the product keeps and shows it: in UTC, with milliseconds."""

    @classmethod
    def of(cls, moment: datetime) -> Self:
        utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
        return cls(utc.year, utc.month, utc.day, utc.hour, utc.minute, utc.second, utc.microsecond // 1000 * 1000, UTC)

    def rfc3339(self) -> str:
        return self.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def real_now() -> Moment:
    return Moment.of(datetime.now(UTC))


def awake_seconds() -> float:
    """Seconds by a clock that also counts while the machine sleeps or the process is stopped."""
    boot = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(boot)


class Clock(msgspec.Struct, frozen=True):
    """`at + (real - real_at) * speed`: what a workspace's clock shows at a real moment."""

    real_at: datetime
    at: datetime
    speed: float

    def shows(self, real: datetime) -> Moment:
        if self.speed == 1 and self.at == self.real_at:
            return Moment.of(real)
        return Moment.of(self.at + (real - self.real_at) * self.speed)

    def real(self, shown: datetime) -> datetime:
        """The real moment at which the clock will show `shown`; far away when the clock stands still."""
        if self.speed == 1 and self.at == self.real_at:
            return shown
        if self.speed == 0:
            return self.real_at if shown <= self.at else self.real_at + timedelta(days=36_500)
        return self.real_at + (shown - self.at) / self.speed
