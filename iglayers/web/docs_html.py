"""HTML from values. Text is escaped wherever it is put in; only what this module made counts as HTML."""

import html

from markdown_it import MarkdownIt
from markdown_it.token import Token


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(name: str, *inside: str, **attributes: str) -> Html:
    """One element; `class_` and `aria_label` stand for attributes whose names Python does not take."""
    shown = "".join(f' {key.rstrip("_").replace("_", "-")}="{html.escape(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{shown}>{joined(*inside)}</{name}>")


def joined(*parts: str) -> Html:
    return Html("".join(each if isinstance(each, Html) else html.escape(each) for each in parts))


# HTML inside Markdown is shown as text.
_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")


def inline(text: str) -> Html:
    """One line of Markdown."""
    return Html(_MARKDOWN.renderInline(text))


def markdown(text: str, *, anchor: str, links: dict[str, str]) -> Html:
    """A page of Markdown below a heading of ours: its own title left out, headings a level down and with anchors.

    `links` says where a file that it names is to be found here.
    """
    tokens = _MARKDOWN.parse(text)
    if tokens and tokens[0].type == "heading_open" and tokens[0].tag == "h1":
        tokens = tokens[3:]
    for at, token in enumerate(tokens):
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{int(token.tag[1]) + 1}"
        if token.type == "heading_open":
            token.attrSet("id", f"{anchor}-{_slug(tokens[at + 1].content)}")
        _point(token, links)
    return Html(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))


def _point(token: Token, links: dict[str, str]) -> None:
    for each in token.children or []:
        target = each.attrGet("href")
        if isinstance(target, str) and target in links:
            each.attrSet("href", links[target])


def _slug(text: str) -> str:
    return "-".join("".join(each if each.isalnum() else " " for each in text.lower()).split())
