"""Status, preflight and numbers of a campaign, laid out for people."""

import re
from collections.abc import Mapping
from typing import Any

from iglayers.cli.client_output import Output, cell

Tree = Mapping[str, Any]

_CALL = re.compile(r"POST /campaigns/\{id\}/(\w+)")
_AS_COMMAND = r"iglayers campaigns \1 {}"


def show_status(out: Output, found: Tree) -> None:
    out.say(f"{found['status']}: {found['reason']}", *_advice(found, found["remedy"]))
    if found["nextAt"]:
        out.say(
            f"Next attempt: {cell(found['nextAt'])}" + (f", by {found['limitedBy']}." if found["limitedBy"] else ".")
        )
    _counts(out, found["counts"])
    if found["budgets"]:
        out.table(found["budgets"], ("rule", "limit", "used", "remaining", "freesAt"))
    if found["senders"]:
        out.table(found["senders"], ("username", "status", "reason", "limitedBy", "nextAt"))
    _projection(out, found["projection"])


def show_preflight(out: Output, found: Tree) -> None:
    out.say("Nothing stands in the way." if found["ok"] else "It cannot start as it is.")
    out.say(f"{found['targets']} targets.")
    for kind in ("blockers", "warnings"):
        for each in found[kind]:
            number = f" ({each['targets']} targets)" if each["targets"] else ""
            out.say(f"{kind[:-1]} {each['code']}{number}: {each['message']}", *_advice(found, each["remedy"]))
    _projection(out, found["projection"])


def show_stats(out: Output, found: Tree) -> None:
    _counts(out, found["funnel"])
    for name, words in (("skippedBy", "skipped"), ("failedBy", "failed")):
        if found[name]:
            out.say(f"{words}: " + ", ".join(f"{code} {number}" for code, number in found[name].items()))
    out.say(f"By {found['by']}, {found['timezone']}:")
    out.table(found["series"], ("at", "sent", "failed", "unknown", "replied"))
    out.table(found["senders"], ("senderUsername", "sent", "failed", "unknown", "replied"))
    out.table(found["steps"], ("step", "variant", "sent", "failed", "unknown", "replied", "optedOut"))


def _counts(out: Output, counts: Tree) -> None:
    some = [f"{state} {number}" for state, number in counts.items() if number]
    out.say(f"Targets: {', '.join(some) or 'none'}.")


def _projection(out: Output, found: Tree | None) -> None:
    if not found:
        return
    about = "about " if found["isEstimated"] else ""
    if found["messages"]:
        out.say(
            f"To send: {about}{found['messages']} messages, from {_when(found['firstSendAt'])}"
            f" to {_when(found['lastSendAt'])}."
        )
    if found["leftOver"]:
        out.say(f"{found['leftOver']} will not be written to before the schedule ends.")


def _when(moment: str | None) -> str:
    return cell(moment) or "a time that nobody knows"


def _advice(found: Tree, remedy: str | None) -> list[str]:
    """What to do, in the words of this command line."""
    return [f"  {_CALL.sub(_AS_COMMAND.format(found['campaignId']), remedy)}"] if remedy else []
