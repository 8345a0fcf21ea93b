"""Campaigns through the official API against the double: every fault of a send, each person at most once.

The judge is the double's own log. Nothing here knows what the product wrote down until it is compared with that.
"""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote_plus

import aiohttp
import msgspec
import pytest

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.campaigns.model import Campaign
from iglayers.core.clock import real_now
from iglayers.senders import queries_credentials
from iglayers.senders.transports.instagram.credentials import opened
from iglayers.senders.transports.instagram.graph import Graph
from iglayers.senders.transports.instagram.refresh import refresh_next
from tests.conftest import key_of
from tests.doubles.control import Instagram
from tests.scenarios.official import Stage
from tests.senders.connected import PATH
from tests.senders.instagram.orders import at_the_double
from tests.sending.world import until, working
from tests.serving import Api, serving

DEADLINE_S = 3.0
LONG_S = 8.0

# Each fault with its own recipient: what the target becomes, and what echoes hint at when the message was stored.
OF_ONE_SEND: dict[str, tuple[str, bool]] = {
    "html502": ("unknown", False),
    "timeout_before_commit": ("unknown", False),
    "timeout_after_commit": ("unknown", True),
    "disconnect_before_commit": ("unknown", False),
    "disconnect_after_commit": ("unknown", True),
    "slow": ("sent", True),
    "garbled": ("unknown", True),
    "ambiguous": ("unknown", True),
    "ambiguous_not_stored": ("unknown", False),
    "unknown": ("unknown", False),
    "temporary": ("unknown", False),
    "unavailable": ("failed", False),
    "cannot_receive": ("failed", False),
    "stopped_notifications": ("failed", False),
    "link_restricted": ("failed", False),
}
OPTED_OUT_BY_FAULT = {"unavailable", "stopped_notifications"}
# Each fault with its own account: what the sender becomes, and a part of the reason that everybody can look up.
STOPPING = {
    "abusive": ("challenged", "613/2018338"),
    "going_too_fast": ("challenged", "368/1390008"),
    "restricted": ("challenged", "10/1893063"),
    "blocked_from_api": ("challenged", "100/2534029"),
    "checkpoint": ("challenged", "https://www.instagram.com/challenge/example"),
    "unconfirmed": ("challenged", "190/464"),
    "app_removed": ("disabled", "190/458"),
    "password_changed": ("disabled", "190/460"),
    "token_expired": ("disabled", "190/463"),
    "logged_out": ("disabled", "190/467"),
    "messages_access_off": ("disabled", "200/2534041"),
    "no_advanced_access": ("disabled", "200"),
}
RESTING = [
    "app_rate_limit", "user_rate_limit", "messaging_rate_limit", "business_rate_limit", "instagram_rate_limit",
]  # fmt: skip
LOCALES = ("en", "de", "fr", "ja")
REGAIN_MINUTES = 7
_TEXT = "Hi there"  # of every message


@pytest.fixture
def services(services: Services, double: Instagram) -> Services:
    """An installation that takes the double for Meta, and has less patience than usual."""
    made = at_the_double(services, double)
    settings = msgspec.structs.replace(
        made.settings, send_deadline_s=DEADLINE_S, send_lease_s=20.0, worker_slots=24, instagram_human_agent=True,
        key_cache_s=0,
    )  # fmt: skip
    return msgspec.structs.replace(made, settings=settings)


@pytest.fixture
async def stage(
    double: Instagram,
    http: aiohttp.ClientSession,
    services: Services,
    worker_services: Services,
    caller: Caller,
    tmp_path: Path,
) -> AsyncIterator[Stage]:
    """Webhooks on, a server that takes them, and a worker."""
    await double.call("POST", "/settings", conversations_per_s=None)
    await double.webhooks(copies=2, order="shuffled", batch_size=50, batch_wait_ms=50)
    async with serving(services) as url:
        await double.call("POST", "/app", callback=url + PATH, is_live=True)
        async with working(worker_services, tmp_path):
            stage = Stage(double, services, caller, Api(http, url, await key_of(services.db, caller)))
            yield stage
        await double.call("POST", "/app", callback=None)
        await _addresses_tell_nothing(stage)


