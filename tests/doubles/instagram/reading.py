"""The GETs: own identity, conversations, messages, comments, profiles, business discovery."""

import base64
import binascii
import hashlib
import hmac
import re
from typing import Any

from tests.doubles.instagram import errors
from tests.doubles.instagram.world import DAY_S, Account, Comment, Message, Peer, Thread, World, iso

DETAILED_MESSAGES = 20
PICTURE_LIFE_S = 3 * DAY_S
Fields = dict[str, "Field"]
_NAME = re.compile(r"[a-z_]+")
_CALL = re.compile(r"\.([a-z_]+)\(([^()]*)\)")


class Field:
    """`name.limit(5){id,from}` of a `fields` parameter: its arguments and what is wanted inside."""

    def __init__(self) -> None:
        self.arguments: dict[str, str] = {}
        self.inside: Fields = {}


def parse_fields(text: str) -> Fields:
    fields, rest = _parse(text.replace(" ", ""))
    if rest:
        raise errors.GraphError(2500, f"Syntax error in fields at: {rest[:40]}", type="OAuthException")
    return fields


def me(account: Account, fields: Fields, picture: str) -> dict[str, Any]:
    """`id` is scoped to the app; `user_id` is the IG_ID of webhooks and paths."""
    known = {
        "id": account.app_scoped_id,
        "user_id": account.ig_id,
        "username": account.username,
        "name": account.name,
        "account_type": account.account_type,
        "profile_picture_url": picture,
        "followers_count": account.followers_count,
        "follows_count": account.follows_count,
        "media_count": account.media_count,
    }
    return _chosen(known, fields, default="id", always="id")


def discovery(world: World, account: Account, field: Field, picture: str) -> dict[str, Any]:
    """Public numbers of a professional account by username; its `id` is not an IGSID."""
    username = field.arguments.get("username", "")
    person = world.person(username)
    own = next((each for each in world.accounts.values() if each.username == username), None)
    if own is None and (person is None or person.username != username or not person.is_professional):
        raise errors.not_discoverable(username)
    known: dict[str, Any] = {"username": username, "profile_picture_url": picture, "website": "", "biography": ""}
    if own is not None:
        known |= {"id": own.ig_id, "name": own.name, "followers_count": own.followers_count}
    elif person is not None:
        known |= {"id": person.user_id, "name": person.name or "", "followers_count": person.followers_count}
    known |= {"follows_count": 100, "media_count": 210}
    found = _chosen(known, field.inside, default="id", always="id")
    return {"business_discovery": found, "id": account.ig_id}


def profile(peer: Peer, fields: Fields, picture: str) -> dict[str, Any]:
    if not peer.has_consented or peer.has_blocked:
        raise errors.no_consent()
    known: dict[str, Any] = {
        "username": peer.person.username,
        "profile_pic": picture,
        "follower_count": peer.person.followers_count,
        "is_user_follow_business": peer.follows,
        "is_business_follow_user": False,
        "is_verified_user": peer.person.is_verified,
        "id": peer.igsid,
    }
    if peer.person.name is not None:
        known["name"] = peer.person.name
    return _chosen(known, fields, default="name,username,profile_pic,id", always="id")


def picture_path(secret: str, user_id: str, now: float) -> str:
    """A link to a picture that works for some days."""
    until = f"{int(now + PICTURE_LIFE_S):x}"
    return f"/_cdn/{user_id}.jpg?oe={until}&oh={_picture_key(secret, user_id, until)}"


def picture_is_good(secret: str, user_id: str, until: str, key: str, now: float) -> bool:
    if not re.fullmatch(r"[0-9a-f]{1,12}", until):
        return False
    return hmac.compare_digest(key, _picture_key(secret, user_id, until)) and now <= int(until, 16)


def conversations(world: World, account: Account, query: dict[str, str], next_url: str) -> dict[str, Any]:
    """Newest first. Threads in Requests without activity for 30 days are left out."""
    if query.get("platform", "instagram") != "instagram":
        raise errors.parameter("(platform) must be instagram")
    fields = parse_fields(query.get("fields") or "id,updated_time")
    found = [
        each
        for each in world.threads_of(account.ig_id)
        if not (each.folder == "requests" and world.now() - each.updated_at > 30 * DAY_S)
        and query.get("user_id") in {None, "", each.peer.igsid}
        and query.get("folder", each.folder).lower() == each.folder
    ]
    keys = [(each.updated_at, each.id) for each in found]
    after = _cursor(query.get("after"))
    start = sum(1 for updated_at, name in keys if after and (f"{updated_at:017.6f}", name) >= after)
    page = found[start : start + _limit(query.get("limit"))]
    cursors = [f"{each.updated_at:017.6f}|{each.id}" for each in page]
    return {
        "data": [conversation(world, account, each, fields) for each in page],
        "paging": _paging(cursors, next_url, has_more=start + len(page) < len(found)),
    }


