"""An automatic answer is nobody's: follow-ups go on, visibly, until a person says that somebody did answer."""

from datetime import timedelta

import pytest

from iglayers.replies.automatic import Arrival, why_automatic
from tests.replies.ledger import Ledger
from tests.sending.world import World
from tests.serving import Api

LONG = "Hello dear, what a lovely message, I will think about it"


@pytest.mark.parametrize(
    "text",
    [
        "Out of office until 12 May", "Automatic reply: I'm away.",
        "This is an automated message. Need help? Call us.",
        "Abwesenheitsnotiz: Ich bin ab Montag wieder da", "Réponse automatique : je suis en congé",
        "Respuesta automática. Gracias por escribir.", "Mensagem automática",
        "Risposta automatica: sono fuori ufficio",
        "Automatisch antwoord", "Odpowiedź automatyczna", "Otomatik yanıt: şu an buradayım", "Автоответ: я в отпуске",
        "Автоматична відповідь", "رد تلقائي: شكرا لتواصلك", "Balasan otomatis", "自動返信です。",
        "자동응답 메시지입니다", "自动回复：稍后联系",
    ],
)  # fmt: skip
def test_it_calls_itself_automatic(text: str) -> None:
    assert why_automatic(text, Arrival()) is not None


@pytest.mark.parametrize(
    ("text", "seconds", "is_automatic"),
    [
        ("Thanks! We will get back to you.", 8, True),
        ("Thanks! We will get back to you.", 31, False),
        ("Danke, wir melden uns!", 20, True),
        ("Nous vous répondrons dès que possible", 20, True),
        (LONG, 5, True),
        (LONG, 6, False),
        ("Yes please!", 2, False),  # a tap is as quick
        (LONG, -2, False),  # two clocks: it answers something before
        ("Is this an automated message?", 90, False),
        ("I can reply automatically to anything", 90, False),
        ("I'll get back to you tomorrow", 20, False),
    ],
)
def test_the_time_it_took(text: str, seconds: float, is_automatic: bool) -> None:
    assert (why_automatic(text, Arrival(after=timedelta(seconds=seconds))) is not None) is is_automatic


def test_the_same_words_twice_are_a_machines() -> None:
    assert why_automatic(LONG, Arrival(said_before=True)) is not None
    assert why_automatic("Yes please!", Arrival(said_before=True)) is None


async def test_follow_ups_go_on_and_the_timeline_says_so(test_api: Api, ledger: Ledger) -> None:
    written = await ledger.wrote_to("jane.doe", follow_up=True)
    await ledger.came_in("jane.doe", "Out of office until Monday")
    await ledger.read()
    row = await ledger.target(written)
    assert (row["state"], row["replied_at"]) == ("sent", None)
    assert row["next_due_at"] is not None
    [event] = await ledger.events("reply.received")
    assert (event["reply"]["label"], event["reply"]["labelReason"]) == ("automatic", "It says “out of office”.")
    story = (await test_api.get(f"/campaigns/{written.campaign_id}/targets/{written.target_id}")).body
    [entry] = [each for each in story["timeline"] if each["type"] == "reply.received"]
    assert entry["label"] == "automatic"
    assert entry["reason"] == "An automatic answer came; it ends no follow-ups. It says “out of office”."
    assert story["status"] == "sent"


async def test_the_follow_up_is_really_sent_unless_a_person_answers(world: World) -> None:
    await world.sender()
    await world.campaign(["jane.doe.away", "mario.rossi.away"], follow_up_hours=[24])
    await world.send()
    await world.later(minutes=1)
    await world.send()
    for username, text in (("jane.doe.away", "Automatic reply: away"), ("mario.rossi.away", "Hello there")):
        await world.say(username, text)
    await world.later(hours=25)
    await world.send()
    assert await world.attempts("jane.doe.away") == ["sent", "sent"]
    assert await world.attempts("mario.rossi.away") == ["sent"]


async def test_the_same_words_in_answer_to_the_follow_up_too(ledger: Ledger) -> None:
    first = await ledger.wrote_to("jane.doe", ago=timedelta(days=3))
    await ledger.came_in("jane.doe", LONG, at=ledger.caller.now - timedelta(days=2))
    await ledger.came_in("jane.doe", LONG, at=ledger.caller.now - timedelta(days=2) + timedelta(minutes=1))
    await ledger.read()
    second = await ledger.wrote_to("jane.doe", ago=timedelta(hours=1))
    await ledger.came_in("jane.doe", LONG)
    await ledger.read()
    labels = [each["label"] for each in await ledger.all("SELECT label FROM replies ORDER BY id")]
    assert labels == ["other", "other", "automatic"]  # said again to the same message is a person's
    assert [(await ledger.target(each))["state"] for each in (first, second)] == ["replied", "sent"]


async def test_an_opt_out_counts_however_fast_it_comes(ledger: Ledger) -> None:
    written = await ledger.wrote_to("jane.doe", ago=timedelta(seconds=2))
    await ledger.came_in("jane.doe", "Please do not message me again")
    await ledger.read()
    assert (await ledger.target(written))["state"] == "replied"
    assert len(await ledger.events("contact.opted_out")) == 1


async def test_a_person_says_that_somebody_answered(test_api: Api, ledger: Ledger) -> None:
    written = await ledger.wrote_to("jane.doe", follow_up=True)
    elsewhere = await ledger.wrote_to("jane.doe", follow_up=True, ago=timedelta(days=2))
    await ledger.came_in("jane.doe", "Out of office, but tell me more!")
    await ledger.read()
    [reply] = (await test_api.get("/replies?label=automatic")).body["data"]
    status, body = await test_api.patch(f"/replies/{reply['id']}", {"label": "interested"})
    assert (status, body["effect"]) == (200, "The target is replied, and 2 follow-ups stopped.")
    row = await ledger.target(written)
    assert (row["state"], row["next_due_at"], row["replied_at"].isoformat()) == (
        "replied", None, reply["receivedAt"].replace("Z", "000+00:00"),
    )  # fmt: skip
    assert (await ledger.target(elsewhere))["next_due_at"] is None
    [told] = await ledger.events("reply.labelled")
    assert (told["target"]["id"], told["reply"]["label"]) == (str(written.target_id), "interested")


async def test_what_was_stopped_stays_stopped(test_api: Api, ledger: Ledger) -> None:
    written = await ledger.wrote_to("jane.doe", follow_up=True)
    await ledger.came_in("jane.doe", "I am at the beach")
    await ledger.read()
    [reply] = (await test_api.get("/replies")).body["data"]
    status, body = await test_api.patch(f"/replies/{reply['id']}", {"label": "automatic", "reason": "her bot"})
    assert status == 200
    assert body["effect"] == "The target stays replied, and follow-ups that were stopped stay stopped."
    row = await ledger.target(written)
    assert (row["state"], row["next_due_at"]) == ("replied", None)
    story = (await test_api.get(f"/campaigns/{written.campaign_id}/targets/{written.target_id}")).body
    [entry] = [each for each in story["timeline"] if each["type"] == "reply.labelled"]
    assert (entry["actor"], entry["reason"]) == ("key Tests", "her bot")


async def test_numbers_leave_automatic_answers_out(test_api: Api, ledger: Ledger) -> None:
    written = await ledger.wrote_to("jane.doe")
    await ledger.came_in("jane.doe", "Out of office")
    await ledger.read()
    stats = (await test_api.get(f"/campaigns/{written.campaign_id}/stats")).body
    assert [each["replied"] for each in stats["senders"]] == [0]
    assert [each["replied"] for each in stats["series"]] == [0]
