"""A file of people as somebody dropped it, before anything of it is stored: its columns, and what each is taken for."""

import re

import msgspec

from iglayers.contacts.usernames import InvalidUsername, canonical
from iglayers.core import csv_text
from iglayers.core.csv_text import MalformedRow
from iglayers.core.errors import Invalid
from iglayers.dashboard.forms import Form
from iglayers.targets.csv import row_of
from iglayers.targets.model import UploadedRows
from iglayers.targets.rows import PUBLISHED, RESERVED, VARIABLE_NAME

# A longer file is checked by the workers, as is one of more rows than an upload takes.
MOST_BYTES = 10 << 20
MOST_COLUMNS = 56
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
    # Neither its name nor a person says so.
    is_doubtful: bool

    @property
    def header(self) -> str:
        """What an upload calls it; empty when it is left out."""
        if self.meaning == LEAVE_OUT:
            return ""
        return self.variable if self.meaning == VARIABLE else self.meaning


class PeopleFile(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody dropped or pasted, with its columns."""

    text: str
    columns: list[Column]
    rows: list[tuple[int, list[str] | MalformedRow]]

    def uploaded(self) -> UploadedRows:
        """Its rows as an upload takes them."""
        header = [each.header for each in self.columns]
        rows = [row_of(header, cells, line) for line, cells in self.rows]
        return UploadedRows(rows, [line for line, _ in self.rows])


def read(form: Form) -> PeopleFile:
    """The file of a form, or what was pasted into it; Invalid with what is wrong with it as a whole."""
    text = _text(form)
    sheet = csv_text.read_rows(text.encode())
    rows = list(sheet.rows)
    if not rows:
        raise Invalid("There is nobody in it.", param="file", remedy="Below the line of names stands a line a person.")
    shown = [cells for _, cells in rows[:3] if not isinstance(cells, MalformedRow)]
    return PeopleFile(text=text, columns=columns_of(form, sheet.header, shown), rows=rows)


def columns_of(form: Form, header: list[str], rows: list[list[str]]) -> list[Column]:
    """What each column is taken for: as somebody chose, else by guess; Invalid when it cannot be so."""
    if len(header) > MOST_COLUMNS:
        raise Invalid(f"The file has {len(header)} columns; {MOST_COLUMNS} are allowed.", param="file")
    columns = _columns(form, header, rows)
    _refuse_doubled(columns)
    return columns


def meaning_of(header: str) -> str:
    """What was chosen for a column that an import calls so."""
    return LEAVE_OUT if not header else header if header in PUBLISHED else VARIABLE


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


def _columns(form: Form, header: list[str], rows: list[list[str]]) -> list[Column]:
    columns: list[Column] = []
    names = _usernames_at(header, rows)
    taken: set[str] = set()
    for number, name in enumerate(header):
        guess = "instagramUsername" if number == names else _guess(name)
        fits = guess is not None and guess not in taken and (guess != "instagramUsername" or number == names)
        chosen = form.get(f"column{number}")
        meaning = chosen or (guess if fits else None) or VARIABLE
        if meaning not in (*PUBLISHED, VARIABLE, LEAVE_OUT):
            raise Invalid("A column is a field, a variable, or left out.", param=f"column{number}")
        variable = _variable(name, number)
        if variable in taken:
            variable = f"column{number + 1}"
        taken |= {meaning, variable}
        columns.append(Column(
            number=number, name=name, meaning=meaning, variable=variable, cells=[each[number] for each in rows],
            is_doubtful=not chosen and meaning == "instagramUsername" and _guess(name) != meaning,
        ))  # fmt: skip
    return columns


def _usernames_at(header: list[str], rows: list[list[str]]) -> int:
    """The column of the usernames: by its name, else by what stands in it, else the first."""
    named = (number for number, name in enumerate(header) if _guess(name) == "instagramUsername")
    filled = (number for number in range(len(header)) if rows and all(_is_username(row[number]) for row in rows))
    return next(named, next(filled, 0))


def _is_username(cell: str) -> bool:
    try:
        canonical(cell)
    except InvalidUsername:
        return False
    return not cell.isdigit()


def _refuse_doubled(columns: list[Column]) -> None:
    headers = [each.header for each in columns if each.header]
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
