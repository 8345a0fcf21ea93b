"""Fields of a campaign as one writes them on a command line. Pure; whether they can be is for the server to say."""

import re
from typing import Any

import typer

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WINDOW = re.compile(r"([a-z,\s-]+?)\s+(\d\d:\d\d)\s*-\s*(\d\d:\d\d)")


def schedule(
    windows: list[str], timezone: str | None, start_at: str | None, end_at: str | None
) -> dict[str, Any] | None:
    """The schedule that the options describe; None without any of them."""
    given = {
        "timezone": timezone, "windows": [window(each) for each in windows], "startAt": start_at, "endAt": end_at,
    }  # fmt: skip
    return {name: item for name, item in given.items() if item} or None


def window(text: str) -> dict[str, Any]:
    """`mon-fri 09:00-18:00` or `sat,sun 10:00-14:00`."""
    found = _WINDOW.fullmatch(text.strip().lower())
    if found is None:
        raise typer.BadParameter(f"{text!r} is not like 'mon-fri 09:00-18:00'.", param_hint="--window")
    days = [day for part in found[1].split(",") for day in _span(part.strip())]
    return {"days": days, "from": found[2], "to": found[3]}


def follow_up(text: str) -> dict[str, Any]:
    """`tpl_…:48`: which template, and after how many hours."""
    template, _, hours = text.rpartition(":")
    if not (template and hours.isascii() and hours.isdigit()):
        raise typer.BadParameter(f"{text!r} is not like tpl_01890a5d…:48.", param_hint="--follow-up")
    return {"messageTemplateId": template, "delayHours": int(hours)}


def _span(part: str) -> list[str]:
    first, _, last = (each.strip() for each in part.partition("-"))
    for day in (first, last or first):
        if day not in _DAYS:
            raise typer.BadParameter(f"{day!r} is none of {', '.join(_DAYS)}.", param_hint="--window")
    begin, end = _DAYS.index(first), _DAYS.index(last or first)
    if begin > end:
        end += len(_DAYS)  # fri-mon goes over the end of the week
    return [_DAYS[index % len(_DAYS)] for index in range(begin, end + 1)]
