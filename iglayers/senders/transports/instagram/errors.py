"""What an error of Meta's means for a message and for its sender (pure).

Decided by (code, subcode) alone, the exact pair before the code: the HTTP status varies, and texts come in the
language of the account's owner. What is not in the table is unknown, for it is no proof that nothing was sent.
"""

from enum import StrEnum
from typing import assert_never

import msgspec

from iglayers.senders.model import Trouble
from iglayers.senders.transports.instagram.graph import GraphError


class Meaning(StrEnum):
    """What an answer to a send proves, and who has to do something."""

    UNKNOWN = "unknown"  # the message may have been sent all the same
    THROTTLED = "throttled"  # too many calls: wait
    SLOW_DOWN = "slow_down"  # too many messages: wait, and write less
    BLOCKED = "blocked"  # the account may not write: a day at least, and a person
    CHECKPOINT = "checkpoint"  # the owner has to log in and confirm something
    ACCESS_LOST = "access_lost"  # the token is dead: connect again
    MISCONFIGURED = "misconfigured"  # a permission or a switch is missing: nobody can be written to
    WINDOW_CLOSED = "window_closed"
    COMMENT_CLOSED = "comment_closed"
    NOT_OURS = "not_ours"  # another app has the conversation
    UNAVAILABLE = "unavailable"  # this person, now
    OPTED_OUT = "opted_out"  # this person wants no messages
    NOT_FOUND = "not_found"
    REFUSED = "refused"  # this message, for a reason of its own


class Row(msgspec.Struct, frozen=True):
    """One line of the table; without a subcode it stands for every one that has no line of its own."""

    code: int
    subcode: int | None
    meaning: Meaning
    sentence: str


M = Meaning
_WINDOW = "The 24 hours after the person's last message are over, says Instagram."
_GONE = "The person cannot be written to: they blocked the account, or theirs is gone."
_THROTTLED = "Instagram lets no more calls through for now."
_LOGIN = "The access to the account ended: connect it again."
_OTHER_APP = "Another app handles the conversation with this person."
_FAULT = "Instagram had a fault; whether the message was sent is not known."
_UNEXPECTED = "Instagram answered with an error of another call; whether the message was sent is not known."
_MEDIA = "Instagram could not take an attachment."
_NO_USER = "Instagram knows no such person for this account."
_PERMISSION = "Instagram says that the app lacks a permission or capability; see docs/instagram.md, App review."

