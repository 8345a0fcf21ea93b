"""Fields of a form as a browser sends them, what was wrong with them, and structs made of them."""

import io
from typing import Any, Self, TypeVar, cast
from urllib.parse import parse_qsl

from multipart import MultipartError, MultipartParser

from iglayers.core import body
from iglayers.core.errors import Error, Invalid

T = TypeVar("T")

MOST_FIELDS = 500


class Form:
    """The fields that were sent, or that a page begins with, and the error that came back for one of them."""

    def __init__(self, fields: dict[str, str] | None = None, files: dict[str, bytes] | None = None) -> None:
        self._fields: dict[str, str] = fields or {}
        self._files: dict[str, bytes] = files or {}
        self.error: Error | None = None

    @classmethod
    def parse(cls, data: bytes, content_type: str = "") -> Self:
        kind, _, options = content_type.partition(";")
        if kind.strip().lower() == "multipart/form-data":
            return cls._of_parts(data, boundary=options.partition("boundary=")[2].strip().strip('"'))
        try:
            pairs = parse_qsl(data.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
        except ValueError:
            raise Invalid("The form cannot be read.", param="body") from None
        return cls({name: text.replace("\r\n", "\n") for name, text in pairs})

    @classmethod
    def _of_parts(cls, data: bytes, *, boundary: str) -> Self:
        """A form with files in it; all of it is in memory already, and stays there."""
        whole = len(data) + 1
        fields: dict[str, str] = {}
        files: dict[str, bytes] = {}
        try:
            # The library has no types.
            parts = cast("Any", MultipartParser)(
                io.BytesIO(data), boundary, memory_limit=whole, spool_limit=whole, part_limit=MOST_FIELDS
            )
            for part in parts:
                if part.filename is None:
                    fields[part.name] = part.value.replace("\r\n", "\n")
                else:
                    files[part.name] = part.raw
        except (MultipartError, UnicodeDecodeError):
            raise Invalid("The form cannot be read.", param="body") from None
        return cls(fields, files)

    @classmethod
    def of(cls, **fields: object) -> Self:
        """What a form shows at first; None is an empty field."""
        return cls({name: "" if item is None else str(item) for name, item in fields.items()})

    def get(self, name: str) -> str:
        return self._fields.get(name, "")

    def file(self, name: str) -> bytes | None:
        """A file that was sent; None when none was chosen."""
        return self._files.get(name) or None

    def checked(self, prefix: str) -> list[str]:
        """What was ticked among boxes whose names begin with this: the rest of their names."""
        return [name.removeprefix(prefix) for name in self._fields if name.startswith(prefix)]

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

    def read(self, kind: type[T], **fields: Any) -> T:  # noqa: ANN401 any JSON value
        """A `kind` of these fields, refused as the API would."""
        return body.convert(fields, kind)

    def refused(self, error: Error) -> Self:
        """The same form, to be shown again with what is wrong."""
        self.error = error
        return self

    def error_at(self, name: str) -> str | None:
        return self.error.message if self.error is not None and self.error.param == name else None

    def general_error(self, *shown: str) -> Error | None:
        """An error of no field that is shown."""
        return self.error if self.error is not None and self.error.param not in shown else None
