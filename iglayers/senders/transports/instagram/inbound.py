"""What Instagram's webhooks say, as facts of accounts. Pure; whatever it does not know becomes `other`, never an error.

Keys are Instagram's own (message id and kind, comment id), so that what is repeated, split or reordered adds nothing.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import msgspec

from iglayers.core.clock import Moment
from iglayers.senders.keys import deletion_key, echo_key, edit_keys, reply_key, short
from iglayers.senders.model import Fact

Tree = dict[str, Any]

MAX_TEXT = 10_000
MAX_RAW_BYTES = 16 * 1024
# Of the button "Test" in Meta's dashboard, which no person wrote.
_TEST_ID = "random_mid"
_SECONDS_BELOW = 10**11
_MS_END = 253_402_300_800_000  # of the year 9999
# When a comment was written, by the names of Meta's reads; its webhooks tell neither so far.
_WRITTEN = ("created_time", "timestamp")
_HALF_SURROGATES = re.compile("[\ud800-\udfff]")
# Reads without making anything: a third of a millisecond for a thousand updates.
_SKIMMED = msgspec.json.Decoder(msgspec.Raw)


class Unreadable(ValueError):
    """The body is not JSON."""


class Told(msgspec.Struct, frozen=True):
    """A fact, and Instagram's id of the account that it is about."""

    account_id: str
    fact: Fact


def skim(raw: bytes) -> None:
    """Unreadable where this is clearly no JSON, as soon as a reader can tell."""
    try:
        _SKIMMED.decode(raw)
    except (msgspec.MsgspecError, RecursionError):
        tree_of(raw)


def tree_of(raw: bytes) -> object:
    """The body as plain values that the database can keep; Unreadable when it is not JSON.

    Half of a surrogate pair and U+0000 become U+FFFD: a text cut in the middle of an emoji is no reason to lose it.
    """
    try:
        return _storable(msgspec.json.decode(raw)) if b"\\u0000" in raw else msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return _storable(json.loads(raw))
    except (ValueError, RecursionError) as error:
        raise Unreadable(type(error).__name__) from None


def parse(tree: object, *, now: Moment) -> list[Told]:
    """Every fact of one delivery. Moments are Instagram's, but never later than `now`."""
    return [told for envelope in _dicts(tree) for told in _envelope(envelope, now)]


def message_fact(account_id: str, *, mid: str, sender_id: str, at: Moment, fact: Tree) -> Fact:
    """A message of a thread: an echo where the account wrote it, else a reply."""
    if sender_id == account_id:
        return Fact(
            provider_key=echo_key(mid), kind="echo", occurred_at=at, fact={"providerMessageId": mid, "mid": mid} | fact
        )
    return Fact(provider_key=reply_key(mid), kind="reply", occurred_at=at, fact={"mid": mid, "text": ""} | fact)


def _envelope(envelope: Tree, now: Moment) -> Iterator[Told]:
    if envelope.get("object") != "instagram":
        return
    for entry in _dicts(envelope.get("entry")):
        account_id = _id(entry.get("id"))
        if account_id is not None:
            at = moment_of(entry.get("time"), now) or now
            for fact in _entry(account_id, entry, at, now):
                yield Told(account_id, fact)


def _entry(account_id: str, entry: Tree, at: Moment, now: Moment) -> Iterator[Fact]:
    for event in _dicts(entry.get("messaging")):
        yield _messaging(account_id, event, moment_of(event.get("timestamp"), now) or at)
    for event in _dicts(entry.get("standby")):
        # Another app answers in this thread.
        yield _other(account_id, {"standby": event}, event, at)
    changes = list(_dicts(entry.get("changes")))
    if "field" in entry:  # as some pages of the documentation show it
        changes.append({"field": entry["field"], "value": entry.get("value")})
    for change in changes:
        if (fact := _change(account_id, change, at, now)) is not None:
            yield fact


def _messaging(account_id: str, event: Tree, at: Moment) -> Fact:
    handlers = {
        "message": _message, "message_edit": _edit, "reaction": _reaction, "read": _read, "postback": _postback,
        "referral": _referral,
    }  # fmt: skip
    sender_id, person = _id(_dict(event.get("sender")).get("id")), _person(account_id, event)
    if sender_id is not None and person is not None:
        for name, handler in handlers.items():
            if isinstance(event.get(name), dict):
                fact = handler(account_id, event, sender_id, person, at)
                return _other(account_id, event, event, at) if fact is None else fact
    return _other(account_id, event, event, at)


