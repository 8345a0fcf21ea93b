"""A campaign through the official API on a throw-away installation: `make demo INSTAGRAM=1`, or with `EXIT=1` too.

`FEW=1` leaves out whoever ends as somebody else does: the account writes every four seconds.

Instagram is the double of tests/doubles, a process of its own that keeps the platform's rules and a log of what it
really stored: that log is the judge. Everything else goes through the public API. Read downward.
"""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from throwaway import Api, DemoError, Installation, installation
from watching import Json, Look, console, outcome, say, senders, step, watch

ROOT = Path(__file__).parents[1]
ACCOUNT = "acme.official"
APP = {"app_id": "1200000000000001", "app_secret": "app-secret-of-the-demo", "verify_token": "verify-token-of-the-demo"}
TEXT = "Hi {{firstName|there}}, thank you for your interest! Open to a collab with Acme?"

LEFT_OUT = {"bob.writes", "carla.asks", "gina.comments", "kim.unknown"} if os.environ.get("FEW") == "1" else set[str]()

# Who does what before the campaign, and how they end in it.
WROTE = {"anna.writes", "bob.writes", "carla.asks", "dora.stops", "emil.is.lost"} - LEFT_OUT
COMMENTED = {"finn.comments", "gina.comments"} - LEFT_OUT
CLOSED, STOPPED = "hugo.long.ago", "ines.said.stop"
ANSWERS = {"carla.asks": "Tell me more?", "dora.stops": "Stop"}
ALL_ENDS: Json = {
    "anna.writes": "sent", "bob.writes": "sent", "carla.asks": "replied", "dora.stops": "replied",
    "emil.is.lost": "unknown", "finn.comments": "sent", "gina.comments": "sent", "hugo.long.ago": "skipped",
    "ines.said.stop": "skipped", "jon.unknown": "skipped", "kim.unknown": "skipped",
}  # fmt: skip
ENDS: Json = {name: end for name, end in ALL_ENDS.items() if name not in LEFT_OUT}
READY_WITHIN_S, ENDS_WITHIN_S, LOOK_EVERY_S = 30.0, 60.0, 0.5


class Double:
    """The control API of the double; tests/doubles/README.md has its verbs."""

    def __init__(self, url: str) -> None:
        self.url: str = url

    def call(self, path: str, **given: object) -> Json:
        data = json.dumps(given).encode() if given else None
        with urllib.request.urlopen(f"{self.url}/_control{path}", data, timeout=20) as said:  # noqa: S310 our own
            return json.load(said)

    def does(self, username: str, verb: str, **given: object) -> None:
        self.call(f"/people/{username}/{verb}", account=ACCOUNT, **given)


def main() -> int:
    out, stays = console(), os.environ.get("EXIT") != "1"
    status = 130
    try:
        step(out, "Starting a double of Instagram and a throw-away installation that takes it for the real one")
        with double() as meta, installation(**_settings(meta)) as server:
            status = run(out, server, meta)
            if stays:
                say(out, f"\nThe server keeps running; Instagram's log: {meta.url}/_control/log. Ctrl-C ends both.")
                server.wait()
    except DemoError as error:
        say(out, f"\nThe demo failed: {error}", style="red")
        return 1
    except KeyboardInterrupt:
        say(out, "\nStopped and removed.")
    return status


def run(out: Console, server: Installation, meta: Double) -> int:
    """The campaign from a connected account to the table; the exit status."""
    for line in server.ready_lines:
        say(out, f"  {line}")
    api = Api(server.address, server.new_key("read", "write", "send", "admin", mode="live"))
    access = connect(out, api, meta)
    campaign = prepare(out, api)
    turn_to_us(out, api, meta)
    api.post(f"/campaigns/{campaign}/start")
    step(out, "Started; the answer to emil.is.lost will be lost, and two people answer")
    last = watch(out, looks(api, server, meta, campaign))
    results: list[Json] = api.get(f"/campaigns/{campaign}/results?limit=100")["data"]
    for table in (outcome(results), senders(last.senders, results)):
        out.print()
        out.print(table)
    out.print()
    held = check(
        out, api, meta, results, server.log(), secrets=[access, APP["app_secret"], api.key, "Open to a collab"]
    )
    if not held:
        say(out, server.log_tail(), style="dim")
    return 0 if held else 1


def connect(out: Console, api: Api, meta: Double) -> str:
    """The account, by a token as the app's dashboard makes them; webhooks go to the installation from here on."""
    meta.call("/app", callback=f"{api.address}/instagram/webhook", is_live=True)
    account = meta.call("/accounts", username=ACCOUNT)
    api.post("/senders", {
        "username": ACCOUNT, "transport": "instagram", "accessToken": account["access_token"],
        "hourlyLimit": 1_000, "dailyLimit": 10_000, "ramp": False, "minGapSeconds": 0,
    })  # fmt: skip
    step(out, f"{ACCOUNT} is connected, and Instagram tells this server what people do")
    return str(account["access_token"])


