"""A form with a file, taken apart while it comes in: texts and a short file stay in memory, a longer file goes on."""

from typing import Protocol

from multipart import MultipartError, MultipartSegment, PushMultipartParser

from iglayers.accounts.model import Scope
from iglayers.core.errors import Invalid, PayloadTooLarge
from iglayers.dashboard.forms import MOST_FIELDS, Form, boundary
from iglayers.dashboard.request import PageRequest


class LongFile(Protocol):
    """Where a file goes that is too long for memory. `begin` comes once, after the form's token was checked."""

    async def begin(self) -> None: ...

    async def take(self, part: bytes) -> None: ...


async def read_form_with_file(
    request: PageRequest, needs: Scope, *, kept: int, most: int, within_s: float, long_file: LongFile
) -> Form:
    """The form, by somebody who has the scope `needs`; at most `kept` bytes of it stay in memory.

    The token must stand before the file, as it does in every form of ours.
    """
    request.caller.needs(needs)
    arriving = _Arriving(request, kept=kept, long_file=long_file)
    try:
        await request.stream_body(arriving.take, most=most, within_s=within_s)
        arriving.close()
    except (ValueError, MultipartError):
        raise Invalid("The form cannot be read.", param="body") from None
    return request.admit(arriving.form())


class _Arriving:
    """The parts of the form that are here, and the one that is coming in."""

    def __init__(self, request: PageRequest, *, kept: int, long_file: LongFile) -> None:
        self._request: PageRequest = request
        self._kept: int = kept
        self._long_file: LongFile = long_file
        self._parser: PushMultipartParser = PushMultipartParser(
            boundary(request.headers.get("content-type", "")), max_segment_count=MOST_FIELDS
        )
        self._pairs: list[tuple[str, str]] = []
        self._files: dict[str, bytes] = {}
        self._now: MultipartSegment | None = None
        self._buffer: bytearray = bytearray()
        self._size: int = 0
        self._goes_on: bool = False

    async def take(self, part: bytes) -> None:
        if not part:
            return
        for event in self._parser.parse(part):
            if isinstance(event, MultipartSegment):
                self._now = event
            elif event is None:
                self._end()
            else:
                await self._add(bytes(event))

    async def _add(self, data: bytes) -> None:
        assert self._now is not None
        is_file = self._now.filename is not None
        if is_file and self._goes_on:
            await self._long_file.take(data)
            return
        self._buffer += data
        self._size += len(data)
        if self._size <= self._kept:
            return
        if not is_file:
            raise PayloadTooLarge(f"The form is over {self._kept} bytes without its file.")
        self._request.admit(self.form())
        await self._long_file.begin()
        await self._long_file.take(bytes(self._buffer))
        self._buffer.clear()
        self._goes_on = True

    def _end(self) -> None:
        assert self._now is not None
        if self._now.filename is None:
            self._pairs.append((str(self._now.name), self._buffer.decode()))
        elif not self._goes_on:
            self._files[str(self._now.name)] = bytes(self._buffer)
        self._buffer.clear()
        self._now = None

    def form(self) -> Form:
        return Form.made(self._pairs, self._files)

    def close(self) -> None:
        """Refuse a form that ended early."""
        self._parser.close()
