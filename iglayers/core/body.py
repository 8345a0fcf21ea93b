"""Request bodies: strict JSON into typed structs, with the path of the field in every refusal.

Stricter than the standard parser: no duplicate keys, NaN or Infinity, no depth beyond 32, no integer
beyond 64 bits, no half surrogates. Field text is cleaned by the structs' own actions (`core.text`).
"""

import json
import math
import re
from collections.abc import Iterable
from typing import NoReturn, TypeVar, cast

import msgspec

from iglayers.core.errors import Invalid, InvalidJson, MissingField
from iglayers.core.wire import decode_special

T = TypeVar("T")

MAX_DEPTH = 32
_UNDECIDED = object()
_MISSING = re.compile(r"Object missing required field `([^`]+)`(?: - at `\$\.?(.+)`)?")
_AT = re.compile(r"^(.*?) - at `(?:key in )?\$\.?(.*)`$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `([^`]+)`(?: - at `\$\.?(.+)`)?")


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
            "object", json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_finite)
        )
    except UnicodeDecodeError as error:
        raise InvalidJson(f"The body is not UTF-8 (byte {error.start}).") from None
    except RecursionError:
        raise InvalidJson(f"The body is nested deeper than {MAX_DEPTH} levels.") from None
    except ValueError as error:
        raise InvalidJson(f"The body is not JSON that can be read: {error}.") from None
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH:
        _refuse_depth(tree)
    if b"\\u" in data and _has_half_surrogate(tree):
        raise InvalidJson("The body holds half of a surrogate pair (\\ud800 to \\udfff).")
    return tree


def convert(tree: object, kind: type[T], *, at: str = "") -> T:
    """`tree` as a `kind`; Invalid or MissingField with the path of the field, `at` in front."""
    try:
        return msgspec.convert(tree, kind, dec_hook=decode_special)
    except msgspec.ValidationError as error:
        _refuse(str(error), at)


def _refuse(text: str, at: str) -> NoReturn:
    def path(*parts: str | None) -> str:
        return ".".join(part for part in (at, *parts) if part).replace(".[", "[")

    if match := _MISSING.match(text):
        field = path(match[2], match[1])
        raise MissingField(f"{field} is required.", param=field)
    if match := _UNKNOWN.match(text):
        field = path(match[2], match[1])
        raise Invalid(
            f"{field} is not a field of this object.", param=field, remedy="Check its spelling, or leave it out."
        )
    if match := _AT.match(text):
        field = path(match[2])
        raise Invalid(f"{field}: {match[1]}.", param=field)
    raise Invalid(f"{at or 'body'}: {text}.", param=at or "body")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    tree = dict(pairs)
    if len(tree) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:64]!r} stands twice in one object")
    return tree


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits[:20]} is too large a number")
    return number


def _refuse_depth(tree: object) -> None:
    level = [tree]
    for _ in range(MAX_DEPTH):
        # Most values are texts: leaving them out here halves the time of a large upload's check.
        level = [inner for item in level for inner in _inside(item) if type(inner) is not str]
    if any(isinstance(item, dict | list) for item in level):
        raise InvalidJson(f"The body is nested deeper than {MAX_DEPTH} levels.")


def _inside(item: object) -> Iterable[object]:
    if type(item) is dict:
        return cast("dict[str, object]", item).values()
    return cast("list[object]", item) if type(item) is list else ()


def _has_half_surrogate(tree: object) -> bool:
    try:
        json.dumps(tree, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False
