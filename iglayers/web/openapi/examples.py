"""Examples made from structs: a value for each field, by its name (`words.py`) or else by its type."""

from typing import Any, get_origin

import msgspec
from msgspec import inspect

from iglayers.core.clock import Moment
from iglayers.core.ids import Id
from iglayers.web.openapi.words import word

_NUMBER = "0198f3a1c0de7abc8def0123456789ab"
_AT = "2026-05-04T09:30:00.000Z"


def id_of(kind: type[Id]) -> str:
    return f"{kind.prefix}_{_NUMBER}"


def example(kind: Any) -> Any:  # noqa: ANN401 any type that msgspec knows, any JSON
    """A value that a route could answer as this type."""
    return _value(inspect.type_info(kind))


def _value(kind: inspect.Type) -> Any:  # noqa: ANN401 one line a type
    match kind:
        case inspect.StructType():
            return _fields(kind)
        case inspect.UnionType():
            return _value(next(each for each in kind.types if not isinstance(each, inspect.NoneType)))
        case inspect.CustomType():
            return _special(kind.cls)
        case inspect.EnumType():
            return next(iter(kind.cls)).value
        case inspect.LiteralType():
            return kind.values[0]
        case inspect.ListType():
            return [_value(kind.item_type)]
        case inspect.Metadata():
            return _value(kind.type)
        case _:
            return _plain(kind)


def _plain(kind: inspect.Type) -> Any:  # noqa: ANN401 the same
    match kind:
        case inspect.DateTimeType():
            return _AT
        case inspect.DateType():
            return _AT[:10]
        case inspect.BoolType():
            return False
        case inspect.IntType() | inspect.FloatType():
            return 1
        case inspect.DictType() | inspect.AnyType() | inspect.RawType():
            return {}
        case _:
            return "text"


def _special(kind: type) -> str:
    if issubclass(kind, Id):
        return id_of(kind)
    assert issubclass(kind, Moment)
    return _AT


def _fields(struct: inspect.StructType) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for field in struct.fields:
        told = word(struct.cls, field.encode_name)
        if told is not None and told.example is not msgspec.UNSET:
            if not (_is_left_out(struct) and told.example == field.default):
                shown[field.encode_name] = told.example
        elif field.required or not _is_left_out(struct):
            shown[field.encode_name] = _value(field.type)
    return shown


def _is_left_out(struct: inspect.StructType) -> bool:
    """Whether a field that has its default is left out of an answer."""
    struct_type = get_origin(struct.cls) or struct.cls
    return struct_type.__struct_config__.omit_defaults
