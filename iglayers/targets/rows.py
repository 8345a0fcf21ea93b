"""One uploaded row of JSON into a checked, cleaned TargetRow. Pure: no database, no network."""

import re
from typing import Annotated, Any, cast

import msgspec

from iglayers.contacts.usernames import InvalidUsername, canonical
from iglayers.core import body
from iglayers.core.errors import Invalid, MissingField
from iglayers.core.fields import optional_line
from iglayers.core.text import clean_text
from iglayers.targets.model import MAX_ROWS, RefusedRow, TargetRow, UploadedRows

MAX_FOLLOWERS = 2**53
MAX_VARIABLES = 50
MAX_VARIABLE_LENGTH = 1_000
MAX_URL_LENGTH = 2_048
MAX_LINE_LENGTH = 200

PUBLISHED = ("instagramUsername", "profileUrl", "fullName", "firstName", "category", "followerCount")
# A template could not tell these from a variable of the same name.
RESERVED = frozenset({*PUBLISHED, "clientName", "senderUsername"})
VARIABLE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}", re.ASCII)


class SentRow(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True, gc=False):
    """A row as it is sent: the types are right, nothing else is known."""

    instagram_username: str | None = None
    profile_url: str | None = None
    full_name: str | None = None
    first_name: str | None = None
    category: str | None = None
    follower_count: Annotated[int, msgspec.Meta(ge=0, le=MAX_FOLLOWERS)] | None = None
    variables: dict[str, str] | None = None


class SentTargets(msgspec.Struct, forbid_unknown_fields=True):
    targets: list[Any]


def from_json(tree: object) -> UploadedRows:
    """The rows of `{"targets": [...]}`; raises only for what concerns all of them."""
    sent = body.convert(tree, SentTargets).targets
    refuse_count(len(sent))
    try:
        typed: list[SentRow | RefusedRow] = [*msgspec.convert(sent, list[SentRow])]
    except msgspec.ValidationError:
        typed = [_typed(item, f"targets[{index}]") for index, item in enumerate(sent)]
    return UploadedRows([
        row if isinstance(row, RefusedRow) else cleaned(row, index, "targets[{}].")
        for index, row in enumerate(typed)
    ])  # fmt: skip


def refuse_count(count: int) -> None:
    if not 1 <= count <= MAX_ROWS:
        more = "no rows" if count == 0 else f"more than {MAX_ROWS:,} rows"
        raise Invalid(
            f"targets has {more}; 1 to {MAX_ROWS:,} are allowed in one call.",
            param="targets", remedy="Send the rows in several calls.",
        )  # fmt: skip


def _typed(item: object, at: str) -> SentRow | RefusedRow:
    try:
        return body.convert(item, SentRow, at=at)
    except Invalid as error:
        name = cast("dict[str, object]", item).get("instagramUsername") if isinstance(item, dict) else None
        return RefusedRow(shown(name), error)


def shown(name: object) -> str | None:
    """A username as it was sent, bounded, for the answer about a row that was refused."""
    return name[:MAX_LINE_LENGTH] if isinstance(name, str) else None


def cleaned(row: SentRow, number: int, place: str) -> TargetRow | RefusedRow:
    """The row ready to be stored, or why it cannot be; `place` names it, `{}` stands for its number."""
    try:
        return _clean(row, "")
    except Invalid:
        # Only a refused row pays for the spelling of its place.
        try:
            return _clean(row, place.format(number))
        except Invalid as error:
            return RefusedRow(shown(row.instagram_username), error)


def _clean(row: SentRow, at: str) -> TargetRow:
    username = _username(row.instagram_username, at)
    return TargetRow(
        username,
        None if row.profile_url is None else _profile_url(row.profile_url, username, at),
        None if row.full_name is None else _line(row.full_name, at, "fullName"),
        None if row.first_name is None else _line(row.first_name, at, "firstName"),
        None if row.category is None else _line(row.category, at, "category"),
        row.follower_count,
        _variables(row.variables, at) if row.variables else None,
    )


def _username(raw: str | None, at: str) -> str:
    if raw is None or not raw.strip():
        raise MissingField(f"{at}instagramUsername is required.", param=f"{at}instagramUsername")
    try:
        return canonical(raw)
    except InvalidUsername as error:
        raise _renamed(error, f"{at}instagramUsername") from None


def _profile_url(raw: str, username: str, at: str) -> str | None:
    url = _line(raw, at, "profileUrl", most=MAX_URL_LENGTH)
    if url is None or url in (f"https://instagram.com/{username}", f"https://www.instagram.com/{username}/"):
        return url
    try:
        named = canonical(url)
    except InvalidUsername as error:
        raise _renamed(error, f"{at}profileUrl") from None
    if named != username:
        raise Invalid(f"{at}profileUrl names {named}, not {username}.", param=f"{at}profileUrl")
    return url


def _renamed(error: Invalid, param: str) -> Invalid:
    """The same refusal of a username, told of the field it stood in."""
    return Invalid(param + error.message.removeprefix("instagramUsername"), param=param, remedy=error.next_step)


def _line(text: str, at: str, field: str, *, most: int = MAX_LINE_LENGTH) -> str | None:
    if text.isascii() and text.isprintable() and len(text) <= most:
        return text.strip() or None
    return optional_line(text, at + field, most=most)


def _variables(sent: dict[str, str], at: str) -> dict[str, str] | None:
    if len(sent) > MAX_VARIABLES:
        raise Invalid(
            f"{at}variables has {len(sent)} entries; at most {MAX_VARIABLES} are allowed.", param=f"{at}variables"
        )
    return {_variable_name(name, at): _variable(text, at, name) for name, text in sent.items()}


def _variable_name(name: str, at: str) -> str:
    if name in RESERVED:
        raise Invalid(f"{at}variables.{name} has the name of a field; choose another.", param=f"{at}variables.{name}")
    if VARIABLE_NAME.fullmatch(name) is None:
        raise Invalid(
            f"{at}variables: the name {name[:80]!r} must start with a letter and hold only letters, digits and _,"
            " at most 64.",
            param=f"{at}variables",
        )
    return name


def _variable(text: str, at: str, name: str) -> str:
    if not (text.isascii() and text.isprintable()):
        try:
            text = clean_text(text)
        except ValueError as error:
            raise Invalid(f"{at}variables.{name} {error}.", param=f"{at}variables.{name}") from None
    text = text.strip()
    if len(text) > MAX_VARIABLE_LENGTH:
        raise Invalid(
            f"{at}variables.{name} has {len(text)} characters; at most {MAX_VARIABLE_LENGTH} are allowed.",
            param=f"{at}variables.{name}",
        )
    return text
