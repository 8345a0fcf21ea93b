"""CSV in and out: RFC 4180, UTF-8, cells that no spreadsheet runs, and every refusal with its line.

Reading bounds a cell at 131,072 characters (the csv module's own limit) and never guesses an encoding.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import BinaryIO, NamedTuple

from iglayers.core.errors import Invalid

MEDIA_TYPE = "text/csv"

GUARD = "'"
_PLAIN_START = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_RUNS = ("=", "+", "-", "@", "\t", "\r", "\n")
# Blanks and characters that are not seen: what follows them is what a spreadsheet may take for the start.
_BLANK = re.compile("[\\s\x00\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]*")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_DELIMITERS = (",", ";", "\t")
_BAD_BYTES = re.compile("[\udc80-\udcff]")


class MalformedRow(Invalid):
    """One row of a CSV text that cannot be read; it stands in the place of the row's cells."""

    code = "invalid_field"
    remedy = "Correct this line of the file and send it again."


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
    if start in _UTF16:
        raise Invalid("The file is UTF-16.", param="body", remedy="Save it as “CSV UTF-8” and send it again.")
    file.seek(-len(start), io.SEEK_CUR)
    # Bytes that are not UTF-8 become half surrogates, so that the line that holds them can be named.
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    records = _records(text)
    for line, cells in records:
        if isinstance(cells, MalformedRow):
            raise cells
        header = _header(cells, line)
        return Sheet(header, _fitting(records, len(header)))
    raise Invalid("The file is empty.", param="body", remedy="The first line must name the columns.")


def _records(text: io.TextIOWrapper) -> Generator[tuple[int, list[str] | MalformedRow]]:
    first = text.readline()
    delimiter = next((each for each in _DELIMITERS if each in first), ",")
    reader = csv.reader(_chain(first, text), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            ended = _is_lost(error, lines=reader.line_num - line + 1)
            yield line, _malformed(line, error, ended=ended)
            if ended:
                return
            continue
        if any(cells):
            yield line, _bad_encoding(line, cells) or cells


def _chain(first: str, rest: Iterable[str]) -> Iterator[str]:
    if first:
        yield first
    yield from rest


def _is_lost(error: csv.Error, *, lines: int) -> bool:
    """Whether it is unknown where the next row begins: a quote was opened and not closed."""
    return "unexpected end" in str(error) or ("field larger" in str(error) and lines > 1)


def _malformed(line: int, error: csv.Error, *, ended: bool) -> MalformedRow:
    if ended:
        return MalformedRow(f"Line {line}: a quote is opened and not closed; nothing after it was read.", param="body")
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
        if isinstance(cells, MalformedRow) or len(cells) == width:
            yield line, cells
        elif len(cells) > width and not any(cells[width:]):
            yield line, cells[:width]
        else:
            yield line, MalformedRow(f"Line {line} has {len(cells)} cells, the header has {width}.", param="body")
