"""The same rows as CSV: columns named as the fields, every other column a variable. Pure."""

import re

from iglayers.core import csv_text
from iglayers.core.csv_text import MalformedRow
from iglayers.core.errors import Invalid, MissingField
from iglayers.targets.model import MAX_ROWS, RefusedRow, TargetRow, UploadedRows
from iglayers.targets.rows import (
    MAX_FOLLOWERS,
    PUBLISHED,
    RESERVED,
    VARIABLE_NAME,
    SentRow,
    cleaned,
    refuse_count,
    shown,
)

PLACE = "line {}, "
_COUNT = re.compile(r"[0-9]{1,16}", re.ASCII)
_SPELLINGS = {name.lower(): name for name in RESERVED}


def from_csv(data: bytes) -> UploadedRows:
    """The rows of a CSV upload; raises only for what concerns all of them."""
    sheet = csv_text.read_rows(data)
    check_header(sheet.header)
    rows: list[TargetRow | RefusedRow] = []
    lines: list[int] = []
    for line, cells in sheet.rows:
        if len(rows) == MAX_ROWS:
            refuse_count(MAX_ROWS + 1)
        rows.append(row_of(sheet.header, cells, line))
        lines.append(line)
    refuse_count(len(rows))
    return UploadedRows(rows, lines)


def check_header(header: list[str]) -> None:
    """Refuse columns that are nearly a field, or cannot be a variable."""
    for name in header:
        if name in PUBLISHED:
            continue
        if (meant := _SPELLINGS.get(re.sub(r"[\s_-]", "", name).lower())) is not None:
            advice = f"Call it {meant}." if meant in PUBLISHED else "Choose another name."
            like = "has the name of" if name == meant else "is nearly"
            raise Invalid(f"The column {name[:64]} {like} a field of ours, {meant}.", param="header", remedy=advice)
        if VARIABLE_NAME.fullmatch(name) is None:
            raise Invalid(
                f"The column {name[:64]!r} cannot be a variable: its name must start with a letter and hold only"
                " letters, digits and _, at most 64.",
                param="header",
            )
    if "instagramUsername" not in header:
        raise MissingField("The column instagramUsername is missing.", param="instagramUsername")


def row_of(header: list[str], cells: list[str] | MalformedRow, line: int) -> TargetRow | RefusedRow:
    """One line of the file; an empty cell is an absent field, a column without a name is left out."""
    if isinstance(cells, MalformedRow):
        return RefusedRow(None, cells)
    fields = {name: cell for name, cell in zip(header, cells, strict=True) if name and cell and not cell.isspace()}
    count = fields.get("followerCount", "0").strip()
    if _COUNT.fullmatch(count) is None or int(count) > MAX_FOLLOWERS:
        param = PLACE.format(line) + "followerCount"
        error = Invalid(f"{param} must be a whole number from 0 to {MAX_FOLLOWERS}, digits only.", param=param)
        return RefusedRow(shown(fields.get("instagramUsername")), error)
    sent = SentRow(
        instagram_username=fields.get("instagramUsername"),
        profile_url=fields.get("profileUrl"),
        full_name=fields.get("fullName"),
        first_name=fields.get("firstName"),
        category=fields.get("category"),
        follower_count=int(count) if "followerCount" in fields else None,
        variables={name: text for name, text in fields.items() if name not in PUBLISHED} or None,
    )
    return cleaned(sent, line, PLACE)
