"""What exists: the clock, accounts, people, their threads, messages, comments and tokens. No HTTP."""

import base64
import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
SCOPES = frozenset(
    {
        "instagram_business_basic",
        "instagram_business_manage_messages",
        "instagram_business_manage_comments",
        "instagram_business_content_publish",
        "instagram_business_manage_insights",
    }
)


class Clock:
    """Seconds since 1970. Real time until the control API says otherwise."""

    def __init__(self) -> None:
        self._at: float = time.time()
        self._real_at: float = time.monotonic()
        self.speed: float = 1.0

    def now(self) -> float:
        return self._at + (time.monotonic() - self._real_at) * self.speed

    def set(self, *, at: float | None = None, speed: float | None = None) -> None:
        self._at = self.now() if at is None else at
        self._real_at = time.monotonic()
        self.speed = self.speed if speed is None else speed


@dataclass
class Account:
    """A professional account the app may act for."""

    ig_id: str
    app_scoped_id: str
    username: str
    name: str
    account_type: str = "Business"
    followers_count: int = 1204
    follows_count: int = 88
    media_count: int = 57
    human_agent: bool = False
    messages_access: bool = True
    locale: str = "en"
    subscribed_fields: list[str] = field(default_factory=list)
    usage: dict[str, int] = field(default_factory=dict)

    @property
    def biography(self) -> str:
        return f"{self.name} on Instagram"


@dataclass
class Person:
    """Somebody on Instagram. `user_id` is public and is not an IGSID."""

    user_id: str
    username: str
    name: str | None
    is_professional: bool = False
    followers_count: int = 321
    is_verified: bool = False


@dataclass
class Peer:
    """A person towards one account: the IGSID, and what happened between the two."""

    ig_id: str
    igsid: str
    person: Person
    is_known: bool = False
    has_consented: bool = False
    has_blocked: bool = False
    follows: bool = False
    last_action_at: float | None = None
    is_self: bool = False


@dataclass
class Message:
    mid: str
    igsid: str
    is_from_account: bool
    at: float
    by: str
    route: str
    text: str = ""
    message: dict[str, Any] = field(default_factory=dict)
    tag: str | None = None
    comment_id: str | None = None
    is_deleted: bool = False
    edits: int = 0


@dataclass
class Thread:
    """All messages between an account and one person, oldest first."""

    id: str
    ig_id: str
    peer: Peer
    updated_at: float
    folder: str
    messages: list[Message] = field(default_factory=list)

    @property
    def kept(self) -> list[Message]:
        return [each for each in self.messages if not each.is_deleted]


@dataclass
class Comment:
    id: str
    ig_id: str
    peer: Peer
    text: str
    at: float
    media_id: str
    is_live: bool = False
    parent_id: str | None = None
    is_deleted: bool = False
    private_reply_mid: str | None = None


@dataclass
class Token:
    value: str
    ig_id: str
    is_long: bool
    issued_at: float
    expires_at: float
    scopes: frozenset[str]
    dead_subcode: int | None = None
    error_data: Any = None


@dataclass
class Code:
    ig_id: str
    redirect_uri: str
    expires_at: float
    scopes: frozenset[str]
    is_used: bool = False


