"""What a reply amounts to, by rules that a sentence can explain. Pure; a person's label always wins over these.

Read downward, the first rule that fits decides: an opt-out is a no; an automatic answer is nobody's; then whole short
answers ("yes", "no thanks"), then phrases, those of a refusal first; then whether it asks something.
"""

from enum import StrEnum

import msgspec

from iglayers.core.errors import Invalid
from iglayers.replies.automatic import Arrival, holds, phrases_of, why_automatic
from iglayers.replies.optout import bare, normal


class Label(StrEnum):
    INTERESTED = "interested"
    NOT_NOW = "not_now"
    NO = "no"
    QUESTION = "question"
    AUTOMATIC = "automatic"  # a machine of the person's: out of office and the like
    OTHER = "other"


def named(text: str | None) -> Label | None:
    """The `?label=` of a list."""
    try:
        return None if text is None else Label(text)
    except ValueError:
        raise Invalid(f"label must be one of {', '.join(Label)}.", param="label") from None


class Labelled(msgspec.Struct, frozen=True):
    label: Label
    reason: str


def label_of(text: str, arrival: Arrival, *, opted_out: bool) -> Labelled:
    """The label of a reply and the sentence that says why."""
    if opted_out:
        return Labelled(Label.NO, "Asks not to be written to again.")
    if (why := why_automatic(text, arrival)) is not None:
        return Labelled(Label.AUTOMATIC, why)
    said = bare(normal(text))
    for label, phrases in _WHOLE:
        if said in phrases:
            return Labelled(label, f"It says no more than “{phrases[said]}”.")
    for label, phrases in _PHRASES:
        for phrase, shown in phrases.items():
            if holds(said, phrase):
                return Labelled(label, f"It says “{shown}”.")
    if any(mark in text for mark in "?？؟"):
        return Labelled(Label.QUESTION, "It asks something.")
    return Labelled(Label.OTHER, "No rule fits." if said else "There are no words in it.")


# Answers that are clear when they are all that was said.
_WHOLE: list[tuple[Label, dict[str, str]]] = [
    (Label.NO, phrases_of("""
        no / nope / nah / no thanks / no thank you / thanks but no / nein / nein danke / non / non merci /
        no gracias / não / não obrigado / não obrigada / no grazie / nee / nee bedankt / nee dank je / nie /
        nie dziękuję / hayır / hayır teşekkürler / нет / нет спасибо / ні / ні дякую / لا / لا شكرا / नहीं /
        tidak / tidak terima kasih / いいえ / 結構です / 아니요 / 괜찮습니다 / 不 / 不用 / 不用了 / 不用了谢谢 /
        不需要
    """)),
    (Label.NOT_NOW, phrases_of("""
        later / maybe later / not now / not yet / später / vielleicht später / plus tard / peut être plus tard /
        más tarde / quizás más tarde / luego / mais tarde / agora não / più tardi / forse più tardi /
        later misschien / misschien later / później / może później / sonra / belki sonra / позже / может позже /
        пізніше / لاحقا / बाद में / nanti / nanti saja / また今度 / 나중에 / 以后再说 / 以後再說
    """)),
    (Label.INTERESTED, phrases_of("""
        yes / yes please / yeah / yep / yup / sure / sure thing / of course / absolutely / definitely / ok /
        okay / sounds good / sounds great / interested / im interested / im in / count me in / lets do it /
        love it / love to / ja / ja gerne / gerne / klar / ja bitte / oui / oui avec plaisir / avec plaisir /
        daccord / sí / si / claro / claro que sí / por supuesto / vale / sim / claro que sim / com certeza / sì /
        certo / volentieri / va bene / graag / ja graag / tak / jasne / chętnie / evet / olur / tabii / да /
        конечно / давайте / так / звісно / نعم / أكيد / हाँ / हां / haan / ya / ya boleh / boleh / はい / ぜひ /
        ぜひお願いします / 네 / 좋아요 / 是 / 好 / 好的 / 可以 / 有兴趣
    """)),
]  # fmt: skip

