"""A person's answer in a conversation: sent once whatever happens, counted for its sender, refused with the reason."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from iglayers.accounts import actions as accounts
from iglayers.accounts.model import Caller, Scope
from iglayers.accounts.services import Services
from iglayers.core import db as database_of
from iglayers.core.db import Database
from iglayers.core.ids import ConversationId, MessageId
from iglayers.senders.model import NotSent, Order, Outcome, Rest, Sent, Trouble, Unknown
from iglayers.senders.transports import build
from iglayers.senders.transports.sandbox.transport import SandboxTransport
from iglayers.sending import actions as sending
from iglayers.sending import answers, answers_settle
from iglayers.sending.model_answers import NewAnswer
from iglayers.web import app
from tests.sending.cut import relaying
from tests.sending.providers import BrokenProvider, HeldProvider
from tests.sending.world import World
from tests.serving import Answer, Api, serving

WHO = "jane.doe.quiet"


@pytest.fixture
def services(services: Services) -> Services:
    """Without a cache of keys, so that a clock that a test moves is seen by the next call."""
    return msgspec.structs.replace(services, settings=msgspec.structs.replace(services.settings, key_cache_s=0))


class Talk:
    """A conversation that one person has begun, and the engine of answers."""

    def __init__(self, world: World, conversation_id: ConversationId) -> None:
        self.world = world
        self.id = conversation_id
        self.post = answers.Post(world.db, world.services.settings, world.engine.transports)

    def through(self, transport: SandboxTransport) -> answers.Post:
        return msgspec.structs.replace(self.post, transports={"sandbox": transport})

    async def begin(self, post: answers.Post | None = None, text: str = "Hi Jane") -> answers.Ready:
        async with self.world.db.transaction() as conn:
            return await answers.begin(conn, post or self.post, self.world.caller, self.id, NewAnswer(text=text))

    async def states(self) -> list[str]:
        found = await self.world.all("SELECT state FROM messages WHERE kind = 'answer' ORDER BY id")
        return [each["state"] for each in found]

    async def texts(self) -> list[str]:
        """What the person got, by the sandbox's own log."""
        found = await self.world.all("SELECT text FROM sandbox_messages ORDER BY delivered_at, id")
        return [each["text"] for each in found]

    async def answer(self, api: Api, text: str = "Hi Jane", **options: Any) -> Answer:
        return await api.post(f"/conversations/{self.id}/messages", {"text": text}, **options)


@pytest.fixture
async def talk(world: World) -> Talk:
    await world.sender()
    await world.campaign([WHO])
    await world.send()
    await world.say(WHO, "Is this paid?")
    return Talk(world, ConversationId(await world.value("SELECT id FROM conversations")))


async def test_an_answer_is_sent_and_stands_in_the_thread(talk: Talk, test_api: Api) -> None:
    status, body = await talk.answer(test_api, " It is: 100 €.\r\nSounds good? ")
    assert status == 201
    assert body | {"id": None, "begunAt": None, "settledAt": None, "providerMessageId": None} == {
        "id": None, "kind": "answer", "campaignId": None, "targetId": None,
        "contactId": body["contactId"], "instagramUsername": WHO, "senderId": body["senderId"],
        "senderUsername": "acme.official", "step": 0, "variant": 0, "route": "sandbox",
        "text": "It is: 100 €.\nSounds good?", "status": "sent", "begunAt": None, "settledAt": None,
        "providerMessageId": None, "errorCode": None, "reason": None, "evidence": [], "author": "key Tests",
    }  # fmt: skip
    assert (await talk.texts())[-1] == "It is: 100 €.\nSounds good?"
    thread = (await test_api.get(f"/conversations/{talk.id}")).body
    assert [each["direction"] for each in thread["words"]] == ["out", "in", "out"]
    assert (thread["words"][2]["author"], thread["words"][2]["status"]) == ("key Tests", "sent")
    assert (thread["needsAnswer"], thread["lastAnswerAt"]) == (False, body["begunAt"])
    [told] = await talk.world.events("answer.sent")
    assert told["message"]["id"] == body["id"]
    assert told["conversation"] == {"id": str(talk.id), "instagramUsername": WHO}
    assert len(await talk.world.events("message.sent")) == 1  # the campaign's alone
    assert (await test_api.get(f"/messages/{body['id']}")).body == body


