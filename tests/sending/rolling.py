"""How many messages any stretch of time holds, counted from the moments alone."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta

HOUR, DAY = timedelta(hours=1), timedelta(hours=24)


def most_within(moments: Sequence[datetime], span: timedelta) -> int:
    """The most of these moments that any stretch of this length holds."""
    ordered = sorted(moments)
    return max((number + 1 - bisect_right(ordered, at - span) for number, at in enumerate(ordered)), default=0)
