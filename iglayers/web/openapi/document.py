"""The OpenAPI 3.1 document, put together from the table of operations, the schemas and the events."""

from functools import cache
from http import HTTPStatus
from typing import Any, Literal, cast

import msgspec

import iglayers
from iglayers.core import ids as id_kinds
from iglayers.core.ids import EventId, Id, WorkspaceId
from iglayers.core.wire import json_bytes
from iglayers.events.actions_deliveries import TEST
from iglayers.events.model import Event
from iglayers.web.guides import codes
from iglayers.web.openapi import accounts, campaigns, clients, contacts, health, imports, messages, senders, webhooks
from iglayers.web.openapi.events import TOLD, Told, WebhookData
from iglayers.web.openapi.examples import example, id_of
from iglayers.web.openapi.operation import Operation, Query, Schema, Section
from iglayers.web.openapi.schemas import REFS, schemas

PREFIX = "/api/v1"
SECTIONS: list[Section] = [
    clients.CLIENTS, clients.TEMPLATES, campaigns.CAMPAIGNS, campaigns.TARGETS, imports.IMPORTS,
    messages.MESSAGES, messages.OUTBOX, messages.REPLIES, messages.CONVERSATIONS,
    senders.SENDERS, contacts.SUPPRESSIONS, contacts.CONTACTS,
    webhooks.WEBHOOKS, webhooks.EVENTS, campaigns.USAGE, accounts.ACCOUNT, accounts.KEYS, health.SERVER,
]  # fmt: skip
_ABOUT = """\
Campaigns, limits, results and signed webhooks for Instagram creator outreach, self-hosted.

Errors are `{"error": {"code", "message", "param"?, "remedy", "docUrl", "requestId"}}`; `code` is for programs.
Unknown fields and query parameters are refused. Times are RFC 3339 in UTC. Lists answer `data`, `hasMore` and
`nextCursor`. `X-Request-Id` is on every answer."""

# What an id in a path is of, by the collection before it, and the code of one that is not there.
_COLLECTIONS: dict[str, tuple[type[Id] | None, str]] = {
    "api-keys": (id_kinds.KeyId, "not_found"),
    "campaigns": (id_kinds.CampaignId, "campaign_not_found"),
    "clients": (id_kinds.ClientId, "client_not_found"),
    "contacts": (None, "not_found"),
    "conversations": (id_kinds.ConversationId, "not_found"),
    "deliveries": (id_kinds.DeliveryId, "not_found"),
    "events": (EventId, "not_found"),
    "imports": (id_kinds.ImportId, "not_found"),
    "message-templates": (id_kinds.TemplateId, "template_not_found"),
    "messages": (id_kinds.MessageId, "not_found"),
    "outbox": (id_kinds.MessageId, "not_found"),
    "replays": (id_kinds.ReplayId, "not_found"),
    "replies": (id_kinds.ReplyId, "not_found"),
    "senders": (id_kinds.SenderId, "sender_not_found"),
    "suppressions": (None, "not_found"),
    "targets": (id_kinds.TargetId, "target_not_found"),
    "webhooks": (id_kinds.EndpointId, "webhook_not_found"),
}


class Envelope(msgspec.Struct):
    """Every refusal. Beside `error` some name what stands in the way, or what became of each row."""

    error: "ErrorShown"


