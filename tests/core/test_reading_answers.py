"""An answer of HTTP/1 means the same however its bytes arrive, and has an end."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iglayers.core.http1 import (
    MAX_ANSWER_BYTES,
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    MAX_READ_BYTES,
    AnswerReader,
    Disconnected,
    InvalidAnswer,
)

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
EMPTY = b"Content-Length: 0\r\n\r\n"
HINT = b"HTTP/1.1 103 Early Hints\r\nLocation: /hint\r\n\r\n"

# What came, and what it says: status, body, whether the connection may be used again.
WHOLE = {
    "a length": (OK + b"Content-Length: 2\r\n\r\nhi", (200, b"hi", True)),
    "no body": (OK + EMPTY, (200, b"", True)),
    "chunks": (CHUNKED + b"2\r\nhi\r\n3;ext=1\r\nabc\r\n0\r\nTrailer: x\r\n\r\n", (200, b"hiabc", True)),
    "until the end": (OK + b"\r\nhello", (200, b"hello", False)),
    "coded, but not in chunks": (OK + b"Transfer-Encoding: gzip\r\n\r\nhello", (200, b"hello", False)),
    "closing": (OK + b"Connection: close\r\n" + EMPTY, (200, b"", False)),
    "1.0": (b"HTTP/1.0 200 OK\r\n" + EMPTY, (200, b"", False)),
    "1.0 until the end": (b"HTTP/1.0 200 OK\r\n\r\nhello", (200, b"hello", False)),
    "1.0 that keeps": (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + EMPTY, (200, b"", True)),
    "no reason": (b"HTTP/1.1 200\r\n" + EMPTY, (200, b"", True)),
    "bare line feeds": (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", (200, b"hi", True)),
    "100 before": (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + EMPTY, (200, b"", True)),
    "hints before": (HINT * 3 + OK + EMPTY, (200, b"", True)),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"", True)),
    "304 with a length": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", (304, b"", True)),
    "204 with a body": (b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", (204, b"", False)),
    "101": (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n\x01\x02", (101, b"", False)),
    "another answer behind it": ((OK + b"Content-Length: 2\r\n\r\nhi") * 2, (200, b"hi", False)),
    "bytes behind it": (OK + b"Content-Length: 2\r\n\r\nhi and more", (200, b"hi", False)),
    "bytes behind a closing one": (OK + b"Connection: close\r\n" + EMPTY + b"more", (200, b"", False)),
    "as many headers as may be": (OK + b"X: y\r\n" * (MAX_HEADERS - 1) + EMPTY, (200, b"", True)),
    "a header as long as may be": (OK + b"X: " + b"y" * (MAX_HEADER_BYTES - 1) + b"\r\n" + EMPTY, (200, b"", True)),
    "as long as is kept": (
        OK + b"Content-Length: %d\r\n\r\n" % MAX_READ_BYTES + b"x" * MAX_READ_BYTES, (200, b"x" * MAX_READ_BYTES, True),
    ),
    "longer than is kept": (
        OK + b"Content-Length: 99999\r\n\r\n" + b"x" * 99_999, (200, b"x" * MAX_READ_BYTES, False),
    ),
    "an endless extension of a chunk": (CHUNKED + b"2;" + b"x" * MAX_ANSWER_BYTES, (200, b"", False)),
    "an endless trailer": (CHUNKED + b"0\r\nX: " + b"x" * MAX_ANSWER_BYTES, (200, b"", False)),
}  # fmt: skip
BROKEN = {
    "nonsense": (b"SSH-2.0-OpenSSH_9.9\r\n", InvalidAnswer),
    "TLS": (b"\x15\x03\x01\x00\x02\x02\x46", InvalidAnswer),
    "HTTP/3": (b"HTTP/3.0 200 OK\r\n" + EMPTY, InvalidAnswer),
    "a header without a colon": (OK + b"X\r\n" + EMPTY, InvalidAnswer),
    "a zero byte in a header": (OK + b"X: a\0b\r\n" + EMPTY, InvalidAnswer),
    "two lengths": (OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi", InvalidAnswer),
    "a length and chunks": (OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", InvalidAnswer),
    "a length that is none": (OK + b"Content-Length: -1\r\n\r\n", InvalidAnswer),
    "a chunk whose size is none": (CHUNKED + b"zz\r\nhi\r\n", InvalidAnswer),
    "less than promised": (OK + b"Content-Length: 10\r\n\r\nhalf", InvalidAnswer),
    "chunks that break off": (CHUNKED + b"5\r\nhal", InvalidAnswer),
    "chunks without an end": (CHUNKED + b"2\r\nhi\r\n", InvalidAnswer),
    "nothing": (b"", Disconnected),
    "half a head": (OK + b"Content-Le", Disconnected),
    "nothing but hints": (HINT, Disconnected),
    "too many headers": (OK + b"X: y\r\n" * MAX_HEADERS + EMPTY, InvalidAnswer),
    "too many trailers": (CHUNKED + b"0\r\n" + b"X: y\r\n" * MAX_HEADERS + b"\r\n", InvalidAnswer),
    "too long a header": (OK + b"X: " + b"y" * MAX_HEADER_BYTES + b"\r\n" + EMPTY, InvalidAnswer),
    "too long a name": (OK + b"X" * MAX_HEADER_BYTES + b": y\r\n" + EMPTY, InvalidAnswer),
    "too long a reason": (b"HTTP/1.1 200 " + b"x" * (MAX_HEADER_BYTES + 1) + b"\r\n" + EMPTY, InvalidAnswer),
    "an endless header": (OK + b"X: " + b"y" * MAX_ANSWER_BYTES, InvalidAnswer),
    "endless blanks before a value": (OK + b"X: " + b" " * MAX_ANSWER_BYTES, InvalidAnswer),
    "endless hints": (HINT * 3_000, InvalidAnswer),
}  # fmt: skip

Read = tuple[int | None, bytes, bool] | type[Exception]


def read(parts: Sequence[bytes], reader: AnswerReader | None = None) -> Read:
    """What a connection makes of parts that come one after the other, and of its end after them."""
    reader = reader or AnswerReader()
    left = list(parts)
    try:
        while left and not reader.feed(left.pop(0)):
            pass
        if not reader.ended:
            reader.feed_end()
    except (InvalidAnswer, Disconnected) as error:
        return type(error)
    return reader.status, bytes(reader.body), reader.keeps and not any(left)


@pytest.mark.parametrize("name", WHOLE)
def test_an_answer_is_read_to_its_end(name: str) -> None:
    raw, said = WHOLE[name]
    assert read([raw]) == said


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_answer_is_told_from_none(name: str) -> None:
    raw, error = BROKEN[name]
    assert read([raw]) == error


def cut(raw: bytes, places: Sequence[int]) -> list[bytes]:
    at = [0, *sorted({place % (len(raw) + 1) for place in places}), len(raw)]
    return [raw[begin:end] for begin, end in pairwise(at)]


@given(st.sampled_from(sorted(WHOLE) + sorted(BROKEN)), st.lists(st.integers(0, 200_000) | st.integers(0, 200)))
def test_it_is_the_same_however_its_bytes_arrive(name: str, places: list[int]) -> None:
    raw, said = (WHOLE | BROKEN)[name]
    assert read(cut(raw, places)) == said


@pytest.mark.parametrize("name", [name for name, (raw, _) in (WHOLE | BROKEN).items() if len(raw) < 1_000])
def test_it_is_the_same_a_byte_at_a_time(name: str) -> None:
    raw, said = (WHOLE | BROKEN)[name]
    assert read([raw[at : at + 1] for at in range(len(raw))]) == said


@given(st.data())
def test_any_answers_on_one_connection_are_told_apart(data: st.DataObject) -> None:
    reader = AnswerReader()
    for _ in range(data.draw(st.integers(1, 3))):
        status = data.draw(st.integers(200, 599) | st.sampled_from([204, 304]))
        body = b"" if status in (204, 304) else data.draw(st.binary(max_size=200))
        head = b"HTTP/1.1 %d Whatever\r\nRetry-After: %d\r\n" % (status, status)
        if status == 204:
            raw = head + b"\r\n"
        elif data.draw(st.booleans()):
            raw = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
        elif status == 304:
            raw = head + b"Content-Length: 77\r\n\r\n"
        else:
            size = data.draw(st.integers(1, 50))
            chunks = [body[at : at + size] for at in range(0, len(body), size)]
            framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
            raw = head + b"Transfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"
        hints = HINT * data.draw(st.integers(0, 2))
        reader.begin()
        assert read(cut(hints + raw, data.draw(st.lists(st.integers(0, 999)))), reader) == (status, body, True)
        assert (reader.header(b"retry-after"), reader.header(b"location")) == (str(status), None)


def test_the_first_of_a_header_counts_and_a_trailer_is_none() -> None:
    reader = AnswerReader()
    reader.feed(b"HTTP/1.1 302 Found\r\nLOCATION:  /a \t\r\nlocation: /b\r\nTransfer-Encoding: chunked\r\n\r\n")
    reader.feed(b"0\r\nRetry-After: 5\r\n\r\n")
    assert (reader.header(b"location"), reader.header(b"retry-after")) == ("/a", None)


def test_a_header_that_is_no_utf8_is_still_one() -> None:
    reader = AnswerReader()
    reader.feed(b"HTTP/1.1 302 Found\r\nLocation: /\xfc\r\n" + EMPTY)
    assert reader.header(b"location") == "/\ufffd"
