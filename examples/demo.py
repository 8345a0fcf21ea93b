"""A whole campaign on a throw-away installation: `make demo`, or `make demo EXIT=1` to end by itself.

`SPEED=60000 make demo` runs the sandbox's clock three times as fast as usual.

It does what a customer would do, through the public API and the command line and nothing else. The people are in
creators.csv, and README.md beside it says who does what. Read downward.
"""

import csv
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from rich.console import Console
from throwaway import Api, DemoError, Installation, installation
from watching import Json, Look, console, outcome, rejected, say, senders, step, watch

# Instagram's simulated clock: at 20,000 a day takes 4.3 s. With the published limits, 50 a day and 8 an hour, the
# campaign takes nine and a half days.
SANDBOX_SPEED = int(os.environ.get("SPEED") or 20_000)
DAILY_LIMIT, HOURLY_LIMIT = 50, 8
# An ordinary person answers within a day; the sandbox tells what became of a lost answer within the hour.
LAST_REPLIES_S = max(3.0, 26 * 3_600 / SANDBOX_SPEED)
STALLED_S = 40.0
LOOK_EVERY_S = 0.5

CREATORS = Path(__file__).with_name("creators.csv")
# Two of these five are lost on the way: sandbox.challenge and sandbox.disabled each cost one.
SENDERS = ("studio.north", "studio.east", "studio.south", "studio.west", "studio.spare")
TEMPLATE = (
    "Hi {{firstName|there}}, love your {{category}} content! {{favouritePost|Your latest post}} stayed with us. "
    "Open to a collab with {{clientName}}?"
)
SUPPRESSED = (
    "mila.ostravelle", "@Devon.Quillbrook", "yuna.harrowmere", "tomas.veldrini",
    "https://www.instagram.com/imani.castlewick/", "freya.lundqvara",
)  # fmt: skip
SUPPRESSED_LATER = "noor.everlyn.paints"


@dataclass(frozen=True)
class Ending:
    """What is known when the campaign is over."""

    last: Look
    upload: Json
    results: list[Json]
    file: Path


def main() -> int:
    out, stays = console(), os.environ.get("EXIT") != "1"
    status = 130
    try:
        step(out, "Starting a throw-away installation")
        with installation(sandbox_speed=str(SANDBOX_SPEED)) as server:
            status = run(out, server, stays=stays)
            if stays:
                say(out, "\nThe server keeps running. Ctrl-C ends it and removes everything but results.csv.")
                server.wait()
    except DemoError as error:
        say(out, f"\nThe demo failed: {error}", style="red")
        return 1
    except KeyboardInterrupt:
        say(out, "\nStopped and removed.")
    return status


def run(out: Console, server: Installation, *, stays: bool) -> int:
    """The campaign from an empty installation to its results; the exit status."""
    for line in server.ready_lines:
        say(out, f"  {line}")
    say(out, f"  data folder: {server.folder}")
    api = Api(server.address, server.new_key("read", "write", "send", "admin"))
    campaign = prepare(out, api)
    upload = upload_creators(out, api, campaign)
    start(out, api, campaign)
    last = watch(out, looks(api, server, campaign))
    ending = Ending(last, upload, all_results(api, campaign), write_csv(api, campaign))
    show(out, ending)
    held = check(out, api, server, ending)
    if not held:
        say(out, server.log_tail(), style="dim")
    say(out, f"\nResults: {ending.file}")
    if stays:
        point_to(out, api, campaign)
    return 0 if held else 1


def prepare(out: Console, api: Api) -> str:
    """Senders, a client, a template, people who must not be written to, and a campaign; its id."""
    for username in SENDERS:
        api.post("/senders", {"username": username, "transport": "sandbox", "hourlyLimit": 10, "dailyLimit": 50})
    step(out, f"{len(SENDERS)} senders; two of them will be lost, to a challenge and to a removed access")
    client = api.post("/clients", {"name": "Acme Brand", "externalId": "acme_001"})
    template = api.post("/message-templates", {"name": "Creator Intro", "body": TEMPLATE})
    step(out, f"A client, and a template with {', '.join(template['variables'])}")
    wanted = [{"instagramUsername": each, "reason": "asked not to be contacted"} for each in SUPPRESSED]
    suppressed = api.post("/suppressions", {"suppressions": wanted})
    step(out, f"{suppressed['accepted']} people on the suppression list")
    campaign = api.post("/campaigns", {
        "clientId": client["id"],
        "name": "Creator Outreach May 2026",
        "messageTemplateId": template["id"],
        "dailyLimit": DAILY_LIMIT,
        "hourlyLimit": HOURLY_LIMIT,
        "metadata": {"source": "demo"},
    })  # fmt: skip
    step(out, f"A campaign of at most {DAILY_LIMIT} messages a day and {HOURLY_LIMIT} an hour")
    return campaign["id"]


def upload_creators(out: Console, api: Api, campaign: str) -> Json:
    """The whole file in one call; what was accepted and what was rejected."""
    upload = api.post_csv(f"/campaigns/{campaign}/targets?results=rejected", CREATORS.read_bytes())
    step(out, f"{CREATORS.name}: {upload['accepted']} accepted, {upload['rejected']} rejected")
    out.print(rejected(upload["results"]))
    return upload