async def test_every_fault_of_a_send_and_nobody_is_written_to_twice(
    stage: Stage, capfd: pytest.CaptureFixture[str]
) -> None:
    double, expected = stage.double, dict[str, str]()
    campaigns = [*await _one_send_each(stage, expected), *await _accounts_that_stop(stage, expected)]
    campaigns += await _ways(stage, expected)
    await stage.hears()
    # Only now: of somebody who has blocked the account Instagram would not even tell the name.
    await double.does("blocks.us", "blocks", stage.accounts["ways.official"])
    for campaign in campaigns:
        await stage.world.start(campaign)
    await stage.ends_as(expected)
    await until(lambda: _hints(stage), within_s=20)
    await double.settle()

    assert await double.written_twice() == []
    sent = {each["person"] for each in await double.sent() if each["by"] == "api"}
    stored = {f"p.{fault}".replace("_", ".") for fault, (_, is_stored) in OF_ONE_SEND.items() if is_stored}
    assert sent == stored | {name for name, state in expected.items() if state == "sent"}
    await _senders_say_why(stage)
    await _sums_add_up(stage, expected)
    await _nothing_was_told(stage, capfd)


async def test_answers_stop_or_keep_follow_ups_and_a_person_answers_back(stage: Stage) -> None:
    double, account = stage.double, await stage.connect("acme.official")
    people = ["says.arrete", "is.away", "taps.button", "asks.more", "says.nothing"]
    for name in people:
        await stage.writes(name, account)
    await stage.hears()
    campaign = await stage.campaign(account, people, follow_up_hours=[24])
    await stage.world.start(campaign)
    await stage.ends_as(dict[str, str].fromkeys(people, "sent"))
    await double.does("says.arrete", "writes", account, text="Arrêtez")
    await double.does("is.away", "writes", account, text="Automatic reply: I am out of office until Monday.")
    await double.does("taps.button", "writes", account, text="Bitte nicht mehr", quick_reply="OPT_OUT")
    await double.does("asks.more", "writes", account, text="What does it pay?")
    await stage.hears()
    await stage.ends_as({
        "says.arrete": "replied", "taps.button": "replied", "asks.more": "replied", "is.away": "sent",
        "says.nothing": "sent",
    })  # fmt: skip
    due = {name for name in people if (await stage.world.target(name))["next_due_at"] is not None}
    assert due == {"is.away", "says.nothing"}
    suppressed = (await stage.api.get("/suppressions")).body["data"]
    assert {each["instagramUsername"] for each in suppressed} == {"says.arrete", "taps.button"}

    assert await _answer(stage, "says.arrete") == (409, "target_suppressed")
    assert await _answer(stage, "asks.more") == (201, "sent")
    # Instagram's day is over: refused there, closed here, and from then on only a human agent may answer.
    await double.change(account, human_agent=True)
    await double.clock(advance_s=25 * 3_600)
    assert await _answer(stage, "is.away") == (201, "failed")
    assert await _answer(stage, "is.away") == (201, "sent")
    routes = [(each["person"], each["route"]) for each in await double.sent() if each["by"] == "api"][len(people) :]
    assert routes == [("asks.more", "standard"), ("is.away", "human_agent")]


async def _answer(stage: Stage, username: str) -> tuple[int, str]:
    """What a person's answer in the conversation with this person came to."""
    [thread] = (await stage.api.get("/conversations", instagramUsername=username)).body["data"]
    told = await stage.api.post(f"/conversations/{thread['id']}/messages", {"text": "It pays well."})
    return told.status, told.body["error"]["code"] if "error" in told.body else told.body["status"]


async def test_an_unknown_is_settled_by_metas_id_and_by_nothing_else(stage: Stage) -> None:
    double = stage.double
    told, compared = await stage.connect("by.echo"), await stage.connect("by.thread")
    lost = {"same.text": "temporary", "other.text": "temporary", "other.time": "temporary"}
    people = {"echoed": told} | dict.fromkeys(("in.thread", *lost), compared)
    for name, account in people.items():
        await stage.writes(name, account)
    await stage.hears()
    # Nothing is told by itself of what the account writes.
    await double.webhooks(echoes=False)
    for name, fault in lost.items():
        await double.fault(fault, compared, recipient=name)
    await stage.world.start(await stage.campaign(compared, ["in.thread", *lost]))
    expected = {"in.thread": "sent"} | dict.fromkeys(lost, "unknown")
    await stage.ends_as(expected)
    [body] = {each["body"] for each in await stage.world.all("SELECT body FROM messages")}
    # Hands in the app write much the same: of that nobody can tell whether it was ours.
    await double.owner(compared, "types", to="same.text", text=body)
    await double.owner(compared, "types", to="other.text", text="Something else")
    await double.clock(advance_s=-3_600)
    await double.owner(compared, "types", to="other.time", text=body)
    await double.clock(at=real_now().timestamp())
    await stage.forget_outcome("in.thread")
    await stage.compare(compared)
    await stage.ends_as(expected)
    hints = {name: await stage.evidence(name) for name in expected}
    assert hints == {"in.thread": ["echo"], "same.text": ["similar_echo"], "other.text": [], "other.time": []}

    await double.webhooks(echoes=True, paused=True)
    await stage.world.start(await stage.campaign(told, ["echoed"]))
    await stage.ends_as(expected | {"echoed": "sent"})
    await stage.forget_outcome("echoed")
    await double.webhooks(paused=False)
    await stage.hears()
    await stage.ends_as(expected | {"echoed": "sent"})
    assert await stage.evidence("echoed") == ["echo"]
    assert [each["person"] for each in await double.sent() if each["by"] == "api"] == ["in.thread", "echoed"]


