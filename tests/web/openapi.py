"""The OpenAPI document as a caller gets it, and validators of what stands in it. `make openapi` writes it down."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs

from iglayers.web.openapi.document import document_bytes

DOCUMENT: dict[str, Any] = json.loads(document_bytes())
COMMITTED = Path("docs/openapi.json")


def nameless(path: str) -> str:
    """A path without the names of its parameters."""
    return re.sub(r"{[^}]*}", "{}", path)


def resolved(reference: str) -> dict[str, Any]:
    """What a `#/…` of the document means."""
    tree: Any = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        tree = tree[part]
    return tree


def media(part: dict[str, Any]) -> list[dict[str, Any]]:
    """The content of a body or an answer, by media type."""
    return list(part.get("content", {}).values())


def validator(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """Of one schema, which may refer to the others; formats are checked."""
    whole = {"components": DOCUMENT["components"]} | schema
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


if __name__ == "__main__":
    COMMITTED.write_text(json.dumps(DOCUMENT, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    sys.stdout.write(f"wrote {COMMITTED}\n")
