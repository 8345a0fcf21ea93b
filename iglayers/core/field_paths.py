"""What stands at the path that the decoder names in a refusal, in the value that was sent and in its type. Pure."""

import re
from enum import Enum
from functools import lru_cache
from types import NoneType
from typing import Any, Literal, cast, get_args, get_origin

import msgspec

_STEP = re.compile(r"\[[^\]]*\]|[^.\[]+")
# The decoder does not say which value of an object of free names it means.
_SOME_VALUE = "[...]"
_GOT = re.compile(r"got `(\w+)`")
_CALLED: dict[type, str] = {
    str: "str", int: "int", float: "float", bool: "bool", list: "array", dict: "object", NoneType: "null",
}  # fmt: skip


class Field(msgspec.Struct, frozen=True):
    """A field of a struct, or what a list or object in it holds."""

    required: bool
    choices: list[str]


@lru_cache
def required_names(kind: type[object]) -> list[str]:
    """The fields that a struct cannot do without, as callers spell them."""
    if not issubclass(kind, msgspec.Struct):
        return []
    return [field.encode_name for field in msgspec.structs.fields(kind) if field.required]


def whole_path(tree: object, path: str, text: str) -> str:
    """The path with the name of the value where the decoder writes `[...]`; `text` tells of what type it is."""
    before, some, after = path.partition(_SOME_VALUE)
    got = _GOT.search(text)
    free = value_at(tree, before)
    if not some or after or got is None or not isinstance(free, dict):
        return path
    named = cast("dict[str, object]", free)
    return next((f"{before}.{name[:64]}" for name, item in named.items() if _CALLED.get(type(item)) == got[1]), path)


def value_at(tree: object, path: str) -> object:
    """The value at a path such as `followUps[0].delayHours`; the tree itself where the path is unknown to it."""
    for step in cast("list[str]", _STEP.findall(path)):
        if isinstance(tree, dict):
            tree = cast("dict[str, object]", tree).get(step)
        elif isinstance(tree, list) and step[1:-1].isdigit():
            tree = cast("list[object]", tree)[int(step[1:-1])]
    return cast("object", tree)


def field_at(kind: Any, path: str) -> Field | None:  # noqa: ANN401 a type expression
    """The field at a path inside a struct; None where the path leads to nothing that has a type."""
    required = False
    for step in _STEP.findall(path):
        options, required = _options(kind), False
        if step.startswith("["):
            kind = next((get_args(each)[-1] for each in options if get_origin(each) in (list, dict)), None)
            continue
        struct = next((each for each in options if isinstance(each, type) and issubclass(each, msgspec.Struct)), None)
        found = [each for each in msgspec.structs.fields(struct) if each.encode_name == step] if struct else []
        if not found:
            return None
        kind, required = found[0].type, found[0].required
    return Field(required, [name for each in _options(kind) for name in _choices(each)])


def _options(kind: Any) -> list[Any]:  # noqa: ANN401 a type expression
    """The members of a union, without what annotates them."""
    if get_origin(kind) in (list, dict, Literal) or not get_args(kind):
        return [kind]
    if hasattr(kind, "__metadata__"):
        return _options(get_args(kind)[0])
    return [option for member in get_args(kind) for option in _options(member)]


def _choices(kind: Any) -> list[str]:  # noqa: ANN401 a type expression
    if get_origin(kind) is Literal:
        return [str(each) for each in get_args(kind)]
    return [str(each.value) for each in kind] if isinstance(kind, type) and issubclass(kind, Enum) else []
