"""The guides of docs/ that the product shows itself, and the table of codes that stands in one of them.

`pages/` has links to them, in whose place a wheel carries the files.
"""

import re
from functools import cache
from pathlib import Path

import msgspec

_PAGES = Path(__file__).with_name("pages")
_ROW = re.compile(r"^\| `(\w+)` \| (\d{3}) \| (.+?) \| (.+?) \|$", re.MULTILINE)


class Code(msgspec.Struct, frozen=True):
    """A code of refusal, its status, when it is answered and what to do."""

    name: str
    status: int
    when: str
    remedy: str


@cache
def guide(name: str) -> str:
    return (_PAGES / f"{name}.md").read_text(encoding="utf-8")


@cache
def codes() -> dict[str, Code]:
    """Every code that a call can be answered with, in the order of docs/errors.md."""
    return {name: Code(name, int(status), when, remedy) for name, status, when, remedy in _ROW.findall(guide("errors"))}