async def test_the_same_key_sends_once(talk: Talk, test_api: Api) -> None:
    first = await talk.answer(test_api, headers={"Idempotency-Key": "a1"})
    again = await talk.answer(test_api, headers={"Idempotency-Key": "a1"})
    assert (first.status, again.status, again.raw) == (201, 201, first.raw)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.body["status"] == "sent"
    other = await talk.answer(test_api, "another", headers={"Idempotency-Key": "a1"})
    assert other.body["error"]["code"] == "idempotency_key_reused"
    assert (await talk.texts()).count("Hi Jane") == 1


async def test_two_people_answer_at_once(talk: Talk, test_api: Api) -> None:
    found = await asyncio.gather(*(talk.answer(test_api, f"answer {number}") for number in range(6)))
    count = Counter(each.status for each in found)
    assert count[201] >= 1
    assert count[201] + count[409] == 6
    for each in found:
        if each.status == 409:
            assert each.body["error"]["remedy"] == "Try again in a moment: one goes after the other."
    assert len(await talk.texts()) == 1 + count[201]
    assert await talk.states() == ["sent"] * count[201]


async def test_another_waits_until_the_first_is_settled(talk: Talk, test_api: Api) -> None:
    ready = await talk.begin()
    refused = await talk.answer(test_api)
    assert (refused.status, refused.body["error"]["code"]) == (409, "conflict")
    await answers.finish(talk.post, ready)
    assert (await talk.answer(test_api, "second")).status == 201
    assert await talk.states() == ["sent", "sent"]


async def test_a_campaign_waits_while_an_answer_is_on_its_way(talk: Talk) -> None:
    await talk.world.later(hours=1)
    await talk.world.campaign(["mario.quiet"])
    ready = await talk.begin()
    await talk.world.send()
    assert await talk.world.attempts("mario.quiet") == []
    await answers.finish(talk.post, ready)
    await talk.world.later(minutes=1)
    await talk.world.send()
    assert await talk.world.attempts("mario.quiet") == ["sent"]


async def test_an_answer_counts_for_its_sender_and_not_for_the_month(world: World, test_api: Api) -> None:
    await world.sender(hourly_limit=2)
    await world.set_workspace(monthly_limit=2)
    await world.campaign([WHO, "mario.quiet"])
    await world.send()
    await world.say(WHO, "Is this paid?")
    talk = Talk(world, ConversationId(await world.value("SELECT id FROM conversations")))
    await world.later(minutes=1)
    assert (await talk.answer(test_api)).status == 201
    await world.later(minutes=31)
    await world.send()
    assert await world.attempts("mario.quiet") == []  # two in this hour
    assert (await talk.answer(test_api, "one more")).status == 201  # nobody waits who answers
    await world.later(hours=2)
    await world.send()
    assert await world.attempts("mario.quiet") == ["sent"]
    assert await world.sent_this_month() == 2
    assert (await test_api.get("/usage")).body["sent"] == 2


async def test_killed_between_begin_and_settle(talk: Talk, test_api: Api) -> None:
    ready = await talk.begin()
    await talk.world.all("UPDATE messages SET lease_until = now() - interval '1 second' WHERE state = 'sending'")
    assert await answers_settle.end_leases(talk.world.db) == 1
    assert await talk.states() == ["unknown"]
    [told] = await talk.world.events("answer.unknown")
    assert told["message"]["reason"] == "The process was lost while the answer was on its way."
    assert await talk.texts() == ["Hi there"]  # nothing was sent by a machine afterwards
    assert await answers_settle.end_leases(talk.world.db) == 0
    # First-hand knowledge still settles it.
    await answers_settle.settle(talk.world.db, ready.answer, Sent("x"))
    assert await talk.states() == ["sent"]
    assert not await answers_settle.settle(talk.world.db, ready.answer, Unknown("late"))


