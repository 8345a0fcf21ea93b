"""What the demo shows: tables on a terminal, lines on a pipe. Asks the API nothing and decides nothing."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

Json = dict[str, Any]

SHOWN = ("queued", "sent", "replied", "skipped", "failed", "unknown")
# A terminal is redrawn at every look; a pipe gets a line so often.
LINE_EVERY_LOOKS = 4

COLOURS = {
    "active": "green", "sent": "green", "replied": "cyan", "queued": "white", "skipped": "yellow", "failed": "red",
    "unknown": "magenta", "challenged": "red", "disabled": "red", "paused": "yellow",
}  # fmt: skip


@dataclass(frozen=True)
class Look:
    """One look at a running campaign; `summary` counts its targets by state, `day` is on its clock, if any."""

    campaign: Json
    summary: dict[str, int]
    senders: list[Json]
    day: float | None = None

    def count(self, state: str) -> int:
        # Who is being written to at this moment is still queued for a person who looks on.
        return self.summary.get(state, 0) + (self.summary.get("sending", 0) if state == "queued" else 0)

    @property
    def total(self) -> int:
        return sum(self.summary.values())

    @property
    def next_send(self) -> str:
        campaign = self.campaign
        if campaign["status"] != "running":
            return campaign["status"]
        if campaign["blockedReason"]:
            return f"blocked: {campaign['blockedReason']}"
        if campaign["nextAt"] is None:
            return "now"
        return moment(campaign["nextAt"]) + (f" ({campaign['limitedBy']})" if campaign["limitedBy"] else "")


def console() -> Console:
    """The terminal; on a pipe wide enough that no line is broken."""
    out = Console(highlight=False)
    return out if out.is_terminal else Console(highlight=False, width=140)


def say(out: Console, text: str, *, style: str = "") -> None:
    """A line as it is: no markup, not wrapped, so that it can be copied."""
    out.print(Text(text, style=style), soft_wrap=True)


def step(out: Console, text: str) -> None:
    say(out, f"• {text}")


def watch(out: Console, looks: Iterable[Look]) -> Look:
    """Show each look as it comes; the last one."""
    seen: Look | None = None
    if out.is_terminal:
        with Live(console=out, auto_refresh=False) as live:
            for seen in looks:
                live.update(_picture(seen), refresh=True)
    else:
        for number, seen in enumerate(looks):
            if number % LINE_EVERY_LOOKS == 0:
                say(out, _line(seen))
        if seen is not None:
            say(out, _line(seen))
    assert seen is not None
    return seen


def _line(seen: Look) -> str:
    counts = "  ".join(f"{state} {seen.count(state)}" for state in SHOWN)
    senders = Counter(each["state"] for each in seen.senders)
    states = ", ".join(f"{number} {state}" for state, number in senders.most_common())
    day = "" if seen.day is None else f"day {seen.day:4.1f}  "
    return f"  {day}{counts}  next send: {seen.next_send}  senders: {states}"


def _picture(seen: Look) -> RenderableType:
    done = seen.total - seen.count("queued")
    counts = Table.grid(padding=(0, 3))
    counts.add_row(*(Text(f"{state} {seen.count(state)}", style=COLOURS[state]) for state in SHOWN))
    day = "" if seen.day is None else f"Day {seen.day:.1f} of the sandbox's clock · "
    head = Text(f"{day}{done} of {seen.total} · next send {seen.next_send}")
    bar = Table.grid()
    bar.add_row(ProgressBar(total=seen.total or 1, completed=done, width=80))
    return Group(head, bar, counts, senders(seen.senders))


def senders(found: Iterable[Json], results: Iterable[Json] = ()) -> Table:
    """Each sender with its state and why it stopped; at the end also to how many people it wrote."""
    wrote_to = Counter(each["senderUsername"] for each in results if each["sentAt"])
    table = _table("sender", "state", "wrote to" if wrote_to else "", "why")
    for each in found:
        state = Text(each["state"], style=COLOURS.get(each["state"], ""))
        number = str(wrote_to[each["username"]]) if wrote_to else ""
        table.add_row(each["username"], state, number, Text(each["stateReason"] or ""))
    return table


def rejected(results: list[Json]) -> Table:
    """Rows that were not taken, counted by code, with one of each as an example."""
    table = _table("rejected", "rows", "for example")
    counts = Counter(each["error"]["code"] for each in results)
    for code, number in counts.most_common():
        example = next(each["error"]["message"] for each in results if each["error"]["code"] == code)
        table.add_row(code, str(number), Text(example))
    return table


def outcome(results: list[Json]) -> Table:
    """Targets by how they ended and why, with one reason of each."""
    table = _table("status", "code", "people", "reason, of one of them")
    groups = Counter((each["status"], each["errorCode"] or "") for each in results)
    order = {state: place for place, state in enumerate(SHOWN)}
    for (status, code), number in sorted(groups.items(), key=lambda group: (order.get(group[0][0], 99), -group[1])):
        example = next(each for each in results if (each["status"], each["errorCode"] or "") == (status, code))
        reason = example["lastReply"] if status == "replied" else example["reason"]
        table.add_row(Text(status, style=COLOURS.get(status, "")), code, str(number), Text(reason or ""))
    return table


def moment(text: str) -> str:
    return f"{_parsed(text):%d %b %H:%M}"


def _parsed(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 2), header_style="bold")
    for name in columns:
        is_number = name in ("rows", "people", "wrote to")
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    return table
