"""Whether a reply asks never to be written to again. Pure.

Only a whole message counts: "stop" is an opt-out, "I can't stop watching your videos" is not. The words of seventeen
languages stand in `optout_words.py`; a tapped button counts by its payload.
"""

import re
import unicodedata

from iglayers.replies.optout_words import INTERNATIONAL, LANGUAGES, Language

_APOSTROPHES = re.compile("['’‘`´ʼ]")
_LONGEST = 200
_PAYLOADS = re.compile(
    r"(?:STOP(?:_ALL|_MESSAGES|_MESSAGING)?|NO_MORE_MESSAGES|REMOVE_ME)|(?:OPT_?OUT|UNSUBSCRIBE)(?:_.*)?"
)
_LATIN_MARKS = re.compile(r"(?<=[a-z])[\u0300-\u036f]+")
# One word is typed with and without these: the Turkish i, the Russian yo, Arabic vowels, stretches and alefs.
_ALIKE = str.maketrans({"ı": "i", "ł": "l", "ё": "е", "أ": "ا", "إ": "ا", "آ": "ا", "ى": "ي", "ة": "ه", "ـ": None}
                       | {chr(mark): None for mark in range(0x064B, 0x0653)})  # fmt: skip


def is_opt_out(text: str) -> bool:
    """Whether the whole message, but for case, punctuation, emoji, accents and politeness, is one of the phrases."""
    if len(text) > _LONGEST:
        return False
    said = bare(normal(text))
    return bool(said) and any(_asks(said, phrases, around, blank) for phrases, around, blank in _COMPARED)


def is_opt_out_payload(payload: str) -> bool:
    """Whether a tapped button means it: STOP, OPT_OUT, UNSUBSCRIBE and their like, the last two also with more behind.

    Any case, and any sign between the words.
    """
    return _PAYLOADS.fullmatch(re.sub(r"[^A-Z0-9]+", "_", payload.upper()).strip("_")) is not None


def normal(text: str) -> str:
    """Folded letters and digits of any script, single blanks between words."""
    folded = _APOSTROPHES.sub("", unicodedata.normalize("NFKC", text)).casefold()
    # Marks stay: in many scripts they are vowels.
    kept = (character if unicodedata.category(character)[0] in "LNM" else " " for character in folded)
    return " ".join("".join(kept).replace("\ufe0f", "").replace("\u20e3", "").split())


def bare(said: str) -> str:
    """What `normal` left, without the accents that people leave out on a phone."""
    plain = _LATIN_MARKS.sub("", unicodedata.normalize("NFD", said))
    return unicodedata.normalize("NFC", plain).translate(_ALIKE)


def _asks(said: str, phrases: frozenset[str], around: tuple[str, ...], blank: str) -> bool:
    """Take politeness off both ends until a phrase is left, or nothing more can be taken off."""
    left = said if blank else said.replace(" ", "")
    while left not in phrases:
        shorter = next((_without(left, polite, blank) for polite in around if _frames(left, polite, blank)), None)
        if not shorter:
            return False
        left = shorter
    return True


def _frames(said: str, polite: str, blank: str) -> bool:
    return said.startswith(polite + blank) or said.endswith(blank + polite)


def _without(said: str, polite: str, blank: str) -> str:
    return said.removeprefix(polite + blank) if said.startswith(polite + blank) else said.removesuffix(blank + polite)


def _compared(language: Language) -> tuple[frozenset[str], tuple[str, ...], str]:
    """Phrases and politeness as messages are compared with them, the longest politeness first."""
    phrases = frozenset(bare(phrase) for phrase in language.phrases | INTERNATIONAL)
    around = tuple(sorted({bare(polite) for polite in language.around}, key=lambda each: (-len(each), each)))
    return phrases, around, " " if language.has_blanks else ""


_COMPARED = [_compared(language) for language in LANGUAGES.values()]