# Found anywhere. Refusals stand first: "not interested" holds "interested".
_PHRASES: list[tuple[Label, dict[str, str]]] = [
    (Label.NO, phrases_of("""
        not interested / no longer interested / isn't for me / not for me / not a fit / not a good fit /
        i'll pass / i will pass / have to pass / have to decline / don't do collabs / don't do collaborations /
        don't do partnerships / don't do paid / we don't work with / kein interesse / nicht interessiert /
        kein bedarf / nichts für mich / keine kooperationen / pas intéressé / pas intéressée / pas intéressés /
        ça ne m'intéresse pas / pas pour moi / no me interesa / no estoy interesado / no estoy interesada /
        no nos interesa / no hago colaboraciones / não tenho interesse / não me interessa /
        não estou interessado / não estou interessada / não tenho interesse / non mi interessa /
        non sono interessato / non sono interessata / non fa per me / geen interesse / niet geïnteresseerd /
        niks voor mij / nie jestem zainteresowany / nie jestem zainteresowana / nie interesuje mnie /
        ilgilenmiyorum / не интересно / неинтересно / не интересует / не цікаво / не цікавить / لست مهتما /
        غير مهتم / لا يهمني / रुचि नहीं / interest nahi / tidak tertarik / nggak tertarik / 興味ありません /
        興味がありません / 遠慮します / 관심 없 / 관심없 / 不感兴趣 / 没兴趣 / 沒興趣 / 沒有興趣 / 没有兴趣
    """)),
    (Label.NOT_NOW, phrases_of("""
        not right now / not at the moment / not at this time / not this month / not this year / next month /
        next week / next year / next season / after the holidays / fully booked / booked out / booked up /
        too busy / on vacation / on holiday / on leave / maternity leave / maybe later / another time /
        get back to you / ask me again / gerade nicht / momentan nicht / im moment nicht / zurzeit nicht /
        nächsten monat / nächste woche / nächstes jahr / ausgebucht / im urlaub / ein andermal / pas maintenant /
        pas en ce moment / pas pour le moment / le mois prochain / la semaine prochaine / en vacances /
        une autre fois / ahora no / por ahora no / en este momento no / el próximo mes / el mes que viene /
        la próxima semana / de vacaciones / otro momento / más adelante / agora não / no momento não /
        por enquanto não / mês que vem / próximo mês / de férias / outra hora / in questo momento no / non ora /
        non adesso / il mese prossimo / la prossima settimana / in vacanza / più avanti / nu niet /
        op dit moment niet / volgende maand / volgende week / op vakantie / een andere keer / nie teraz /
        w przyszłym miesiącu / w przyszłym tygodniu / na urlopie / şu an değil / şu anda değil / gelecek ay /
        önümüzdeki ay / tatildeyim / не сейчас / в следующем месяце / на следующей неделе / в отпуске / не зараз /
        наступного місяця / у відпустці / ليس الآن / الشهر القادم / अभी नहीं / अगले महीने / belum sekarang /
        bulan depan / 来月 / 今は / 다음 달 / 다음달 / 下个月 / 下個月 / 现在不 / 現在不
    """)),
    (Label.INTERESTED, phrases_of("""
        i'm interested / i am interested / we are interested / we're interested / very interested /
        interested in / sounds interesting / sounds good / sounds great / sounds amazing / sounds fun /
        tell me more / hear more / know more / learn more / more info / more information / more details /
        send me the details / send details / send the details / send me details / please send / i'd love to /
        i would love to / we'd love to / love to hear / happy to chat / happy to talk / let's talk / let's chat /
        let's do it / count me in / my rates / my email is / bin interessiert / klingt interessant / klingt gut /
        klingt spannend / hört sich gut an / mehr infos / mehr informationen / mehr erfahren / gerne mehr /
        erzähl mir mehr / je suis intéressé / je suis intéressée / ça m'intéresse / ça a l'air intéressant /
        plus d'infos / plus d'informations / en savoir plus / me interesa / nos interesa / estoy interesado /
        estoy interesada / suena interesante / suena bien / cuéntame más / más información / más info /
        más detalles / me encantaría / tenho interesse / estou interessado / estou interessada / me interessa /
        parece interessante / mais informações / mais detalhes / adoraria / sono interessato / sono interessata /
        mi interessa / sembra interessante / maggiori informazioni / più informazioni / più dettagli /
        dimmi di più / mi piacerebbe / ben geïnteresseerd / klinkt interessant / klinkt goed / klinkt leuk /
        meer info / meer informatie / vertel me meer / jestem zainteresowany / jestem zainteresowana /
        brzmi ciekawie / brzmi dobrze / więcej informacji / więcej szczegółów / ilgileniyorum / daha fazla bilgi /
        мне интересно / интересно / расскажите подробнее / подробнее / мені цікаво / цікаво / розкажіть більше /
        أنا مهتم / مهتمة / مهتم / المزيد من التفاصيل / रुचि है / interested hu / saya tertarik / tertarik /
        info lebih lanjut / 興味があります / 興味あります / 詳しく / 관심 있 / 관심있 / 자세히 / 感兴趣 / 感興趣 /
        想了解
    """)),
]  # fmt: skip
