"""Bad input meets every route that writes: a refusal that names the field, never a 500, nothing stored."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from iglayers.core.db import Database
from tests.serving import Answer, Api
from tests.web.routes import BODIES, CSV_ONLY, Route, bodies, every_route, no_fields, writing_routes
from tests.web.world import World, everything

LONG = 20_000


def test_every_route_that_writes_has_a_body_to_be_tried_with() -> None:
    assert {str(each) for each in writing_routes()} == set(BODIES)


BROKEN: dict[str, bytes] = {
    "cut off": b'{"name": "a"',
    "a comma too many": b'{"name": "a",}',
    "two documents": b'{"name": "a"} {"name": "b"}',
    "single quotes": b"{'name': 'a'}",
    "NaN": b'{"metadata": {"a": NaN}}',
    "Infinity": b'{"hourlyLimit": Infinity}',
    "minus Infinity": b'{"hourlyLimit": -Infinity}',
    "a number beyond a double": b'{"hourlyLimit": 1e999}',
    "an integer of 5,000 digits": b'{"hourlyLimit": ' + b"9" * 5_000 + b"}",
    "a key twice": b'{"name": "a", "name": "b"}',
    "a key twice, once spelled otherwise": b'{"name": "a", "na\\u006de": "b"}',
    "a key twice, deep": b'{"metadata": {"a": [{"b": 1, "b": 2}]}}',
    "a colon as an escape, and a key twice": b'{"a": "\\u003a", "b": 1, "b": 2}',
    "half of a surrogate pair": b'{"name": "\\ud800"}',
    "halves in the wrong order": b'{"name": "\\udc00\\ud800"}',
    "not UTF-8": b'{"name": "\xff\xfe"}',
    "UTF-16": '{"name": "a"}'.encode("utf-16"),
    "a byte-order mark": b'\xef\xbb\xbf{"name": "a"}',
    "a raw NUL": b'{"name": "a\x00b"}',
    "a raw line break": b'{"name": "a\nb"}',
    "33 levels": b'{"metadata": ' + b"[" * 32 + b"]" * 32 + b"}",
    "a thousand levels": b'{"metadata": ' + b'{"a":' * 1_000 + b"1" + b"}" * 1_000 + b"}",
    "a hundred thousand levels": b"[" * 100_000 + b"]" * 100_000,
    "an unclosed pit": b"[" * 100_000,
}
WRONG_ROOT: dict[str, bytes] = {
    "an array": b"[]",
    "null": b"null",
    "a text": b'"name"',
    "a number": b"12",
    "a boolean": b"true",
    "a field that nobody knows": b'{"surprise": 1}',
}


def refused(answer: Answer, status: int, *codes: str) -> dict[str, Any]:
    """The `error` of a refusal, which has all that was promised."""
    assert answer.status == status, answer
    error = answer.body["error"]
    assert error["code"] in codes, answer
    assert error["message"]
    assert error["remedy"]
    assert error["docUrl"] == f"/docs#error-{error['code']}"
    assert error["requestId"] == answer.headers["X-Request-Id"]
    assert "Traceback" not in answer.raw.decode()
    return error


async def test_what_is_not_one_json_object_is_refused_by_every_route(
    api: Api, database: Database, world: World
) -> None:
    before = await everything(database)
    for route in writing_routes():
        if str(route) in CSV_ONLY:
            continue
        path = world.path(route.path)
        for data in BROKEN.values():
            assert refused(await api.call(route.method, path, data=data), 400, "invalid_json")["param"]
        for what, data in WRONG_ROOT.items():
            # A bare text or null where a list of rows is expected is refused as the field that it should hold.
            error = refused(
                await api.call(route.method, path, data=data), 400, "invalid_field", "missing_required_field"
            )
            assert error["param"], (route, what)
    assert await everything(database) == before


async def test_a_field_that_nobody_knows_is_named(api: Api, database: Database, world: World) -> None:
    before = await everything(database)
    for route in writing_routes():
        if str(route) in CSV_ONLY:
            continue
        for body in bodies(route, world):
            answer = await api.call(route.method, world.path(route.path), body | {"surprise": 1})
            assert refused(answer, 400, "invalid_field")["param"] == "surprise", route
    assert await everything(database) == before


Path = tuple[str | int, ...]


def leaves(item: Any, at: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value inside a body with the way to it, the ones that hold others too."""
    if at:
        yield at, item
    if isinstance(item, dict):
        for name, value in item.items():
            yield from leaves(value, (*at, name))
    if isinstance(item, list):
        for index, value in enumerate(item):
            yield from leaves(value, (*at, index))