def start(out: Console, api: Api, campaign: str) -> None:
    api.post(f"/campaigns/{campaign}/start")
    step(out, f"Started, on a clock that runs {SANDBOX_SPEED:,} times as fast as ours")
    api.post("/suppressions", {"instagramUsername": SUPPRESSED_LATER, "reason": "wrote to us while it was running"})
    step(out, f"{SUPPRESSED_LATER} is put on the suppression list now, while queued")


def looks(api: Api, server: Installation, campaign: str) -> Iterator[Look]:
    """One look after another, until the campaign has completed and the last replies are in, or nothing moves."""
    started_at = moved_at = time.monotonic()
    completed_at: float | None = None
    before: tuple[object, ...] = ()
    found: list[Json] = []
    for number in count():
        server.check()
        page = api.get(f"/campaigns/{campaign}/results?limit=1")
        status, now = page["campaign"]["status"], time.monotonic()
        if number % 2 == 0 or status != "running":  # not every time: a key has 300 calls a minute
            found = api.get("/senders?limit=100")["data"][::-1]
        yield Look(page["campaign"], page["summary"], found, day=(now - started_at) * SANDBOX_SPEED / 86_400)
        if before != (before := (status, page["summary"])):
            moved_at = now
        if status == "completed":
            completed_at = completed_at or now
            if now > completed_at + LAST_REPLIES_S:
                return
        elif now > moved_at + STALLED_S:
            return
        time.sleep(LOOK_EVERY_S)


def all_results(api: Api, campaign: str) -> list[Json]:
    """Every target with its outcome, page by page."""
    results: list[Json] = []
    query = "?limit=1000"
    while True:
        page = api.get(f"/campaigns/{campaign}/results{query}")
        results += page["data"]
        if not page["hasMore"]:
            return results
        query = f"?limit=1000&cursor={page['nextCursor']}"


def write_csv(api: Api, campaign: str) -> Path:
    """results.csv in a new temporary folder, so that no file of yours is replaced."""
    file = Path(tempfile.mkdtemp(prefix="iglayers-results-")) / "results.csv"
    with file.open("wb") as to:
        api.download(f"/campaigns/{campaign}/results?format=csv", to)
    return file


def show(out: Console, ending: Ending) -> None:
    """What became of everybody, and of the senders."""
    for table in (outcome(ending.results), senders(ending.last.senders, ending.results)):
        out.print()
        out.print(table)
    for each in ending.last.senders:
        if each["state"] != "active":
            say(out, f"  {each['username']} was {each['state']} and stopped; the others went on.", style="yellow")
    out.print()


def check(out: Console, api: Api, server: Installation, ending: Ending) -> bool:
    """Whether the campaign ended as it should."""
    last, accepted, refused = ending.last, ending.upload["accepted"], ending.upload["rejected"]
    sent_rows, csv_rows = _count_rows(CREATORS), _count_rows(ending.file)
    open_now = sum(last.summary.get(state, 0) for state in ("queued", "sending", "awaiting_operator"))
    said_stop = {each["instagramUsername"] for each in ending.results if (each["lastReply"] or "").lower() == "stop"}
    suppressed = {each["instagramUsername"] for each in api.get("/suppressions?limit=1000")["data"]}
    audit = server.command("audit", "duplicates")
    checks: list[tuple[str, bool]] = [
        (f"the campaign is {last.campaign['status']}", last.campaign["status"] == "completed"),
        (f"{accepted} accepted + {refused} rejected = {sent_rows} rows sent", accepted + refused == sent_rows),
        (
            f"the counts by status add up to {last.total}; {open_now} left to do",
            last.total == accepted and not open_now,
        ),
        (f"results.csv has {csv_rows} rows", csv_rows == len(ending.results) == accepted),
        (f"{len(said_stop)} people said stop and are suppressed", bool(said_stop) and said_stop <= suppressed),
        (f"iglayers audit duplicates: {(audit.stdout or audit.stderr).strip()}", audit.returncode == 0),
    ]
    for text, holds in checks:
        say(out, f"{'✓' if holds else '✗'} {text}", style="green" if holds else "red")
    return all(holds for _, holds in checks)


def _count_rows(file: Path) -> int:
    with file.open(newline="", encoding="utf-8") as text:
        return sum(1 for _ in csv.DictReader(text))


def point_to(out: Console, api: Api, campaign: str) -> None:
    """Where to look on, and what to type."""
    pages = [path for path in ("/", "/docs", "/api/v1/openapi.json", "/metrics") if api.answers(path)]
    say(out, "\nLook at: " + "  ".join(api.address + path for path in pages or [""]))
    for path in (f"/campaigns/{campaign}/results?format=csv", f"/campaigns/{campaign}", "/senders", "/events"):
        say(out, f'curl "{api.address}/api/v1{path}" -H "Authorization: Bearer {api.key}"')


if __name__ == "__main__":
    sys.exit(main())
