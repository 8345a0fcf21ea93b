"""What people do on Instagram: each verb changes the world and tells the app what a webhook would tell it."""

from typing import Any

from tests.doubles.instagram import events
from tests.doubles.instagram.webhooks import Webhooks
from tests.doubles.instagram.wire import Update
from tests.doubles.instagram.world import Account, Comment, Message, Peer, Thread, World


class Refused(Exception):
    """A verb that makes no sense here; the text says why."""


class People:
    """The verbs of persons towards an account, and of the account's owner in the app."""

    def __init__(self, world: World, hooks: Webhooks) -> None:
        self.world: World = world
        self.hooks: Webhooks = hooks

    def writes(
        self,
        person: str,
        account: str,
        *,
        text: str | None = None,
        attachments: list[dict[str, Any]] | None = None,
        quick_reply: str | None = None,
        reply_to: dict[str, Any] | None = None,
        referral: dict[str, Any] | None = None,
        unsupported: bool = False,
        silent: bool = False,
        ago_s: float = 0.0,
    ) -> dict[str, Any]:
        """A direct message; `silent` is one that never makes a webhook, as some accounts report."""
        peer = self._peer(account, person)
        given = {
            "text": text, "attachments": attachments, "reply_to": reply_to, "referral": referral,
            "quick_reply": {"payload": quick_reply} if quick_reply is not None else None,
            "is_unsupported": unsupported or None,
        }  # fmt: skip
        message = {name: item for name, item in given.items() if item is not None}
        at = self.world.now() - ago_s
        stored = self.world.store(peer, by="person", route="person", message=message, at=at)
        self.world.act(peer, at=at)
        if not silent:
            self.hooks.tell(events.received(peer, stored))
        return {"mid": stored.mid, "igsid": peer.igsid}

    def comments(
        self,
        person: str,
        account: str,
        *,
        text: str,
        media: str | None = None,
        parent_id: str | None = None,
        live: bool = False,
        ad: dict[str, Any] | None = None,
        ago_s: float = 0.0,
    ) -> dict[str, Any]:
        """Below a post or in a live video. Gives an IGSID, but opens no window and is no consent."""
        peer, owner = self._peer(account, person), self._account(account)
        peer.is_known = True
        media_id = media or next(name for name, ig_id in self.world.media.items() if ig_id == owner.ig_id)
        comment = Comment(
            self.world.digits("1785", 17), owner.ig_id, peer, text, self.world.now() - ago_s, media_id, live, parent_id
        )
        self.world.media.setdefault(media_id, owner.ig_id)
        self.world.comments[comment.id] = comment
        self.hooks.tell(events.commented(self.world, owner, comment, ad or {}))
        return {"comment_id": comment.id, "media_id": media_id, "igsid": peer.igsid}

    def deletes_comment(self, person: str, comment_id: str) -> dict[str, Any]:
        comment = self.world.comments.get(comment_id)
        if comment is None or comment.peer.person is not self.world.person(person):
            raise Refused(f"{person} has no comment {comment_id}")
        comment.is_deleted = True
        return {}

    def taps(self, person: str, account: str, *, mid: str, title: str) -> dict[str, Any]:
        """A quick reply or a postback button of a message from the account, by its title."""
        _, stored = self._message(account, mid)
        for reply in stored.message.get("quick_replies", []):
            if reply["title"] == title:
                return self.writes(person, account, text=title, quick_reply=reply["payload"])
        for button in _buttons(stored):
            if button.get("title") == title and button.get("type") == "postback":
                return self.postback(person, account, title=title, payload=button["payload"])
        raise Refused(f"message {mid} has nothing to tap that is called {title}")

    def postback(
        self, person: str, account: str, *, title: str, payload: str, referral: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """An ice breaker, a menu item or a button. It stands in the thread as a message."""
        peer, now = self._peer(account, person), self.world.now()
        stored = self.world.store(peer, by="person", route="person", message={"text": title})
        self.world.act(peer, at=now)
        body = {"mid": stored.mid, "title": title, "payload": payload} | ({"referral": referral} if referral else {})
        self.hooks.tell(events.from_person(peer, "messaging_postbacks", now, postback=body))
        return {"mid": stored.mid, "igsid": peer.igsid}

    def opens_link(self, person: str, account: str, *, ref: str) -> dict[str, Any]:
        """An ig.me link into a thread that exists; it restarts the window."""
        peer, now = self._peer(account, person), self.world.now()
        if not self.world.thread(peer).messages:
            raise Refused("there is no thread yet: give `referral` with writes or postback instead")
        self.world.act(peer, at=now)
        body = {"ref": ref, "source": "SHORTLINKS", "type": "OPEN_THREAD"}
        self.hooks.tell(events.from_person(peer, "messaging_referral", now, referral=body))
        return {"igsid": peer.igsid}

    def opts_in(self, person: str, account: str, *, payload: str = "") -> dict[str, Any]:
        peer = self._peer(account, person)
        body = {"type": "notification_messages", "payload": payload}
        self.hooks.tell(events.from_person(peer, "messaging_optins", self.world.now(), optin=body))
        return {"igsid": peer.igsid}

    def edits(self, person: str, account: str, *, mid: str, text: str) -> dict[str, Any]:
        thread, stored = self._message(account, mid, of=person)
        stored.text, stored.edits = text, stored.edits + 1
        stored.message = stored.message | {"text": text}
        self.hooks.tell(events.edited(thread.peer, stored, self.world.now()))
        return {"num_edit": stored.edits}

    def unsends(self, person: str, account: str, *, mid: str) -> dict[str, Any]:
        thread, stored = self._message(account, mid, of=person)
        return self._unsend(thread, stored)

    def reacts(
        self, person: str, account: str, *, mid: str, reaction: str | None = "love", emoji: str | None = None
    ) -> dict[str, Any]:
        """Without a reaction (null) an earlier one is taken back. A reaction opens no window."""
        peer, _ = self._peer(account, person), self._message(account, mid)
        self.hooks.tell(events.reacted(peer, mid, self.world.now(), reaction, emoji))
        return {}

    def sees(self, person: str, account: str, *, mid: str | None = None) -> dict[str, Any]:
        """The newest message from the account, or the one named."""
        peer = self._peer(account, person)
        found = [each.mid for each in self.world.thread(peer).messages if each.is_from_account]
        if not found:
            raise Refused("the account has written nothing to this person")
        self.hooks.tell(events.seen(peer, mid or found[-1], self.world.now()))
        return {"mid": mid or found[-1]}

    def blocks(self, person: str, account: str, *, undo: bool = False) -> dict[str, Any]:
        self._peer(account, person).has_blocked = not undo
        return {}

    def follows(self, person: str, account: str, *, undo: bool = False) -> dict[str, Any]:
        self._peer(account, person).follows = not undo
        return {}

    def renames(self, person: str, username: str) -> dict[str, Any]:
        """The handle changes; every id stays."""
        found = self.world.person(person)
        if found is None:
            raise Refused(f"there is no person {person}")
        found.username = username
        return {}

    def owner_types(self, account: str, to: str, *, text: str) -> dict[str, Any]:
        """The owner's hands in the app: no rule of the API applies, and the app hears an echo."""
        peer = self._peer(account, to)
        stored = self.world.store(peer, by="human", route="human", message={"text": text})
        self.hooks.tell(events.echo(peer, stored), is_echo=True)
        return {"mid": stored.mid, "igsid": peer.igsid}

    def owner_unsends(self, account: str, mid: str) -> dict[str, Any]:
        return self._unsend(*self._message(account, mid))

    def owner_writes_to_itself(self, account: str, text: str) -> dict[str, Any]:
        peer = self.world.self_peer(self._account(account))
        stored = self.world.store(peer, by="human", route="self", message={"text": text})
        self.hooks.tell(events.echo(peer, stored), is_echo=True)
        return {"mid": stored.mid, "igsid": peer.igsid}

    def owner_comments(self, account: str, text: str) -> dict[str, Any]:
        """The account's own comments arrive too."""
        owner = self._account(account)
        media_id = next(name for name, ig_id in self.world.media.items() if ig_id == owner.ig_id)
        comment_id = self.world.digits("1785", 17)
        own = Comment(comment_id, owner.ig_id, self.world.self_peer(owner), text, self.world.now(), media_id)
        self.world.comments[comment_id] = own
        self.hooks.tell(events.commented(self.world, owner, own, {}))
        return {"comment_id": comment_id, "media_id": media_id}

    def owner_mention(self, account: str, media_id: str, comment_id: str) -> dict[str, Any]:
        """Somebody mentions the account in a caption or comment: media and comment ids only."""
        owner = self._account(account)
        value = {"media_id": media_id, "comment_id": comment_id}
        self.hooks.tell(Update(owner.ig_id, "mentions", is_messaging=False, value=value, at=self.world.now()))
        return {}

    def _unsend(self, thread: Thread, stored: Message) -> dict[str, Any]:
        stored.is_deleted = True
        self.hooks.tell(events.unsent(thread.peer, stored, self.world.now()))
        return {}

    def _account(self, reference: str) -> Account:
        found = self.world.account(reference)
        if found is None:
            raise Refused(f"there is no account {reference}")
        return found

    def _peer(self, account: str, person: str) -> Peer:
        found = self.world.person(person)
        if found is None:
            raise Refused(f"there is no person {person}")
        return self.world.peer(self._account(account), found)

    def _message(self, account: str, mid: str, *, of: str | None = None) -> tuple[Thread, Message]:
        found = self.world.find_message(self._account(account).ig_id, mid)
        if found is None:
            raise Refused(f"there is no message {mid}")
        if of is not None and (found[1].is_from_account or found[0].peer is not self._peer(account, of)):
            raise Refused(f"message {mid} is not of {of}")
        return found


def _buttons(stored: Message) -> list[dict[str, Any]]:
    payloads = [each.get("payload", {}) for each in stored.message.get("attachments", [])]
    elements = [element for each in payloads for element in [each, *each.get("elements", [])]]
    return [button for element in elements for button in element.get("buttons", [])]
