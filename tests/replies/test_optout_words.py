"""Which replies ask never to be written to again: whole messages only, however they are dressed, in many languages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iglayers.replies.optout import is_opt_out, is_opt_out_payload, normal
from iglayers.replies.optout_words import INTERNATIONAL, LANGUAGES


@pytest.mark.parametrize(
    "text",
    [
        "stop", "STOP", " Stop. ", "stop!!!", "“Stop”", "ＳＴＯＰ", "stop 🛑", "🙏 Please stop 🙏", "stop please",
        "Hi, please stop",         "unsubscribe", "UNSUBSCRIBE ME", "opt out", "Opt-out", "opt_out", "OPT_OUT",
        "don't message me", "Don’t contact me again!",
        "dont message me", "do not write to me", "remove me from your list, thanks", "Stop messaging me now",
        "leave me alone", "No thanks, please stop messaging me",
        "Bitte stop", "Hallo, bitte schreiben Sie mir nicht mehr.", "Hör auf!", "Keine Nachrichten mehr, danke",
        "Arrêtez de m'écrire, merci", "ARRETEZ SVP", "Bonjour, ne me contactez plus", "Désabonnez-moi",
        "Por favor, no me escriban más", "darme de baja por favor", "NO ME CONTACTES", "Basta ya!",
        "Por favor pare", "nao me mande mais mensagens", "Não quero mais mensagens, obrigado",
        "Basta, grazie", "Non scrivetemi più", "per favore non contattarmi",
        "Stuur me geen berichten meer aub", "Laat me met rust!", "Afmelden",
        "Proszę nie pisać", "Nie pisz do mnie więcej", "wypisz mnie",
        "Lütfen mesaj atmayın", "İPTAL", "LİSTEDEN ÇIKAR", "bana yazmayin",
        "Стоп", "Пожалуйста, больше не пишите мне!", "отпишите меня", "Не надсилайте мені повідомлення, будь ласка",
        "Дайте мені спокій", "إلغاء الاشتراك", "الغاء الإشتراك", "لا تراسلني من فضلك", "تَوَقَّفْ",
        "कृपया मुझे मैसेज न करें", "please message mat karo", "Tolong jangan hubungi saya lagi", "berhenti",
        "もう連絡しないでください。", "配信停止お願いします", "수신 거부", "메시지 보내지 마세요!",
        "제발 그만 보내세요",
        "退订", "请不要再给我发消息了，谢谢", "請勿打擾",
    ],
)  # fmt: skip
def test_an_opt_out(text: str) -> None:
    assert is_opt_out(text)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "🛑", "I can't stop watching your videos", "when does it stop?", "non-stop fun",
        "stopping by to say yes",
        "yes", "please", "thanks", "please send details", "don't stop", "Is there an end date?", "I never cancel",
        "stop " * 100, "no", "no thanks", "Stop it, that is amazing!", "I had to cancel last week, can we talk now?",
    ],
)  # fmt: skip
def test_no_opt_out(text: str) -> None:
    assert not is_opt_out(text)


# What people write who ask, joke, decline this once or put off: none of it asks never to be written to again.
ORDINARY = {
    "ar": ["لا أتوقف عن مشاهدة فيديوهاتك", "شكرا لك", "لا شكرا", "متى يتوقف العرض؟", "لا تتردد في مراسلتي"],
    "de": [
        "Nein danke", "Ich kann nicht aufhören zu lachen", "Stopp mal, was genau bietet ihr an?",
        "Schreib mir nicht hier, sondern per Mail", "Hör auf, so gute Sachen zu machen 😂", "Danke, kein Interesse",
        "Bitte melden", "Nicht mehr diese Woche",
    ],
    "en": [
        "Not interested, thanks", "No more slots this month", "Stop by any time", "End of June works",
        "ok, please",
    ],
    "es": [
        "No gracias", "¿Para?", "Para ahora no, gracias", "Para mí está bien", "No basta",
        "no me escribas por aquí, al mail",
        "¿Cuándo paran de subir los precios?", "Estoy de baja esta semana", "no pares",
    ],
    "fr": [
        "Non merci", "J'arrête pas de regarder vos vidéos", "N'arrêtez pas !", "Arrêtez-moi si je me trompe",
        "Plus de détails ?", "Je ne veux plus de ce produit, mais l'autre oui", "Dur dur",
    ],
    "hi": ["नहीं धन्यवाद", "मुझे मैसेज करो", "रुको, अभी बताता हूँ", "दुकान कब बंद होती है?", "kal message karo"],
    "id": [
        "Tidak, terima kasih", "Tidak berhenti tertawa", "Jangan lupa kirim detailnya",
        "Hubungi saya lagi besok ya",
    ],
    "it": [
        "No grazie", "Basta così poco?", "Non smettere!", "Mi basta sapere il prezzo",
        "Non scrivermi qui, mandami una mail",
        "Cancella pure l'appuntamento di domani", "a quanto pare",
    ],
    "ja": [
        "結構です", "ありがとうございます", "連絡してください", "いつ止まりますか？", "やめてもいいですか",
        "また連絡しないとね",
    ],
    "ko": ["괜찮아요", "감사합니다", "연락 주세요", "그만큼 좋아요", "언제 중단되나요?"],
    "nl": [
        "Nee bedankt", "Ik kan niet stoppen met kijken", "Stop je ook bij winkels in Gent?", "Hou op zeg, wat leuk!",
        "Meld me even wat het kost", "Geen interesse",
    ],
    "pl": [
        "Nie, dziękuję", "Nie przestań!", "Nie rezygnuję, proszę o szczegóły", "Dość ciekawe",
        "Nie pisz tutaj, tylko maila",
    ],
    "pt": [
        "Não, obrigada", "Não para!", "Não pare", "Para já não", "Parar de rir eu não consigo", "Chega quando?",
        "para mim pode ser",
    ],
    "ru": [
        "Нет, спасибо", "Не могу остановиться", "Не хватит ли времени?", "Напишите мне на почту",
        "хватит на всех?",
    ],
    "tr": [
        "Hayır teşekkürler", "Dur bir bakayım", "Bana yazabilirsiniz", "İptal olursa haber verin",
        "Yeterli bilgi yok",
    ],
    "uk": [
        "Ні, дякую", "Досить цікаво", "Не можу зупинитися", "Напишіть мені на пошту",
        "не пишіть сюди, краще на пошту",
    ],
    "zh": ["不用了，谢谢", "停不下来", "请联系我", "不要钱吗？", "活动取消了吗？", "停了"],
}  # fmt: skip


@pytest.mark.parametrize(("language", "text"), [(name, text) for name, texts in ORDINARY.items() for text in texts])
def test_ordinary_sentences_are_no_opt_outs(language: str, text: str) -> None:
    assert language in LANGUAGES
    assert not is_opt_out(text)


def test_every_language_has_its_sentences() -> None:
    assert ORDINARY.keys() == LANGUAGES.keys()
    assert len(LANGUAGES) >= 10


def test_phrases_are_written_as_they_are_compared() -> None:
    for language in LANGUAGES.values():
        for phrase in language.phrases | language.around | INTERNATIONAL:
            assert normal(phrase) == phrase
            assert language.has_blanks or phrase in INTERNATIONAL or " " not in phrase


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_politeness_is_an_opt_out_by_itself(language: str) -> None:
    assert not any(is_opt_out(polite) for polite in LANGUAGES[language].around)


@given(
    st.sampled_from([phrase for each in LANGUAGES.values() for phrase in sorted(each.phrases)]),
    st.text(alphabet=" .!?,;:-…'\"“”🙏❤️\n\t", max_size=10),
)
def test_case_and_punctuation_change_nothing(phrase: str, noise: str) -> None:
    assert is_opt_out(noise + phrase.upper() + noise)


@pytest.mark.parametrize(
    "payload", ["OPT_OUT", "opt-out", "OPTOUT", "STOP", "stop_all", "UNSUBSCRIBE:may", "OPT_OUT_7"]
)
def test_a_button_that_means_it(payload: str) -> None:
    assert is_opt_out_payload(payload)


@pytest.mark.parametrize("payload", ["", "INTEREST_YES", "STOP_MOTION_VIDEO", "NON_STOP", "OPT_IN", "OFFER_1"])
def test_a_button_that_means_something_else(payload: str) -> None:
    assert not is_opt_out_payload(payload)


@given(st.text())
def test_any_text_can_be_judged(text: str) -> None:
    assert is_opt_out(text) in (True, False)
    assert is_opt_out_payload(text) in (True, False)
