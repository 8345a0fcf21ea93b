"""What the application answers and tells is what the document says of it: each route called, each event provoked."""

from iglayers.accounts.model import Caller
from iglayers.accounts.request import Services
from iglayers.campaigns.actions_imports import go_on_with_imports
from iglayers.core.db import Database
from iglayers.core.ids import ConversationId
from iglayers.senders.model import NotSent, Sent, Unknown
from iglayers.sending.answers import Post, begin
from iglayers.sending.answers_settle import settle
from iglayers.sending.model_answers import NewAnswer
from iglayers.web.openapi.document import operations, path_of
from iglayers.web.openapi.operation import Operation
from tests import make
from tests.databases import PEPPER
from tests.sending.world import World as Sending
from tests.serving import Answer, Api, free_port
from tests.targets.uploads import campaign, people, upload
from tests.web.openapi import DOCUMENT, nameless, resolved, validator
from tests.web.routes import CSV_ONLY, Route, bodies, every_route
from tests.web.world import World

# What this world refuses, in the state that it has by then.
REFUSED = {
    "PATCH /clients/{id}": 409,  # its externalId went to the client that was made before
    "POST /webhooks/{id}/replay": 409,  # one is running
    "POST /webhooks/{id}/test": 502,  # nobody listens
    "POST /campaigns/{id}/start": 409,  # several variables are missing
    "POST /campaigns/{id}/pause": 409,
    "POST /campaigns/{id}/resume": 409,
    "DELETE /message-templates/{id}": 409,
    "DELETE /contacts/{username}": 409,  # an import is not at its end
    "DELETE /campaigns/{id}/targets/{targetId}": 409,  # written to
} | {
    f"POST /outbox/{{id}}/{verb}": 409  # its one message is no card
    for verb in ("claim", "release", "sent", "failed", "skip", "challenge", "undo")
}


async def test_each_route_answers_as_the_document_says(api: Api, world: World) -> None:
    routes = {(each.method, nameless(each.path)): each for each in every_route()}
    await api.patch(f"/webhooks/{world.ids['webhooks']}", {"url": f"http://127.0.0.1:{free_port()}/"})
    refused: dict[str, int] = {}
    for operation in sorted(operations(), key=how_final):
        if operation.scope is None:
            answer = await api.get(operation.path)
        else:
            answer = await called(api, world, operation, routes[operation.method, nameless(operation.path)])
        check(operation, answer)
        if answer.status >= 400:
            refused[f"{operation.method} {operation.path}"] = answer.status
    assert refused == REFUSED


def how_final(operation: Operation) -> int:
    """Reading and testing first, then writing, then what ends a thing."""
    if operation.method == "DELETE":
        return 3
    if operation.method == "GET" or operation.path.endswith("/test"):
        return 0
    return 2 if operation.path.endswith("/cancel") else 1


async def called(api: Api, world: World, operation: Operation, route: Route) -> Answer:
    path = world.path(route.path)
    if str(route) in CSV_ONLY:
        return await api.call(route.method, path, data=operation.csv.encode(), content_type="text/csv")
    return await api.call(route.method, path, bodies(route, world)[0] if route.method != "GET" else None)


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
        problems = validator(response["content"][media]["schema"]).iter_errors(answer.body)
        assert not [f"{each.instance_path}: {each.message}" for each in problems], where
    sometimes = ("Idempotency-Replayed", "Retry-After")
    assert all(name in answer.headers for name in response["headers"] if name not in sometimes), where


# The sandbox plays these people: what they do is in the name.
PLAYED = ["replies", "optout", "private", "timeout.lost", "noroute", "ratelimit", "challenge", "disabled"]


async def test_each_event_is_what_the_document_says(
    test_api: Api, services: Services, test_caller: Caller, database: Database
) -> None:
    await happen(test_api, services, test_caller, database)
    told = (await test_api.get("/events", limit=1_000)).body["data"]
    for each in told:
        content = DOCUMENT["webhooks"][each["type"]]["post"]["requestBody"]["content"]["application/json"]
        problems = validator(content["schema"]).iter_errors(each)
        assert not [f"{problem.instance_path}: {problem.message}" for problem in problems], each
    assert {each["type"] for each in told} == set(DOCUMENT["webhooks"]) - {"webhook.test"}


async def happen(api: Api, services: Services, caller: Caller, database: Database) -> None:
    """Everything that is told of, at least once."""
    sending = Sending(services, caller)
    await sending.speed(0)
    for name in ("acme.one", "acme.two", "acme.three"):
        await sending.sender(name)
    for name in PLAYED:
        client = await make.client(database, caller, name=name)
        await sending.campaign([f"sandbox.{name}"], client_id=client.id)
        await sending.send()
        await sending.later(hours=1)
    used = (await api.get("/usage")).body["sent"]
    await api.patch("/workspace", {"monthlyLimit": used + 1})
    await sending.campaign(["sandbox.silent"])
    await sending.send()
    await api.patch("/workspace", {"monthlyLimit": None})
    await sending.later(days=2)
    await sending.hear()
    senders = (await api.get("/senders")).body["data"]
    for each in senders:
        await api.post(f"/senders/{each['id']}/resume")
    await answers(api, sending)
    other = await campaign(database, caller)
    await upload(api, other, people("somebody.else"))
    await api.post(f"/campaigns/{other.id}/imports", data=b"instagramUsername\nanna\n", content_type="text/csv")
    await go_on_with_imports(database, pepper=PEPPER)
    for verb in ("start", "pause", "resume", "cancel"):
        await api.post(f"/campaigns/{other.id}/{verb}")
    hook = await api.post("/webhooks", {"url": "https://example.com/hook", "events": ["*"]})
    await api.patch(f"/webhooks/{hook.body['id']}", {"state": "disabled"})


async def answers(api: Api, sending: Sending) -> None:
    """A person labels a reply and answers it, which ends in all three ways."""
    found = (await api.get("/conversations", instagramUsername="sandbox.replies")).body["data"][0]
    reply = (await api.get("/replies", instagramUsername="sandbox.replies")).body["data"][0]
    await api.patch(f"/replies/{reply['id']}", {"label": "not_now"})
    caller, id_ = sending.caller, ConversationId.parse(found["id"])
    post = Post(sending.db, sending.services.settings, sending.engine.transports)
    for outcome in (Sent("mid.1"), NotSent(code="provider_error", reason="no"), Unknown("nobody knows")):
        async with sending.db.transaction() as conn:
            ready = await begin(conn, post, caller, id_, NewAnswer(text="Hi"))
        await settle(sending.db, ready.answer, outcome)
