"""One operation of the API as a value, and the few shapes that operations have."""

from typing import Any

import msgspec

from iglayers.accounts.model import Scope
from iglayers.core.paging import Page

Schema = dict[str, Any]


class Query(msgspec.Struct, frozen=True):
    """A query parameter: its name, its schema, what it does."""

    name: str
    schema: Schema
    note: str


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """A method and path, what goes in, what comes out, and the codes of refusal that are its own."""

    method: str
    path: str
    name: str  # of the function that answers, which becomes the operationId
    summary: str
    scope: Scope | None  # None: no key needed
    status: int = 200
    answer: Any = None  # a struct, or several of which it is one
    body: Any = None  # the same
    example: dict[str, Any] = {}  # of the body
    query: tuple[Query, ...] = ()
    codes: tuple[str, ...] = ()
    note: str = ""
    csv: str = ""  # an example body in text/csv
    files: dict[str, str] = {}  # further media types of the answer, with an example each
    is_replayable: bool = True  # takes an Idempotency-Key, unless it only reads


class Section(msgspec.Struct, frozen=True):
    """Operations on one thing, under one heading."""

    title: str
    note: str
    operations: list[Operation]

    @property
    def anchor(self) -> str:
        return self.title.lower().replace(" ", "-")


LIMIT = Query(
    "limit", {"type": "integer", "minimum": 1, "maximum": 1_000, "default": 50}, "How many to answer at most."
)
FORMAT_NOTE = "The shape of the answer. Files hold every row; `limit` and `cursor` are for JSON."


def cursor(prefix: str) -> Query:
    return Query("cursor", ids(prefix), "`nextCursor` of the page before.")


def ids(prefix: str) -> Schema:
    """The schema of an id."""
    return {"type": "string", "pattern": f"^{prefix}_[0-9a-f]{{32}}$"}


def one_of(*names: str, default: str | None = None) -> Schema:
    return {"type": "string", "enum": list(names)} | ({} if default is None else {"default": default})


def some_of(names: list[str]) -> Schema:
    """Names with commas between."""
    either = "|".join(name.replace(".", "\\.") for name in names)
    return {"type": "string", "pattern": f"^({either})(,({either}))*$"}


def flag() -> Schema:
    return one_of("true", "false", default="false")


def read(path: str, name: str, summary: str, answer: Any, **more: Any) -> Operation:  # noqa: ANN401 a struct or a tuple
    more.setdefault("scope", Scope.READ)
    return Operation(method="GET", path=path, name=name, summary=summary, answer=answer, **more)


def pages(path: str, name: str, summary: str, item: Any, *, of: str, **more: Any) -> Operation:  # noqa: ANN401 the same
    """A list, newest first, whose cursors are ids that start with `of`."""
    query = (*more.pop("query", ()), LIMIT, cursor(of))
    return read(path, name, summary, Page[item], query=query, **more)


def create(path: str, name: str, summary: str, answer: Any, **more: Any) -> Operation:  # noqa: ANN401 the same
    return _writing("POST", path, name, summary, answer, status=201, **more)


def act(path: str, name: str, summary: str, answer: Any, **more: Any) -> Operation:  # noqa: ANN401 the same
    return _writing("POST", path, name, summary, answer, **more)


def change(path: str, name: str, summary: str, answer: Any, **more: Any) -> Operation:  # noqa: ANN401 the same
    return _writing("PATCH", path, name, summary, answer, **more)


def remove(path: str, name: str, summary: str, answer: Any, **more: Any) -> Operation:  # noqa: ANN401 the same
    return _writing("DELETE", path, name, summary, answer, **more)


def _writing(method: str, path: str, name: str, summary: str, answer: Any, **more: Any) -> Operation:  # noqa: ANN401
    more.setdefault("scope", Scope.WRITE)
    return Operation(method=method, path=path, name=name, summary=summary, answer=answer, **more)
