"""What happened, as webhooks tell it: one function an event, each giving an `Update`."""

from typing import Any

from tests.doubles.instagram.wire import Update
from tests.doubles.instagram.world import Account, Comment, Message, Peer, World


def from_person(peer: Peer, field: str, at: float, **body: Any) -> Update:
    value = {"sender": {"id": peer.igsid}, "recipient": {"id": peer.ig_id}, **body}
    return Update(peer.ig_id, field, is_messaging=True, value=value, at=at)


def received(peer: Peer, stored: Message) -> Update:
    return from_person(peer, "messages", stored.at, message={"mid": stored.mid} | stored.message)


def echo(peer: Peer, stored: Message) -> Update:
    """Of a message from the account, whoever wrote it there."""
    shown = {key: item for key, item in stored.message.items() if key in {"text", "attachments", "reply_to"}}
    message = {"mid": stored.mid} | shown | ({"is_self": True} if peer.is_self else {}) | {"is_echo": True}
    value = {"sender": {"id": peer.ig_id}, "recipient": {"id": peer.igsid}, "message": message}
    return Update(peer.ig_id, "messages", is_messaging=True, value=value, at=stored.at)


def unsent(peer: Peer, stored: Message, at: float) -> Update:
    update = from_person(peer, "messages", at, message={"mid": stored.mid, "is_deleted": True})
    if stored.is_from_account:
        update.value |= {"sender": {"id": peer.ig_id}, "recipient": {"id": peer.igsid}}
        update.value["message"]["is_echo"] = True
    return update


def edited(peer: Peer, stored: Message, at: float) -> Update:
    body = {"mid": stored.mid, "text": stored.text, "num_edit": stored.edits}
    return from_person(peer, "message_edit", at, message_edit=body)


def reacted(peer: Peer, mid: str, at: float, reaction: str | None, emoji: str | None) -> Update:
    body: dict[str, Any] = {"mid": mid, "action": "unreact"}
    if reaction is not None:
        body = {"mid": mid, "action": "react", "reaction": reaction, "emoji": emoji or "\u2764\ufe0f"}
    return from_person(peer, "message_reactions", at, reaction=body)


def seen(peer: Peer, mid: str, at: float) -> Update:
    return from_person(peer, "messaging_seen", at, read={"mid": mid})


def commented(world: World, account: Account, comment: Comment, extra: dict[str, Any]) -> Update:
    person = comment.peer.person
    author: dict[str, Any] = {"id": comment.peer.igsid, "username": person.username}
    if comment.peer.is_self:
        author["self_ig_scoped_id"] = comment.peer.igsid
    media: dict[str, Any] = {"id": comment.media_id, "media_product_type": "LIVE" if comment.is_live else "REELS"}
    value: dict[str, Any] = {"id": comment.id, "from": author, "text": comment.text, "media": media | extra}
    if comment.parent_id:
        value["parent_id"] = comment.parent_id
    field = "live_comments" if comment.is_live else "comments"
    return Update(account.ig_id, field, is_messaging=False, value=value, at=world.now())
