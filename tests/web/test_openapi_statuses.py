"""Each operation answers with each status that the document tells of it, provoked in turn; what comes is what is told.

A provocation calls whatever operations document its status. A new operation or status that no provocation fits fails.
"""

from collections.abc import AsyncIterator, Callable

import pytest
from structlog.testing import capture_logs

from iglayers.accounts import queries
from iglayers.accounts.model import Scope, StoredAnswer
from iglayers.core.ids import ClientId, uuid7
from iglayers.web import docs, health
from iglayers.web.openapi.document import operations
from iglayers.web.openapi.operation import Operation
from tests.accounts.keys import expire, make_key, with_settings, without_database
from tests.serving import Answer, Api, free_port, serving
from tests.web.calling import called, check, label, responses, route_of, taken
from tests.web.routes import CSV_ONLY
from tests.web.stage import Stage
from tests.web.successes import succeed

Answers = AsyncIterator[tuple[Operation, Answer]]
# Larger than what any route takes.
HUGE_BYTES = 1 << 40
# Where a path has no id that could be of nothing, a field of the body is.
UNKNOWN_FIELDS: dict[str, dict[str, str]] = {
    "POST /campaigns": {"clientId": str(ClientId.new())},
    "POST /suppressions": {"clientId": str(ClientId.new())},
    "POST /replies": {"senderUsername": "nobody.here"},
}
# What answers without a database, and the function that a bug is put into.
NEEDS_NO_DATABASE = {"live": (health, "answer"), "openapi_document": (docs, "document_bytes")}


async def malformed(stage: Stage, asked: list[Operation]) -> Answers:
    """A body that ends early; where there is no body, or one in CSV, a query parameter that nobody knows."""
    for each in asked:
        if each.method == "GET" or label(each) in CSV_ONLY:
            yield each, await called(stage.api, stage.world, each, query={"surprise": 1})
        else:
            yield each, await called(stage.api, stage.world, each, data=b"{")


async def without_a_good_key(stage: Stage, asked: list[Operation]) -> Answers:
    """A key that has ended: of keys that never were, an address may present only so many."""
    ended = await make_key(stage.database, stage.caller)
    await expire(stage.database, ended)
    async with serving(with_settings(stage.services, metrics_token="a-word-of-prometheus")) as url:
        for each in asked:
            yield each, await called(Api(stage.http, url, ended.key), stage.world, each)


async def without_the_scope(stage: Stage, asked: list[Operation]) -> Answers:
    """A key that has every scope but the one that is needed."""
    keys = {
        scope: await make_key(stage.database, stage.caller, scopes=[each for each in Scope if each != scope])
        for scope in Scope
    }
    for each in asked:
        assert each.scope is not None
        yield each, await called(stage.api.with_key(keys[each.scope].key), stage.world, each)


async def of_nothing(stage: Stage, asked: list[Operation]) -> Answers:
    """Each id of a path in its turn is of nothing; where there is none, what the body or the query names."""
    for each in asked:
        for collection in route_of(each).collections:
            other = {collection: unknown(stage.world.ids[collection])}
            yield each, await called(stage.api, stage.world, each, other=other)
        if not route_of(each).collections:
            yield each, await naming_nothing(stage, each)


async def naming_nothing(stage: Stage, operation: Operation) -> Answer:
    """A field names nothing, or the query a client: in a list, one that the key's own client may not see."""
    if label(operation) in UNKNOWN_FIELDS:
        body = taken(operation, stage.world)["json"] | UNKNOWN_FIELDS[label(operation)]
        return await called(stage.api, stage.world, operation, json=body)
    key = stage.api.key
    if operation.method == "GET":
        own = ClientId.parse(stage.world.ids["clients"])
        key = (await make_key(stage.database, stage.caller, scopes=[Scope.READ], client_id=own)).key
    return await called(stage.api.with_key(key), stage.world, operation, query={"clientId": ClientId.new()})


def unknown(known: str) -> str:
    """An id or a username of the same kind that is of nothing."""
    kind, underscore, _ = known.partition("_")
    return f"{kind}_{uuid7().hex}" if underscore else "nobody.here"