class ErrorShown(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """What was refused, and what to do next."""

    code: str
    message: str
    param: str | None = None
    remedy: str | None = None
    doc_url: str
    request_id: str | None = None


def operations() -> list[Operation]:
    return [each for section in SECTIONS for each in section.operations]


@cache
def document_bytes() -> bytes:
    return json_bytes(document())


@cache
def document() -> dict[str, Any]:
    return _Document().build()


def refusals(operation: Operation) -> dict[int, list[str]]:
    """The codes that a call can be refused with, by status."""
    names = ["internal_error", *operation.codes]
    if operation.scope is not None:
        names += ["invalid_field", "invalid_api_key", "insufficient_scope", "rate_limit_exceeded", "unavailable"]
        names += [_COLLECTIONS[each][1] for each, _ in path_parameters(operation)]
        if operation.method != "GET":
            names += ["payload_too_large", "unsupported_media_type"]
            names += ["invalid_json"] if operation.body or not operation.csv else []
            names += ["missing_required_field"] if operation.body else []
            names += ["idempotency_in_progress", "idempotency_key_reused"] if operation.is_replayable else []
    found: dict[int, list[str]] = {}
    for name, code in codes().items():
        if name in names:
            found.setdefault(code.status, []).append(name)
    assert set(names) <= set(codes()), f"{operation.name} has a code that docs/errors.md does not know"
    return found


def path_parameters(operation: Operation) -> list[tuple[str, str]]:
    """Each with the collection that it is of: [(campaigns, id), (targets, targetId)]."""
    parts = operation.path.split("/")
    return [(parts[at - 1], part[1:-1]) for at, part in enumerate(parts) if part.startswith("{")]


def path_of(operation: Operation) -> str:
    return operation.path if operation.scope is None else PREFIX + operation.path


def path_example(operation: Operation) -> str:
    """The path with example ids in it."""
    path = path_of(operation)
    for collection, name in path_parameters(operation):
        kind = _COLLECTIONS[collection][0]
        path = path.replace(f"{{{name}}}", "creatorname" if kind is None else id_of(kind))
    return path


def each_of(kinds: Any) -> tuple[Any, ...]:  # noqa: ANN401 a struct, several, or none
    if isinstance(kinds, tuple):
        return cast("tuple[Any, ...]", kinds)
    return () if kinds is None else (kinds,)


class _Document:
    def __init__(self) -> None:
        told = [each.data for each in TOLD.values()]
        kinds = {
            kind: None for operation in operations() for kind in (*each_of(operation.body), *each_of(operation.answer))
        }
        self._kinds: list[Any] = [*kinds, *dict.fromkeys(told), WebhookData, Event, Envelope]
        self._schemas, self._components = schemas(self._kinds)
        self._responses: dict[str, Any] = {}

    def build(self) -> dict[str, Any]:
        paths: dict[str, dict[str, Any]] = {}
        for section in SECTIONS:
            for operation in section.operations:
                paths.setdefault(path_of(operation), {})[operation.method.lower()] = self._operation(operation, section)
        events: dict[str, Told] = {str(kind): told for kind, told in TOLD.items()}
        events[TEST] = Told("A test that somebody asked for; no subscription names it.", WebhookData)
        return {
            "openapi": "3.1.0",
            "info": {
                "title": "IG Layers", "version": iglayers.__version__, "description": _ABOUT,
                "license": {"name": "MIT", "identifier": "MIT"},
            },
            "servers": [{"url": "/"}],
            "security": [{"apiKey": []}],
            "tags": [{"name": each.title, "description": each.note} for each in SECTIONS],
            "paths": paths,
            "webhooks": {name: self._webhook(name, told) for name, told in events.items()},
            "components": {
                "schemas": self._components,
                "responses": dict(sorted(self._responses.items())),
                "parameters": {"IdempotencyKey": _IDEMPOTENCY_KEY},
                "headers": _HEADERS,
                "securitySchemes": {"apiKey": _BEARER},
            },
        }  # fmt: skip

    def _operation(self, operation: Operation, section: Section) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "operationId": camel(operation.name), "tags": [section.title], "summary": operation.summary,
        }  # fmt: skip
        if operation.note:
            shown["description"] = operation.note
        if operation.scope is None:
            shown["security"] = []
        else:
            shown["security"] = [{"apiKey": [operation.scope.value]}]
        parameters = [*_path(operation), *(_query(each) for each in operation.query)]
        if operation.method != "GET" and operation.is_replayable:
            parameters.append({"$ref": "#/components/parameters/IdempotencyKey"})
        if parameters:
            shown["parameters"] = parameters
        if operation.body or operation.csv:
            shown["requestBody"] = {"required": self._is_body_required(operation), "content": self._body(operation)}
        shown["responses"] = {str(operation.status): self._success(operation)} | {
            str(status): self._refused(names) for status, names in sorted(refusals(operation).items())
        }
        return shown

    def _schema(self, kinds: Any) -> Schema:  # noqa: ANN401 a struct or several
        made = [self._schemas[self._kinds.index(each)] for each in each_of(kinds)]
        return made[0] if len(made) == 1 else {"anyOf": made}

    def _is_body_required(self, operation: Operation) -> bool:
        """A body may be left out where each of its fields may."""
        schema = self._schema(operation.body) if operation.body else {}
        name = schema.get("$ref", "").removeprefix(REFS)
        return not name or bool(self._components[name].get("required"))

    def _body(self, operation: Operation) -> dict[str, Any]:
        content: dict[str, Any] = {}
        if operation.body:
            content["application/json"] = {"schema": self._schema(operation.body), "example": operation.example}
        if operation.csv:
            content["text/csv"] = {"schema": {"type": "string"}, "example": operation.csv}
        return content

    def _success(self, operation: Operation) -> dict[str, Any]:
        content: dict[str, Any] = {}
        if operation.answer is not None:
            answers = each_of(operation.answer)
            content["application/json"] = {"schema": self._schema(answers), "example": example(answers[0])}
        for media, text in operation.files.items():
            content[media] = {"schema": {"type": "string"}, "example": text}
        shown: dict[str, Any] = {"description": HTTPStatus(operation.status).phrase, "content": content}
        headers = ["X-Request-Id"]
        if operation.scope is not None:
            headers += ["RateLimit", "RateLimit-Policy"]
            headers += ["Idempotency-Replayed"] if operation.method != "GET" and operation.is_replayable else []
        shown["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
        return shown

    def _refused(self, names: list[str]) -> dict[str, str]:
        key = ".".join(names)
        if key not in self._responses:
            self._responses[key] = self._refusal(names)
        return {"$ref": f"#/components/responses/{key}"}

    def _refusal(self, names: list[str]) -> dict[str, Any]:
        told = [codes()[name] for name in names]
        headers = ["X-Request-Id"]
        if {"rate_limit_exceeded", "idempotency_in_progress"} & set(names):
            headers.append("Retry-After")
        named = {"properties": {"error": {"properties": {"code": {"enum": names}}}}}
        return {
            "description": " ".join(f"`{each.name}`: {each.when}" for each in told),
            "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
            "content": {
                "application/json": {
                    "schema": {"allOf": [self._schema(Envelope), named]},
                    "examples": {each.name: {"value": _refused_example(each.name, each.when)} for each in told},
                }
            },
        }

    def _webhook(self, name: str, told: Told) -> dict[str, Any]:
        body = {
            "allOf": [
                self._schema(Event),
                {"properties": {"type": {"const": name}, "data": self._schema(told.data)}},
            ]
        }
        if name == TEST:
            body = {"type": "object", "properties": {"type": {"const": name}, "data": self._schema(told.data)}}
        return {
            "post": {
                "operationId": camel("on_" + name.replace(".", "_")), "tags": ["Events"], "summary": told.note,
                "security": [],
                "parameters": [_signed_header(each, note) for each, note in _SIGNED.items()],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": body, "example": event_example(name, told)}},
                },
                "responses": {"2XX": {"description": "Accepted. Anything else is tried again."}},
            }
        }  # fmt: skip


