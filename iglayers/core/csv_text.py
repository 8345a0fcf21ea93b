"""CSV in and out: RFC 4180, UTF-8, cells that no spreadsheet runs, and every refusal with its line.

Reading bounds a cell at 131,072 characters (the csv module's own limit) and never guesses an encoding.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import chain
from typing import BinaryIO, NamedTuple

from iglayers.core.errors import Invalid

MEDIA_TYPE = "text/csv"

GUARD = "'"
_PLAIN_START = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_RUNS = ("=", "+", "-", "@", "\t", "\r", "\n")
# Blanks and characters that are not seen: what follows them is what a spreadsheet may take for the start.
_BLANK = re.compile("[\\s\x00\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]*")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_BOM = b"\xef\xbb\xbf"
_DELIMITERS = (",", ";", "\t")
_BAD_BYTES = re.compile("[\udc80-\udcff]")


class MalformedRow(Invalid):
    """One row of a CSV text that cannot be read; it stands in the place of the row's cells."""

    code = "invalid_field"
    remedy = "Correct this line of the file and send it again."


class LostRow(MalformedRow):
    """A malformed row behind which nobody can tell where the next one begins; it is the last."""


class Head(NamedTuple):
    """What the beginning of a file tells of the rest: read on at this byte and this line."""

    header: list[str]
    delimiter: str
    bytes_read: int
    next_line: int


class Part(NamedTuple):
    """Rows from the middle of a file, each with the line on which it begins, and where to read on."""

    rows: list[tuple[int, list[str] | MalformedRow]]
    bytes_read: int
    next_line: int


class Sheet(NamedTuple):
    """A header, and the rows below it with the number of the line on which each begins.

    Cells come as many as the header has, as they stand in the file. Empty lines are left out.
    """

    header: list[str]
    rows: Iterator[tuple[int, list[str] | MalformedRow]]


def safe_cell(text: str) -> str:
    """`text`, with an apostrophe before it if a spreadsheet would run it as a formula."""
    if not text or text[0] in _PLAIN_START:
        return text
    blank = _BLANK.match(text)
    seen = text[blank.end() if blank else 0 :][:1]
    if text.startswith(_RUNS) or unicodedata.normalize("NFKC", seen).startswith(_RUNS):
        return GUARD + text
    return text


