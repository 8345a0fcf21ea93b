"""JSON Schemas of the structs that go in and out, made by msgspec, with our names, formats and words."""

import re
from typing import Any, cast

import msgspec
from msgspec import inspect

from iglayers.accounts.api import Rotation as KeyRotation
from iglayers.campaigns.actions import Copy
from iglayers.contacts.actions import WantedSuppression, WantedSuppressions
from iglayers.core.clock import Moment
from iglayers.core.ids import Id
from iglayers.events.actions_deliveries import WantedReplay
from iglayers.events.api_endpoints import Rotation as SecretRotation
from iglayers.reports.model_timeline import Entry
from iglayers.senders.actions import Resume
from iglayers.web.openapi.operation import ids
from iglayers.web.openapi.words import word

# What an integrator meets under another name.
_NAMES: dict[type, str] = {
    KeyRotation: "KeyRotation",
    SecretRotation: "SecretRotation",
    Copy: "CampaignCopy",
    Resume: "SenderResume",
    WantedSuppression: "NewSuppression",
    WantedSuppressions: "NewSuppressions",
    WantedReplay: "NewReplay",
    Entry: "TimelineEntry",
}
REFS = "#/components/schemas/"
_PAGE = re.compile(r"Page_(\w+)_")

Schema = dict[str, Any]


def schemas(kinds: list[Any]) -> tuple[list[Schema], dict[str, Schema]]:
    """A schema for each type, and the components that they refer to."""
    structs = _structs(kinds)
    made, components = msgspec.json.schema_components(
        [*kinds, *structs], schema_hook=_special, ref_template=REFS + "{name}"
    )
    by_name = {
        each["$ref"].removeprefix(REFS): struct for each, struct in zip(made[len(kinds) :], structs, strict=True)
    }
    for name, struct in by_name.items():
        _tell(components[name], struct)
    names = {name: _public_name(name, by_name.get(name)) for name in components}
    assert len(set(names.values())) == len(names), "two structs have one name"
    renamed = {names[name]: _renamed(each, names) | {"title": names[name]} for name, each in components.items()}
    return [_renamed(each, names) for each in made[: len(kinds)]], dict(sorted(renamed.items()))


def _special(kind: type[object]) -> Schema:
    if issubclass(kind, Id):
        return ids(kind.prefix)
    if issubclass(kind, Moment):
        return {"type": "string", "format": "date-time"}
    raise NotImplementedError(kind)


def _structs(kinds: list[Any]) -> list[type[msgspec.Struct]]:
    """Every struct that the types are made of."""
    found: list[type[msgspec.Struct]] = []
    waiting: list[inspect.Type] = list(inspect.multi_type_info(kinds))
    while waiting:
        kind = waiting.pop()
        if not isinstance(kind, inspect.StructType):
            waiting += _inside(kind)
            continue
        struct: type[msgspec.Struct] = kind.cls
        if struct not in found:
            found.append(struct)
            waiting += [each.type for each in kind.fields]
    return found


def _inside(kind: inspect.Type) -> list[inspect.Type]:
    match kind:
        case inspect.UnionType():
            return list(kind.types)
        case inspect.ListType():
            return [kind.item_type]
        case inspect.DictType():
            return [kind.value_type]
        case inspect.Metadata():
            return [kind.type]
        case _:
            return []


def _tell(schema: Schema, struct: type[msgspec.Struct]) -> None:
    """Put in what msgspec cannot know: that a string is a moment, and what a field means."""
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    for field in info.fields:
        shown = cast("Schema", schema["properties"][field.encode_name])
        if any(isinstance(each, inspect.DateTimeType) for each in [field.type, *_inside(field.type)]):
            for each in shown.get("anyOf", [shown]):
                if each.get("type") == "string":
                    each["format"] = "date-time"
        told = word(struct, field.encode_name)
        if told is not None:
            shown["description"] = told.note


def _public_name(name: str, struct: type[msgspec.Struct] | None) -> str:
    if struct in _NAMES:
        return _NAMES[struct]
    paged = _PAGE.fullmatch(name)
    return f"{paged[1]}Page" if paged else name


def _renamed(schema: Any, names: dict[str, str]) -> Any:  # noqa: ANN401 any part of a schema
    """The same schema with its references under their new names."""
    if isinstance(schema, dict):
        tree = cast("Schema", schema)
        return {
            name: REFS + names[each.removeprefix(REFS)] if name == "$ref" else _renamed(each, names)
            for name, each in tree.items()
        }
    if isinstance(schema, list):
        return [_renamed(each, names) for each in cast("list[Any]", schema)]
    return schema