def event_example(name: str, told: Told) -> dict[str, Any]:
    data = example(told.data)
    for part, fields in told.shown.items():
        data[part] |= fields
    if name == "target.queued":
        del data["campaign"]["metadata"], data["target"]["variables"]
    return {
        "id": id_of(EventId), "type": name, "createdAt": "2026-05-04T09:30:00.000Z",
        "workspaceId": id_of(WorkspaceId), "sequence": 42, "data": data,
    }  # fmt: skip


def _path(operation: Operation) -> list[dict[str, Any]]:
    return [_path_parameter(collection, name) for collection, name in path_parameters(operation)]


def _path_parameter(collection: str, name: str) -> dict[str, Any]:
    kind = _COLLECTIONS[collection][0]
    shown = "creatorname" if kind is None else id_of(kind)
    # Not its pattern: an id of another shape is answered 404, like one that is not there.
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}, "example": shown}


def _query(query: Query) -> dict[str, Any]:
    return {"name": query.name, "in": "query", "description": query.note, "schema": query.schema}


def _refused_example(code: str, when: str) -> dict[str, Any]:
    shown = ErrorShown(
        code=code, message=when, remedy=codes()[code].remedy, doc_url=f"/docs#error-{code}",
        request_id="req_3f1b0c7d9a2e4f5b6c7d8e9f",
    )  # fmt: skip
    return msgspec.to_builtins(Envelope(shown))


def camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(each.capitalize() for each in others)


def _header(note: str, kind: Literal["string", "integer"] = "string") -> dict[str, Any]:
    return {"description": note, "schema": {"type": kind}}


def _signed_header(name: str, note: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": True, "description": note, "schema": {"type": "string"}}


_SIGNED = {
    "X-IG-Layers-Signature": "HMAC-SHA256 of the raw body in lowercase hex, keyed with the secret as printed.",
    "X-IG-Layers-Event": "The type.",
    "X-IG-Layers-Delivery": "The delivery's id.",
    "webhook-id": "The event's id (Standard Webhooks).",
    "webhook-timestamp": "The seconds of this attempt.",
    "webhook-signature": "Signatures with blanks between them, each `v1,` and base64.",
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key", "in": "header",
    "description": "1 to 255 printable ASCII characters. The same key with the same request answers the same, byte for "
    "byte, for 24 hours, and does it once.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
}  # fmt: skip
_HEADERS = {
    "X-Request-Id": _header("The id of this request, for questions about it."),
    "RateLimit-Policy": _header("Calls a minute that the key may make."),
    "RateLimit": _header("Calls that are left, and the seconds until there are more."),
    "Idempotency-Replayed": _header("`true` where this answer was given before."),
    "Retry-After": _header("Seconds to wait.", "integer"),
}
_BEARER = {
    "type": "http", "scheme": "bearer",
    "description": "`Authorization: Bearer sk_live_…` or `sk_test_…`. Scopes: `read`, `write`, `send` (start, resume, "
    "settle), `admin`.",
}  # fmt: skip
