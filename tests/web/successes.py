"""How each operation comes to succeed: on a world with one of everything, or in a state that is made for it."""

from collections.abc import AsyncIterator, Callable

from iglayers.core.ids import ClientId
from iglayers.web.openapi.document import operations
from iglayers.web.openapi.operation import Operation
from tests import make
from tests.events.receiving import endpoint, receiving
from tests.sending.world import World as Sending
from tests.serving import Answer
from tests.targets.uploads import campaign, people, upload
from tests.web.calling import called, label, walk
from tests.web.stage import Stage

# What is said of a card by the account that it is of, in an order in which each may be said.
SAID_OF_CARDS = {
    "by.hand": ("claim", "sent", "undo", "failed", "undo", "skip", "undo", "release"),
    "asked.for.a.code": ("claim", "challenge"),
}
Answers = AsyncIterator[tuple[str, Answer]]


async def a_client_with_a_new_name(stage: Stage) -> Answers:
    client = await make.client(stage.database, stage.caller)
    yield "PATCH /clients/{id}", await stage.api.patch(f"/clients/{client.id}", {"name": "Renamed"})


async def a_template_that_nobody_uses(stage: Stage) -> Answers:
    template = await make.template(stage.database, stage.caller)
    yield "DELETE /message-templates/{id}", await stage.api.delete(f"/message-templates/{template.id}")


async def an_endpoint_that_listens(stage: Stage) -> Answers:
    async with receiving() as receiver:
        made = await endpoint(stage.services, stage.caller, receiver.url)
        yield "POST /webhooks/{id}/test", await stage.api.post(f"/webhooks/{made.id}/test")
        since = {"since": stage.world.ids["yesterday"]}
        yield "POST /webhooks/{id}/replay", await stage.api.post(f"/webhooks/{made.id}/replay", since)


async def a_person_who_wants_to_be_forgotten(stage: Stage) -> Answers:
    await make.suppression(stage.database, stage.caller, "gone.soon")
    yield "DELETE /contacts/{username}", await stage.api.delete("/contacts/gone.soon")


async def a_campaign_that_runs(stage: Stage) -> Answers:
    made = await campaign(stage.database, stage.caller, client_id=ClientId.parse(stage.world.ids["clients"]))
    uploaded = await upload(stage.api, made, people("anna", "berta"))
    target = f"/campaigns/{made.id}/targets/{uploaded.body['results'][0]['id']}"
    yield "DELETE /campaigns/{id}/targets/{targetId}", await stage.api.delete(target)
    for verb in ("start", "pause", "resume", "cancel"):
        yield f"POST /campaigns/{{id}}/{verb}", await stage.api.post(f"/campaigns/{made.id}/{verb}")


async def cards_of_two_accounts(stage: Stage) -> Answers:
    """A challenge ends a card, and an account that gave one back waits before the next."""
    sending = Sending(stage.services, stage.caller)
    for name, verbs in SAID_OF_CARDS.items():
        sender = await sending.sender(name, transport="assisted")
        await sending.campaign([f"friend.of.{name}"], sender_ids=[sender.id])
        await sending.send()
        [card] = (await stage.api.get("/outbox", senderId=sender.id)).body["data"]
        for verb in verbs:
            yield f"POST /outbox/{{id}}/{verb}", await stage.api.post(f"/outbox/{card['id']}/{verb}")


async def each_shape(stage: Stage) -> Answers:
    """Lists that are files too."""
    for operation in operations():
        for query in operation.query:
            if query.name == "format":
                for shape in query.schema["enum"]:
                    yield label(operation), await called(stage.api, stage.world, operation, query={"format": shape})


ARRANGED: list[Callable[[Stage], Answers]] = [
    cards_of_two_accounts, a_client_with_a_new_name, a_template_that_nobody_uses, an_endpoint_that_listens,
    a_person_who_wants_to_be_forgotten, a_campaign_that_runs, each_shape,
]  # fmt: skip


async def succeed(stage: Stage, _asked: list[Operation]) -> AsyncIterator[tuple[Operation, Answer]]:
    """What is arranged for comes first: the walk ends much of its world."""
    named = {label(each): each for each in operations()}
    arranged: set[str] = set()
    for arrange in ARRANGED:
        async for name, answer in arrange(stage):
            arranged.add(name)
            yield named[name], answer
    async for operation, answer in walk(stage.api, stage.world):
        if label(operation) not in arranged:
            yield operation, answer