def prepare(out: Console, api: Api) -> str:
    """A client, a template and a campaign of everybody; its id."""
    client = api.post("/clients", {"name": "Acme"})
    template = api.post("/message-templates", {"name": "Official", "body": TEXT})
    campaign = api.post("/campaigns", {
        "clientId": client["id"], "name": "Through the official API", "messageTemplateId": template["id"],
    })  # fmt: skip
    api.post(f"/campaigns/{campaign['id']}/targets", {"targets": [{"instagramUsername": each} for each in ENDS]})
    step(out, f"A campaign of {len(ENDS)} people")
    return campaign["id"]


def turn_to_us(out: Console, api: Api, meta: Double) -> None:
    """A business cannot write first: people write or comment, and webhooks tell it, twice and shuffled."""
    meta.call("/webhooks", copies=2, order="shuffled")
    for username in ENDS:
        meta.call("/people", username=username)
    for username in WROTE:
        meta.does(username, "writes", text="Hello, I like your brand")
    for username in COMMENTED:
        meta.does(username, "comments", text="Is this still available?")
    meta.does(CLOSED, "writes", text="Hello", ago_s=30 * 3_600)
    meta.does(STOPPED, "writes", text="STOP")
    meta.call("/faults", fault="ambiguous", recipient="emil.is.lost")
    heard = {*WROTE, CLOSED, STOPPED}
    give_up_at = time.monotonic() + READY_WITHIN_S
    while heard - {each["instagramUsername"] for each in api.get("/conversations?limit=100")["data"]}:
        if time.monotonic() > give_up_at:
            raise DemoError("What people wrote did not come in.")
        time.sleep(LOOK_EVERY_S)
    step(out, f"{len(WROTE)} people write, {len(COMMENTED)} comment, one wrote too long ago, one wants no messages")


def looks(api: Api, server: Installation, meta: Double, campaign: str) -> Iterator[Look]:
    """Until everybody has ended as they should, or the time is over; two people answer as soon as they can."""
    answers = {name: text for name, text in ANSWERS.items() if name in ENDS}
    give_up_at = time.monotonic() + ENDS_WITHIN_S
    expected = Counter(ENDS.values())
    while time.monotonic() < give_up_at:
        server.check()
        page = api.get(f"/campaigns/{campaign}/results?limit=1")
        yield Look(page["campaign"], page["summary"], api.get("/senders")["data"])
        if all(page["summary"].get(state, 0) == number for state, number in expected.items()):
            return
        written = {each["person"] for each in meta.call("/log")["messages"]}
        for username in written & answers.keys():
            meta.does(username, "writes", text=answers.pop(username))
        time.sleep(LOOK_EVERY_S)


def check(out: Console, api: Api, meta: Double, results: list[Json], logged: str, *, secrets: list[str]) -> bool:
    """Whether it ended as it should, by Instagram's own log."""
    stored = Counter(each["person"] for each in meta.call("/log")["messages"])
    suppressed = {each["instagramUsername"] for each in api.get("/suppressions?limit=100")["data"]}
    checks = [
        ("everybody ended as they should", {each["instagramUsername"]: each["status"] for each in results} == ENDS),
        (
            f"by Instagram's log {len(stored)} people got a message, and nobody got two",
            stored == Counter((*WROTE, *COMMENTED)),
        ),
        ("whoever said stop is suppressed", suppressed == {STOPPED, "dora.stops"}),
        ("no token, secret or message is in the server's log", not any(each in logged for each in secrets)),
    ]
    for text, holds in checks:
        say(out, f"{'✓' if holds else '✗'} {text}", style="green" if holds else "red")
    return all(holds for _, holds in checks)


@contextmanager
def double() -> Generator[Double]:
    """The double as a process of its own, gone when the block ends."""
    words = ["--app-id", APP["app_id"], "--app-secret", APP["app_secret"], "--verify-token", APP["verify_token"]]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.doubles.instagram", "--port", "0", *words], cwd=ROOT, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        ready = process.stdout.readline()
        if not ready:
            raise DemoError("The double of Instagram did not start.")
        yield Double(json.loads(ready)["url"])
    finally:
        process.terminate()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _settings(meta: Double) -> dict[str, str]:
    urls = {f"instagram_{host}_url": meta.url for host in ("graph", "api", "www")}
    return urls | {f"instagram_{name}": text for name, text in APP.items()}


if __name__ == "__main__":
    sys.exit(main())
