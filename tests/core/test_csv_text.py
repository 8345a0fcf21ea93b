"""CSV goes out so that no spreadsheet runs it, and comes in with every fault named by its line."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iglayers.core.csv_text import GUARD, MalformedRow, read_rows, safe_cell, write_rows
from iglayers.core.errors import Invalid


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", " =1", "\u00a0=1",
     "\u200b=1", "\ufeff-1", "＝1", "＋1", "－1", "＠x", "﹢1"],
)  # fmt: skip
def test_what_a_spreadsheet_would_run_is_neutralised(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "Jane", "a=1", "1-2", "_x", "Ángel", "👩‍👩‍👧", '"=1"', "'=1", " x"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert safe_cell(text) == text


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), min_size=1))
def test_reading_back_gives_the_original_or_the_original_behind_the_guard(rows: list[list[str]]) -> None:
    rows = [[cell.replace("\x00", "").encode("utf-8", "ignore").decode() for cell in row] for row in rows]
    read = list(csv.reader(io.StringIO(write_rows(rows).decode(), newline=""), strict=True))
    assert [[cell.removeprefix(GUARD) for cell in row] for row in read] == [
        [cell.removeprefix(GUARD) for cell in row] for row in rows
    ]
    assert all(not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for row in read for cell in row)


def test_rows_are_written_by_rfc_4180() -> None:
    assert write_rows([["a,b", 'say "hi"', "two\nlines", None, 12, -3]]) == (
        b'"a,b","say ""hi""","two\nlines",,12,-3\r\n'
    )


def told(data: bytes) -> list[tuple[int, list[str] | str]]:
    sheet = read_rows(data)
    assert sheet.header == ["name", "note"]
    return [(line, cells.message if isinstance(cells, MalformedRow) else cells) for line, cells in sheet.rows]


@pytest.mark.parametrize(
    "data",
    [
        b"name,note\na,b\n",
        b"\xef\xbb\xbfname,note\r\na,b\r\n",
        b"name,note\ra,b\r",
        b"name;note\na;b\n",
        b"name\tnote\na\tb",
        b' name , note ,,\n"a","b",,\n',
    ],
)
def test_files_as_programs_save_them_are_read(data: bytes) -> None:
    assert told(data) == [(2, ["a", "b"])]


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    data = b'\nname,note\n\n"a\nb",c\n,,\nd,"=SUM(A1)"\n'
    assert told(data) == [(4, ["a\nb", "c"]), (7, ["d", "=SUM(A1)"])]


def test_ragged_rows_are_refused_with_their_line() -> None:
    assert told(b"name,note\na\na,b,c\nd,e\n") == [
        (2, "Line 2 has 1 cells, the header has 2."),
        (3, "Line 3 has 3 cells, the header has 2."),
        (4, ["d", "e"]),
    ]


def test_a_byte_that_is_not_utf8_is_refused_with_its_line() -> None:
    assert told(b"name,note\na,b\nJos\xe9,c\nJos\xc3\xa9,d\n") == [
        (2, ["a", "b"]),
        (3, "Line 3: the byte 0xE9 is not UTF-8."),
        (4, ["José", "d"]),
    ]


def test_text_behind_a_quote_is_refused_and_the_rest_read() -> None:
    assert told(b'name,note\n"a"x,b\nc,d\n') == [
        (2, "Line 2: text stands after a closing quote."),
        (3, ["c", "d"]),
    ]


def test_a_cell_of_a_megabyte_is_refused_and_the_rest_read() -> None:
    assert told(b"name,note\n" + b"a" * 1_000_000 + b",b\nc,d\n") == [
        (2, "Line 2: a cell is longer than 131,072 characters."),
        (3, ["c", "d"]),
    ]


@pytest.mark.parametrize("lines", [3, 50_000])
def test_a_quote_that_is_never_closed_ends_the_reading(lines: int) -> None:
    found = told(b'name,note\na,b\nc,"d\n' + b"e,f\n" * lines)
    assert found == [(2, ["a", "b"]), (3, "Line 3: a quote is opened and not closed; nothing after it was read.")]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"\xff\xfen\x00", "UTF-16"),
        ("name\nann\n".encode("utf-16-le"), "UTF-16"),
        ("name\nann\n".encode("utf-16-be"), "UTF-16"),
        (b"name,name\n", "stands there twice"),
        (b"name,,note\n", "no name"),
        (b"\xe9,note\n", "not UTF-8"),
    ],
)
def test_a_header_that_cannot_be_used_refuses_the_file(data: bytes, reason: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_rows(data)
    assert reason in refused.value.message
    assert refused.value.param == "body"
