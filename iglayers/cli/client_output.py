"""What client commands print: tables and progress for people, JSON for programs.

Names and texts come from strangers, so nothing in them may steer a terminal.
"""

import json
import re
import sys
import unicodedata
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TextIO, cast

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Column, Table
from rich.text import Text

# What a terminal shows of a list where no number is asked for.
SHOWN = 50
# Of a table's column: a line and a blank on both sides. Words beyond _LONG_WORD, such as addresses, are broken.
_FRAME = 3
_LONG_WORD = 40
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z")


class Bar(Protocol):
    """How far long work is."""

    def __call__(self, done: int, total: int | None, words: str = "") -> None: ...


class Output:
    """Standard output as this command should use it; `is_table` is for people, anything else is JSON."""

    def __init__(self, *, as_json: bool, stream: TextIO | None = None, is_table: bool | None = None) -> None:
        self._stream: TextIO = stream or sys.stdout
        self.is_table: bool = (self._stream.isatty() if is_table is None else is_table) and not as_json

    def most(self, limit: int | None) -> int | None:
        """How many to ask for: on a terminal one more than is shown, so that it can say that there are more."""
        return (limit or SHOWN) + 1 if self.is_table else limit

    def items(self, found: Iterable[dict[str, Any]], columns: Sequence[str], *, limit: int | None) -> None:
        """A list of at most `most(limit)`: for people some of its fields, for programs all, as they come in."""
        if not self.is_table:
            self._array(found)
            return
        most = limit or SHOWN
        shown = list(found)
        if not shown:
            note("There is none.")
            return
        self.table(shown[:most], columns)
        if len(shown) > most:
            note(f"There are more than these {most}; --limit shows as many as you ask for.")

    def one(self, tree: Mapping[str, Any], *, leave_out: Sequence[str] = ()) -> None:
        """One object: its fields below each other."""
        if not self.is_table:
            self._line(json.dumps(tree, ensure_ascii=False, indent=2))
            return
        self._print(_fields((name, item) for name, item in tree.items() if name not in leave_out))

    def table(self, rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
        """Rows by column, for people; a column may lead into an object: `budget.daily.sent`.

        Where the terminal is too narrow to keep words whole, each row is shown as one object is.
        """
        shown = [{_last(name): cell(_field(row, name)) for name in columns} for row in rows]
        console = Console(file=self._stream, highlight=False)
        names = [_last(name) for name in columns]
        widths = _widths([names, *(list(row.values()) for row in shown)], room=console.width)
        if widths is None:
            for row in shown:
                console.print(_fields(row.items()))
                self._line("")
            return
        drawn = Table()
        for name, width in zip(names, widths, strict=True):
            drawn.add_column(name, overflow="fold", width=width)
        for row in shown:
            drawn.add_row(*(Text(text) for text in row.values()))
        console.print(drawn)

    def say(self, *lines: str) -> None:
        """Sentences for people."""
        for line in lines:
            self._line(printable(line))

    def _array(self, found: Iterable[object]) -> None:
        before = "["
        for each in found:
            self._stream.write(f"{before}\n{json.dumps(each, ensure_ascii=False)}")
            before = ","
        self._line("[]" if before == "[" else "\n]")

    def _line(self, text: str) -> None:
        self._stream.write(text + "\n")

    def _print(self, table: Table) -> None:
        Console(file=self._stream, highlight=False).print(table)


def _fields(items: Iterable[tuple[str, object]]) -> Table:
    """Name and value of each field that says something, below each other."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, item in items:
        if item not in (None, "", [], {}):
            table.add_row(Text(name, style="bold"), Text(cell(item), overflow="fold"))
    return table


def _widths(rows: Sequence[Sequence[str]], *, room: int) -> list[int] | None:
    """How wide each column is, so that words stay whole; None where there is no room for that."""
    columns = list(zip(*rows, strict=True))
    widths = [max(map(_longest_word, column)) for column in columns]
    whole = [max(map(cell_len, column)) for column in columns]
    spare = room - sum(widths) - _FRAME * len(widths) - 1
    if spare < 0:
        return None
    for _ in range(min(spare, sum(whole) - sum(widths))):
        neediest = max(range(len(widths)), key=lambda at: whole[at] - widths[at])
        widths[neediest] += 1
    return widths


def _longest_word(text: str) -> int:
    return min(max(map(cell_len, text.split()), default=0), _LONG_WORD)


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def note(text: str) -> None:
    """A sentence beside the output, on standard error."""
    print(printable(text), file=sys.stderr)


@contextmanager
def progress(words: str) -> Generator[Bar]:
    """A bar on standard error where that is a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield _no_bar
        return
    words_in_one_line = Column(no_wrap=True, overflow="ellipsis", ratio=1)
    parts = (
        BarColumn(20), TaskProgressColumn(), TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False, table_column=words_in_one_line),
    )  # fmt: skip
    with Progress(*parts, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(words, total=None)

        def move(done: int, total: int | None, words: str = words) -> None:
            shown.update(task, completed=done, total=total, description=printable(words))

        yield move


def _no_bar(done: int, total: int | None, words: str = "") -> None:
    pass


def cell(item: object) -> str:
    """A value as a person reads it."""
    match item:
        case None:
            return ""
        case bool():
            return "yes" if item else "no"
        case str():
            return printable(_MOMENT.sub(r"\1 \2Z", item))
        case list() if all(isinstance(each, str) for each in cast("list[object]", item)):
            return printable(", ".join(cast("list[str]", item)))
        case list() | dict():
            return printable(json.dumps(item, ensure_ascii=False))
        case _:
            return str(item)


def printable(text: str) -> str:
    """`text` without what steers a terminal or turns the direction of writing; lines stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        sign if sign == "\n" or unicodedata.category(sign) not in ("Cc", "Cf", "Cs") else "�" for sign in text
    )


def _field(tree: Mapping[str, Any], name: str) -> object:
    found: object = tree
    for part in name.split("."):
        found = cast("dict[str, object]", found).get(part) if isinstance(found, dict) else None
    return found
