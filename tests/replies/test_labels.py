"""What a reply amounts to, told with a sentence; a person's word on it holds."""

from datetime import timedelta

import pytest

from iglayers.core.ids import ReplyId
from iglayers.replies.automatic import Arrival
from iglayers.replies.labels import Label, label_of
from tests.replies.ledger import Ledger
from tests.senders.test_pausing_senders import bound_key
from tests.serving import Api

SAID = {
    Label.INTERESTED: [
        "Yes!", "Sure 😊", "I'd love to hear more", "Sounds interesting, what did you have in mind?", "Ja gerne!",
        "Klingt spannend, mehr Infos bitte", "Avec plaisir", "Ça m'intéresse", "Me interesa, ¿cuánto pagan?", "Claro",
        "Tenho interesse!", "Sono interessata", "Klinkt leuk", "Brzmi ciekawie", "Мне интересно", "興味があります",
        "관심 있어요", "我很感兴趣",
    ],
    Label.NOT_NOW: [
        "Thanks, but I'm fully booked this month.", "Maybe later", "Not right now, sorry", "Im Moment nicht",
        "Pas maintenant, désolée", "Ahora no puedo", "Agora não", "In questo momento no", "Op dit moment niet",
        "Не сейчас", "다음 달에 연락 주세요",
    ],
    Label.NO: [
        "No", "No thanks!", "Not interested, sorry", "Kein Interesse", "Non merci", "No me interesa",
        "Geen interesse",
        "Não tenho interesse", "Non mi interessa", "Не интересно", "没兴趣", "STOP",
    ],
    Label.QUESTION: [
        "Is this paid?", "Who are you?", "Was kostet das?", "¿Quién eres?", "これは何ですか？", "من أنت؟",
    ],
    Label.OTHER: ["Hello", "🙂", "My sister has a shop", "Interesting weather", ""],
}  # fmt: skip


@pytest.mark.parametrize(("label", "text"), [(label, text) for label, texts in SAID.items() for text in texts])
def test_the_rules(label: Label, text: str) -> None:
    found = label_of(text, Arrival(), opted_out=text == "STOP")
    assert found.label is label
    assert found.reason.endswith(".")


def test_every_label_has_its_sentences() -> None:
    assert SAID.keys() | {Label.AUTOMATIC} == set(Label)


async def test_a_reply_is_labelled_with_a_reason_and_told(test_api: Api, ledger: Ledger) -> None:
    await ledger.wrote_to("jane.doe")
    await ledger.came_in("jane.doe", "Thanks, but I'm fully booked this month.")
    await ledger.read()
    [reply] = (await test_api.get("/replies?label=not_now")).body["data"]
    assert (reply["label"], reply["labelReason"], reply["labelledBy"]) == ("not_now", "It says “fully booked”.", None)
    assert (await test_api.get("/replies?label=interested")).body["data"] == []
    [event] = await ledger.events("reply.received")
    assert (event["reply"]["label"], event["reply"]["labelReason"]) == ("not_now", "It says “fully booked”.")


async def test_a_persons_label_is_kept_with_who_and_why(test_api: Api, ledger: Ledger) -> None:
    await ledger.wrote_to("jane.doe")
    await ledger.came_in("jane.doe", "Is this paid?")
    await ledger.read()
    reply_id = await only_reply(test_api)
    status, body = await test_api.patch(f"/replies/{reply_id}", {"label": "interested", "reason": "asked for the rate"})
    assert status == 200
    assert (body["label"], body["labelReason"], body["labelledBy"]) == (
        "interested", "asked for the rate", "key Tests",
    )  # fmt: skip
    assert body["effect"] == "Nothing but the label changed."
    status, body = await test_api.patch(f"/replies/{reply_id}", {"label": "no"})
    assert (body["label"], body["labelReason"]) == ("no", "Set by key Tests.")
    told = await ledger.events("reply.labelled")
    assert [each["reply"]["label"] for each in told] == ["interested", "no"]
    entries = (await test_api.get("/audit-log")).body["data"]
    assert [each["action"] for each in entries].count("reply.labelled") == 2
    assert await ledger.all("SELECT id FROM suppressions") == []  # a label suppresses nobody


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "missing_required_field"), ({"label": "great"}, "invalid_field"),
        ({"label": "no", "text": "x"}, "invalid_field"), ({"label": "no", "reason": "x" * 501}, "invalid_field"),
    ],
)  # fmt: skip
async def test_a_label_that_does_not_exist(body: dict[str, str], code: str, test_api: Api, ledger: Ledger) -> None:
    await ledger.came_in("jane.doe", "hello")
    await ledger.read()
    answer = await test_api.patch(f"/replies/{await only_reply(test_api)}", body)
    assert (answer.status, answer.body["error"]["code"]) == (400, code)
    assert (await test_api.get("/replies?label=great")).status == 400
    assert (await test_api.patch(f"/replies/{ReplyId.new()}", {"label": "no"})).status == 404


async def test_a_key_of_another_client_cannot_label(test_api: Api, ledger: Ledger) -> None:
    await ledger.wrote_to("jane.doe")
    await ledger.came_in("jane.doe", "hello")
    await ledger.read()
    other = await ledger.wrote_to("mario", ago=timedelta(hours=2))
    bound = test_api.with_key(await bound_key(ledger.database, ledger.caller, other.client_id))
    assert (await bound.patch(f"/replies/{await only_reply(test_api)}", {"label": "no"})).status == 404


async def test_a_logged_reply_may_bring_its_label(test_api: Api, ledger: Ledger) -> None:
    written = await ledger.wrote_to("jane.doe", follow_up=True)
    new = {"senderId": str(ledger.sender.id), "instagramUsername": "jane.doe", "text": "hmm", "label": "interested"}
    status, body = await test_api.post("/replies", new)
    assert (status, body["label"], body["labelledBy"]) == (201, "interested", "key Tests")
    assert (await ledger.target(written))["state"] == "replied"


async def only_reply(api: Api) -> str:
    [reply] = (await api.get("/replies")).body["data"]
    return reply["id"]