ROWS = [
    Row(-1, 2534023, M.COMMENT_CLOSED, "The comment was answered before; Instagram permits one message for each."),
    Row(1, None, M.UNKNOWN, _FAULT),
    Row(1, 99, M.UNKNOWN, f"{_FAULT} Often a permission is missing: check the sender."),
    Row(1, 1357046, M.UNKNOWN, "Instagram answered with an error after which a message may have been sent."),
    Row(2, None, M.UNKNOWN, _FAULT),
    Row(2, 1545133, M.UNKNOWN, _FAULT),
    Row(3, None, M.MISCONFIGURED, _PERMISSION),
    Row(3, 2228054, M.MISCONFIGURED, _PERMISSION),
    Row(4, None, M.THROTTLED, _THROTTLED),
    Row(10, None, M.MISCONFIGURED, _PERMISSION),
    Row(10, 2534022, M.WINDOW_CLOSED, _WINDOW),
    Row(10, 2018278, M.WINDOW_CLOSED, _WINDOW),
    Row(10, 2018065, M.WINDOW_CLOSED, _WINDOW),
    Row(10, 2018108, M.UNAVAILABLE, "The person takes no messages now."),
    Row(10, 1893063, M.BLOCKED, "Instagram restricts this account from sending messages for a while."),
    Row(10, 1893015, M.OPTED_OUT, "The person has stopped messages of this account."),
    Row(10, 2534077, M.MISCONFIGURED, "The account's link to its Page or its two-factor login is missing."),
    Row(10, 1404170, M.REFUSED, "Instagram's policy or a missing permission forbids this message."),
    Row(17, None, M.THROTTLED, _THROTTLED),
    Row(32, None, M.THROTTLED, _THROTTLED),
    Row(100, None, M.REFUSED, "Instagram did not accept the request."),
    Row(100, 33, M.REFUSED, "What was asked for does not exist, or the app has no access to it."),
    Row(100, 2018001, M.NOT_FOUND, _NO_USER),
    Row(100, 2534014, M.NOT_FOUND, _NO_USER),
    Row(100, 2534013, M.MISCONFIGURED, "The Page is not linked to an Instagram account, says Instagram."),
    Row(100, 2534015, M.REFUSED, "Instagram says that the message is malformed or too long."),
    Row(100, 2534025, M.COMMENT_CLOSED, "The comment cannot be answered: too old, deleted, or answered before."),
    Row(100, 2534029, M.BLOCKED, "Instagram has blocked this business from sending messages."),
    Row(100, 2534037, M.NOT_OURS, _OTHER_APP),
    Row(100, 2018008, M.REFUSED, _MEDIA),
    Row(100, 2018047, M.REFUSED, _MEDIA),
    Row(100, 2018109, M.REFUSED, _MEDIA),
    Row(100, 2018294, M.REFUSED, _MEDIA),
    Row(102, None, M.ACCESS_LOST, _LOGIN),
    Row(110, 2207013, M.UNKNOWN, _UNEXPECTED),
    Row(190, None, M.ACCESS_LOST, _LOGIN),
    Row(190, 458, M.ACCESS_LOST, "The account's owner has removed the app: connect it again."),
    Row(190, 459, M.CHECKPOINT, "Instagram wants the account's owner to log in and confirm something."),
    Row(190, 460, M.ACCESS_LOST, "The account's password was changed or its sessions were ended: connect it again."),
    Row(190, 463, M.ACCESS_LOST, "The access to the account has expired: connect it again."),
    Row(190, 464, M.CHECKPOINT, "Instagram wants the account to be confirmed by its owner."),
    Row(190, 467, M.ACCESS_LOST, "The access to the account was revoked: connect it again."),
    Row(190, 492, M.ACCESS_LOST, "The person who connected the account has lost their role: connect it again."),
    *(Row(code, None, M.MISCONFIGURED, _PERMISSION) for code in range(200, 300) if code != 230),
    Row(200, 1545041, M.OPTED_OUT, _GONE),
    Row(200, 2018028, M.REFUSED, "The app's access level does not permit messages to this person."),
    Row(200, 2534041, M.MISCONFIGURED, "The account's owner has switched off “Allow access to messages”."),
    Row(200, 2534066, M.UNAVAILABLE, "Instagram permits no message to this person, or about this post."),
    Row(230, None, M.UNKNOWN, _UNEXPECTED),
    Row(341, None, M.THROTTLED, _THROTTLED),
    Row(368, None, M.BLOCKED, "Instagram has blocked this account for a while: too fast, or against its policy."),
    Row(506, None, M.REFUSED, "Instagram takes the same text not again: vary it."),
    Row(508, 2534122, M.REFUSED, "Instagram does not permit a link in this message."),
    Row(551, None, M.OPTED_OUT, _GONE),
    Row(551, 1545041, M.OPTED_OUT, _GONE),
    Row(613, None, M.SLOW_DOWN, "Instagram asked to send fewer messages."),
    Row(613, 2534040, M.SLOW_DOWN, "Instagram asked to send fewer messages."),
    Row(613, 2018338, M.BLOCKED, "Instagram warns that the messages of this account look like abuse."),
    Row(613, 1893016, M.BLOCKED, "Instagram warns that this account sends too many messages."),
    Row(613, 1996, M.SLOW_DOWN, "Instagram asked to send at a steadier rate."),
    Row(803, None, M.NOT_FOUND, _NO_USER),
    Row(2022, None, M.MISCONFIGURED, "Messages are not available to this account, says Instagram."),
    Row(9010, None, M.NOT_FOUND, _NO_USER),
    Row(36103, None, M.MISCONFIGURED, "The account may not be used through the API: it must be a professional one."),
    *(Row(code, None, M.THROTTLED, _THROTTLED) for code in (*range(80000, 80007), 80008, 80009, 80014)),
    Row(2018218, None, M.REFUSED, "Instagram found a fault in the conversation with this person."),
    Row(2018247, None, M.REFUSED, "Instagram found a fault in the conversation with this person."),
    Row(2018300, None, M.NOT_OURS, _OTHER_APP),
    Row(2534001, None, M.UNAVAILABLE, "The conversation with this person was archived or deleted."),
    Row(9000001, None, M.UNKNOWN, _UNEXPECTED),
]

_TABLE = {(row.code, row.subcode): row for row in ROWS}
# Errors that say "transient" as well, and are proof all the same: the call was turned away at the door.
_AT_THE_DOOR = {M.THROTTLED, M.SLOW_DOWN, M.BLOCKED, M.CHECKPOINT, M.ACCESS_LOST}


def row_of(error: GraphError) -> Row | None:
    """The line of the table for this error; None where only "unknown" is true."""
    exact = _TABLE.get((error.code, error.subcode)) if error.subcode is not None else None
    row = exact or _TABLE.get((error.code, None))
    if row is not None and exact is None and error.is_transient and row.meaning not in _AT_THE_DOOR:
        return None
    return row


def published_code(meaning: Meaning) -> str:
    """The code under which people and programs see it (docs/errors.md)."""
    match meaning:
        case Meaning.UNKNOWN:
            return "outcome_unknown"
        case Meaning.THROTTLED | Meaning.SLOW_DOWN | Meaning.REFUSED:
            return "provider_error"
        case Meaning.BLOCKED | Meaning.CHECKPOINT:
            return "instagram_challenge_detected"
        case Meaning.ACCESS_LOST | Meaning.MISCONFIGURED:
            return "sender_not_available"
        case Meaning.WINDOW_CLOSED | Meaning.COMMENT_CLOSED | Meaning.NOT_OURS:
            return "no_permitted_route"
        case Meaning.UNAVAILABLE | Meaning.OPTED_OUT:
            return "recipient_unavailable"
        case Meaning.NOT_FOUND:
            return "recipient_not_found"
        case _:
            assert_never(meaning)


def trouble_of(meaning: Meaning) -> Trouble | None:
    """What it shows about the account."""
    match meaning:
        case Meaning.SLOW_DOWN:
            return Trouble.WARNING
        case Meaning.BLOCKED | Meaning.CHECKPOINT:
            return Trouble.CHALLENGED
        case Meaning.ACCESS_LOST | Meaning.MISCONFIGURED:
            return Trouble.DISABLED
        case _:
            return None


def named(error: GraphError) -> str:
    """The error as support at Meta asks for it."""
    pair = str(error.code) if error.subcode is None else f"{error.code}/{error.subcode}"
    return f"Instagram: {pair}, trace {error.fbtrace_id}" if error.fbtrace_id else f"Instagram: {pair}"