async def test_tokens_are_renewed_when_the_clock_moves_and_go_on_working(stage: Stage) -> None:
    account = await stage.connect("acme.official")
    sender = stage.senders[account.username]
    graph, later = Graph(stage.services.settings), timedelta(days=2)
    await stage.double.clock(advance_s=later.total_seconds())
    assert await refresh_next(stage.services, graph, now=real_now() + later)
    async with stage.services.db.connection() as conn:
        found = await queries_credentials.of_sender(conn, stage.world.caller.workspace_id, sender.id)
    assert found is not None
    assert opened(stage.services.vault, found) != account.access_token
    await stage.double.clock(at=real_now().timestamp())
    await stage.writes("jane.doe", account)
    await stage.hears()
    await stage.world.start(await stage.campaign(account, ["jane.doe"]))
    await stage.ends_as({"jane.doe": "sent"})
    assert [each["person"] for each in await stage.double.sent()] == ["jane.doe"]


async def _one_send_each(stage: Stage, expected: dict[str, str]) -> list[Campaign]:
    """A person for each fault of a single send, among people for whom all goes well."""
    campaigns: list[Campaign] = []
    names = list(OF_ONE_SEND)
    # Those that hang are neighbours in the list, and each holds up its account: no two of them in one.
    for number in range(5):
        account = await stage.connect(f"one.send.{number}", locale=LOCALES[number % 4])
        people = [f"fine.{number}.{each}" for each in range(2)]
        expected |= dict.fromkeys(people, "sent")
        for fault in names[number::5]:
            name = f"p.{fault}".replace("_", ".")
            people.append(name)
            expected[name] = OF_ONE_SEND[fault][0]
            hang = {"hang_s": LONG_S} if fault.startswith("timeout") else {"hang_s": 0.5} if fault == "slow" else {}
            await stage.double.fault(fault, account, recipient=name, **hang)
        for name in people:
            await stage.writes(name, account)
        campaigns.append(await stage.campaign(account, people))
    return campaigns


async def _accounts_that_stop(stage: Stage, expected: dict[str, str]) -> list[Campaign]:
    """An account for each fault of an account, with two people: the second one must not even be tried."""
    campaigns: list[Campaign] = []
    for number, fault in enumerate([*STOPPING, *RESTING]):
        account = await stage.connect(_account_of(fault), locale=LOCALES[number % 4])
        more = {"regain_minutes": REGAIN_MINUTES} if fault in RESTING else {}
        people = [f"{account.username}.{each}" for each in ("a", "b")]
        for name in people:
            await stage.writes(name, account)
        # Faults of the token hit every call; here only sends are of interest.
        await stage.double.fault(fault, account, always=True, **more)
        expected |= dict.fromkeys(people, "queued")
        campaigns.append(await stage.campaign(account, people))
    return campaigns


async def _ways(stage: Stage, expected: dict[str, str]) -> list[Campaign]:
    """Comments, closed windows, strangers, people who block, and those whom nobody may write to."""
    official = await stage.connect("ways.official")
    by_hand = await stage.connect("ways.by.hand", routes=["instagram", "assisted"])
    for name in ("comment.a", "comment.b"):
        await stage.comments(name, official)
        expected[name] = "sent"
    await stage.comments("comment.old", official, ago_s=8 * 86_400)
    await stage.writes("window.old", official, ago_s=25 * 3_600)
    await stage.double.person("stranger.a")
    # A webhook does not say when a comment was written, so that one is tried; Instagram refuses it.
    expected["comment.old"] = "failed"
    expected |= dict.fromkeys(("window.old", "stranger.a", "said.stop"), "skipped")
    await stage.writes("said.stop", official, text="Stop")
    await stage.writes("blocks.us", official)
    expected["blocks.us"] = "failed"
    await stage.writes("open.hand", by_hand)
    expected |= {"open.hand": "sent", "stranger.b": "awaiting_operator", "stranger.c": "awaiting_operator"}
    of_official = [
        "comment.a", "comment.b", "comment.old", "window.old", "stranger.a", "said.stop", "blocks.us",
    ]  # fmt: skip
    return [
        await stage.campaign(official, of_official),
        await stage.campaign(by_hand, ["open.hand", "stranger.b", "stranger.c"]),
    ]


