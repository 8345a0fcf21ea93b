"""Whether a reply asks never to be written to again. Pure.

Only a whole message counts: "stop" is an opt-out, "I can't stop watching your videos" is not. A language is one
entry of LANGUAGES; its phrases are written as `normal` leaves them.
"""

import re
import unicodedata

LANGUAGES: dict[str, frozenset[str]] = {
    "en": frozenset({
        "stop", "stop it", "stop all", "stopall", "stop now", "unsubscribe", "unsubscribe me", "unsub", "cancel",
        "end", "quit", "revoke", "opt out", "optout", "opt me out", "i want to opt out", "i opt out", "remove me",
        "remove me from your list", "remove me from this list", "take me off your list", "take me off this list",
        "delete me from your list", "stop messaging me", "stop texting me", "stop writing me", "stop writing to me",
        "stop contacting me", "stop sending me messages", "stop sending messages", "stop dming me", "stop dms",
        "stop spamming me", "no more messages", "no more dms", "no more", "do not contact me", "dont contact me",
        "do not contact me again", "dont contact me again", "do not message me", "dont message me",
        "do not message me again", "dont message me again", "do not write to me", "dont write to me",
        "do not write me", "dont write me", "never contact me again", "never message me again",
        "dont dm me", "do not dm me", "leave me alone",
    }),
}  # fmt: skip

# Said around the phrase without changing it.
_BEFORE = re.compile(r"^(?:(?:please|pls|plz|hi|hey|hello|ok|okay|just|so|no) )+")
_AFTER = re.compile(r"(?: (?:please|pls|plz|thanks|thank you|thx|ty|ok|now))+$")
_APOSTROPHES = re.compile("['’‘`´]")
_LONGEST = 200
_PHRASES = frozenset(phrase for phrases in LANGUAGES.values() for phrase in phrases)


def is_opt_out(text: str) -> bool:
    """Whether the whole message, but for case, punctuation, emoji and politeness, is one of the phrases."""
    if len(text) > _LONGEST:
        return False
    said = normal(text)
    return said in _PHRASES or _AFTER.sub("", _BEFORE.sub("", said)) in _PHRASES


def normal(text: str) -> str:
    """Folded letters and digits of any script, single blanks between words."""
    folded = _APOSTROPHES.sub("", unicodedata.normalize("NFKC", text)).casefold()
    # Marks stay: in many scripts they are vowels.
    kept = (character if unicodedata.category(character)[0] in "LNM" else " " for character in folded)
    return " ".join("".join(kept).replace("\ufe0f", "").replace("\u20e3", "").split())
