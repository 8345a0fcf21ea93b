"""docs/settings.md tells of every setting, with the default that it has, and of no other."""

import re
from pathlib import Path

import msgspec
import pytest

from iglayers.core.config import Settings
from tests.house.source import ROOT, report

_ROW = re.compile(r"^\| `IGLAYERS_(\w+)` \| (.+?) \| (.+) \|$", re.MULTILINE)


def wrong_rows(page: str) -> list[str]:
    told = {name.lower(): default for name, default, _ in _ROW.findall(page)}
    fields = {field.name: field for field in msgspec.structs.fields(Settings)}
    found = [f"{name}: not told of" for name in fields.keys() - told.keys()]
    found += [f"{name}: no setting" for name in told.keys() - fields.keys()]
    found += [
        f"{name}: its default is {shown(field.default)}, not {told[name]}"
        for name, field in fields.items()
        if name in told and not field.required and shown(field.default) != told[name]
    ]
    return sorted(found)


def shown(default: object) -> str:
    match default:
        case None:
            return "not set"
        case bool():
            return f"`{str(default).lower()}`"
        case float():
            return f"`{default:g}`"
        case _:
            return f"`{default}`"


def test_settings_are_documented() -> None:
    found = wrong_rows((ROOT / "docs" / "settings.md").read_text(encoding="utf-8"))
    assert not found, report("docs/settings.md differs from iglayers/core/config.py:", found)


@pytest.mark.parametrize(
    ("row", "instead", "finding"),
    [
        ("| `IGLAYERS_PORT` | `3000` | Port |", "", "port: not told of"),
        ("| `IGLAYERS_PORT` | `3000` | Port |", "| `IGLAYERS_PROT` | `3000` | Port |", "prot: no setting"),
        ("`3000`", "`8080`", "port: its default is `3000`, not `8080`"),
    ],
)
def test_the_rule_sees_a_difference(row: str, instead: str, finding: str) -> None:
    page = re.sub(
        r"\| `IGLAYERS_PORT` .*", "| `IGLAYERS_PORT` | `3000` | Port |", Path(ROOT, "docs/settings.md").read_text()
    )
    assert wrong_rows(page) == []
    assert finding in wrong_rows(page.replace(row, instead))
