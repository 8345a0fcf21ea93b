"""What the application answers and tells is what the document says of it: each route called, each event provoked."""

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.campaigns.actions_imports import go_on_with_imports
from iglayers.core.db import Database
from iglayers.core.ids import ConversationId
from iglayers.senders.model import NotSent, Sent, Unknown
from iglayers.sending.answers import Post, begin
from iglayers.sending.answers_settle import settle
from iglayers.sending.model_answers import NewAnswer
from tests import make
from tests.databases import PEPPER
from tests.sending.world import World as Sending
from tests.serving import Api
from tests.targets.uploads import campaign, people, upload
from tests.web.calling import check, label, walk
from tests.web.openapi import DOCUMENT, validator
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
    refused: dict[str, int] = {}
    async for operation, answer in walk(api, world):
        check(operation, answer)
        if answer.status >= 400:
            refused[label(operation)] = answer.status
    assert refused == REFUSED


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