def _account_of(fault: str) -> str:
    return f"acc.{fault}".replace("_", ".")


async def _hints(stage: Stage) -> bool:
    """Echoes of what was stored are evidence beside the unknown; nothing of it is settled by them."""
    for fault, (state, is_stored) in OF_ONE_SEND.items():
        hints = ["similar_echo"] if is_stored else []
        if state == "unknown" and await stage.evidence(f"p.{fault}".replace("_", ".")) != hints:
            return False
    return True


async def _senders_say_why(stage: Stage) -> None:
    now = real_now()
    for fault, (state, reason) in STOPPING.items():
        account = stage.accounts[_account_of(fault)]
        found = await stage.sender(account)
        assert (found["state"], await stage.orders_of(account)) == (state, 1), fault
        assert reason in found["state_reason"], fault
    for fault in RESTING:
        account = stage.accounts[_account_of(fault)]
        found = await stage.sender(account)
        assert (found["state"], await stage.orders_of(account)) == ("active", 1), fault
        assert (found["rests_until"] - now).total_seconds() > (REGAIN_MINUTES - 1) * 60, fault
        assert (found["warned_until"] is not None) == (fault == "messaging_rate_limit"), fault


async def _sums_add_up(stage: Stage, expected: dict[str, str]) -> None:
    """Each campaign's counts are its people, and whoever is gone is suppressed."""
    told = (await stage.api.get("/campaigns", limit=100)).body["data"]
    total = 0
    for each in told:
        summary = (await stage.api.get(f"/campaigns/{each['id']}/results", limit=1)).body["summary"]
        total += sum(summary.values())
    assert total == len(expected)
    suppressed = {each["instagramUsername"] for each in (await stage.api.get("/suppressions", limit=1000)).body["data"]}
    assert suppressed == {"said.stop", "blocks.us"} | {f"p.{each}".replace("_", ".") for each in OPTED_OUT_BY_FAULT}
    rules = await stage.world.all("""
        SELECT k.username, t.error_code, t.reason FROM targets t JOIN contacts k ON k.id = t.contact_id
        WHERE t.state = 'skipped'
    """)
    codes = {each["username"]: each["error_code"] for each in rules}
    assert codes == {
        "window.old": "no_permitted_route", "stranger.a": "no_permitted_route",
        "said.stop": "target_suppressed",
    }  # fmt: skip


async def _nothing_was_told(stage: Stage, capfd: pytest.CaptureFixture[str]) -> None:
    """No token, secret or text of a message in logs, metrics, or the errors of messages and senders."""
    logged = capfd.readouterr()
    metrics = (await stage.api.outside("GET", "/metrics")).raw.decode()
    reasons = await stage.world.all("""
        SELECT reason FROM messages UNION ALL SELECT state_reason FROM senders UNION ALL SELECT reason FROM targets
    """)
    everything = "\n".join([logged.out, logged.err, metrics, *(each["reason"] or "" for each in reasons)])
    assert "message.attempted" in logged.out
    for secret in [*_secrets(stage), "access_token"]:
        assert secret not in everything


async def _addresses_tell_nothing(stage: Stage) -> None:
    """Nor in the address of any call; the two that make one token of another take them nowhere else than there."""
    urls = [unquote_plus(each) for each in await stage.double.urls()]
    assert any("/messages" in each for each in urls)
    for url in urls:
        takes_tokens = re.match(r"GET /(refresh_)?access_token\?", url) is not None
        for secret in [_TEXT] if takes_tokens else [*_secrets(stage), "access_token"]:
            assert secret not in url


def _secrets(stage: Stage) -> list[str]:
    settings = stage.services.settings
    known = [settings.instagram_app_secret, settings.instagram_meta_app_secret, settings.secret_key]
    known += [stage.api.key, _TEXT, *(each.access_token for each in stage.accounts.values())]
    assert None not in known
    return [each for each in known if each]
