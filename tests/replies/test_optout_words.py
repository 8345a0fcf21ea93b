"""Which replies ask never to be written to again: whole messages only, however they are dressed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iglayers.replies.optout import LANGUAGES, is_opt_out, normal


@pytest.mark.parametrize(
    "text",
    [
        "stop", "STOP", " Stop. ", "stop!!!", "“Stop”", "ＳＴＯＰ", "stop 🛑", "🙏 Please stop 🙏", "stop please",
        "Hi, please stop",         "unsubscribe", "UNSUBSCRIBE ME", "opt out", "Opt-out", "opt_out", "OPT_OUT",
        "don't message me", "Don’t contact me again!",
        "dont message me", "do not write to me", "remove me from your list, thanks", "Stop messaging me now",
        "leave me alone",
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
        "stop " * 100, "no", "no thanks",
    ],
)  # fmt: skip
def test_no_opt_out(text: str) -> None:
    assert not is_opt_out(text)


def test_phrases_are_written_as_they_are_compared() -> None:
    assert all(normal(phrase) == phrase for phrases in LANGUAGES.values() for phrase in phrases)


@given(st.sampled_from(sorted(LANGUAGES["en"])), st.text(alphabet=" .!?,;:-…'\"“”🙏❤️\n\t", max_size=10))
def test_case_and_punctuation_change_nothing(phrase: str, noise: str) -> None:
    assert is_opt_out(noise + phrase.upper() + noise)


@given(st.text())
def test_any_text_can_be_judged(text: str) -> None:
    assert is_opt_out(text) in (True, False)