async def in_progress(stage: Stage, asked: list[Operation]) -> Answers:
    """Another request with the same Idempotency-Key still runs."""
    async with stage.in_progress("order-1"):
        for each in asked:
            yield each, await called(stage.api, stage.world, each, idempotency_key="order-1")


async def too_large(stage: Stage, asked: list[Operation]) -> Answers:
    """A body that is announced with more than any route takes; nothing of it is sent."""
    for each in asked:
        kind = taken(each, stage.world).get("content_type", "application/json")
        path = stage.world.path(route_of(each).path)
        yield each, await stage.announce(each.method, path, size_bytes=HUGE_BYTES, content_type=kind)


async def of_another_kind(stage: Stage, asked: list[Operation]) -> Answers:
    """A body that is neither JSON nor CSV."""
    for each in asked:
        yield each, await called(stage.api, stage.world, each, data=b"name=Acme", content_type="text/plain")


async def with_a_used_key(stage: Stage, asked: list[Operation]) -> Answers:
    """An Idempotency-Key that a different request was answered under."""
    other = StoredAnswer(fingerprint=b"of another request", status=201, body=b"")
    async with stage.database.connection() as conn:
        await queries.store_answer(conn, stage.caller.workspace_id, "order-1", other)
    for each in asked:
        yield each, await called(stage.api, stage.world, each, idempotency_key="order-1")


async def too_often(stage: Stage, asked: list[Operation]) -> Answers:
    """A key that has made all of its calls."""
    async with stage.exhausted() as api:
        for each in asked:
            yield each, await called(api, stage.world, each)


async def with_a_bug(stage: Stage, asked: list[Operation]) -> Answers:
    """None in place of the database stands for any bug in a route; where no database is needed, one is put in."""
    # Captured, because to print so many tracebacks takes longer than all the rest.
    async with stage.losing(None) as api:
        for each in asked:
            with capture_logs() as logged, pytest.MonkeyPatch.context() as patched:
                if each.name in NEEDS_NO_DATABASE:
                    patched.setattr(*NEEDS_NO_DATABASE[each.name], None)
                answer = await called(api, stage.world, each)
            assert [line["event"] for line in logged] == ["request.failed"], label(each)
            yield each, answer


async def nobody_listens(stage: Stage, asked: list[Operation]) -> Answers:
    """The endpoint's host takes no connection."""
    await stage.api.patch(f"/webhooks/{stage.world.ids['webhooks']}", {"url": f"http://127.0.0.1:{free_port()}/"})
    for each in asked:
        yield each, await called(stage.api, stage.world, each)


async def without_the_database(stage: Stage, asked: list[Operation]) -> Answers:
    """It is lost after the key was recognised."""
    lost = await without_database(stage.services, stage.database_url)
    async with stage.losing(lost.db) as api:
        for each in asked:
            yield each, await called(api, stage.world, each)


# Statuses -> how each operation that documents one of them comes to answer with it.
PROVOCATIONS: dict[tuple[int, ...], Callable[[Stage, list[Operation]], Answers]] = {
    (200, 201): succeed,
    (400,): malformed,
    (401,): without_a_good_key,
    (403,): without_the_scope,
    (404,): of_nothing,
    (409,): in_progress,
    (413,): too_large,
    (415,): of_another_kind,
    (422,): with_a_used_key,
    (429,): too_often,
    (500,): with_a_bug,
    (502,): nobody_listens,
    (503,): without_the_database,
}
DOCUMENTED = {(label(each), int(status)) for each in operations() for status in responses(each)}


@pytest.mark.parametrize("statuses", PROVOCATIONS, ids=str)
async def test_each_operation_answers_with_each_status_that_it_documents(
    stage: Stage, statuses: tuple[int, ...]
) -> None:
    documented = {(name, status) for name, status in DOCUMENTED if status in statuses}
    asked = [each for each in operations() if any((label(each), status) in documented for status in statuses)]
    provoked: set[tuple[str, int]] = set()
    async for operation, answer in PROVOCATIONS[statuses](stage, asked):
        check(operation, answer)
        provoked.add((label(operation), answer.status))
    assert provoked == documented


def test_each_documented_status_is_provoked() -> None:
    assert {status for _, status in DOCUMENTED} == {status for statuses in PROVOCATIONS for status in statuses}
