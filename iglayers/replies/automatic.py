"""Whether a machine of the person's wrote a reply: out of office, instant answers, "we will get back to you". Pure.

An automatic answer is not the person's: it does not end a campaign's follow-ups. So a doubt counts as a person. The
rules, in this order, each with the sentence that is shown:

1. it calls itself automatic, in one of many languages, and does not end as a question;
2. it came within 30 seconds and says what such answers say ("we will get back to you");
3. it came within 5 seconds and is longer than anybody reads and types in that time;
4. the person answered another message with the very same words before.

Instagram itself marks nothing: a business account's instant replies and away messages look like any message.
"""

from datetime import timedelta

import msgspec

from iglayers.replies.optout import bare, normal

INSTANTLY = timedelta(seconds=5)
SOON = timedelta(seconds=30)
# In this many letters or more, nobody reads a message and types an answer within INSTANTLY, or the same twice.
LONG = 20


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """How a reply came: how long after the message that it answers, and whether the same words came before.

    `after` is None where nobody can tell: nothing was written, or a person logged the reply.
    """

    after: timedelta | None = None
    said_before: bool = False


def why_automatic(text: str, arrival: Arrival) -> str | None:
    """The sentence that says why this is an automatic answer; None for a person's."""
    said = bare(normal(text))
    after = arrival.after if arrival.after is not None and arrival.after >= timedelta(0) else None
    phrase = _found(said, _SAYS_SO)
    if phrase is not None and not text.rstrip().endswith(("?", "？", "؟")):
        return f"It says “{phrase}”."
    phrase = _found(said, _SOUNDS_SO)
    if phrase is not None and after is not None and after <= SOON:
        return f"It came {_seconds(after)} after the message and says “{phrase}”."
    if after is not None and after <= INSTANTLY and len(said) >= LONG:
        return f"It came {_seconds(after)} after the message, faster than anybody types it."
    if arrival.said_before and len(said) >= LONG:
        return "The same words came in answer to another message before."
    return None


def holds(said: str, phrase: str) -> bool:
    """Whether whole words of what was said are this phrase; scripts without blanks have no words to be whole."""
    return f" {phrase} " in f" {said} " or (not phrase.isascii() and phrase[0] >= "\u3000" and phrase in said)


def _found(said: str, phrases: dict[str, str]) -> str | None:
    return next((shown for phrase, shown in phrases.items() if holds(said, phrase)), None)


def _seconds(after: timedelta) -> str:
    seconds = round(after / timedelta(seconds=1))
    return "1 second" if seconds == 1 else f"{seconds} seconds"


def phrases_of(text: str) -> dict[str, str]:
    """Phrases between `/`, as they are compared, with how they are shown."""
    shown = (" ".join(phrase.split()) for phrase in text.split("/"))
    return {bare(normal(phrase)): phrase for phrase in shown}


_SAYS_SO = phrases_of("""
    out of office / out of the office / automatic reply / automated reply / automatic response /
    automated response / automatic message / automated message / auto reply / autoreply / auto response /
    autoresponder / away message / abwesenheitsnotiz / automatische antwort / automatische nachricht /
    automatisierte nachricht / autoantwort / réponse automatique / message automatique / absent du bureau /
    absence du bureau / respuesta automática / mensaje automático / fuera de la oficina / resposta automática /
    mensagem automática / fora do escritório / risposta automatica / messaggio automatico / fuori ufficio /
    automatisch antwoord / automatisch bericht / automatische reactie / afwezigheidsbericht /
    automatyczna odpowiedź / odpowiedź automatyczna / automatyczna wiadomość / wiadomość automatyczna /
    otomatik yanıt / otomatik cevap / otomatik mesaj / автоматический ответ / автоматическое сообщение /
    автоответ / автоответчик / автоматична відповідь / автоматичне повідомлення / автовідповідь / автовідповідач /
    رد آلي / رد تلقائي / رسالة تلقائية / رسالة آلية / स्वचालित उत्तर / स्वचालित संदेश / balasan otomatis /
    pesan otomatis / jawaban otomatis / 自動返信 / 自動応答 / 自動送信 / 자동응답 / 자동 응답 / 자동 답장 /
    자동 메시지 / 自动回复 / 自動回覆 / 自动发送
""")

_SOUNDS_SO = phrases_of("""
    we will get back to you / we'll get back to you / get back to you as soon as / we have received your message /
    we received your message / thank you for contacting us / thanks for contacting us / business hours /
    opening hours / as soon as possible / as soon as we can / wir melden uns / nachricht erhalten /
    so schnell wie möglich / schnellstmöglich / öffnungszeiten / nous vous répondrons /
    nous reviendrons vers vous / dès que possible / reçu votre message / nos pondremos en contacto /
    te responderemos / le responderemos / lo antes posible / recibido tu mensaje / recibido su mensaje /
    recibimos tu mensaje / entraremos em contato / responderemos / o mais breve possível /
    recebemos sua mensagem / recebemos a sua mensagem / ti risponderemo / vi risponderemo / il prima possibile /
    ricevuto il tuo messaggio / zo snel mogelijk / bericht ontvangen / odpowiemy / jak najszybciej /
    en kısa sürede / мы ответим / свяжемся с вами / в ближайшее время / ми відповімо / найближчим часом /
    зв'яжемося з вами / kami akan membalas / sesegera mungkin / segera kami balas / سنرد عليك / في أقرب وقت /
    जल्द से जल्द / 折り返し / 担当者より / 빠른 시일 / 尽快回复 / 盡快回覆 / 会尽快 / 會盡快
""")
