"""Watching a campaign until it ends. It goes on by itself; watching changes nothing."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import typer

from iglayers.cli.client import INTERRUPTED
from iglayers.cli.client_output import note, progress
from iglayers.sdk import Api, Unreachable, segment

# One call in two seconds leaves nine tenths of what a key may do to others.
LOOK_EVERY_S = 2.0
_WAITING = ("queued", "sending", "awaiting_operator")
_GOES_ON = "The campaign goes on without this command; watch it again with: iglayers campaigns start {} --wait"


def wait_for_end(api: Api, campaign: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Return when it no longer runs. A bar on a terminal, elsewhere a line where the reason changes."""
    told: object = None
    try:
        with progress("Starting") as move:
            while True:
                found = api.get(f"/campaigns/{segment(campaign)}/status")
                done, total = moved(found["counts"])
                move(done, total, f"{done} of {total}. {found['reason']}")
                if found["code"] != told:
                    note(f"{done} of {total} done. {found['reason']}")
                    told = found["code"]
                if found["status"] != "running":
                    return
                sleep(LOOK_EVERY_S)
    except KeyboardInterrupt:
        note(_GOES_ON.format(campaign))
        raise typer.Exit(INTERRUPTED) from None
    except Unreachable:
        note(_GOES_ON.format(campaign))
        raise


def moved(counts: Mapping[str, Any]) -> tuple[int, int]:
    """How many people are done with, and of how many."""
    total = sum(counts.values())
    return total - sum(counts.get(state, 0) for state in _WAITING), total
