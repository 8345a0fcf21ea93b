"""The address that Instagram delivers to: who is let in, what is kept of each shape, and everything once."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.core.clock import real_now
from iglayers.core.db import Database
from iglayers.senders.model import Sender
from iglayers.senders.queries_posts import drop_hopeless
from iglayers.senders.receiving import take_posts_apart
from iglayers.senders.transports.instagram import inbound
from tests.senders.connected import (
    ACCOUNT,
    JANE,
    META_SECRET,
    PATH,
    VERIFY_TOKEN,
    comment,
    configured,
    connect,
    deliver,
    echo,
    envelope,
    event,
    message,
    signed,
)
from tests.senders.orders import a_sender, count
from tests.serving import Api, serving

# Of Meta's documentation, byte for byte.
VECTOR = (
    rb'{"object":"instagram","entry":[{"time":1790000000123,"id":"17841400000000042","messaging":[{"sender":{"id":'
    rb'"880000000000017"},"recipient":{"id":"17841400000000042"},"timestamp":1790000000001,"message":{"mid":'
    rb'"aWdfZAG1faXRlbToxTESTMID0001","text":"caf\u00e9 <3 https:\/\/example.test"}}]}]}'
)
TEST_BUTTON = {
    "field": "messages",
    "value": {
        "sender": {"id": "12334"}, "recipient": {"id": "23245"}, "timestamp": "1527459824",
        "message": {"mid": "random_mid", "text": "random_text"},
    },
}  # fmt: skip
VECTOR_SIGNATURE = "sha256=902370e6a402af8a9ad9c6f0a9302d0c7ee672d7e747a7d012eeee8a905fea84"


@pytest.fixture
async def sender(database: Database, services: Services, caller: Caller) -> Sender:
    made = await a_sender(database, caller)
    await connect(database, services, caller, made)
    return made


@pytest.fixture
async def hook(http: aiohttp.ClientSession, services: Services, sender: Sender) -> AsyncIterator[Api]:
    async with serving(configured(services)) as url:
        yield Api(http, url, "")


async def kept(database: Database) -> list[tuple[str, str, dict[str, Any]]]:
    """Kind, key and content of what was kept, in the order in which it will be read."""
    await take_posts_apart(database)
    async with database.connection() as conn:
        found = await conn.fetch("SELECT kind, provider_key, fact FROM inbound ORDER BY id")
    return [tuple(each) for each in found]


async def ask(hook: Api, **query: str) -> Any:
    return await hook.outside("GET", PATH, params={f"hub.{name}": text for name, text in query.items()})


async def test_the_handshake_returns_the_challenge_as_plain_text(hook: Api) -> None:
    told = await ask(hook, mode="subscribe", challenge="1158201444", verify_token=VERIFY_TOKEN)
    assert (told.status, told.raw) == (200, b"1158201444")
    assert told.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize(
    "query",
    [
        {"mode": "subscribe", "challenge": "1", "verify_token": "wrong"},
        {"mode": "subscribe", "challenge": "1", "verify_token": "é"},
        {"mode": "subscribe", "challenge": "1"},
        {"mode": "unsubscribe", "challenge": "1", "verify_token": VERIFY_TOKEN},
        {"mode": "subscribe", "challenge": "<script>", "verify_token": VERIFY_TOKEN},
        {"mode": "subscribe", "challenge": "1" * 201, "verify_token": VERIFY_TOKEN},
        {"mode": "subscribe", "verify_token": VERIFY_TOKEN},
        {},
    ],
)
async def test_nobody_else_is_shown_a_challenge(query: dict[str, str], hook: Api) -> None:
    told = await ask(hook, **query)
    assert (told.status, told.body["error"]["code"]) == (403, "not_from_instagram")


async def test_the_documented_delivery_is_taken(hook: Api, database: Database) -> None:
    told = await hook.outside("POST", PATH, data=VECTOR, headers={"X-Hub-Signature-256": VECTOR_SIGNATURE})
    assert told.status == 200
    [(kind, key, fact)] = await kept(database)
    assert (kind, key) == ("reply", "reply:aWdfZAG1faXRlbToxTESTMID0001")
    assert fact == {"igsid": JANE, "mid": "aWdfZAG1faXRlbToxTESTMID0001", "text": "café <3 https://example.test"}


async def test_either_secret_signs(hook: Api, database: Database) -> None:
    assert (await deliver(hook, envelope(message("m1")), secret=META_SECRET)).status == 200
    assert len(await kept(database)) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Other": "1"},
        {"X-Hub-Signature-256": ""},
        {"X-Hub-Signature-256": "sha256="},
        {"X-Hub-Signature-256": "sha256=" + "0" * 64},
        {"X-Hub-Signature-256": "sha1=" + "0" * 40},
        {"X-Hub-Signature-256": VECTOR_SIGNATURE.removeprefix("sha256=")},
        {"X-Hub-Signature": VECTOR_SIGNATURE},
        signed(b"another body"),
        signed(VECTOR, secret="another app's"),
    ],
)
async def test_what_meta_did_not_sign_is_refused_and_nothing_is_kept(
    headers: dict[str, str], hook: Api, database: Database
) -> None:
    told = await hook.outside("POST", PATH, data=VECTOR, headers=headers)
    assert (told.status, told.body["error"]["code"]) == (403, "not_from_instagram")
    changed = VECTOR.replace(b"caf", b"Caf")
    told = await hook.outside("POST", PATH, data=changed, headers={"X-Hub-Signature-256": VECTOR_SIGNATURE})
    assert told.status == 403
    assert await count(database, "inbound_posts") == 0


async def test_an_installation_without_an_app_takes_nothing(
    http: aiohttp.ClientSession, services: Services, database: Database, sender: Sender
) -> None:
    async with serving(services) as url:
        told = await Api(http, url, "").outside("POST", PATH, data=b"{}", headers=signed(b"{}", secret=""))
        assert told.status == 403


@pytest.mark.parametrize("raw", [b"", b"{", b"nonsense", b"[" * 100_000])
async def test_a_signed_body_that_is_no_json_is_refused(raw: bytes, hook: Api) -> None:
    told = await hook.outside("POST", PATH, data=raw, headers=signed(raw))
    assert (told.status, told.body["error"]["code"]) == (400, "invalid_json")


@pytest.mark.parametrize(
    "tree",
    [
        [], {}, "text", 7, None, {"object": "page", "entry": [{"id": ACCOUNT}]}, {"object": "instagram"},
        {"object": "instagram", "entry": [None, 7, {}, {"id": None}]},
        {"object": "instagram", "entry": [{"id": ACCOUNT, "messaging": "x", "changes": [3]}]},
        # Of the button "Test" in Meta's dashboard, as it is documented, and as a change.
        TEST_BUTTON, {"object": "instagram", "entry": [{"id": ACCOUNT, "changes": [TEST_BUTTON]}]},
    ],
)  # fmt: skip
async def test_nothing_of_use_is_taken_without_complaint(tree: object, hook: Api, database: Database) -> None:
    assert (await deliver(hook, tree)).status == 200
    assert await kept(database) == []


async def test_an_account_that_nobody_has_is_told_once_and_answered_200(
    hook: Api, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = envelope(*(message(f"m{n}", to="1") for n in range(5)), account="17840000000000099")
    assert (await deliver(hook, tree)).status == 200
    assert await kept(database) == []
    assert capsys.readouterr().out.count("inbound.unknown_account") == 1


async def test_one_account_in_two_workspaces_is_told_to_both(
    hook: Api, database: Database, services: Services, test_caller: Caller
) -> None:
    await connect(database, services, test_caller, await a_sender(database, test_caller))
    await deliver(hook, envelope(message("m1")))
    await take_posts_apart(database)
    async with database.connection() as conn:
        assert await conn.fetchval("SELECT count(DISTINCT workspace_id) FROM inbound") == 2


SHAPES: list[tuple[str, dict[str, Any], str, str, dict[str, Any]]] = [
    ("quick reply", message("m", "yes", quick_reply={"payload": "YES"}), "reply", "reply:m",
     {"text": "yes", "payload": "YES"}),
    ("media", message("m", None, attachments=[{"type": "story_mention", "payload": {"url": "https://x"}}]), "reply",
     "reply:m", {"text": "[story mention]"}),
    ("several media", message("m", None, attachments=[{"type": "image"}, {"type": "new_kind"}]), "reply", "reply:m",
     {"text": "[image] [new kind]"}),
    ("answer to one", message("m", "nice", reply_to={"mid": "m0"}), "reply", "reply:m",
     {"text": "nice", "replyTo": "m0"}),
    ("answer to a story", message("m", "nice", reply_to={"story": {"id": "1"}}), "reply", "reply:m", {"text": "nice"}),
    ("from an ad", message("m", "hi", referral={"ref": "spring", "source": "ADS", "ad_id": "6001", "x": {}}), "reply",
     "reply:m", {"text": "hi", "referral": {"ref": "spring", "source": "ADS", "ad_id": "6001"}}),
    ("unsupported", message("m", None, is_unsupported=True), "reply", "reply:m", {"text": "[unsupported message]"}),
    ("deleted", message("m", None, is_deleted=True), "deletion", "deletion:m", {}),
    ("echo", echo("m", "ours"), "echo", "echo:m", {"text": "ours", "providerMessageId": "m"}),
    ("echo without the mark", event(by=ACCOUNT, to=JANE, message={"mid": "m", "text": "ours"}), "echo", "echo:m",
     {"text": "ours", "providerMessageId": "m"}),
    ("edit", event(message_edit={"mid": "m", "text": "new", "num_edit": 2}), "edit", "edit:m:2",
     {"text": "new", "numEdit": 2}),
    ("read", event(read={"mid": "m"}), "read", f"read:m:{JANE}", {}),
    ("postback", event(postback={"mid": "m", "title": "Prices", "payload": "ICE"}), "reply", "reply:m",
     {"text": "Prices", "payload": "ICE"}),
    ("an emoji cut in two", message("m", "hi \ud83d"), "reply", "reply:m", {"text": "hi �"}),
    ("a zero character", message("m", "a\u0000b"), "reply", "reply:m", {"text": "a�b"}),
]  # fmt: skip


@pytest.mark.parametrize(("tree", "kind", "key", "fact"), [pytest.param(*each[1:], id=each[0]) for each in SHAPES])
async def test_each_kind_of_message(
    tree: dict[str, Any], kind: str, key: str, fact: dict[str, Any], hook: Api, database: Database
) -> None:
    for wrapped in (envelope(tree), [envelope(tree)]):
        assert (await deliver(hook, wrapped)).status == 200
    assert await kept(database) == [(kind, key, {"igsid": JANE, "mid": "m"} | fact)]


@pytest.mark.parametrize("ours", [True, False])
async def test_reactions_by_what_was_done_and_when(ours: bool, hook: Api, database: Database) -> None:
    by, to = (ACCOUNT, JANE) if ours else (JANE, ACCOUNT)
    reacted = event(by=by, to=to, reaction={"mid": "m", "action": "react", "reaction": "love", "emoji": "❤️"})
    taken_back = event(by=by, to=to, reaction={"mid": "m", "action": "unreact"})
    await deliver(hook, envelope(reacted, taken_back, reacted))
    assert [(kind, fact["action"]) for kind, _, fact in await kept(database)] == [
        ("reaction", "react"), ("reaction", "unreact"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "tree",
    [
        message("m", "to myself", is_self=True, is_echo=True),
        event(optin={"type": "notification_messages"}),
        event(pass_thread_control={"new_owner_app_id": "2"}),
        event(something_new={"a": [1, {"b": None}]}),
        event(message={"text": "no id"}),
        event(message_edit={"mid": "m", "num_edit": "x"}),
        {"sender": None, "recipient": "x"},
    ],
)
async def test_what_is_not_known_is_kept_as_it_came(tree: dict[str, Any], hook: Api, database: Database) -> None:
    assert (await deliver(hook, envelope(tree))).status == 200
    [(kind, key, fact)] = await kept(database)
    assert (kind, key[:6]) == ("other", "other:")
    assert fact["raw"] == tree


async def test_a_large_unknown_is_kept_by_its_size(hook: Api, database: Database) -> None:
    await deliver(hook, envelope(event(novelty={"text": "x" * 50_000})))
    [(_, _, fact)] = await kept(database)
    assert fact["raw"]["tooLarge"] > 50_000
    assert len(json.dumps(fact)) < 1_000


async def test_another_apps_threads_are_no_replies(hook: Api, database: Database) -> None:
    await deliver(hook, envelope(standby=[message("m1")]))
    assert [kind for kind, _, _ in await kept(database)] == ["other"]


@pytest.mark.parametrize("shape", ["changes", "flat", "comment_id"])
async def test_comments_in_either_shape(shape: str, hook: Api, database: Database) -> None:
    told = comment("c1")
    if shape == "comment_id":
        told["value"]["comment_id"] = told["value"].pop("id")
    entry: dict[str, Any] = told if shape == "flat" else {"changes": [told]}
    await deliver(hook, envelope(**entry, time=1_790_000_000))
    [(kind, key, fact)] = await kept(database)
    assert (kind, key) == ("comment", "comment:c1")
    assert fact == {
        "igsid": JANE, "username": "jane.doe", "commentId": "c1", "text": "price?", "mediaId": "17900000000000007",
    }  # fmt: skip


async def test_a_comment_is_as_old_as_instagram_says(hook: Api, database: Database) -> None:
    """By when it was written where that is told, else by when it was sent; the earlier one, and never the future."""
    sent_at = int(real_now().timestamp()) - 60
    written = {
        "in.words": {"timestamp": datetime.fromtimestamp(sent_at - 3_600, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")},
        "in.numbers": {"created_time": sent_at - 7_200}, "later": {"created_time": sent_at + 30},
        "not.told": {}, "nonsense": {"timestamp": "yesterday", "created_time": {"a": 1}},
        "no.zone": {"timestamp": "2020-01-01T00:00:00"}, "far": {"created_time": 10**15 - 1},
        "before.all": {"timestamp": "0001-01-01T00:00:00+0900"},
    }  # fmt: skip
    told = [comment(name) for name in written]
    for each, when in zip(told, written.values(), strict=True):
        each["value"] |= when
    await deliver(hook, envelope(changes=told, time=sent_at))
    await take_posts_apart(database)
    async with database.connection() as conn:
        rows = await conn.fetch("SELECT fact ->> 'commentId' AS id, occurred_at FROM inbound")
    ago_s = {row["id"]: sent_at - row["occurred_at"].timestamp() for row in rows}
    assert ago_s == {"in.words": 3_600, "in.numbers": 7_200} | dict.fromkeys(
        ("later", "not.told", "nonsense", "no.zone", "far", "before.all"), 0
    )


async def test_the_accounts_own_comments_are_nobodys(hook: Api, database: Database) -> None:
    own = comment("c1", by=ACCOUNT)
    scoped = comment("c2")
    scoped["value"]["from"]["self_ig_scoped_id"] = "1"
    await deliver(hook, envelope(changes=[own, scoped]))
    assert await kept(database) == []


async def test_seconds_and_milliseconds_and_never_the_future(hook: Api, database: Database) -> None:
    said = real_now().replace(microsecond=0) - timedelta(hours=1)
    seconds = message("seconds")
    seconds["timestamp"] = str(int(said.timestamp()))
    future, absent = message("future", at=real_now() + timedelta(days=400)), message("absent")
    del absent["timestamp"]
    await deliver(hook, envelope(seconds, message("milliseconds", at=said), future, absent))
    await take_posts_apart(database)
    async with database.connection() as conn:
        rows = await conn.fetch("SELECT fact ->> 'mid' AS mid, occurred_at FROM inbound")
    found = {row["mid"]: row["occurred_at"] for row in rows}
    assert (found["seconds"], found["milliseconds"]) == (said, said)
    assert found["future"] <= real_now()
    assert found["absent"] <= real_now()


async def test_a_thousand_updates_repeated_and_shuffled_are_each_kept_once(hook: Api, database: Database) -> None:
    chance = random.Random(7)
    people = [str(880_000_000_000_000 + n) for n in range(50)]
    began = real_now() - timedelta(hours=1)
    updates = [
        message(f"mid-{n}", f"text {n}", by=chance.choice(people), at=began + timedelta(seconds=n)) for n in range(400)
    ] + [message(f"mid-{n}", None, by=people[0], is_deleted=True) for n in range(100)]
    thousand = updates * 2
    chance.shuffle(thousand)
    for part in (thousand, thousand[:300], thousand[700:]):
        entries = [envelope(*part[at : at + 250])["entry"][0] for at in range(0, len(part), 250)]
        assert (await deliver(hook, {"object": "instagram", "entry": entries})).status == 200
        assert (await deliver(hook, {"object": "instagram", "entry": entries}, secret="wrong")).status == 403
    found = await kept(database)
    assert len(found) == 500
    assert [fact["mid"] for kind, _, fact in found if kind == "reply"] == [f"mid-{n}" for n in range(400)]


async def test_workers_take_the_same_facts_apart_at_once(hook: Api, database: Database) -> None:
    for turn in range(6):
        order = random.Random(turn).sample(range(60), 60)
        await deliver(hook, envelope(*(message(f"mid-{n}", f"text {n}") for n in order)))
    taken = await asyncio.gather(*(take_posts_apart(database) for _ in range(4)))
    assert (sum(taken), await count(database, "inbound_posts")) == (6, 0)
    assert len(await kept(database)) == 60


async def test_a_post_that_fails_waits_and_holds_nobody_up(
    hook: Api, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await deliver(hook, envelope(message("fails")))
    await deliver(hook, envelope(message("m1")))
    with monkeypatch.context() as patch:
        patch.setattr(inbound, "parse", _fails_once(inbound.parse))
        assert await take_posts_apart(database) == 2
    assert [fact["mid"] for _, _, fact in await kept(database)] == ["m1"]
    async with database.connection() as conn:
        waits = await conn.fetchrow("SELECT failures, not_before > clock_timestamp() AS waits FROM inbound_posts")
        assert tuple(waits or ()) == (1, True)
        await conn.execute("UPDATE inbound_posts SET not_before = clock_timestamp()")
    assert sorted(fact["mid"] for _, _, fact in await kept(database)) == ["fails", "m1"]
    assert await count(database, "inbound_posts") == 0


def _fails_once(parse: Any) -> Any:
    asked = 0

    def fails_once(tree: object, **more: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise ZeroDivisionError
        return parse(tree, **more)

    return fails_once


async def test_what_never_can_be_taken_apart_is_not_kept_for_ever(hook: Api, database: Database) -> None:
    # Too strange to be seen at once: these bytes are no text.
    await hook.outside("POST", PATH, data=b'["\xff"]', headers=signed(b'["\xff"]'))
    assert (await take_posts_apart(database), await count(database, "inbound_posts")) == (1, 0)
    await deliver(hook, envelope(message("m1")))
    async with database.connection() as conn:
        await conn.execute("UPDATE inbound_posts SET received_at = now() - interval '31 days'")
        assert await drop_hopeless(conn, older_than_days=30) == 0
        await conn.execute("UPDATE inbound_posts SET failures = 100, not_before = now() + interval '1 hour'")
        assert await drop_hopeless(conn, older_than_days=30) == 1


async def test_too_large_a_delivery_is_refused_by_its_length(hook: Api) -> None:
    raw = b" " * (13 << 20)
    assert (await hook.outside("POST", PATH, data=raw, headers=signed(raw))).status == 413


async def test_long_ids_fit_an_index(hook: Api, database: Database) -> None:
    mid = "".join(random.Random(1).choices("abcdefghij0123456789", k=3_500))
    await deliver(
        hook, envelope(message(mid), message(mid), event(message_edit={"mid": mid, "text": "x", "num_edit": 1}))
    )
    assert sorted(kind for kind, _, _ in await kept(database)) == ["edit", "reply"]
