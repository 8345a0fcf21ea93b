"""The reference as one page, from the same table as the OpenAPI document: sections, events, errors, guides, objects."""

import html
import json
from collections.abc import Sequence
from typing import Any, cast

from iglayers.web.docs_html import Html, element, inline, joined, markdown
from iglayers.web.docs_samples import LANGUAGES, samples
from iglayers.web.guides import codes, guide
from iglayers.web.openapi.document import SECTIONS, camel, document, path_of, refusals
from iglayers.web.openapi.operation import Operation, Schema, Section
from iglayers.web.openapi.schemas import REFS

GUIDES = {"webhooks": "Webhooks", "api-keys": "API keys"}
_LINKS = {f"{name}.md": f"#guide-{name}" for name in GUIDES} | {"errors.md": "#errors"}
_BEGIN = """\
Make a key (`iglayers keys create --name First --mode test`), then name the server and the key to your shell. Every
sample here runs as it is, once its ids are yours:

```sh
export IGLAYERS_URL=http://localhost:3000 IGLAYERS_API_KEY=sk_test_YOUR_KEY
```

* JSON in and out, UTF-8, camelCase. Unknown fields and query parameters are refused. Times are RFC 3339 in UTC.
* `Idempotency-Key` on any POST, PATCH or DELETE: the same request with the same key is done once, and answered
  the same, byte for byte, for 24 hours. Refusals do not use it up. Calls that change nothing do not look at it.
* Lists take `limit` (50, at most 1,000) and `cursor`, and answer `data`, `hasMore` and `nextCursor`; newest first.
* 300 calls a minute a key, 100 at once. `RateLimit` says what is left; 429 comes with `Retry-After`.
* Bodies up to 1 MiB, uploads of targets and suppressions up to 10 MiB.
* Somebody else's object and no object are the same 404. `X-Request-Id` is on every answer.
* A program reads the same as [OpenAPI 3.1](/api/v1/openapi.json)."""