def spelled(path: Path) -> str:
    """As `param` spells it: targets[0].firstName."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def with_value(body: Any, path: Path, value: Any) -> Any:
    changed = json.loads(json.dumps(body))
    place = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return changed


# What no field of the type of the value takes, whatever it means.
BAD_TEXTS: list[Any] = [5, True, 1.5, [], {}, ["a"], "a\x00b", "\x1b[31m", "x" * LONG]
BAD_NUMBERS: list[Any] = ["5", True, [], {}, -1, 2**63, -(2**63) - 1, 2**64, 10**400, 1e300, "１２", "²"]
BAD_WHOLE_NUMBERS: list[Any] = [1.5, 1e2]
BAD_BOOLEANS: list[Any] = ["true", 1, 0, [], {}]
BAD_LISTS: list[Any] = ["a", 5, {}, [5], [None], [["a"]]]
BAD_OBJECTS: list[Any] = ["a", 5, [], True]
BAD_IDS: list[Any] = [5, "", "nope", "cl_", "cl_" + "g" * 32, "key_" + "0" * 32, "cl_" + "0" * 31, "cl_" + "１" * 32]
BAD_MOMENTS: list[Any] = [
    5, "", "soon", "2030-01-01", "2030-01-01T00:00:00", "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z",
    "2030-02-30T00:00:00Z", "2030-01-01T00:00:00Z\n", "9999-12-31T23:59:59-14:00",
]  # fmt: skip
# Free objects: what stands in them is the caller's own, and only has to be storable; a sample is never stored.
FREE = ("metadata", "variables", "sample")
UNSTORABLE: list[Any] = [{"a": "b\x00"}, {"a\x00": 1}, {"a": [{"b": "\x00"}]}, {"a": 2**63}, {"a": "x" * LONG}]

BAD_BY_TYPE: dict[type, list[Any]] = {
    bool: BAD_BOOLEANS, int: [*BAD_NUMBERS, *BAD_WHOLE_NUMBERS], float: BAD_NUMBERS, list: BAD_LISTS, dict: BAD_OBJECTS,
}  # fmt: skip


def bad_values(path: Path, value: Any) -> list[Any]:
    if any(step in FREE for step in path[:-1]):
        return []
    if path[-1] in FREE:
        return BAD_OBJECTS if path[-1] == "sample" else [*BAD_OBJECTS, *UNSTORABLE]
    if isinstance(value, str):
        name = next(str(step) for step in reversed(path) if isinstance(step, str))
        is_id = name.endswith(("Id", "Ids")) and name != "externalId"
        return BAD_IDS if is_id else BAD_MOMENTS if name.endswith(("At", "since")) else BAD_TEXTS
    return BAD_BY_TYPE[type(value)]


@pytest.mark.parametrize(
    "route", [each for each in writing_routes() if BODIES.get(str(each)) is not no_fields], ids=str
)
async def test_a_value_that_no_field_takes_is_refused_by_its_path(
    api: Api, database: Database, world: World, route: Route
) -> None:
    before = await everything(database)
    wrong: list[tuple[str, Any, Answer]] = []
    for body in bodies(route, world):
        for path, value in leaves(body):
            for bad in bad_values(path, value):
                data = json.dumps(with_value(body, path, bad)).encode()
                answer = await api.call(route.method, world.path(route.path), data=data)
                error = (answer.body or {}).get("error", {})
                param = str(error.get("param", ""))
                named = param == spelled(path) or param.startswith((spelled(path) + ".", spelled(path) + "["))
                # A misspelled id is an id of nothing, as one that no row has.
                of_nothing = bad_values(path, value) is BAD_IDS and bad and isinstance(bad, str)
                known = answer.status == 400 or (of_nothing and str(error.get("code")).endswith("_not_found"))
                if not known or not named or not error.get("message"):
                    wrong.append((spelled(path), bad if len(str(bad)) < 80 else str(bad)[:80], answer))
    assert not wrong
    assert await everything(database) == before


async def test_a_query_parameter_that_nobody_knows_is_named(api: Api, database: Database, world: World) -> None:
    before = await everything(database)
    wrong: list[tuple[Route, Answer]] = []
    for route in every_route():
        sent: dict[str, Any] = {} if route.method == "GET" else {"json": bodies(route, world)[0]}
        if str(route) in CSV_ONLY:
            sent = {"data": b"instagramUsername\nsome.body\n", "content_type": "text/csv"}
        answer = await api.call(route.method, world.path(route.path), query={"surprise": "1"}, **sent)
        if answer.status != 400 or answer.body["error"].get("param") != "surprise":
            wrong.append((route, answer))
    assert not wrong
    assert await everything(database) == before
