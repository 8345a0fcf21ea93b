"""HTTP/1.1 as a client speaks it: a request in one piece, and its answer read within fixed limits.

It dials nothing and knows no deadline; whoever asks calls `fail` when the time is over.
"""

import asyncio
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

MAX_READ_BYTES = 64 * 1024
# All that is read of an answer: heads, also those of 1xx, the body, sizes of chunks, trailers.
MAX_ANSWER_BYTES = 2 * MAX_READ_BYTES
MAX_HEADER_BYTES = 8 * 1024
MAX_HEADERS = 100
# Over TLS nobody tells what of a request is unsent. So much of it the buffers beneath take.
MAX_UNSEEN_BYTES = 64 * 1024


class InvalidAnswer(Exception):
    """What came is no answer of HTTP/1, is beyond the limits, or broke off."""


class Disconnected(Exception):
    """The connection ended before an answer."""


class AnswerReader:
    """Puts the answers of a connection together, from bytes as they come. The parser calls the methods `on_…`."""

    __slots__ = ("_head", "_headers", "_left", "_parser", "_reason", "_stopped", "body", "ended", "keeps", "status")

    def __init__(self) -> None:
        self._parser: HttpResponseParser = HttpResponseParser(self)
        # What browsers take too. One answer a request: there is none beside it to which a byte could be shifted.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )
        self.begin()

    def begin(self) -> None:
        """What comes now answers another request."""
        self._left: int = MAX_ANSWER_BYTES
        self._head: dict[bytes, bytes] = {}
        self._headers: int = 0
        self._reason: int = 0
        # What still comes of this answer is not wanted.
        self._stopped: bool = False
        self.status: int | None = None
        self.body: bytearray = bytearray()
        self.ended: bool = False
        # Whether the connection may carry another request.
        self.keeps: bool = False

    def header(self, name: bytes) -> str | None:
        """The first of that name, given in small letters; trailers are none."""
        value = self._head.get(name)
        return None if value is None else value.rstrip(b" \t").decode("utf-8", "replace")

    def feed(self, data: bytes) -> bool:
        """Take what came; whether the answer has ended with it."""
        if len(data) >= self._left:
            return self._feed_last(data[: self._left])
        self._left -= len(data)
        self._parse(data)
        self.ended = self.ended or self._stopped
        return self.ended

    def _feed_last(self, data: bytes) -> bool:
        """No more is read, whatever follows."""
        self._parse(data)
        if self.status is None:
            raise InvalidAnswer(f"no end of the headers within {MAX_ANSWER_BYTES} bytes")
        self.ended, self.keeps = True, False
        return True

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            return
        except HttpParserError as error:
            self.keeps = False
            if not (self.ended or self._stopped):
                raise InvalidAnswer(str(error.__context__ or error)) from None

    def feed_end(self) -> None:
        """The connection has ended, and with it the answer if nothing else tells its end."""
        if self.status is None:
            raise Disconnected
        if b"content-length" in self._head or self._is_chunked:
            raise InvalidAnswer("the connection ended within the answer")
        self.ended = True

    @property
    def _is_chunked(self) -> bool:
        return self._head.get(b"transfer-encoding", b"").rstrip().lower().endswith(b"chunked")

    def on_message_begin(self) -> None:
        if self.ended:
            raise InvalidAnswer("bytes after the end")

    def on_status(self, part: bytes) -> None:
        self._reason += len(part)
        if self._reason > MAX_HEADER_BYTES:
            raise InvalidAnswer(f"a first line of more than {MAX_HEADER_BYTES} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers += 1
        if self._headers > MAX_HEADERS:
            raise InvalidAnswer(f"more than {MAX_HEADERS} headers")
        if len(name) + len(value) > MAX_HEADER_BYTES:
            raise InvalidAnswer(f"a header of more than {MAX_HEADER_BYTES} bytes")
        if b"\0" in value:
            raise InvalidAnswer("a header with a zero byte")
        if self.status is None:
            self._head.setdefault(name.lower(), value)

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if 100 <= status < 200 and status != 101:
            self._head.clear()
            self._headers = self._reason = 0
            return
        self.status = status
        # Without a body, whatever the headers say. Nobody asked to change the protocol: 101 is an answer as any other.
        self._stopped = status in (101, 204, 304)

    def on_body(self, part: bytes) -> None:
        if self.status is None:
            return
        if self._stopped:
            raise InvalidAnswer("a body where none may be")
        self.body += part
        if len(self.body) >= MAX_READ_BYTES:
            self._stopped = True
        if len(self.body) > MAX_READ_BYTES:
            del self.body[MAX_READ_BYTES:]
            raise InvalidAnswer("more than is kept")

    def on_message_complete(self) -> None:
        if self.status is not None:
            self.ended = True
            self.keeps = self._parser.should_keep_alive() and self.status != 101


class Connection(asyncio.Protocol):
    """A connection that carries one request at a time, and the address at its other end."""

    def __init__(self) -> None:
        self.address: str | None = None
        self.idle_since: float = 0.0
        self._transport: asyncio.Transport | None = None
        self._is_tls: bool = False
        self._is_unseen: bool = False
        # What came before the first request: with some loops it may be there before this one's turn comes.
        self._early: bytes | None = b""
        self._reader: AnswerReader = AnswerReader()
        self._answered: asyncio.Future[AnswerReader] | None = None

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def ask(self, request: bytes) -> asyncio.Future[AnswerReader]:
        """Send. The answer, to be read before the next request; or Disconnected, InvalidAnswer, or what `fail` says."""
        self._reader.begin()
        self._is_unseen = self._is_tls and len(request) > MAX_UNSEEN_BYTES
        self._answered = answered = asyncio.get_running_loop().create_future()
        if self._transport is None or self._transport.is_closing():
            self.fail(Disconnected())
        else:
            self._transport.write(request)
            early, self._early = self._early, None
            if early:
                self.data_received(early)
        return answered

    def fail(self, error: Exception) -> None:
        """End what is on its way, and the connection with it."""
        answered, self._answered = self._answered, None
        if answered is not None and not answered.done():
            answered.set_exception(error)
        self.drop()

    def close(self) -> None:
        """End a connection on which nothing is on its way, as TLS wants it."""
        if self._transport is not None:
            self._transport.close()

    def drop(self) -> None:
        """End it now, with what is unsent: closed, it would wait for a receiver that may never read."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._is_tls = transport.get_extra_info("ssl_object") is not None
        peer = cast("tuple[object, ...] | None", transport.get_extra_info("peername"))
        self.address = str(peer[0]) if peer else None

    def data_received(self, data: bytes) -> None:
        if self._answered is None:
            if self._early is None:
                self.drop()
            else:
                self._early += data
            return
        try:
            if self._reader.feed(data):
                self._answer()
        except InvalidAnswer as error:
            self.fail(error)

    def eof_received(self) -> None:
        self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._end(exc)

    def _end(self, error: Exception | None) -> None:
        if self._answered is None:
            return
        try:
            self._reader.feed_end()
        except (Disconnected, InvalidAnswer) as found:
            found.__cause__ = error
            self.fail(found)
        else:
            self._answer()

    def _answer(self) -> None:
        answered, self._answered = self._answered, None
        if answered is not None and not answered.done():
            answered.set_result(self._reader)
        if not self._reader.keeps or self._may_be_unsent:
            self.drop()

    @property
    def _may_be_unsent(self) -> bool:
        return self._is_unseen or (self._transport is not None and self._transport.get_write_buffer_size() > 0)
