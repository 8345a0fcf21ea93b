"""Request bodies: strict JSON into typed structs, with the path of the field in every refusal.

Stricter than the standard parser: no duplicate keys, NaN or Infinity, no depth beyond 32, no integer
beyond 64 bits, no half surrogates. Field text is cleaned by the structs' own actions (`core.text`).
"""

import json
import math
import re
from typing import Any, NoReturn, TypeVar, cast

import msgspec

from iglayers.core.errors import Invalid, InvalidJson, MissingField
from iglayers.core.wire import decode_special

T = TypeVar("T")

MAX_DEPTH = 32
_MISSING = re.compile(r"Object missing required field `([^`]+)`(?: - at `\$\.?(.+)`)?")
_AT = re.compile(r"^(.*?) - at `(?:key in )?\$\.?(.*)`$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `([^`]+)`(?: - at `\$\.?(.+)`)?")


def parse(data: bytes) -> object:
    """One JSON document; InvalidJson when it is not one, or not one that can be kept."""
    try:
        text = data.decode()
        tree = cast("object", json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_finite))
    except UnicodeDecodeError as error:
        raise InvalidJson(f"The body is not UTF-8 (byte {error.start}).") from None
    except RecursionError:
        raise InvalidJson(f"The body is nested deeper than {MAX_DEPTH} levels.") from None
    except ValueError as error:
        raise InvalidJson(f"The body is not JSON that can be read: {error}.") from None
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH:
        _refuse_depth(tree, MAX_DEPTH)
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
        raise Invalid(f"{field} is not a field of this object.", param=field, remedy="Check its spelling, or leave it out.")
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


def _refuse_depth(tree: Any, left: int) -> None:  # noqa: ANN401 any JSON value
    if not isinstance(tree, dict | list):
        return
    if left == 0:
        raise InvalidJson(f"The body is nested deeper than {MAX_DEPTH} levels.")
    for item in cast("dict[str, object]", tree).values() if isinstance(tree, dict) else cast("list[object]", tree):
        if isinstance(item, dict | list):
            _refuse_depth(item, left - 1)


def _has_half_surrogate(tree: object) -> bool:
    try:
        json.dumps(tree, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False