class World:
    """Everything that was stored. Ids and chance come from one seed."""

    def __init__(self, seed: int) -> None:
        self.seed: int = seed
        self.chance: random.Random = random.Random(seed)
        self.clock: Clock = Clock()
        self.accounts: dict[str, Account] = {}
        self.people: dict[str, Person] = {}
        self.peers: dict[tuple[str, str], Peer] = {}
        self.threads: dict[tuple[str, str], Thread] = {}
        self.comments: dict[str, Comment] = {}
        self.tokens: dict[str, Token] = {}
        self.codes: dict[str, Code] = {}
        self.attachments: dict[str, str] = {}
        self.media: dict[str, str] = {}
        self.ended_lives: set[str] = set()
        self.by_mid: dict[str, tuple[Thread, Message]] = {}
        self.sent: list[dict[str, Any]] = []
        self.received: list[dict[str, Any]] = []
        self.calls: dict[tuple[str, str], list[float]] = {}

    def now(self) -> float:
        return self.clock.now()

    def digits(self, start: str, length: int) -> str:
        return start + "".join(self.chance.choice("0123456789") for _ in range(length - len(start)))

    def opaque(self, start: str, size: int) -> str:
        raw = bytes(self.chance.randrange(256) for _ in range(size))
        return start + base64.urlsafe_b64encode(raw).decode().rstrip("=").replace("-", "ZA").replace("_", "ZB")

    def add_account(self, username: str, ig_id: str | None = None, **fields: Any) -> Account:
        account = Account(
            ig_id=ig_id or self.digits("1784", 17),
            app_scoped_id=self.digits("24", 17),
            username=username,
            name=fields.pop("name", username),
            **fields,
        )
        self.accounts[account.ig_id] = account
        self.media[self.digits("179", 17)] = account.ig_id
        return account

    def add_person(self, username: str, **fields: Any) -> Person:
        person = Person(user_id=self.digits("178414", 17), username=username, name=fields.pop("name", None), **fields)
        self.people[person.user_id] = person
        return person

    def account(self, reference: str) -> Account | None:
        """By IG_ID or by username."""
        found = self.accounts.get(reference)
        return found or next((each for each in self.accounts.values() if each.username == reference), None)

    def person(self, reference: str) -> Person | None:
        """By username, by public user id, or by any IGSID."""
        by_name = next((each for each in self.people.values() if each.username == reference), None)
        by_igsid = next((each.person for each in self.peers.values() if each.igsid == reference), None)
        return by_name or self.people.get(reference) or by_igsid

    def peer(self, account: Account, person: Person) -> Peer:
        """The pair; each account has another IGSID for the same person."""
        key = (account.ig_id, person.user_id)
        if key not in self.peers:
            self.peers[key] = Peer(account.ig_id, self.digits("88", 15), person)
        return self.peers[key]

    def self_peer(self, account: Account) -> Peer:
        """The account towards itself, for self-messaging."""
        person = Person(user_id=account.ig_id, username=account.username, name=account.name)
        key = (account.ig_id, account.ig_id)
        if key not in self.peers:
            self.peers[key] = Peer(account.ig_id, account.ig_id, person, is_known=True, is_self=True)
        return self.peers[key]

    def peer_by_igsid(self, ig_id: str, igsid: str) -> Peer | None:
        found = (each for each in self.peers.values() if each.ig_id == ig_id and each.igsid == igsid)
        return next(found, None)

    def thread(self, peer: Peer) -> Thread:
        key = (peer.ig_id, peer.igsid)
        if key not in self.threads:
            folder = "primary" if peer.follows else "requests"
            self.threads[key] = Thread(
                self.opaque("aWdfZAG06MTpJR01lc3NhZA2VUaHJlYWQ6", 24), peer.ig_id, peer, self.now(), folder
            )
        return self.threads[key]

    def threads_of(self, ig_id: str) -> list[Thread]:
        found = [each for each in self.threads.values() if each.ig_id == ig_id and each.messages]
        return sorted(found, key=lambda each: (each.updated_at, each.id), reverse=True)

    def store(
        self, peer: Peer, *, by: str, route: str, message: dict[str, Any], at: float | None = None, **fields: Any
    ) -> Message:
        """Put one message into its thread; `by` is person, api or human (in the app)."""
        thread = self.thread(peer)
        stored = Message(
            mid=self.opaque("aWdfZAG1faXRlbToxOklHTWVzc2FnZAUlEO", 72),
            igsid=peer.igsid,
            is_from_account=by != "person",
            at=self.now() if at is None else at,
            by=by,
            route=route,
            text=str(message.get("text") or ""),
            message=message,
            **fields,
        )
        thread.messages.append(stored)
        self.by_mid[stored.mid] = (thread, stored)
        thread.updated_at = max(stored.at, thread.updated_at if len(thread.messages) > 1 else stored.at)
        if stored.is_from_account:
            if route != "private_reply":
                thread.folder = "general"
            self.sent.append(self._line(peer, stored))
        else:
            self.received.append(self._line(peer, stored))
        return stored

    def _line(self, peer: Peer, stored: Message) -> dict[str, Any]:
        return {
            "mid": stored.mid,
            "account": peer.ig_id,
            "account_username": self.accounts[peer.ig_id].username,
            "recipient": peer.igsid,
            "person": peer.person.username,
            "text": stored.text,
            "message": stored.message,
            "at": iso(stored.at),
            "at_ms": milliseconds(stored.at),
            "by": stored.by,
            "route": stored.route,
            "tag": stored.tag,
            "comment_id": stored.comment_id,
        }

    def act(self, peer: Peer, *, at: float, consents: bool = True) -> None:
        """The person did something that opens the window."""
        peer.is_known = True
        peer.last_action_at = max(at, peer.last_action_at or at)
        peer.has_consented = peer.has_consented or consents

    def find_message(self, ig_id: str, mid: str) -> tuple[Thread, Message] | None:
        found = self.by_mid.get(mid)
        return found if found and found[0].ig_id == ig_id else None

    def issue_token(self, ig_id: str, *, is_long: bool, scopes: frozenset[str], life_s: float | None = None) -> Token:
        now = self.now()
        life = life_s if life_s is not None else (60 * DAY_S if is_long else HOUR_S)
        value = self.opaque("IGAAlong" if is_long else "IGAAshort", 60)
        self.tokens[value] = Token(value, ig_id, is_long, now, now + life, scopes)
        return self.tokens[value]

    def within_limit(self, what: str, who: str, *, calls: int, per_s: float) -> bool:
        """Whether one more call fits; one that does not fit counts too, as Meta counts it."""
        now = self.now()
        recent = [at for at in self.calls.get((what, who), []) if at > now - per_s]
        self.calls[(what, who)] = [*recent, now]
        return len(recent) < calls


def milliseconds(at: float) -> int:
    return round(at * 1000)


def iso(at: float) -> str:
    """As the API writes times: +0000 without a colon."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")
