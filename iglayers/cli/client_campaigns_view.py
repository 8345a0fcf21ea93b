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
    if found["messages"] and not found["firstSendAt"]:
        out.say(f"To send: {about}{found['messages']} messages, and none of them can go as it stands.")
    elif found["messages"]:
        last = cell(found["lastSendAt"])
        out.say(
            f"To send: {about}{found['messages']} messages, the first at {cell(found['firstSendAt'])}, "
            + (f"the last at {last}." if last else "the last at a time that cannot be foreseen.")
        )
        if found["leftOver"]:
            out.say(f"{found['leftOver']} of them find no time before the schedule ends, or no sender.")


def _advice(found: Tree, remedy: str | None) -> list[str]:
    """What to do, in the words of this command line."""
    return [f"  {_CALL.sub(_AS_COMMAND.format(found['campaignId']), remedy)}"] if remedy else []