async def test_a_repeat_while_it_is_on_its_way_gets_it_as_it_is(
    talk: Talk, services: Services, test_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So does one that comes after its process was lost."""
    held = HeldProvider(talk.world.db)
    monkeypatch.setattr(app, "build", lambda services: build(services) | {"sandbox": held})
    async with serving(services) as base:
        api = Api(test_api._session, base, test_api.key)
        call = asyncio.create_task(talk.answer(api, headers={"Idempotency-Key": "b2"}))
        await held.asked.wait()
        again = await talk.answer(test_api, headers={"Idempotency-Key": "b2"})
        assert (again.status, again.body["status"]) == (201, "sending")
        held.answer.set()
        done = await call
    assert (done.status, done.body["status"], done.body["id"]) == (201, "sent", again.body["id"])
    last = await talk.answer(test_api, headers={"Idempotency-Key": "b2"})
    assert last.raw == done.raw
    assert (await talk.texts()).count("Hi Jane") == 1


async def test_a_commit_that_nobody_confirms_sends_nothing(talk: Talk, database_url: str, test_api: Api) -> None:
    async with relaying(database_url) as (relay, url):
        cut = await database_of.connect(url, size=2)
        post = msgspec.structs.replace(talk.post, db=cut)
        relay.cut_after = b"COMMIT"
        begun: list[answers.Ready] = []
        with pytest.raises(Exception):  # noqa: B017, PT011 whatever the driver makes of it
            async with answers.unless_unconfirmed(post, begun), cut.transaction() as conn:
                begun.append(await answers.begin(conn, post, talk.world.caller, talk.id, NewAnswer(text="Hi Jane")))
        assert relay.struck == 1
        await cut.close()
    assert await talk.states() == ["failed"]
    assert "Hi Jane" not in await talk.texts()
    assert (await talk.answer(test_api)).status == 201  # the sender is free again


class Answers(SandboxTransport):
    """A provider that answers one thing."""

    def __init__(self, db: Database, outcome: Outcome) -> None:
        super().__init__(db)
        self._outcome = outcome

    async def deliver(self, order: Order) -> Outcome:
        del order
        return self._outcome


async def test_what_was_refused_has_failed_with_its_reason(talk: Talk, test_api: Api) -> None:
    refused = NotSent(code="recipient_unavailable", reason="The window is closed.", trouble=Trouble.WARNING)
    post = talk.through(Answers(talk.world.db, refused))
    await answers.finish(post, await talk.begin(post))
    assert await talk.states() == ["failed"]
    [told] = await talk.world.events("answer.failed")
    assert (told["message"]["errorCode"], told["message"]["reason"]) == (
        "recipient_unavailable",
        "The window is closed.",
    )
    assert len(await talk.world.events("sender.warning")) == 1
    thread = (await test_api.get(f"/conversations/{talk.id}")).body
    assert (thread["words"][-1]["status"], thread["needsAnswer"]) == ("failed", True)


async def test_somebody_who_has_blocked_the_account_is_suppressed(talk: Talk, test_api: Api) -> None:
    blocked = NotSent(code="recipient_unavailable", reason="The person has blocked the account.", opted_out=True)
    post = talk.through(Answers(talk.world.db, blocked))
    await answers.finish(post, await talk.begin(post))
    [row] = await talk.world.all("SELECT source, client_id FROM suppressions")
    assert tuple(row) == ("opt_out", None)
    [told] = await talk.world.events("contact.opted_out")
    assert (told["instagramUsername"], told["reply"]) == (WHO, None)
    refused = await talk.answer(test_api)
    assert (refused.status, refused.body["error"]["code"]) == (409, "target_suppressed")
    assert "asked not to be written to" in refused.body["error"]["message"]


async def test_a_rest_holds_the_next_answer(talk: Talk, test_api: Api) -> None:
    until = talk.world.caller.now + timedelta(minutes=10)
    post = talk.through(Answers(talk.world.db, Sent("x", rest=Rest(until, "slow down"))))
    await answers.finish(post, await talk.begin(post))
    refused = await talk.answer(test_api)
    assert (refused.status, refused.body["error"]["code"]) == (409, "sender_not_available")
    assert refused.body["error"]["remedy"] == "Try again in 10 min."
    await talk.world.later(minutes=10)
    assert (await talk.answer(test_api)).status == 201


async def test_what_breaks_in_an_unknown_way_is_unknown(talk: Talk, capsys: pytest.CaptureFixture[str]) -> None:
    post = talk.through(BrokenProvider(talk.world.db))
    await answers.finish(post, await talk.begin(post))
    assert await talk.states() == ["unknown"]
    capsys.readouterr()


async def unknown(talk: Talk) -> MessageId:
    post = talk.through(Answers(talk.world.db, Unknown("No answer within 20 s.")))
    ready = await talk.begin(post)
    await answers.finish(post, ready)
    return ready.answer.message_id


@pytest.mark.parametrize(("outcome", "state"), [("sent", "sent"), ("not_sent", "failed")])
async def test_a_person_settles_an_unknown_answer(outcome: str, state: str, talk: Talk, test_api: Api) -> None:
    message_id = await unknown(talk)
    wanted = {"outcome": outcome, "reason": "looked in the app"}
    again = await test_api.post(f"/messages/{message_id}/resolve", wanted | {"requeue": True})
    assert (again.status, again.body["error"]["param"]) == (409, "requeue")
    found = await asyncio.gather(*(test_api.post(f"/messages/{message_id}/resolve", wanted) for _ in range(3)))
    assert sorted(each.status for each in found) == [200, 409, 409]
    assert await talk.states() == [state]
    [told] = await talk.world.events(f"answer.{state}")
    assert told["message"]["id"] == str(message_id)
    assert len(await talk.texts()) == 1


async def test_evidence_settles_an_unknown_answer(talk: Talk) -> None:
    message_id = await unknown(talk)
    evidence: dict[str, Any] = {"kind": "echo", "at": talk.world.caller.now.rfc3339()}
    async with talk.world.db.transaction() as conn:
        assert await sending.settle_by_evidence(
            conn, workspace_id=talk.world.caller.workspace_id, reference=message_id.uuid, provider_message_id="mid.1",
            evidence=evidence,
        )  # fmt: skip
    [row] = await talk.world.all("SELECT state, provider_message_id, evidence FROM messages WHERE kind = 'answer'")
    assert tuple(row) == ("sent", "mid.1", [evidence])


async def test_who_is_not_answered(talk: Talk, test_api: Api) -> None:
    async def refused(text: str = "Hi Jane") -> tuple[int, str]:
        answer = await talk.answer(test_api, text)
        assert answer.body["error"]["remedy"]
        return answer.status, answer.body["error"]["code"]

    assert await refused("") == (400, "missing_required_field")
    assert await refused("ä" * 501) == (400, "invalid_field")
    sender = await talk.world.value("SELECT id FROM senders")
    async with talk.world.db.transaction() as conn:
        await conn.execute("UPDATE senders SET state = 'challenged' WHERE id = $1", sender)
    assert await refused() == (409, "instagram_challenge_detected")
    async with talk.world.db.transaction() as conn:
        await conn.execute("UPDATE senders SET state = 'paused' WHERE id = $1", sender)
    assert await refused() == (409, "sender_not_available")
    async with talk.world.db.transaction() as conn:
        await conn.execute("UPDATE senders SET state = 'active' WHERE id = $1", sender)
    await test_api.post("/suppressions", {"instagramUsername": WHO})
    assert await refused() == (409, "target_suppressed")
    await test_api.delete(f"/suppressions/{WHO}")
    await talk.world.later(days=7)
    assert await refused() == (409, "no_permitted_route")
    await talk.world.say(WHO, "STOP")
    assert await refused() == (409, "target_suppressed")
    async with talk.world.db.transaction() as conn:
        await conn.execute("UPDATE installation SET dispatch = 'paused', dispatch_reason = 'restored'")
    await test_api.delete(f"/suppressions/{WHO}")
    assert await refused() == (409, "invalid_state")
    assert await talk.states() == []
    assert len(await talk.texts()) == 1
    gone = await test_api.post(f"/conversations/{ConversationId.new()}/messages", {"text": "Hi"})
    assert gone.status == 404


async def test_an_account_that_a_person_uses(talk: Talk, test_api: Api) -> None:
    refused = await test_api.post(f"/conversations/{talk.id}/messages", {"text": "Hi Jane", "byHand": True})
    assert (refused.status, refused.body["error"]["param"]) == (400, "byHand")
    async with talk.world.db.transaction() as conn:
        await conn.execute("UPDATE senders SET transport = 'assisted', routes = '{assisted}'")
    refused = await talk.answer(test_api)
    assert (refused.status, refused.body["error"]["code"]) == (409, "no_permitted_route")
    assert "byHand" in refused.body["error"]["remedy"]
    key = {"Idempotency-Key": uuid4().hex}
    body = {"text": "Hi Jane, written on the phone", "byHand": True}
    for _ in range(2):
        status, logged = await test_api.post(f"/conversations/{talk.id}/messages", body, headers=key)
        assert (status, logged["status"], logged["route"], logged["author"]) == (201, "sent", "assisted", "key Tests")
    assert await talk.states() == ["sent"]
    assert len(await talk.world.events("answer.sent")) == 1
    thread = (await test_api.get(f"/conversations/{talk.id}")).body
    assert (thread["words"][-1]["text"], thread["needsAnswer"]) == (body["text"], False)


async def test_answering_needs_the_scope_send(talk: Talk, test_api: Api, test_caller: Caller) -> None:
    async with talk.world.db.transaction() as conn:
        made = await accounts.create_key(
            conn, test_caller, accounts.NewKey(name="Writer", scopes=[Scope.READ, Scope.WRITE])
        )
    refused = await talk.answer(test_api.with_key(made.key))
    assert (refused.status, refused.body["error"]["code"]) == (403, "insufficient_scope")