def page(*, theme: str, styles: Sequence[str], mark: str) -> str:
    """The whole page, in the colours of the dashboard: its theme, and where stylesheets and the mark are."""
    main = [
        element("h1", "API reference"),
        element("section", element("h2", "Begin"), markdown(_BEGIN, anchor="begin", links={}), id="begin"),
        *(_section(each) for each in SECTIONS),
        _events(),
        _errors(),
        *(_guide(name, title) for name, title in GUIDES.items()),
        _objects(),
    ]
    head = joined(
        Html('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html('<meta name="color-scheme" content="light dark">'),
        *(Html(f'<link rel="stylesheet" href="{html.escape(each)}">') for each in styles),
        Html(f'<link rel="icon" type="image/svg+xml" href="{html.escape(mark)}">'),
        element("title", "IG Layers: API reference"),
    )
    body = joined(_bar(), element("div", _contents(), element("main", *main), class_="page"))
    return "<!doctype html>" + element(
        "html", element("head", head), element("body", body), lang="en", data_theme=theme
    )


def _bar() -> Html:
    """The name of the page, and the language of all samples, chosen without a script."""
    choices = [
        joined(
            Html(f'<input type="radio" name="language" id="in-{key}"{" checked" if key == "curl" else ""}>'),
            element("label", title, for_=f"in-{key}"),
        )
        for key, title in LANGUAGES.items()
    ]
    legend = element("legend", "Samples in")
    return element(
        "header", element("a", "IG Layers", href="/", class_="brand"),
        element("a", "Dashboard", href="/", class_="back"),
        element("fieldset", legend, *choices), class_="bar",
    )  # fmt: skip


def _contents() -> Html:
    entries = [element("li", _link("#begin", "Begin"))]
    for section in SECTIONS:
        inner = [element("li", _link(f"#{camel(each.name)}", each.summary)) for each in section.operations]
        entries.append(element("li", element("details", element("summary", section.title), element("ul", *inner))))
    entries += [
        element("li", _link(target, title))
        for target, title in [
            ("#events-sent", "What events hold"), ("#errors", "Errors"),
            *((f"#guide-{name}", f"Guide: {title}") for name, title in GUIDES.items()), ("#objects", "Objects"),
        ]
    ]  # fmt: skip
    return element("nav", element("ul", *entries), aria_label="Contents")


def _section(section: Section) -> Html:
    return element(
        "section", element("h2", section.title), element("p", inline(section.note)),
        *(_operation(each) for each in section.operations), id=section.anchor,
    )  # fmt: skip


def _operation(operation: Operation) -> Html:
    shown = cast("dict[str, Any]", document()["paths"][path_of(operation)][operation.method.lower()])
    needs = "no key" if operation.scope is None else f"scope {operation.scope.value}"
    parts = [
        element("h3", _link(f"#{camel(operation.name)}", operation.summary)),
        element(
            "p", element("span", operation.method, class_=f"method {operation.method.lower()}"), " ",
            element("code", path_of(operation)), " ", element("span", needs, class_="scope"), class_="call",
        ),
    ]  # fmt: skip
    if operation.note:
        parts.append(element("p", inline(operation.note)))
    parts += [_parameters(shown), *_body(shown), _samples(operation), *_answer(operation, shown), _refused(operation)]
    return element("article", *parts, id=camel(operation.name))


def _parameters(shown: dict[str, Any]) -> Html:
    found = [each for each in shown.get("parameters", []) if "name" in each]
    if not found:
        return Html()
    rows = [
        _row(each["name"], _kind(each["schema"]), each["in"] == "path", each.get("description", "Its id."))
        for each in found
    ]
    return joined(element("h4", "Parameters"), element("table", *rows, class_="fields"))


def _body(shown: dict[str, Any]) -> list[Html]:
    content = shown.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return []
    alternatives = content["schema"].get("anyOf", [content["schema"]])
    tables = [_fields(_named(each)) for each in alternatives]
    return [element("h4", "Body"), *tables]


def _samples(operation: Operation) -> Html:
    shown = [
        element("pre", element("code", text), class_=f"sample {language}", tabindex="0")
        for language, text in samples(operation).items()
    ]
    return joined(*shown)


def _answer(operation: Operation, shown: dict[str, Any]) -> list[Html]:
    made: list[Html] = []
    for media, content in shown["responses"][str(operation.status)]["content"].items():
        example = content.get("example")
        text = example if isinstance(example, str) else json.dumps(example, indent=2, ensure_ascii=False)
        title = joined(f"{operation.status} ", element("code", media), " ", _kind(content["schema"]))
        example = element("pre", element("code", text), tabindex="0")
        made.append(element("details", element("summary", title), example))
    return [element("h4", "Answer"), *made]


def _refused(operation: Operation) -> Html:
    told = [
        joined(f"{status} ", *_between(", ", [_link(f"#error-{each}", each) for each in names]))
        for status, names in sorted(refusals(operation).items())
    ]
    return element("p", "Refused with ", *_between("; ", told), ".", class_="refused")


def _events() -> Html:
    told = cast("dict[str, Any]", document()["webhooks"])
    note = inline("What is posted to webhook endpoints, and answered by `GET /events`. Further fields may come.")
    return element(
        "section", element("h2", "What events hold"), element("p", note),
        *(_event(name, each["post"]) for name, each in told.items()), id="events-sent",
    )  # fmt: skip


def _event(name: str, shown: dict[str, Any]) -> Html:
    content = shown["requestBody"]["content"]["application/json"]
    example = json.dumps(content["example"], indent=2, ensure_ascii=False)
    code = element("pre", element("code", example), tabindex="0")
    return element(
        "article", element("h3", element("code", name)), element("p", inline(shown["summary"])),
        element("details", element("summary", "Example"), code), id=f"event-{name}",
    )  # fmt: skip


def _errors() -> Html:
    rows = [
        element(
            "tr", element("th", element("code", each.name), scope="row"), element("td", str(each.status)),
            element("td", inline(each.when)), element("td", inline(each.remedy)), id=f"error-{each.name}",
        )
        for each in codes().values()
    ]  # fmt: skip
    head = element("tr", *(element("th", each, scope="col") for each in ("code", "status", "when", "what to do")))
    table = element("div", element("table", head, *rows), class_="wide")
    rest = markdown(_without_answers(guide("errors")), anchor="errors", links=_LINKS)
    return element("section", element("h2", "Errors"), table, rest, id="errors")


def _without_answers(text: str) -> str:
    """docs/errors.md without the table that is shown with anchors above it."""
    intro, _, rest = text.partition("\n## Answers\n")
    return intro + "\n## " + rest.partition("\n## ")[2]


def _guide(name: str, title: str) -> Html:
    anchor = f"guide-{name}"
    text = markdown(guide(name), anchor=anchor, links=_LINKS)
    return element("section", element("h2", f"Guide: {title}"), text, id=anchor)


def _objects() -> Html:
    made = [
        element(
            "article", element("h3", element("code", name)), element("p", inline(schema.get("description", ""))),
            _fields(schema), id=f"object-{name}",
        )
        for name, schema in _components().items()
        if "properties" in schema
    ]  # fmt: skip
    return element("section", element("h2", "Objects"), *made, id="objects")


def _fields(schema: Schema) -> Html:
    required = schema.get("required", [])
    rows = [
        _row(name, _kind(each), name in required, each.get("description", ""))
        for name, each in schema["properties"].items()
    ]
    return element("table", *rows, class_="fields")


def _row(name: str, kind: Html, is_required: bool, note: str) -> Html:  # noqa: FBT001 one row of a table
    always = [" ", element("span", "required", class_="required")] if is_required else []
    return element(
        "tr", element("th", element("code", name), *always, scope="row"),
        element("td", element("span", kind, class_="kind"), " ", inline(note)),
    )  # fmt: skip


def _kind(schema: Schema) -> Html:
    """A schema in a few words."""
    if "$ref" in schema:
        named = _named(schema)
        name = schema["$ref"].removeprefix(REFS)
        return _kind(named) if "enum" in named else _link(f"#object-{name}", name)
    if "anyOf" in schema:
        return joined(*_between(" or ", [_kind(each) for each in schema["anyOf"]]))
    if "enum" in schema:
        return joined(*_between(", ", [element("code", str(each)) for each in schema["enum"]]))
    match schema.get("type"):
        case "array":
            return joined("list of ", _kind(schema["items"]))
        case "object" if schema.get("additionalProperties"):
            return joined("object of ", _kind(schema["additionalProperties"]))
        case "string":
            return _text_kind(schema)
        case "integer" | "number" as kind if "minimum" in schema and "maximum" in schema:
            return joined(f"{kind}, {schema['minimum']:,} to {schema['maximum']:,}")
        case kind:
            return joined(kind or "any")


def _text_kind(schema: Schema) -> Html:
    prefix, _, is_id = schema.get("pattern", "").partition("_[0-9a-f]")
    if is_id:
        return joined("id ", element("code", f"{prefix.removeprefix('^')}_…"))
    return joined({"date-time": "time", "date": "date"}.get(schema.get("format", ""), "string"))


def _components() -> dict[str, Schema]:
    return document()["components"]["schemas"]


def _named(schema: Schema) -> Schema:
    return _components()[schema["$ref"].removeprefix(REFS)] if "$ref" in schema else schema


def _link(target: str, text: str) -> Html:
    return element("a", text, href=target)


def _between(text: str, parts: list[Html]) -> list[str]:
    """The parts with `text` between them."""
    return [each for part in parts for each in (text, part)][1:]
