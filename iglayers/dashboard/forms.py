"""Fields and files of a form as a browser sends them, what was wrong with them, and structs made of them."""

from collections.abc import Iterable
from datetime import datetime
from email.message import EmailMessage
from io import BytesIO
from typing import Any, Self, TypeVar, cast
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from multipart import MultipartError, MultipartParser, MultipartPart

from iglayers.core import body
from iglayers.core.clock import Moment
from iglayers.core.errors import Error, Invalid

T = TypeVar("T")

MOST_FIELDS = 500
MULTIPART = "multipart/form-data"


class Form:
    """The fields that were sent, or that a page begins with, and the error that came back for one of them."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = (), files: dict[str, bytes] | None = None) -> None:
        self._pairs: list[tuple[str, str]] = list(pairs)
        # A name that stands more than once (checkboxes) is read whole with `all`.
        self._fields: dict[str, str] = dict(self._pairs)
        self._files: dict[str, bytes] = files or {}
        self.error: Error | None = None

    @classmethod
    def parse(cls, data: bytes, content_type: str = "") -> Self:
        try:
            pairs, files = _parts(data, content_type) if content_type.startswith(MULTIPART) else (_pairs(data), {})
        except (ValueError, MultipartError):
            raise Invalid("The form cannot be read.", param="body") from None
        return cls.made(pairs, files)

    @classmethod
    def made(cls, pairs: Iterable[tuple[str, str]], files: dict[str, bytes]) -> Self:
        """Of what a browser sent, which ends lines in its own way."""
        return cls([(name, text.replace("\r\n", "\n")) for name, text in pairs], files)

    @classmethod
    def of(cls, **fields: object) -> Self:
        """What a form shows at first; None is an empty field, a list a group of checkboxes."""
        pairs: list[tuple[str, str]] = []
        for name, item in fields.items():
            many = cast("list[object]", item) if isinstance(item, list) else [item]
            pairs += [(name, "" if each is None else str(each)) for each in many]
        return cls(pairs)

    def get(self, name: str) -> str:
        return self._fields.get(name, "")

    def has(self, name: str) -> bool:
        """Whether the field was sent at all, empty or not."""
        return name in self._fields

    def all(self, name: str) -> list[str]:
        """Everything of this name: the checkboxes that are ticked."""
        return [text for each, text in self._pairs if each == name]

    def below(self, prefix: str) -> dict[str, str]:
        """The fields whose names begin so."""
        return {name: text for name, text in self._pairs if name.startswith(prefix)}

    def file(self, name: str) -> bytes:
        """What was chosen in a file's field; nothing when none was."""
        return self._files.get(name, b"")

    def checked(self, prefix: str) -> list[str]:
        """What was ticked among boxes whose names begin with this: the rest of their names."""
        return [name.removeprefix(prefix) for name in self._fields if name.startswith(prefix)]

    def names(self) -> list[str]:
        """Every field that was sent, in the order of the page."""
        return list(self._fields)

    def text(self, name: str) -> str | None:
        """A field's text; None when it is empty."""
        return self.get(name).strip() or None

    def whole(self, name: str) -> int | None:
        """A whole number; None when the field is empty."""
        text = self.get(name).strip().replace(",", "").replace("\u202f", "")
        if not text:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= 18):
            raise Invalid("A whole number goes here, or nothing.", param=name)
        return int(text)

    def moment(self, name: str, zone: str) -> str | None:
        """What a field of a day and time says, as the API reads it; a day alone means its last second."""
        text = self.get(name).strip()
        if not text:
            return None
        try:
            found = datetime.fromisoformat(text if "T" in text else f"{text}T23:59:59")
            return Moment.of(found.replace(tzinfo=ZoneInfo(zone))).rfc3339()
        except (ValueError, OverflowError):
            raise Invalid("This is not a moment.", param=name, remedy="Write it as 2026-05-04.") from None

    def read(self, kind: type[T], **fields: Any) -> T:  # noqa: ANN401 any JSON value
        """A `kind` of these fields, refused as the API would."""
        return body.convert(fields, kind)

    def refused(self, error: Error) -> Self:
        """The same form, to be shown again with what is wrong."""
        self.error = error
        return self

    def error_at(self, name: str) -> str | None:
        return self.error.message if self.error is not None and _field(self.error) == name else None

    def general_error(self, *shown: str) -> Error | None:
        """An error of no field that is shown."""
        return self.error if self.error is not None and _field(self.error) not in shown else None


def _field(error: Error) -> str | None:
    """Where the error stands: one of an entry of a list, `addresses[2]`, at the field of the list."""
    return error.param and error.param.partition("[")[0]


def boundary(content_type: str) -> str:
    """What stands between the parts of a form that has a field for a file."""
    head = EmailMessage()
    head["Content-Type"] = content_type
    return head.get_boundary("")


def _pairs(data: bytes) -> list[tuple[str, str]]:
    return parse_qsl(data.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)


def _parts(data: bytes, content_type: str) -> tuple[list[tuple[str, str]], dict[str, bytes]]:
    """The texts and the files of a form that has a field for a file. What is in memory already stays there."""
    pairs: list[tuple[str, str]] = []
    files: dict[str, bytes] = {}
    found = MultipartParser(
        BytesIO(data), boundary(content_type), part_limit=MOST_FIELDS, spool_limit=len(data) + 1,
        memory_limit=len(data) + 1,
    )  # fmt: skip
    for part in cast("Iterable[MultipartPart]", found):
        if part.filename is None:
            pairs.append((str(part.name), str(part.value)))
        else:
            files[str(part.name)] = bytes(part.raw)
    return pairs, files
