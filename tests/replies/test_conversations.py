"""Threads: whoever said something is in the list, newest first, with all that both wrote and the way that is open."""

from datetime import timedelta
from typing import Any

import pytest

from iglayers.core.clock import Moment
from iglayers.core.ids import ConversationId
from tests import make
from tests.replies.ledger import Ledger
from tests.senders.orders import a_sender
from tests.senders.test_pausing_senders import bound_key
from tests.sending.world import World
from tests.serving import Api


async def listed(api: Api, **query: Any) -> list[str]:
    """The people of the list, in its order."""
    answer = await api.get("/conversations", **query)
    assert answer.status == 200, answer
    return [each["instagramUsername"] for each in answer.body["data"]]


async def only(api: Api) -> dict[str, Any]:
    [found] = (await api.get("/conversations")).body["data"]
    return found


async def test_whoever_said_nothing_is_no_conversation(test_api: Api, ledger: Ledger) -> None:
    await ledger.wrote_to("jane.doe")
    assert await listed(test_api) == []
    await ledger.came_in("jane.doe", "Is this paid?")
    await ledger.read()
    found = await only(test_api)
    at = ledger.caller.now
    assert found["windowEndsAt"] is not None
    assert found | {"id": None, "windowEndsAt": None, "lastInboundAt": None, "activeAt": None} == {
        "id": None, "instagramUsername": "jane.doe", "senderId": str(ledger.sender.id),
        "senderUsername": "acme.official", "label": "question", "needsAnswer": True, "lastReply": "Is this paid?",
        "lastInboundAt": None, "lastAnswerAt": None, "windowEndsAt": None, "windowOpen": True, "activeAt": None,
    }  # fmt: skip
    assert found["lastInboundAt"] <= at.rfc3339()


async def test_the_newest_word_stands_first_and_pages_follow(test_api: Api, ledger: Ledger) -> None:
    now = ledger.caller.now
    for number, username in enumerate(["anna", "ben", "cleo", "dora"]):
        await ledger.came_in(username, "hello", at=now - timedelta(hours=10 - number))
    await ledger.came_in("anna", "still there?", at=now - timedelta(hours=1))
    await ledger.came_in("ben", "an older word, told late", at=now - timedelta(hours=11))
    await ledger.read()
    assert await listed(test_api) == ["anna", "dora", "cleo", "ben"]
    first = (await test_api.get("/conversations", limit=3)).body
    assert first["hasMore"]
    second = (await test_api.get("/conversations", limit=3, cursor=first["nextCursor"])).body
    assert [each["instagramUsername"] for each in second["data"]] == ["ben"]
    assert (second["hasMore"], second["nextCursor"]) == (False, None)


async def test_words_of_one_moment_are_paged_too(test_api: Api, ledger: Ledger) -> None:
    at = ledger.caller.now
    for username in ("anna", "ben", "cleo"):
        await ledger.came_in(username, "hello", at=at)
    await ledger.read()
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(3):
        page = (await test_api.get("/conversations", limit=1, **cursor)).body
        seen += [each["instagramUsername"] for each in page["data"]]
        cursor = {"cursor": page["nextCursor"]}
    assert sorted(seen) == ["anna", "ben", "cleo"]


async def test_what_the_list_is_narrowed_by(test_api: Api, ledger: Ledger) -> None:
    other = await a_sender(ledger.database, ledger.caller, "acme.second")
    now = ledger.caller.now
    await ledger.came_in("anna", "Sounds interesting!", at=now - timedelta(minutes=4))
    await ledger.came_in("anna", "🙂", at=now - timedelta(minutes=3))  # leaves the label as it is
    await ledger.came_in("ben", "No thanks", at=now - timedelta(minutes=2))
    await ledger.came_in("cleo", "Automatic reply: away", at=now - timedelta(minutes=1), sender=other)
    await ledger.came_in("dora", "Is this paid?", at=now - timedelta(days=2))
    await ledger.read()
    assert await listed(test_api) == ["cleo", "ben", "anna", "dora"]
    assert await listed(test_api, senderId=other.id) == ["cleo"]
    assert await listed(test_api, instagramUsername="@Ben") == ["ben"]
    assert await listed(test_api, instagramUsername="nobody") == []
    assert await listed(test_api, label="interested") == ["anna"]
    assert await listed(test_api, label="automatic") == ["cleo"]
    assert await listed(test_api, window="closed") == ["dora"]
    assert await listed(test_api, window="open") == ["cleo", "ben", "anna"]
    assert await listed(test_api, needsAnswer="true") == ["anna", "dora"]
    assert await listed(test_api, needsAnswer="false") == ["cleo", "ben"]


@pytest.mark.parametrize(
    "query",
    [
        {"label": "great"}, {"window": "ajar"}, {"needsAnswer": "yes"}, {"cursor": "cnv_1"}, {"senderId": "x"},
        {"x": "y"},
    ],
)  # fmt: skip
async def test_what_cannot_be_asked(query: dict[str, str], test_api: Api) -> None:
    answer = await test_api.get("/conversations", **query)
    assert (answer.status, answer.body["error"]["param"]) == (400, next(iter(query)))