def conversation(world: World, account: Account, thread: Thread, fields: Fields) -> dict[str, Any]:
    known: dict[str, Any] = {
        "id": thread.id,
        "updated_time": iso(thread.updated_at),
        "participants": {"data": [_own(account), _theirs(thread.peer)]},
        "message_count": len(thread.kept),
        "folder": thread.folder,
        "snippet": thread.kept[-1].text[:100] if thread.kept else "",
    }
    if "messages" in fields:
        wanted = fields["messages"]
        known["messages"] = messages(account, thread, wanted.inside, wanted.arguments)
    return _chosen(known, fields, default="id,updated_time", always="id")


def messages(account: Account, thread: Thread, fields: Fields, query: dict[str, str]) -> dict[str, Any]:
    """Newest first; beyond the 20 newest only the id is left."""
    found = list(reversed(thread.kept))
    after = _cursor(query.get("after"))
    start = next((number + 1 for number, each in enumerate(found) if after and after[1] == each.mid), 0)
    page = found[start : start + _limit(query.get("limit"))]
    newest = {each.mid for each in found[:DETAILED_MESSAGES]}
    cursors = [f"0|{each.mid}" for each in page]
    return {
        "data": [
            message(account, thread, each, fields)
            if each.mid in newest
            else {"id": each.mid, "created_time": iso(each.at)}
            for each in page
        ],
        "paging": _paging(cursors, None, has_more=start + len(page) < len(found)),
    }


def one_message(account: Account, thread: Thread, stored: Message, fields: Fields) -> dict[str, Any]:
    if stored not in thread.kept[-DETAILED_MESSAGES:]:
        raise errors.message_deleted()
    return message(account, thread, stored, fields)


def message(account: Account, thread: Thread, stored: Message, fields: Fields) -> dict[str, Any]:
    own, theirs = _own(account), _theirs(thread.peer)
    sender, recipient = (own, theirs) if stored.is_from_account else (theirs, own)
    known: dict[str, Any] = {
        "id": stored.mid,
        "created_time": iso(stored.at),
        "from": sender,
        "to": {"data": [recipient]},
        "message": stored.text,
    }
    if "attachments" in stored.message:
        known["attachments"] = {"data": stored.message["attachments"]}
    known |= {key: stored.message[key] for key in ("reply_to", "is_unsupported") if key in stored.message}
    return _chosen(known, fields, default="id,created_time", always="id")


def comment(found: Comment, fields: Fields) -> dict[str, Any]:
    known: dict[str, Any] = {
        "id": found.id,
        "text": found.text,
        "timestamp": iso(found.at),
        "username": found.peer.person.username,
        "from": _theirs(found.peer),
        "media": {"id": found.media_id},
        "hidden": False,
        "like_count": 0,
    }
    if found.parent_id:
        known["parent_id"] = found.parent_id
    return _chosen(known, fields, default="id,text,timestamp", always="id")


def _own(account: Account) -> dict[str, str]:
    return {"id": account.ig_id, "username": account.username}


def _theirs(peer: Peer) -> dict[str, str]:
    return {"id": peer.igsid, "username": peer.person.username}


def _chosen(known: dict[str, Any], fields: Fields, *, default: str, always: str) -> dict[str, Any]:
    names = [*fields] or default.split(",")
    return {name: known[name] for name in dict.fromkeys([*names, always]) if name in known}


def _limit(text: str | None) -> int:
    if text is not None and not text.isdigit():
        raise errors.parameter("(limit) must be a positive integer")
    return max(1, min(int(text or 25), 100))


def _paging(cursors: list[str], next_url: str | None, *, has_more: bool) -> dict[str, Any]:
    if not cursors:
        return {}
    before, after = (base64.urlsafe_b64encode(each.encode()).decode() for each in (cursors[0], cursors[-1]))
    paging: dict[str, Any] = {"cursors": {"before": before, "after": after}}
    if has_more and next_url:
        paging["next"] = f"{next_url}&after={after}"
    return paging


def _cursor(text: str | None) -> tuple[str, str] | None:
    if not text:
        return None
    try:
        at, name = base64.urlsafe_b64decode(text).decode().split("|")
    except (binascii.Error, ValueError) as failure:
        raise errors.parameter("(after) is not a cursor") from failure
    return at, name


def _picture_key(secret: str, user_id: str, until: str) -> str:
    return hmac.new(secret.encode(), f"{user_id}.{until}".encode(), hashlib.sha256).hexdigest()[:24]


def _parse(text: str) -> tuple[Fields, str]:
    """The fields at the start of `text`, and what follows them."""
    fields: Fields = {}
    while found := _NAME.match(text):
        text = text[found.end() :]
        field = fields[found[0]] = Field()
        while call := _CALL.match(text):
            field.arguments[call[1]] = call[2]
            text = text[call.end() :]
        if text.startswith("{"):
            field.inside, text = _parse(text[1:])
            if not text.startswith("}"):
                raise errors.GraphError(2500, "Syntax error: expected } in fields", type="OAuthException")
            text = text[1:]
        if not text.startswith(","):
            break
        text = text[1:]
    return fields, text
