"""Every route that the application mounts, and a body for each that changes something.

The list comes from the application itself: a new route that writes is missing in BODIES until somebody adds it.
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec

from iglayers.accounts.model import Scope
from iglayers.web import app
from tests.web.world import World, collections

READING = ("GET", "HEAD")


class Route(msgspec.Struct, frozen=True):
    method: str
    path: str
    scope: Scope

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def collections(self) -> list[str]:
        """What its ids are of, outermost first: `clients` of /clients/{id}."""
        return collections(self.path)


def every_route() -> list[Route]:
    found: list[Route] = []
    for handler in app.ROUTES:
        for method in sorted(handler.http_methods):
            needed = handler.opt.get("scope_needed") or (Scope.READ if method in READING else Scope.WRITE)
            found += [
                Route(str(method), re.sub(r"{(\w+):\w+}", r"{\1}", path), Scope(needed)) for path in handler.paths
            ]
    return found


def writing_routes() -> list[Route]:
    return [each for each in every_route() if each.method not in READING]


def no_fields(_world: World) -> list[Any]:
    return [{}]


def one(**fields: Any) -> Callable[[World], list[Any]]:
    """One body; a value that names an object of the world (`<client>`) stands for its id."""
    return lambda world: [filled(fields, world)]


def filled(item: Any, world: World) -> Any:
    if isinstance(item, dict):
        return {name: filled(value, world) for name, value in item.items()}
    if isinstance(item, list):
        return [filled(value, world) for value in item]
    if isinstance(item, str) and item.startswith("<"):
        return world.ids[item.strip("<>")]
    return item


_SCHEDULE = {
    "timezone": "Europe/Madrid",
    "windows": [{"days": ["mon"], "from": "09:00", "to": "17:00"}],
    "startAt": "2027-01-01T00:00:00Z",
    "endAt": "2028-01-01T00:00:00Z",
}
_CAMPAIGN: dict[str, Any] = {
    "name": "May", "hourlyLimit": 8, "dailyLimit": 50, "metadata": {"source": "form"}, "senderIds": ["<senders>"],
    "routes": ["assisted"], "schedule": _SCHEDULE, "missingVariable": "skip",
    "messageTemplateId": "<message-templates>",
    "followUps": [{"messageTemplateId": "<message-templates>", "delayHours": 24}],
}  # fmt: skip
_CLIENT: dict[str, Any] = {
    "name": "Acme", "externalId": "acme_009", "metadata": {"a": 1}, "hourlyLimit": 5, "dailyLimit": 50,
}  # fmt: skip
_PERSON: dict[str, Any] = {
    "instagramUsername": "some.body", "profileUrl": "https://instagram.com/some.body", "fullName": "Some Body",
    "firstName": "Some", "category": "fitness", "followerCount": 24_000, "variables": {"city": "Rome"},
}  # fmt: skip
_SENDER: dict[str, Any] = {
    "routes": ["assisted"], "clientIds": ["<clients>"], "hourlyLimit": 5, "dailyLimit": 50, "ramp": True,
    "minGapSeconds": 60,
}  # fmt: skip
_SUPPRESSION: dict[str, Any] = {
    "instagramUsername": "no.body", "clientId": "<clients>", "reason": "asked", "expiresAt": "2030-01-01T00:00:00Z",
}  # fmt: skip
_ENDPOINT: dict[str, Any] = {
    "url": "https://example.com/hook", "events": ["message.sent"], "description": "Ours", "maxPerSecond": 10,
}  # fmt: skip
_REPLY: dict[str, Any] = {
    "instagramUsername": "jane.doe", "text": "Hello", "receivedAt": "2026-01-01T00:00:00Z",
    "label": "question",
}  # fmt: skip

# Its body is no JSON.
CSV_ONLY = ("POST /suppressions/import", "POST /campaigns/{id}/imports")
# Route -> bodies that it takes, with every field that it knows.
BODIES: dict[str, Callable[[World], list[Any]]] = {
    "POST /api-keys": one(name="App", scopes=["read", "write"], clientId="<clients>", expiresAt="2030-01-01T00:00:00Z"),
    "POST /api-keys/{id}/rotate": one(overlapHours=1.5),
    "DELETE /api-keys/{id}": no_fields,
    "PATCH /workspace": one(
        name="Main", monthlyLimit=1_000, timezone="Europe/Madrid", firstContactScope="client", retentionDays=365
    ),
    "POST /webhooks": one(**_ENDPOINT),
    "PATCH /webhooks/{id}": one(state="enabled", **_ENDPOINT),
    "DELETE /webhooks/{id}": no_fields,
    "POST /webhooks/{id}/enable": no_fields,
    "POST /webhooks/{id}/rotate-secret": one(overlapHours=1.5),
    "POST /webhooks/{id}/test": no_fields,
    "POST /webhooks/{id}/replay": one(since="<yesterday>", types=["message.sent"]),
    "POST /webhooks/{id}/replays/{rpy}/cancel": no_fields,
    "POST /deliveries/{id}/redeliver": no_fields,
    "POST /clients": one(**_CLIENT),
    "PATCH /clients/{id}": one(**_CLIENT),
    "DELETE /clients/{id}": no_fields,
    "POST /suppressions": lambda world: [filled(_SUPPRESSION, world), filled({"suppressions": [_SUPPRESSION]}, world)],
    "POST /suppressions/import": no_fields,
    "DELETE /suppressions/{username}": no_fields,
    "POST /contacts/{username}/merge": one(into="jane.new", reason="new name"),
    "DELETE /contacts/{username}": no_fields,
    "POST /message-templates": one(name="Intro", body="Hi {{firstName}}"),
    "PATCH /message-templates/{id}": one(name="Intro", body="Hi {{firstName}}"),
    "DELETE /message-templates/{id}": no_fields,
    "POST /message-templates/{id}/preview": one(targetId="<targets>", sample={"firstName": "Jane"}),
    "POST /senders": one(username="another.brand", transport="assisted", **_SENDER),
    "POST /senders/connect": one(**_SENDER | {"routes": ["instagram", "assisted"]}),
    "PATCH /senders/{id}": one(**_SENDER),
    "DELETE /senders/{id}": no_fields,
    "POST /senders/{id}/pause": no_fields,
    "POST /senders/{id}/resume": one(reason="Confirmed in the app"),
    "POST /senders/{id}/check": no_fields,
    "POST /campaigns": one(clientId="<clients>", **_CAMPAIGN),
    "PATCH /campaigns/{id}": one(**_CAMPAIGN),
    "DELETE /campaigns/{id}": no_fields,
    "POST /campaigns/{id}/start": no_fields,
    "POST /campaigns/{id}/preflight": no_fields,
    "POST /campaigns/{id}/clone": one(name="June"),
    "POST /campaigns/{id}/pause": no_fields,
    "POST /campaigns/{id}/resume": no_fields,
    "POST /campaigns/{id}/cancel": no_fields,
    "POST /campaigns/{id}/targets": one(targets=[_PERSON]),
    "DELETE /campaigns/{id}/targets/{tgt}": no_fields,
    "POST /campaigns/{id}/imports": no_fields,
    "POST /imports/{id}/cancel": no_fields,
    "POST /messages/{id}/resolve": one(outcome="sent", reason="Seen in the app", requeue=False),
    "POST /outbox/{id}/claim": no_fields,
    "POST /outbox/{id}/release": no_fields,
    "POST /outbox/{id}/sent": no_fields,
    "POST /outbox/{id}/failed": one(code="recipient_unavailable", reason="Takes no messages"),
    "POST /outbox/{id}/skip": one(reason="A competitor"),
    "POST /outbox/{id}/challenge": one(reason="Asked for a code"),
    "POST /outbox/{id}/undo": no_fields,
    "PATCH /replies/{id}": one(label="no", reason="Said so by mail"),
    "POST /conversations/{id}/messages": one(text="Hi", byHand=True),
    "POST /replies": lambda world: [
        filled(_REPLY | {"senderUsername": "acme.official"}, world),
        filled(_REPLY | {"senderId": "<senders>"}, world),
    ],
}


def bodies(route: Route, world: World) -> list[Any]:
    assert str(route) in BODIES, f"{route} is new: add a body that it takes to BODIES in tests/web/routes.py"
    return BODIES[str(route)](world)
