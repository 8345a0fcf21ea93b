"""How long to leave Instagram alone after a read that failed; reads may be repeated."""

from iglayers.senders.transports.instagram.graph import GraphAnswer

THROTTLES = frozenset({4, 17, 32, 341, 613, 80002, 80006})
NO_ACCESS = frozenset({102, 190})
MOST_S = 6 * 3_600.0
_HOUR_S = 3_600.0


def seconds(answer: GraphAnswer, *, tries: int) -> float:
    """Until the next try, the `tries`-th failure in a row behind us; calls while throttled lengthen the block."""
    code = 0 if answer.error is None else answer.error.code
    backoff_s = min(MOST_S, 30.0 * 2 ** min(tries, 12))
    if code in NO_ACCESS:
        return _HOUR_S  # a new token, or a person, must come first
    if code in THROTTLES:
        return max(backoff_s, 60.0, answer.usage.regain_minutes * 60)
    return backoff_s
