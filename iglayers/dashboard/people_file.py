"""A file of people as somebody dropped it, before anything of it is stored: its columns, and what each is taken for."""

import csv
import io
import re

import msgspec

from iglayers.core import csv_text
from iglayers.core.csv_text import MalformedRow
from iglayers.core.errors import Invalid
from iglayers.dashboard.forms import Form
from iglayers.targets.csv import row_of
from iglayers.targets.model import RefusedRow, TargetRow, UploadedRows
from iglayers.targets.rows import PUBLISHED, RESERVED, VARIABLE_NAME

MOST_BYTES = 10 << 20
MOST_COLUMNS = 56
# Of a longer file so many rows get their verdict before it is stored, the rest from the workers as they are read.
CHECKED_ROWS = 1_000
LEAVE_OUT = "-"
VARIABLE = "variable"
FIELDS = (
    ("instagramUsername", "Username"), ("firstName", "First name"), ("fullName", "Full name"),
    ("category", "Category"), ("followerCount", "Followers"), ("profileUrl", "Profile address"),
)  # fmt: skip
_GUESSES = {
    "instagramUsername": "username user handle ig instagram insta account igusername instagramhandle igHandle",
    "firstName": "firstname first givenname vorname nombre", "fullName": "fullname name displayname realname",
    "category": "category niche topic", "followerCount": "followers followercount followerscount fans audience",
    "profileUrl": "profileurl url profile link profilelink instagramurl",
}  # fmt: skip
_MEANT = {word.lower(): field for field, words in _GUESSES.items() for word in [field, *words.split()]}
_NOT_A_LETTER = re.compile(r"[^A-Za-z0-9]+")


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column of the file: the name above it, what it is taken for, and its first cells."""

    number: int
    name: str
    meaning: str  # a field's name, VARIABLE or LEAVE_OUT
    variable: str  # the name of the variable that it can become
    cells: list[str]

    @property
    def header(self) -> str:
        return self.variable if self.meaning == VARIABLE else self.meaning


class PeopleFile(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody dropped or pasted, with its columns."""

    text: str
    columns: list[Column]
    rows: list[tuple[int, list[str] | MalformedRow]]

    def uploaded(self, *, most: int) -> UploadedRows:
        """Its first rows as an upload takes them."""
        kept = [each for each in self.columns if each.meaning != LEAVE_OUT]
        header = [each.header for each in kept]
        rows: list[TargetRow | RefusedRow] = []
        for line, cells in self.rows[:most]:
            chosen = cells if isinstance(cells, MalformedRow) else [cells[each.number] for each in kept]
            rows.append(row_of(header, chosen, line))
        return UploadedRows(rows, [line for line, _ in self.rows[:most]])

    def as_csv(self) -> bytes:
        """The file with our names above its columns, as an import takes it."""
        kept = [each for each in self.columns if each.meaning != LEAVE_OUT]
        written = io.StringIO()
        made = csv.writer(written)
        made.writerow([each.header for each in kept])
        for _, cells in self.rows:
            made.writerow([] if isinstance(cells, MalformedRow) else [cells[each.number] for each in kept])
        return written.getvalue().encode()


def read(form: Form) -> PeopleFile:
    """The file of a form, or what was pasted into it; Invalid with what is wrong with it as a whole."""
    text = _text(form)
    sheet = csv_text.read_rows(text.encode())
    if len(sheet.header) > MOST_COLUMNS:
        raise Invalid(f"The file has {len(sheet.header)} columns; {MOST_COLUMNS} are allowed.", param="file")
    rows = list(sheet.rows)
    if not rows:
        raise Invalid("There is nobody in it.", param="file", remedy="Below the line of names stands a line a person.")
    columns = _columns(form, sheet.header, rows)
    _refuse_doubled(columns)
    return PeopleFile(text=text, columns=columns, rows=rows)


def _text(form: Form) -> str:
    if data := form.file("file"):
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data[: error.start].count(b"\n") + 1
            raise Invalid(
                f"Line {line} is not UTF-8.", param="file", remedy="Save the file as “CSV UTF-8” and drop it again."
            ) from None
    if form.get("csv").strip():
        return form.get("csv")
    pasted = form.get("pasted").strip()
    if not pasted:
        raise Invalid("Choose a file, or paste usernames.", param="file")
    first = pasted.splitlines()[0]
    if any(_guess(cell) == "instagramUsername" for cell in re.split(r"[,;\t]", first)):
        return pasted
    return "instagramUsername\n" + "\n".join(word for word in re.split(r"[\s,;]+", pasted) if word)


def _columns(form: Form, header: list[str], rows: list[tuple[int, list[str] | MalformedRow]]) -> list[Column]:
    """As somebody chose them, else by guess; the first that may be the username is it."""
    columns: list[Column] = []
    taken: set[str] = set()
    shown = [cells for _, cells in rows[:3] if not isinstance(cells, MalformedRow)]
    for number, name in enumerate(header):
        variable = _variable(name, number)
        guess = _guess(name)
        meaning = form.get(f"column{number}") or (guess if guess not in taken | {None} else VARIABLE)
        if meaning not in (*PUBLISHED, VARIABLE, LEAVE_OUT):
            raise Invalid("A column is a field, a variable, or left out.", param=f"column{number}")
        taken.add(meaning)
        columns.append(Column(
            number=number, name=name, meaning=meaning, variable=variable, cells=[each[number] for each in shown]
        ))  # fmt: skip
    return columns


def _refuse_doubled(columns: list[Column]) -> None:
    headers = [each.header for each in columns if each.meaning != LEAVE_OUT]
    if "instagramUsername" not in headers:
        raise Invalid("Say which column holds the username.", param="columns")
    if doubled := next((each for each in headers if headers.count(each) > 1), None):
        raise Invalid(f"Two columns are {doubled}; leave one out.", param="columns")


def _guess(name: str) -> str | None:
    return _MEANT.get(_NOT_A_LETTER.sub("", name).lower())


def _variable(name: str, number: int) -> str:
    """A name that a text can use, from the column's own."""
    words = [word for word in _NOT_A_LETTER.split(name) if word]
    made = (
        (words[0][:1].lower() + words[0][1:] + "".join(each.capitalize() for each in words[1:]))[:64] if words else ""
    )
    is_fit = VARIABLE_NAME.fullmatch(made) and made not in RESERVED
    return made if is_fit else f"column{number + 1}"
