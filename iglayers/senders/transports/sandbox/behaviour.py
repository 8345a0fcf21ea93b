"""What a simulated person does, told by their username alone. Pure: the same on every run and every machine."""

import hashlib
from datetime import timedelta
from enum import StrEnum

import msgspec

from iglayers.senders.model import Trouble


class Answer(StrEnum):
    """What the simulated provider answers to the one request."""

    ACCEPTED = "accepted"
    REFUSED = "refused"  # final, nothing was delivered
    SLOW_DOWN = "slow_down"  # refused once, accepted from the second time on
    SILENCE = "silence"  # no answer comes: nobody knows


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """`delivers`: the person gets the message. `code`, `reason` and `trouble` belong to the answer."""

    answer: Answer = Answer.ACCEPTED
    delivers: bool = True
    code: str = ""
    reason: str = ""
    trouble: Trouble | None = None
    reply: str | None = None
    reply_after: timedelta = timedelta(0)
    echo_after: timedelta | None = None
    is_slow: bool = False
    has_route: bool = True


SILENT = Behaviour()
RETRY_AFTER = timedelta(hours=1)

_REPLIES = (
    "Hi! Thanks for reaching out, I'd love to hear more.",
    "Sounds interesting, what did you have in mind?",
    "Sure, please send the details to my e-mail.",
    "Thanks, but I'm fully booked this month.",
    "Is this paid?",
    "Yes! 😊 How does it work?",
)
_SOON, _LATE = timedelta(minutes=2), timedelta(hours=24)


def behaviour_of(username: str) -> Behaviour:
    """What this person does when a message comes."""
    for prefix, kept in _MAGIC.items():
        if username.startswith(prefix):
            return kept
    if username.startswith("sandbox.replies"):
        return _replying(username, within=timedelta(hours=6))
    if username.startswith("sandbox.error"):
        # Nobody will ever tell; a fixed half of these people got the message.
        return msgspec.structs.replace(_ERROR, delivers=_drawn(username, "error") % 2 == 0)
    if not username.startswith("sandbox.") and _drawn(username, "replies") % 6 == 0:
        return _replying(username, within=_LATE)
    return SILENT


def _replying(username: str, *, within: timedelta) -> Behaviour:
    seconds = _drawn(username, "when") % int((within - _SOON).total_seconds())
    text = _REPLIES[_drawn(username, "text") % len(_REPLIES)]
    return Behaviour(reply=text, reply_after=_SOON + timedelta(seconds=seconds))


def _drawn(username: str, what: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{what} {username}".encode(), digest_size=6).digest())


def _refused(code: str, reason: str, trouble: Trouble | None = None) -> Behaviour:
    return Behaviour(answer=Answer.REFUSED, delivers=False, code=code, reason=reason, trouble=trouble)


_ERROR = Behaviour(answer=Answer.SILENCE, reason="The provider answered 503; whether it took the message is not known.")
_TIMEOUT = Behaviour(answer=Answer.SILENCE, reason="The provider did not answer in time.")

_MAGIC: dict[str, Behaviour] = {
    "sandbox.optout": Behaviour(reply="stop", reply_after=timedelta(minutes=10)),
    "sandbox.away": Behaviour(reply="Automatic reply: I am away until Monday.", reply_after=timedelta(seconds=2)),
    "sandbox.private": _refused("recipient_unavailable", "This person takes no messages from strangers."),
    "sandbox.notfound": _refused("recipient_not_found", "There is no account of this name."),
    "sandbox.ratelimit": Behaviour(
        answer=Answer.SLOW_DOWN, code="provider_error", reason="Instagram asked to slow down.", trouble=Trouble.WARNING
    ),
    "sandbox.challenge": _refused(
        "instagram_challenge_detected", "Instagram asked this account to confirm who it is.", Trouble.CHALLENGED
    ),
    "sandbox.disabled": _refused("sender_not_available", "Access to this account was removed.", Trouble.DISABLED),
    "sandbox.timeout.sent": msgspec.structs.replace(_TIMEOUT, echo_after=timedelta(minutes=30)),
    "sandbox.timeout.lost": msgspec.structs.replace(_TIMEOUT, delivers=False),
    "sandbox.noroute": msgspec.structs.replace(
        _refused("no_permitted_route", "The sandbox opens no route to this person."), has_route=False
    ),
    "sandbox.slow": Behaviour(is_slow=True),
}