def write_rows(rows: Iterable[Sequence[object]]) -> bytes:
    """Rows as CSV with CRLF. Texts are made safe; None is an empty cell; anything else is written as its str."""
    written = io.StringIO()
    csv.writer(written).writerows([safe_cell(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return written.getvalue().encode()


def read_rows(data: bytes) -> Sheet:
    """The rows of a CSV text in memory; Invalid when its header cannot be used."""
    return read_file(io.BytesIO(data))


def read_file(file: BinaryIO) -> Sheet:
    """The rows of a CSV file, read as they are asked for; Invalid when its header cannot be used.

    Cells are separated by what separates the header's: a comma, a semicolon or a tab.
    """
    start = file.read(2)
    _refuse_utf16(start)
    file.seek(-len(start), io.SEEK_CUR)
    # Bytes that are not UTF-8 become half surrogates, so that the line that holds them can be named.
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    first = text.readline()
    found = _records(chain([first] if first else [], text), delimiter=_delimiter(first))
    header = _first_record(found)
    return Sheet(header, _fitting(found, len(header)))


def read_head(piece: bytes, *, is_last: bool) -> Head:
    """The header of a file that is read piece by piece, from its first piece; Invalid when it cannot be used."""
    _refuse_utf16(piece[:2])
    skipped = len(_BOM) if piece.startswith(_BOM) else 0
    lines = _Lines(piece[skipped:], is_last=is_last)
    try:
        first = next(lines, "")
        delimiter = _delimiter(first)
        found = _records(chain([first] if first else [], lines), delimiter=delimiter)
        header = _first_record(found)
    except _PieceEnds:
        raise Invalid(
            f"The header does not end within {len(piece):,} bytes.", param="body",
            remedy="The first line must name the columns.",
        ) from None  # fmt: skip
    return Head(header, delimiter, skipped + lines.bytes_read, lines.count + 1)


def read_part(piece: bytes, head: Head, *, most: int, is_last: bool) -> Part:
    """Up to `most` rows of a piece that begins where `head` says; a row that the piece cuts off is left for the next.

    Nothing is read when not even one row ends in the piece: it takes a longer one.
    """
    lines = _Lines(piece, is_last=is_last)
    rows: list[tuple[int, list[str] | MalformedRow]] = []
    width, bytes_read, count = len(head.header), 0, 0
    try:
        for line, cells in _records(lines, delimiter=head.delimiter, line=head.next_line):
            bytes_read, count = lines.bytes_read, lines.count
            if fitting := _fit(line, cells, width):
                rows.append((line, fitting))
            if len(rows) == most:
                break
    except _PieceEnds:
        pass
    return Part(rows, bytes_read, head.next_line + count)


class _PieceEnds(Exception):
    """The piece ends inside a line, or inside a row of several lines."""


class _Lines(Iterator[str]):
    """The lines of a piece, with how many of them and of its bytes were given out."""

    def __init__(self, piece: bytes, *, is_last: bool) -> None:
        self._text: io.TextIOWrapper = io.TextIOWrapper(
            io.BytesIO(piece), encoding="utf-8", errors="surrogateescape", newline=""
        )
        self._size: int = len(piece)
        self._is_last: bool = is_last
        self.bytes_read: int = 0
        self.count: int = 0

    def __next__(self) -> str:
        line = self._text.readline()
        end = self.bytes_read + (len(line) if line.isascii() else len(line.encode("utf-8", "surrogateescape")))
        # A lone CR at the end of the piece may be half of a CRLF.
        if not self._is_last and end == self._size and not (line and line.endswith("\n")):
            raise _PieceEnds
        if not line:
            raise StopIteration
        self.bytes_read = end
        self.count += 1
        return line


def _refuse_utf16(start: bytes) -> None:
    # With or without its mark: no header begins with a NUL, or with one letter and a NUL.
    if start in _UTF16 or 0 in start:
        raise Invalid("The file is UTF-16.", param="body", remedy="Save it as “CSV UTF-8” and send it again.")


def _delimiter(first: str) -> str:
    return next((each for each in _DELIMITERS if each in first), ",")


def _first_record(found: Iterable[tuple[int, list[str] | MalformedRow]]) -> list[str]:
    for line, cells in found:
        if isinstance(cells, MalformedRow):
            raise cells
        if any(cells):
            return _header(cells, line)
    raise Invalid("The file is empty.", param="body", remedy="The first line must name the columns.")


def _records(lines: Iterator[str], *, delimiter: str, line: int = 1) -> Generator[tuple[int, list[str] | MalformedRow]]:
    """Every record with its first line, empty ones too; `line` is the number of the first."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        begins = line + reader.line_num
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            ended = _is_lost(error, lines=line + reader.line_num - begins)
            yield begins, _malformed(begins, error, ended=ended)
            if ended:
                return
            continue
        yield begins, _bad_encoding(begins, cells) or cells


def _is_lost(error: csv.Error, *, lines: int) -> bool:
    """Whether it is unknown where the next row begins: a quote was opened and not closed."""
    return "unexpected end" in str(error) or ("field larger" in str(error) and lines > 1)


def _malformed(line: int, error: csv.Error, *, ended: bool) -> MalformedRow:
    if ended:
        return LostRow(f"Line {line}: a quote is opened and not closed; nothing after it was read.", param="body")
    if "field larger" in str(error):
        return MalformedRow(f"Line {line}: a cell is longer than {csv.field_size_limit():,} characters.", param="body")
    return MalformedRow(f"Line {line}: text stands after a closing quote.", param="body")


def _bad_encoding(line: int, cells: list[str]) -> MalformedRow | None:
    joined = "".join(cells)
    if joined.isascii() or not (found := _BAD_BYTES.search(joined)):
        return None
    byte = ord(found[0]) - 0xDC00
    return MalformedRow(
        f"Line {line}: the byte 0x{byte:02X} is not UTF-8.", param="body", remedy="Save the file as “CSV UTF-8”."
    )


def _header(cells: list[str], line: int) -> list[str]:
    header = [cell.strip() for cell in cells]
    while header and not header[-1]:
        header.pop()
    for name in header:
        if not name:
            raise Invalid(f"Line {line}: a column has no name.", param="body")
        if header.count(name) > 1:
            raise Invalid(f"Line {line}: the column {name[:64]} stands there twice.", param="body")
    return header


def _fitting(
    records: Iterable[tuple[int, list[str] | MalformedRow]], width: int
) -> Generator[tuple[int, list[str] | MalformedRow]]:
    for line, cells in records:
        if fitting := _fit(line, cells, width):
            yield line, fitting


def _fit(line: int, cells: list[str] | MalformedRow, width: int) -> list[str] | MalformedRow | None:
    """The cells of one record, as many as the header has; None for an empty line."""
    if isinstance(cells, MalformedRow):
        return cells
    if not any(cells):
        return None
    if len(cells) == width:
        return cells
    if len(cells) > width and not any(cells[width:]):
        return cells[:width]
    return MalformedRow(f"Line {line} has {len(cells)} cells, the header has {width}.", param="body")
