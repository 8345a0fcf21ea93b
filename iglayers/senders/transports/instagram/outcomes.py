"""From one answer of Meta's to one outcome of a send (pure): what is proven, and how long the account waits."""

from datetime import datetime, timedelta
from typing import assert_never

from iglayers.core.clock import Moment
from iglayers.core.outgoing import Failure
from iglayers.events.model_webhooks import asked_to_wait
from iglayers.senders.model import NotSent, Outcome, Rest, Sent, Unknown
from iglayers.senders.transports.instagram import errors
from iglayers.senders.transports.instagram.errors import Meaning, Row
from iglayers.senders.transports.instagram.graph import GraphAnswer, GraphError, Usage

MAX_ID_LENGTH = 2_000
# A person has to look at a blocked account, and Instagram wants it to be quiet for a day at least.
BLOCK_LASTS = timedelta(hours=24)
# The account is not to blame, and neither is the person: again once somebody has seen to it.
ACCESS_RETRY = timedelta(hours=1)
UNREACHABLE_FOR = timedelta(minutes=1)
BACK_OFF = timedelta(minutes=1)
MAX_BACK_OFF = timedelta(hours=4)
MAX_DOUBLINGS = 8
# Of the allowance that the usage headers tell: from here a sender slows down, and from there it pauses.
SLOW_FROM, PAUSE_FROM = 75.0, 95.0
SLOWEST = timedelta(minutes=5)
PAUSE = timedelta(minutes=30)
MAX_PAUSE = timedelta(hours=24)

_FAILED = {
    Failure.CONNECTION_FAILED: "no connection came about",
    Failure.TLS_FAILED: "its certificate could not be verified",
    Failure.TIMED_OUT: "it did not answer in time",
    Failure.DISCONNECTED: "the connection broke off",
    Failure.INVALID_ANSWER: "its answer could not be read",
}


def outcome_of(answer: GraphAnswer, *, now: datetime, chance: float, throttled_before: int) -> Outcome:
    """`chance` from 0 to 1 spreads waits; `throttled_before` counts the throttles in a row before this answer."""
    if answer.failure is not None:
        return _of_failure(answer.failure, now, nothing_left=answer.nothing_left)
    if answer.error is not None:
        return _of_error(answer, answer.error, now=now, chance=chance, throttled_before=throttled_before)
    fields = answer.fields
    if fields is None:
        what = "something that is no JSON" if answer.tree is None else "without saying what became of the message"
        return Unknown(f"Instagram answered {answer.status} and {what}; whether it was sent is not known.")
    message_id = fields.get("message_id")
    if not isinstance(message_id, str) or not _is_id(message_id):
        return Unknown("Instagram took the message without naming it; whether it was sent is not known.")
    return Sent(message_id, rest=rest_after(answer.usage, now))


def rest_after(usage: Usage, now: datetime) -> Rest | None:
    """What the usage headers ask for before any limit is met: a longer gap from 75 % on, a pause from 95 %."""
    if usage.percent < SLOW_FROM:
        return None
    if usage.percent >= PAUSE_FROM:
        pause = min(max(PAUSE, timedelta(minutes=usage.regain_minutes)), MAX_PAUSE)
        return _rest(now + pause, f"{usage.percent:g} % of Instagram's allowance is used: a pause.")
    share = (usage.percent - SLOW_FROM) / (PAUSE_FROM - SLOW_FROM)
    return _rest(now + SLOWEST * share, f"{usage.percent:g} % of Instagram's allowance is used: slower.")


def waits(answer: GraphAnswer, *, now: datetime, chance: float, throttled_before: int) -> timedelta:
    """After a throttle: what Instagram asks for, or twice as long each time, with chance, up to four hours."""
    doubled = min(BACK_OFF * 2 ** min(throttled_before, MAX_DOUBLINGS), MAX_BACK_OFF)
    return max(
        doubled * (0.5 + chance / 2),
        asked_to_wait(answer.retry_after, now=now),
        min(timedelta(minutes=answer.usage.regain_minutes), MAX_PAUSE),
    )


def _of_failure(failure: Failure, now: datetime, *, nothing_left: bool) -> Outcome:
    if not nothing_left:
        return Unknown(f"Instagram was asked, but {_FAILED[failure]}; whether it was sent is not known.")
    reason = f"Instagram could not be reached: {_FAILED[failure]}."
    again = Moment.of(now + UNREACHABLE_FOR)
    return NotSent(code="provider_error", reason=reason, retry_at=again, rest=Rest(again, reason))


def _of_error(
    answer: GraphAnswer, error: GraphError, *, now: datetime, chance: float, throttled_before: int
) -> Outcome:
    row = errors.row_of(error)
    if row is None or row.meaning is Meaning.UNKNOWN:
        sentence = row.sentence if row else "Instagram answered with an error that is not proof that nothing was sent."
        return Unknown(f"{sentence} ({errors.named(error)})")
    rest = _rest_for(row, answer, now=now, chance=chance, throttled_before=throttled_before)
    return NotSent(
        code=errors.published_code(row.meaning), reason=_reason(row, error), retry_at=_again_at(row, rest, now),
        trouble=errors.trouble_of(row.meaning), rest=rest or rest_after(answer.usage, now),
        opted_out=row.meaning is Meaning.OPTED_OUT,
    )  # fmt: skip


def _rest_for(row: Row, answer: GraphAnswer, *, now: datetime, chance: float, throttled_before: int) -> Rest | None:
    match row.meaning:
        case Meaning.THROTTLED | Meaning.SLOW_DOWN:
            wait = waits(answer, now=now, chance=chance, throttled_before=throttled_before)
            return _rest(now + wait, row.sentence)
        case Meaning.BLOCKED:
            return _rest(now + BLOCK_LASTS, row.sentence)
        case _:
            return None


def _again_at(row: Row, rest: Rest | None, now: datetime) -> Moment | None:
    """When this person may be tried again; None where the answer is about the person or the message."""
    match row.meaning:
        case Meaning.THROTTLED | Meaning.SLOW_DOWN | Meaning.BLOCKED:
            assert rest is not None
            return Moment.of(rest.until)
        case Meaning.CHECKPOINT | Meaning.ACCESS_LOST | Meaning.MISCONFIGURED:
            return Moment.of(now + ACCESS_RETRY)
        case (
            Meaning.WINDOW_CLOSED | Meaning.COMMENT_CLOSED | Meaning.NOT_OURS | Meaning.UNAVAILABLE
            | Meaning.OPTED_OUT | Meaning.NOT_FOUND | Meaning.REFUSED | Meaning.UNKNOWN
        ):  # fmt: skip
            return None
        case _:
            assert_never(row.meaning)


def _reason(row: Row, error: GraphError) -> str:
    """The sentence, where to clear a challenge or what Instagram says itself, and the numbers."""
    parts = [row.sentence]
    if error.checkpoint_url is not None:
        parts.append(f"The owner does that at {error.checkpoint_url}")
    elif row.meaning is Meaning.REFUSED and error.message:
        parts.append(f"It says: {error.message}")
    return f"{' '.join(parts)} ({errors.named(error)})"


def _rest(until: datetime, reason: str) -> Rest:
    return Rest(Moment.of(until), reason)


def _is_id(text: str) -> bool:
    """Meta's ids are opaque; what cannot be stored or shown is none."""
    return 0 < len(text) <= MAX_ID_LENGTH and text.isascii() and text.isprintable()