def _message(account_id: str, event: Tree, sender_id: str, person: str, at: Moment) -> Fact | None:
    message = _dict(event["message"])
    mid = _id(message.get("mid"))
    if mid is None or message.get("is_self"):
        return None
    if message.get("is_deleted"):
        return Fact(provider_key=deletion_key(mid), kind="deletion", occurred_at=at, fact={"igsid": person, "mid": mid})
    wrote = account_id if message.get("is_echo") else sender_id
    return message_fact(
        account_id, mid=mid, sender_id=wrote, at=at, fact=_without_none({
            "igsid": person,
            "text": _text(message.get("text")) or _shown(message),
            "payload": _text(_dict(message.get("quick_reply")).get("payload")) or None,
            "replyTo": _id(_dict(message.get("reply_to")).get("mid")),
            "referral": _referred(message.get("referral")),
            "reference": _reference(message.get("metadata")) if wrote == account_id else None,
        }),
    )  # fmt: skip


def _shown(message: Tree) -> str:
    """A message without text, by what it holds: `[image]`. Links to media expire and are not kept."""
    kinds = [_text(each.get("type")) for each in _dicts(message.get("attachments"))]
    if message.get("is_unsupported"):
        kinds.append("unsupported message")
    return " ".join(f"[{kind.replace('_', ' ')}]" for kind in kinds if kind)[:200]


def _edit(_account: str, event: Tree, _sender: str, person: str, at: Moment) -> Fact | None:
    edit = _dict(event["message_edit"])
    mid, number = _id(edit.get("mid")), edit.get("num_edit")
    if mid is None or not isinstance(number, int) or not 0 <= number <= 10_000:
        return None
    return Fact(
        provider_key=f"{edit_keys(mid)}{number}", kind="edit", occurred_at=at,
        fact={"igsid": person, "mid": mid, "numEdit": number, "text": _text(edit.get("text"))},
    )  # fmt: skip


def _reaction(_account: str, event: Tree, sender_id: str, person: str, at: Moment) -> Fact | None:
    reaction = _dict(event["reaction"])
    mid, action = _id(reaction.get("mid")), _text(reaction.get("action"))[:20]
    if mid is None:
        return None
    return Fact(
        provider_key=f"reaction:{short(mid)}:{sender_id}:{action}:{event.get('timestamp')}"[:1_000], kind="reaction",
        occurred_at=at, fact=_without_none({
            "igsid": person, "mid": mid, "action": action, "reaction": _text(reaction.get("reaction"))[:50] or None,
            "emoji": _text(reaction.get("emoji"))[:50] or None,
        }),
    )  # fmt: skip


def _read(_account: str, event: Tree, sender_id: str, person: str, at: Moment) -> Fact | None:
    mid = _id(_dict(event["read"]).get("mid"))
    if mid is None:
        return None
    return Fact(
        provider_key=f"read:{short(mid)}:{sender_id}", kind="read", occurred_at=at, fact={"igsid": person, "mid": mid}
    )


def _postback(account_id: str, event: Tree, sender_id: str, person: str, at: Moment) -> Fact | None:
    """A tap on something the account offers: the person's word, with the button's title as its text."""
    postback = _dict(event["postback"])
    mid = _id(postback.get("mid"))
    if mid is None or sender_id == account_id:
        return None
    return message_fact(
        account_id, mid=mid, sender_id=sender_id, at=at, fact=_without_none({
            "igsid": person, "text": _text(postback.get("title")), "payload": _text(postback.get("payload")) or None,
            "referral": _referred(postback.get("referral")),
        }),
    )  # fmt: skip


def _referral(account_id: str, event: Tree, sender_id: str, person: str, at: Moment) -> Fact | None:
    """The person opened the thread through a link or an ad."""
    if sender_id == account_id:
        return None
    return Fact(
        provider_key=f"referral:{person}:{event.get('timestamp')}"[:1_000], kind="referral", occurred_at=at,
        fact={"igsid": person, "referral": _referred(event["referral"])},
    )  # fmt: skip


def _change(account_id: str, change: Tree, at: Moment, now: Moment) -> Fact | None:
    """One of `changes`; None for what is nobody's word: the account's own comments, and Meta's test."""
    value = _dict(change.get("value"))
    if change.get("field") == "comments":
        # Counted from when it was written, where that is told; `at` is when it was sent to us.
        told = (moment_of(value.get(name), now) or written_moment(value.get(name)) for name in _WRITTEN)
        return _comment(account_id, change, value, min([at, *(each for each in told if each is not None)]))
    if "sender" in value and "recipient" in value:
        if _dict(value.get("message")).get("mid") == _TEST_ID:
            return None
        return _messaging(account_id, value, moment_of(value.get("timestamp"), now) or at)
    return _other(account_id, change, value, at)


