"""A file read in parts gives the rows and lines of the whole, wherever a piece ends."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from iglayers.core.csv_text import Head, LostRow, MalformedRow, read_head, read_part, read_rows
from iglayers.core.errors import Invalid

HEADER = b"name,city\r\n"
CELL = st.text('ab,"\r\n;é€😀\x00 ', max_size=12).map(str.encode) | st.sampled_from([b"\xff", b"\xc3", b'"a\nb"', b""])
FILE = st.lists(CELL, max_size=30).map(b",".join) | st.lists(CELL, max_size=30).map(b"\n".join)

Rows = list[tuple[int, list[str] | str]]


def shown(rows: list[tuple[int, list[str] | MalformedRow]]) -> Rows:
    return [(line, cells.message if isinstance(cells, MalformedRow) else cells) for line, cells in rows]


def in_parts(data: bytes, *, window: int, most: int) -> Rows:
    head = read_head(data[:64], is_last=len(data) <= 64)
    found: Rows = []
    at, line, size = head.bytes_read, head.next_line, window
    while at < len(data):
        part = read_part(
            data[at : at + size],
            Head(head.header, head.delimiter, at, line),
            most=most,
            is_last=at + size >= len(data),
        )
        found += shown(part.rows)
        if part.rows and isinstance(part.rows[-1][1], LostRow):
            break
        size = window if part.bytes_read else size * 2
        at, line = at + part.bytes_read, part.next_line
    return found


@given(body=FILE, window=st.integers(1, 40), most=st.integers(1, 4), mark=st.sampled_from([b"", b"\xef\xbb\xbf"]))
@example(body=b'a,"\r\n"\r\nb,c\r\n', window=5, most=1, mark=b"")
@example(body=b"a,b\rc,d\r\n\r\ne,f", window=4, most=1, mark=b"\xef\xbb\xbf")
def test_parts_are_the_whole(body: bytes, window: int, most: int, mark: bytes) -> None:
    data = mark + HEADER + body
    sheet = read_rows(data)
    assert in_parts(data, window=window, most=most) == shown(list(sheet.rows))


def test_a_header_that_does_not_end_is_refused() -> None:
    with pytest.raises(Invalid, match="does not end within 9 bytes"):
        read_head(b"name,city", is_last=False)
    assert read_head(b"name,city", is_last=True).header == ["name", "city"]
