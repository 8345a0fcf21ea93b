"""Text as people type it, made safe to store and to show: NFC, no control, bidi or zero-width characters."""

import re
import unicodedata

# Bidirectional controls, zero-width and invisible characters. U+200D stays: emoji families need it.
_HIDDEN = re.compile(
    "[\u00ad\u061c\u180e\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]"
)
_LINE_BREAKS = re.compile("\r\n?|[\u2028\u2029\u0085]")


def clean_line(text: str) -> str:
    """One line of text; ValueError names what cannot be stored."""
    if text.isascii() and text.isprintable():
        return text.strip()
    return clean_text(text.replace("\t", " "), line_breaks=False)


def clean_text(text: str, *, line_breaks: bool = True) -> str:
    """Text of several lines; ValueError names what cannot be stored."""
    text = _LINE_BREAKS.sub("\n", text)
    text = _HIDDEN.sub("", unicodedata.normalize("NFC", text))
    for character in text:
        kind = unicodedata.category(character)
        if kind == "Cs":
            raise ValueError("holds half of a surrogate pair (\\ud800 to \\udfff)")
        if kind == "Cc" and not (line_breaks and character in "\n\t"):
            raise ValueError(f"holds the control character U+{ord(character):04X}")
    return text.strip()


def masked(username: str | None) -> str:
    """A username as a log may show it."""
    return f"{username[:2]}***" if username else "***"
