"""The description tells of every route, parameter, field and event, and of nothing else."""

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from schemathesis.specs.openapi import definitions

from iglayers.accounts.model import Scope
from iglayers.core import body as json_body
from iglayers.events.model import EventType
from iglayers.web import app, docs, health
from iglayers.web.openapi.document import each_of, operations
from iglayers.web.openapi.operation import Operation
from iglayers.web.openapi.words import WORDS
from tests.web.openapi import DOCUMENT, media, nameless, resolved, validator

COMMITTED = Path(__file__).parents[2] / "docs" / "openapi.json"
PAGES = {"/docs", "/docs/style.css"}
OPERATIONS = [pytest.param(each, id=f"{each.method} {each.path}") for each in operations()]


def mounted() -> dict[tuple[str, str], tuple[str, int, Scope | None]]:
    """Every route of the application: its function, the status of its success, the scope that it asks for."""
    found: dict[tuple[str, str], tuple[str, int, Scope | None]] = {}
    for handler in [*app.ROUTES, *docs.ROUTES, *health.ROUTES]:
        for method in handler.http_methods:
            usual = Scope.READ if method == "GET" else Scope.WRITE
            scope = handler.opt.get("scope_needed", usual) if handler in app.ROUTES else None
            for path in handler.paths:
                found[str(method), nameless(path)] = (handler.fn.__name__, handler.status_code, scope)
    return {route: told for route, told in found.items() if route[1] not in PAGES}


def test_each_route_is_told_with_its_name_status_and_scope() -> None:
    told = {(each.method, nameless(each.path)): (each.name, each.status, each.scope) for each in operations()}
    assert told == mounted(), "see iglayers/web/openapi/: each route has a line in the table of its section"


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_route_takes_the_query_parameters_that_are_told(operation: Operation) -> None:
    handlers = [*app.ROUTES, *docs.ROUTES, *health.ROUTES]
    functions = {handler.fn.__name__: handler.fn for handler in handlers}
    assert {each.name for each in operation.query} == set(taken(functions[operation.name]))


def taken(function: Any) -> Iterator[str]:
    """What a route's function says of the query parameters that it knows."""
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "only_query":
            yield from (str(each.value) for each in node.args if isinstance(each, ast.Constant))


def test_each_event_is_told() -> None:
    assert set(DOCUMENT["webhooks"]) == {*EventType, "webhook.test"}


def test_the_document_is_openapi_3_1() -> None:
    jsonschema_rs.validator_for(definitions.OPENAPI_31).validate(DOCUMENT)


def test_each_reference_leads_somewhere() -> None:
    for each in references(DOCUMENT):
        assert resolved(each)


def references(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        yield from ([tree["$ref"]] if isinstance(tree.get("$ref"), str) else [])
        tree = list(tree.values())
    if isinstance(tree, list):
        for each in tree:
            yield from references(each)


def test_each_field_has_words() -> None:
    wordless = [
        f"{name}.{field}"
        for name, schema in DOCUMENT["components"]["schemas"].items()
        for field, shown in schema.get("properties", {}).items()
        if not shown.get("description")
    ]
    assert not wordless, "see iglayers/web/openapi/words.py"


def test_each_word_is_of_a_field() -> None:
    fields = {field for each in DOCUMENT["components"]["schemas"].values() for field in each.get("properties", {})}
    assert {name.rpartition(".")[2] for name in WORDS} <= fields


@pytest.mark.parametrize("operation", OPERATIONS)
def test_examples_are_what_their_schemas_say(operation: Operation) -> None:
    shown = DOCUMENT["paths"][operation.path if operation.scope is None else f"/api/v1{operation.path}"]
    shown = shown[operation.method.lower()]
    parts = [shown.get("requestBody", {}), *map(resolved_response, shown["responses"].values())]
    for part in parts:
        for content in media(part):
            for example in examples(content):
                validator(content["schema"]).validate(example)
    for kind in each_of(operation.body)[:1]:
        assert json_body.convert(operation.example, kind)


def resolved_response(response: dict[str, Any]) -> dict[str, Any]:
    return resolved(response["$ref"]) if "$ref" in response else response


def examples(content: dict[str, Any]) -> list[Any]:
    return [content["example"]] if "example" in content else [each["value"] for each in content["examples"].values()]


@pytest.mark.parametrize("name", DOCUMENT["webhooks"])
def test_an_event_s_example_is_what_its_schema_says(name: str) -> None:
    content = DOCUMENT["webhooks"][name]["post"]["requestBody"]["content"]["application/json"]
    assert content["example"]["type"] == name
    validator(content["schema"]).validate(content["example"])


def test_the_committed_document_is_what_the_code_makes() -> None:
    assert json.loads(COMMITTED.read_text(encoding="utf-8")) == DOCUMENT, "run `make openapi` and read the difference"
