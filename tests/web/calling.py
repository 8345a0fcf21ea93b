"""Each operation of the document called with what it takes, and what it answers held against the document."""

from collections.abc import AsyncIterator
from typing import Any

from iglayers.web.openapi.document import operations, path_of
from iglayers.web.openapi.operation import Operation
from tests.serving import Answer, Api, free_port
from tests.web.openapi import DOCUMENT, nameless, resolved, validator
from tests.web.routes import CSV_ONLY, Route, bodies, every_route
from tests.web.world import World

_ROUTES = {(each.method, nameless(each.path)): each for each in every_route()}


def label(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"


def route_of(operation: Operation) -> Route:
    return _ROUTES[operation.method, nameless(operation.path)]


def responses(operation: Operation) -> dict[str, Any]:
    """What the document says of its answers, by status."""
    return DOCUMENT["paths"][path_of(operation)][operation.method.lower()]["responses"]


def taken(operation: Operation, world: World) -> dict[str, Any]:
    """A body that it takes, as `Api.call` wants it."""
    route = route_of(operation)
    if str(route) in CSV_ONLY:
        return {"data": operation.csv.encode(), "content_type": "text/csv"}
    return {} if route.method == "GET" else {"json": bodies(route, world)[0]}


async def called(
    api: Api, world: World, operation: Operation, *, other: dict[str, str] | None = None, **options: Any
) -> Answer:
    """With a body that it takes, or the `data` that is given; `other` ids stand for those of the world."""
    if operation.scope is None:
        return await api.get(operation.path)
    sent = options if "data" in options else taken(operation, world) | options
    return await api.call(operation.method, world.path(route_of(operation).path, **other or {}), **sent)


async def walk(api: Api, world: World) -> AsyncIterator[tuple[Operation, Answer]]:
    """Every operation once, on one world: some are refused by the state that it has by then."""
    await api.patch(f"/webhooks/{world.ids['webhooks']}", {"url": f"http://127.0.0.1:{free_port()}/"})
    for operation in sorted(operations(), key=_how_final):
        yield operation, await called(api, world, operation)


def _how_final(operation: Operation) -> int:
    """Reading and testing first, then writing, then what ends a thing."""
    if operation.method == "DELETE":
        return 3
    if operation.method == "GET" or operation.path.endswith("/test"):
        return 0
    return 2 if operation.path.endswith("/cancel") else 1


def check(operation: Operation, answer: Answer) -> None:
    """The status is told, and what came is what was told of it."""
    where = f"{label(operation)}: {answer}"
    shown = responses(operation)
    assert str(answer.status) in shown, where
    response = shown[str(answer.status)]
    response = resolved(response["$ref"]) if "$ref" in response else response
    media = answer.headers["Content-Type"].partition(";")[0]
    assert media in response["content"], where
    if answer.body is not None:
        problems = validator(response["content"][media]["schema"]).iter_errors(answer.body)
        assert not [f"{each.instance_path}: {each.message}" for each in problems], where
    sometimes = ("Idempotency-Replayed", "Retry-After")
    assert all(name in answer.headers for name in response["headers"] if name not in sometimes), where
