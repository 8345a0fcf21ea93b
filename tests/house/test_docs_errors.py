"""docs/errors.md lists every code that an answer can have, with its status, and none that does not exist."""

import importlib
import pkgutil
import re
from collections.abc import Iterator

import iglayers
from iglayers.core.errors import Error
from iglayers.web.problems import Bug, MethodNotAllowed, status_of
from tests.house.source import ROOT, report

_ANSWER = re.compile(r"^\| `(\w+)` \| (\d{3}) \|", re.MULTILINE)


def kinds(parent: type[Error] = Error) -> Iterator[type[Error]]:
    for kind in parent.__subclasses__():
        yield kind
        yield from kinds(kind)


def raised() -> dict[str, int]:
    """Every code that the package can answer with, and its status."""
    for module in pkgutil.walk_packages(iglayers.__path__, "iglayers."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    own = {kind for kind in kinds() if kind.__module__.startswith("iglayers.")}
    outside_the_table: dict[type[Error], int] = {MethodNotAllowed: 405, Bug: 500}
    return {
        kind.code: outside_the_table[kind] if kind in outside_the_table else status_of(kind.__new__(kind))
        for kind in own
    }


def test_every_code_is_told_with_its_status() -> None:
    told = {code: int(status) for code, status in _ANSWER.findall((ROOT / "docs/errors.md").read_text("utf-8"))}
    codes = raised()
    found = sorted(
        f"{code}: {codes.get(code)} in the code, {told.get(code)} told" for code, _ in told.items() ^ codes.items()
    )
    assert not found, report("docs/errors.md and the code differ:", found)
