"""Schemathesis calls every operation of the document with what it may take and what it may not."""

import asyncio
from typing import Any

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder

from iglayers.web.openapi.document import operations
from tests.serving import Api
from tests.web.openapi import DOCUMENT
from tests.web.world import World, named

CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
    "response_headers_conformance", "unsupported_method",
)  # fmt: skip
# It calls an endpoint outside.
LEFT_OUT = "/api/v1/webhooks/{id}/test"


def config(api: Api) -> SchemathesisConfig:
    """Examples, and a value for each edge of each schema. Fuzzing goes on for as long as it is let, so not here."""
    return SchemathesisConfig.from_dict({
        "seed": 1,
        "base-url": api.base,
        "headers": {"Authorization": f"Bearer {api.key}"},
        "continue-on-failure": True,
        "generation": {"deterministic": True, "no-shrink": True, "database": "none"},
        "phases": {"fuzzing": {"enabled": False}, "stateful": {"enabled": False}},
        "checks": {"enabled": False} | {name: {"enabled": True} for name in CHECKS},
    })  # fmt: skip


def run(api: Api, world: World) -> tuple[set[str], list[str]]:
    """Which operations were called, and what was found. Every other call is about an object of the world."""
    schema = schemathesis.openapi.from_dict(DOCUMENT, config=config(api)).exclude(path=LEFT_OUT)
    turn = 0

    @schema.hook
    def map_path_parameters(context: Any, path_parameters: dict[str, Any]) -> dict[str, Any]:
        nonlocal turn
        turn += 1
        path = context.operation.path
        if turn % 2 or not path_parameters:
            return path_parameters
        return {name: world.ids[named(path, path.index(f"{{{name}}}"))] for name in path_parameters}

    called: set[str] = set()
    found: list[str] = []
    for event in from_schema(schema).execute():
        if isinstance(event, events.NonFatalError | events.FatalError):
            found.append(repr(event))
        elif isinstance(event, events.ScenarioFinished):
            called |= {event.label} if event.label and event.recorder.interactions else set()
            found += failures(event.recorder)
    return called, found


def failures(recorder: ScenarioRecorder) -> list[str]:
    return [
        f"{check.name}: {check.failure_info.failure}\n{recorder.cases[case_id].value.as_curl_command()}"
        for case_id, checks in recorder.checks.items()
        for check in checks
        if check.failure_info is not None
    ]


async def test_nothing_is_answered_that_the_document_does_not_say(api: Api, world: World) -> None:
    called, found = await asyncio.to_thread(run, api, world)
    assert not found, "\n\n".join(found[:10])
    assert len(called) == len(operations()) - 1