async def test_a_thread_is_told_in_the_order_of_time(test_api: Api, ledger: Ledger) -> None:
    now = ledger.caller.now
    written = await ledger.wrote_to("jane.doe", ago=timedelta(hours=3))
    await ledger.wrote_to("jane.doe", message="not_sent", target="queued", ago=timedelta(hours=2))
    await ledger.came_in("jane.doe", "Is this paid?", at=now - timedelta(hours=1))
    await ledger.came_in("jane.doe", "Hello?", at=now - timedelta(minutes=1))
    await ledger.read()
    found = await only(test_api)
    status, thread = await test_api.get(f"/conversations/{found['id']}")
    assert status == 200
    assert [(each["direction"], each["text"]) for each in thread["words"]] == [
        ("out", "Hi!"), ("in", "Is this paid?"), ("in", "Hello?"),
    ]  # fmt: skip
    first, asked, _ = thread["words"]
    assert (first["campaignId"], first["campaignName"], first["step"]) == (str(written.campaign_id), "May", 0)
    assert (first["messageId"], first["status"]) == (str(written.message_id), "sent")
    assert (asked["label"], asked["reason"]) == ("question", "It asks something.")
    assert thread["answer"]["route"] == "sandbox"
    assert thread["answer"]["until"] == thread["windowEndsAt"]
    newest = (await test_api.get(f"/conversations/{found['id']}", limit=2)).body
    assert [each["text"] for each in newest["words"]] == ["Is this paid?", "Hello?"]
    older = (await test_api.get(f"/conversations/{found['id']}", limit=2, cursor=newest["nextCursor"])).body
    assert [each["text"] for each in older["words"]] == ["Hi!"]
    assert not older["hasMore"]
    assert (await test_api.get(f"/conversations/{ConversationId.new()}")).status == 404


async def test_the_window_closes_and_the_way_changes(world: World, test_api: Api) -> None:
    await world.sender()
    await world.campaign(["jane.doe.quiet"])
    await world.send()
    await world.say("jane.doe.quiet", "Is this paid?")
    conversation_id = (await only(test_api))["id"]

    async def way() -> tuple[bool, str | None, str]:
        thread = (await test_api.get(f"/conversations/{conversation_id}")).body
        return thread["windowOpen"], thread["answer"]["route"], thread["answer"]["rule"]

    assert await way() == (True, "sandbox", "within 24 hours of the person's last word")
    await world.later(hours=24)
    assert await way() == (
        False, "sandbox.human_agent", "a person answers within seven days of the person's last word",
    )  # fmt: skip
    await world.later(days=6)
    assert await way() == (False, None, "The person's last word is more than seven days old.")
    await world.say("jane.doe.quiet", "Hello again")
    assert (await way())[:2] == (True, "sandbox")


async def test_a_reply_logged_by_hand_begins_a_conversation_without_a_window(test_api: Api, ledger: Ledger) -> None:
    async with ledger.database.transaction() as conn:
        await conn.execute("UPDATE senders SET transport = 'assisted', routes = '{assisted}'")
    new = {"senderUsername": "acme.official", "instagramUsername": "jane.doe", "text": "Tell me more"}
    await test_api.post("/replies", new)
    found = await only(test_api)
    assert (found["windowEndsAt"], found["windowOpen"], found["needsAnswer"]) == (None, False, True)
    thread = (await test_api.get(f"/conversations/{found['id']}")).body
    assert thread["answer"]["route"] is None
    assert thread["answer"]["rule"] == "A person sends what acme.official writes, and nothing leaves from here."


async def test_a_bound_key_sees_its_own_words_only(test_api: Api, ledger: Ledger) -> None:
    theirs = await ledger.wrote_to("jane.doe", ago=timedelta(hours=5))
    await ledger.came_in("jane.doe", "first", at=ledger.caller.now - timedelta(hours=4))
    await ledger.read()
    mine = await ledger.wrote_to("jane.doe", ago=timedelta(hours=2))
    await ledger.came_in("jane.doe", "second")
    await ledger.came_in("mario", "not mine")
    await ledger.read()
    nobody = await make.client(ledger.database, ledger.caller)
    for client_id, words in ((theirs.client_id, ["Hi!", "first"]), (mine.client_id, ["Hi!", "second"])):
        bound = test_api.with_key(await bound_key(ledger.database, ledger.caller, client_id))
        found = await only(bound)
        assert found["lastReply"] == words[1]
        thread = (await bound.get(f"/conversations/{found['id']}")).body
        assert [each["text"] for each in thread["words"]] == words
    stranger = test_api.with_key(await bound_key(ledger.database, ledger.caller, nobody.id))
    assert await listed(stranger) == []
    assert (await stranger.get(f"/conversations/{found['id']}")).status == 404


async def test_an_erased_person_leaves_the_list(test_api: Api, ledger: Ledger) -> None:
    await ledger.wrote_to("jane.doe")
    await ledger.came_in("jane.doe", "hello")
    await ledger.read()
    assert (await test_api.delete("/contacts/jane.doe")).status == 200
    assert await listed(test_api) == []
    [row] = await ledger.all("SELECT text, label, label_reason FROM replies")
    assert tuple(row) == (None, "other", None)


async def test_the_order_is_what_the_rows_say(test_api: Api, ledger: Ledger) -> None:
    at = Moment.of(ledger.caller.now - timedelta(hours=2))
    await ledger.came_in("jane.doe", "hello", at=at)
    await ledger.read()
    found = await only(test_api)
    assert (found["activeAt"], found["lastInboundAt"]) == (at.rfc3339(), at.rfc3339())
    assert found["windowEndsAt"] == (Moment.of(at + timedelta(hours=24))).rfc3339()
