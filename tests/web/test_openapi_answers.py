"""What the application answers and tells is what the document says of it: every route, called with a good body."""

from typing import Any

import pytest

from iglayers.accounts.model import Caller
from iglayers.accounts.request import Services
from iglayers.core.db import Database
from iglayers.core.ids import TargetId
from iglayers.events.model import EventType
from iglayers.web.openapi.document import operations, path_of
from iglayers.web.openapi.operation import Operation
from tests.serving import Answer, Api
from tests.web.openapi import DOCUMENT, nameless, resolved, validator
from tests.web.routes import CSV_ONLY, bodies, every_route
from tests.web.world import World

# Reading first, what ends a thing last.
LAST = ("cancel", "DELETE", "erase", "revoke")
# What this world, in the state it has by then, refuses.
REFUSED = {
    "POST /campaigns/{id}/start": 409,
}


def in_order() -> list[Operation]:
    def place(each: Operation) -> tuple[bool, bool]:
        return each.method != "GET", any(word in f"{each.method} {each.path}" for word in LAST)

    return sorted(operations(), key=place)


async def test_each_route_answers_as_the_document_says(api: Api, world: World) -> None:
    routes = {(each.method, nameless(each.path)): each for each in every_route()}
    refused: dict[str, int] = {}
    for operation in in_order():
        if operation.scope is None:
            answer = await api.call("GET", operation.path)
        else:
            route = routes[operation.method, nameless(operation.path)]
            answer = await called(api, world, operation, route)
        check(operation, answer)
        if answer.status >= 300:
            refused[f"{operation.method} {operation.path}"] = answer.status
    assert refused == REFUSED


async def called(api: Api, world: World, operation: Operation, route: Any) -> Answer:
    path = world.path(route.path)
    if str(route) in CSV_ONLY:
        data = operation.csv.encode()
        return await api.call(route.method, path, data=data, content_type="text/csv")
    body = bodies(route, world)[0] if route.method != "GET" else None
    return await api.call(route.method, path, body)


def check(operation: Operation, answer: Answer) -> None:
    """The status is told, and what came is what was told of it."""
    where = f"{operation.method} {operation.path}: {answer}"
    shown = DOCUMENT["paths"][path_of(operation)][operation.method.lower()]["responses"]
    assert str(answer.status) in shown, where
    response = shown[str(answer.status)]
    response = resolved(response["$ref"]) if "$ref" in response else response
    media = answer.headers["Content-Type"].partition(";")[0]
    assert media in response["content"], where
    if answer.body is not None:
        try:
            validator(response["content"][media]["schema"]).validate(answer.body)
        except Exception as error:
            raise AssertionError(where) from error
    sometimes = ("Idempotency-Replayed", "Retry-After")
    assert all(name in answer.headers for name in response["headers"] if name not in sometimes), where