def _comment(account_id: str, change: Tree, value: Tree, at: Moment) -> Fact | None:
    author = _dict(value.get("from"))
    comment_id = _id(value.get("id")) or _id(value.get("comment_id"))
    person = _id(author.get("id"))
    if person == account_id or "self_ig_scoped_id" in author:
        return None
    if comment_id is None or person is None:
        return _other(account_id, change, {}, at)
    return Fact(
        provider_key=f"comment:{short(comment_id)}", kind="comment", occurred_at=at, fact=_without_none({
            "igsid": person, "username": _text(author.get("username"))[:100] or None, "commentId": comment_id,
            "text": _text(value.get("text")), "mediaId": _id(_dict(value.get("media")).get("id")),
        }),
    )  # fmt: skip


def _other(account_id: str, raw: Tree, event: Tree, at: Moment) -> Fact:
    """What is not known yet, as it came, so that it can be read when it is."""
    encoded = msgspec.json.encode(raw, order="deterministic")
    kept: Tree = raw if len(encoded) <= MAX_RAW_BYTES else {"tooLarge": len(encoded), "holds": sorted(raw)[:50]}
    return Fact(
        provider_key=f"other:{hashlib.sha256(encoded).hexdigest()}", kind="other", occurred_at=at,
        fact=_without_none({"igsid": _person(account_id, event), "raw": kept}),
    )  # fmt: skip


def _person(account_id: str, event: Tree) -> str | None:
    """Whom a message is with: the one of sender and recipient who is not the account."""
    ends = [_id(_dict(event.get(end)).get("id")) for end in ("sender", "recipient")]
    return next((each for each in ends if each is not None and each != account_id), None)


def _referred(raw: object) -> Tree | None:
    found = {name: _text(_dict(raw).get(name))[:2_083] for name in ("ref", "source", "type", "ad_id")}
    return {name: text for name, text in found.items() if text} or None


def _reference(metadata: object) -> str | None:
    """The order's reference, where the echo carries it back."""
    try:
        return str(UUID(_text(metadata)))
    except ValueError:
        return None


def moment_of(raw: object, now: Moment) -> Moment | None:
    """Seconds or milliseconds since 1970, as number or text; None for anything else."""
    if isinstance(raw, str) and raw.isascii() and raw.isdigit() and len(raw) <= 18:
        raw = int(raw)
    if not isinstance(raw, int | float) or isinstance(raw, bool) or not 0 < raw < _MS_END:
        return None
    seconds = raw if raw < _SECONDS_BELOW else raw / 1000
    return min(Moment.of(datetime.fromtimestamp(seconds, UTC)), now)


def written_moment(raw: object) -> Moment | None:
    """A time in words, `2026-09-30T08:12:45+0000`; None for anything else."""
    try:
        parsed = datetime.fromisoformat(str(raw))
        return None if parsed.tzinfo is None else Moment.of(parsed)
    except (ValueError, OverflowError):
        return None


def _id(raw: object) -> str | None:
    """An id as a string, whichever way it came."""
    if isinstance(raw, int) and not isinstance(raw, bool):
        return str(raw)
    return raw if isinstance(raw, str) and 0 < len(raw) <= 4_000 else None


def _text(raw: object) -> str:
    return raw[:MAX_TEXT] if isinstance(raw, str) else ""


def _dict(raw: object) -> Tree:
    return cast("Tree", raw) if isinstance(raw, dict) else {}


def _dicts(raw: object) -> Iterable[Tree]:
    """The objects of a list, or the one that stands where a list could."""
    items = cast("list[object]", raw) if isinstance(raw, list) else [raw]
    return [cast("Tree", item) for item in items if isinstance(item, dict)]


def _without_none(tree: Tree) -> Tree:
    return {name: item for name, item in tree.items() if item is not None}


def _storable(item: object) -> object:
    match item:
        case str():
            return _HALF_SURROGATES.sub("�", item).replace("\x00", "�")
        case list():
            return [_storable(each) for each in cast("list[object]", item)]
        case dict():
            pairs = cast("dict[str, object]", item).items()
            return {cast("str", _storable(name)): _storable(each) for name, each in pairs}
        case _:
            return item
