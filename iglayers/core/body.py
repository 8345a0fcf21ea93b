"""Request bodies: strict JSON into typed structs, with the path of the field in every refusal.

Stricter than the standard parser: no duplicate keys, NaN or Infinity, no depth beyond 32, no integer of
thousands of digits, no half surrogates. Field text is cleaned by the structs' own actions (`core.text`).
"""

import json
import math
import re
from collections.abc import Iterable
from typing import NoReturn, TypeVar, cast

import msgspec

from iglayers.core.errors import Invalid, InvalidJson, MissingField
from iglayers.core.field_paths import Field, field_at, required_names, value_at, whole_path
from iglayers.core.ids import Id
from iglayers.core.wire import decode_special

T = TypeVar("T")

MAX_DEPTH = 32
_MAX_DIGITS = 1_000
_UNDECIDED = object()
_MISSING = re.compile(r"Object missing required field `([^`]+)`(?: - at `\$\.?(.+)`)?")
_AT = re.compile(r"^(.*?) - at `(?:key in )?\$\.?(.*)`$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `([^`]+)`(?: - at `\$\.?(.+)`)?")


class _Bad(msgspec.Struct, frozen=True):
    """What stands in a parsed document in the place of something that JSON does not have; `name`, where it is a key."""

    reason: str
    name: str = ""


def parse(data: bytes) -> object:
    """One JSON document; InvalidJson when it is not one, or not one that can be kept."""
    tree = _parse_fast(data)
    if tree is _UNDECIDED:
        return _parse_slowly(data)
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH:
        _refuse_depth(tree)
    return tree


def _parse_fast(data: bytes) -> object:
    """The document by a parser three times as fast, or _UNDECIDED where it may have passed over something.

    It keeps the last of two equal keys; then the document written again has fewer colons than it had, since
    each pair has one and a colon inside a string stays one, unless it was spelled as an escape.
    """
    try:
        tree = cast("object", msgspec.json.decode(data))
        again = msgspec.json.encode(tree)
    except (ValueError, RecursionError, msgspec.MsgspecError):
        return _UNDECIDED
    escaped = b"\\u003a" in data or b"\\u003A" in data
    return _UNDECIDED if escaped or data.count(b":") != again.count(b":") else tree


def _parse_slowly(data: bytes) -> object:
    try:
        text = data.decode()
        tree = cast(
            "object",
            json.loads(
                text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_finite, parse_int=_short
            ),
        )
    except UnicodeDecodeError as error:
        raise _not_json(f"The body is not UTF-8 (byte {error.start}).") from None
    except RecursionError:
        raise _not_json(f"The body is nested deeper than {MAX_DEPTH} levels.") from None
    except ValueError as error:
        raise _not_json(f"The body is not JSON that can be read: {error}.") from None
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH:
        _refuse_depth(tree)
    _refuse_bad(tree, "")
    return tree


def _not_json(message: str, at: str = "body") -> InvalidJson:
    return InvalidJson(message, param=at)


def convert(tree: object, kind: type[T], *, at: str = "") -> T:
    """`tree` as a `kind`; Invalid or MissingField with the path of the field, `at` in front."""
    try:
        read = msgspec.convert(tree, kind, dec_hook=_decode)
    except msgspec.ValidationError as error:
        _refuse(str(error), tree, kind, at)
    if isinstance(tree, dict):
        for name in required_names(kind):
            text = cast("dict[str, object]", tree).get(name)
            if isinstance(text, str) and not text.strip():
                raise _missing(f"{at}.{name}" if at else name)
    return read


def _decode(kind: type[object], item: object) -> object:
    """An id that is spelled wrongly names nothing: whoever looks for it answers as for one that is not there."""
    if issubclass(kind, Id) and isinstance(item, str) and item:
        try:
            return kind.parse(item)
        except ValueError:
            return kind.of_nothing()
    return decode_special(kind, item)


def _refuse(text: str, tree: object, kind: type[object], at: str) -> NoReturn:
    def path(*parts: str | None) -> str:
        return ".".join(part for part in (at, *parts) if part).replace(".[", "[")

    if match := _MISSING.match(text):
        raise _missing(path(match[2], match[1]))
    if match := _UNKNOWN.match(text):
        field = path(match[2], match[1])
        raise Invalid(
            f"{field} is not a field of this object.", param=field, remedy="Check its spelling, or leave it out."
        )
    if match := _AT.match(text):
        inside = whole_path(tree, match[2], match[1])
        raise _unfit(match[1], path(inside), field_at(kind, inside), value_at(tree, inside))
    raise Invalid(f"{at or 'body'}: {text}.", param=at or "body")


def _missing(field: str) -> MissingField:
    return MissingField(f"{field} is required.", param=field)


def _unfit(text: str, param: str, field: Field | None, value: object) -> Invalid:
    if field is not None and field.required and value in (None, ""):
        return _missing(param)
    if field is not None and field.choices and isinstance(value, str):
        return Invalid(f"{param} must be one of {', '.join(field.choices)}.", param=param)
    return Invalid(f"{param}: {text}.", param=param)


def _object(pairs: list[tuple[str, object]]) -> object:
    tree = dict(pairs)
    if len(tree) != len(pairs):
        names = [name for name, _ in pairs]
        return _Bad("stands twice in one object", next(name for name in names if names.count(name) > 1))
    return tree


def _constant(name: str) -> _Bad:
    return _Bad(f"is {name}, which is not a JSON number")


def _finite(digits: str) -> object:
    number = float(digits)
    return _Bad(f"is {digits[:20]}, which is too large a number") if math.isinf(number) else number


def _short(digits: str) -> object:
    return _Bad(f"is an integer of {len(digits):,} digits") if len(digits) > _MAX_DIGITS else int(digits)


def _refuse_depth(tree: object) -> None:
    level = [tree]
    for _ in range(MAX_DEPTH):
        # Most values are texts: leaving them out here halves the time of a large upload's check.
        level = [inner for item in level for inner in _inside(item) if type(inner) is not str]
    if any(isinstance(item, dict | list) for item in level):
        raise _not_json(f"The body is nested deeper than {MAX_DEPTH} levels.")


def _inside(item: object) -> Iterable[object]:
    if type(item) is dict:
        return cast("dict[str, object]", item).values()
    return cast("list[object]", item) if type(item) is list else ()


def _refuse_bad(item: object, at: str) -> None:
    """Raise for the first thing in a document, at most MAX_DEPTH deep, that cannot be kept; `at` is its path."""
    if isinstance(item, _Bad):
        param = f"{at}.{item.name[:64]}".strip(".") if item.name and _is_text(item.name) else at or "body"
        raise _not_json(f"{param} {item.reason}.", param)
    if isinstance(item, str) and not _is_text(item):
        raise _not_json(f"{at or 'body'} holds half of a surrogate pair (\\ud800 to \\udfff).", at or "body")
    if isinstance(item, dict):
        for name, inner in cast("dict[str, object]", item).items():
            if not _is_text(name):
                raise _not_json(
                    f"A key of {at or 'body'} holds half of a surrogate pair (\\ud800 to \\udfff).", at or "body"
                )
            _refuse_bad(inner, f"{at}.{name[:64]}" if at else name[:64])
    elif isinstance(item, list):
        for index, inner in enumerate(cast("list[object]", item)):
            _refuse_bad(inner, f"{at}[{index}]")


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
