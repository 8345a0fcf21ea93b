"""`targets upload`: files in parts, with every rejected row traced back to its line."""

import csv
import json
from pathlib import Path

import pytest

from iglayers.accounts.model import Caller
from iglayers.cli import client_upload
from iglayers.cli.client_upload import chunks_of
from iglayers.core.db import Database
from tests import make
from tests.cli.calling import Line
from tests.serving import Api

SHEET = (
    "\ufeffinstagramUsername;note\r\n"
    "ann;plain\r\n"
    "\r\n"
    'ben;"two\r\nlines"\r\n'
    "cem;x\r\n"
    "not a name;x\r\n"
    "dan;x;too many\r\n"
    "ann;again\r\n"
)
ROWS = [{"instagramUsername": name} for name in ("ann", "ben", "cem", "not a name", "dan", "ann")]


@pytest.fixture
async def line(test_api: Api, tmp_path: Path) -> Line:
    return Line(tmp_path, api_key=test_api.key, url=test_api.base)


@pytest.fixture
async def campaign(test_api: Api, database: Database, test_caller: Caller) -> str:
    body = {
        "clientId": (await make.client(database, test_caller)).id, "name": "Spring",
        "messageTemplateId": (await make.template(database, test_caller)).id,
    }  # fmt: skip
    return (await test_api.post("/campaigns", body)).body["id"]


@pytest.mark.parametrize("rows_a_call", [1, 2, 3, 100])
async def test_rejected_rows_are_told_by_their_line_of_the_whole_file(
    line: Line, campaign: str, monkeypatch: pytest.MonkeyPatch, rows_a_call: int
) -> None:
    monkeypatch.setattr(client_upload, "MOST_ROWS", rows_a_call)
    rejects = line.folder / "rejects.csv"
    done = await line(
        "targets", "upload", line.file("people.csv", SHEET), "--campaign", campaign, "--rejects", str(rejects)
    )
    assert done.exit_code == 3, done.output
    told = json.loads(done.stdout)
    assert (told["accepted"], told["rejected"]) == (3, 3)
    with rejects.open(encoding="utf-8", newline="") as file:
        written = list(csv.DictReader(file))
    assert [(each["line"], each["code"]) for each in written] == [
        ("7", "invalid_field"), ("8", "invalid_field"), ("9", "target_duplicate"),
    ]  # fmt: skip
    assert written[1]["reason"].startswith("Line 8 ")
    people = await line.done("targets", "list", "--campaign", campaign)
    assert {each["instagramUsername"]: each["variables"]["note"] for each in people} == {
        "ann": "plain", "ben": "two\nlines", "cem": "x",
    }  # fmt: skip


@pytest.mark.parametrize("rows_a_call", [2, 100])
async def test_json_is_uploaded_in_parts_too(
    line: Line, campaign: str, monkeypatch: pytest.MonkeyPatch, rows_a_call: int
) -> None:
    monkeypatch.setattr(client_upload, "MOST_ROWS", rows_a_call)
    done = await line("targets", "upload", line.file("people.json", json.dumps(ROWS)), "--campaign", campaign)
    assert done.exit_code == 3
    assert [each["line"] for each in json.loads(done.stdout)["rejects"]] == [4, 6]
    again = await line(
        "targets", "upload", line.file("same.json", json.dumps({"targets": ROWS})), "--campaign", campaign
    )
    assert again.exit_code == 1
    assert {each["code"] for each in json.loads(again.stdout)["rejects"]} == {"target_duplicate", "invalid_field"}


async def test_dry_run_stores_nothing(line: Line, campaign: str) -> None:
    people = line.file("people.csv", "instagramUsername\nann\nben\n")
    tried = await line.done("targets", "upload", people, "--campaign", campaign, "--dry-run")
    assert tried["accepted"] == 2
    assert await line.done("targets", "list", "--campaign", campaign) == []


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("people.csv", "", "The file is empty."),
        ("people.csv", "instagramUsername\n", "rows"),
        ("people.csv", "Instagram Username\nann\n", "nearly a field of ours, instagramUsername"),
        ("people.csv", 'instagramUsername\n"ann\n', "a quote is opened and not closed"),
        ("people.json", "{", "is no JSON"),
        ("people.json", "{}", "must hold a list of targets"),
        ("people.json", '[{"username": "ann"}]', "username"),
    ],
)
async def test_file_that_cannot_be_used_is_refused(line: Line, campaign: str, name: str, text: str, told: str) -> None:
    done = await line("targets", "upload", line.file(name, text), "--campaign", campaign)
    assert done.exit_code == 1
    assert told in done.output


@pytest.mark.parametrize(("rows", "most_bytes"), [(25_000, 1 << 30), (3_000, 1 << 16)])
def test_parts_are_within_the_limits_of_a_call_and_hold_every_row_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int, most_bytes: int
) -> None:
    monkeypatch.setattr(client_upload, "MOST_BYTES", most_bytes)
    names = [f"person.{number}" for number in range(rows)]
    sheet, tree = tmp_path / "people.csv", tmp_path / "people.json"
    sheet.write_text("\n".join(["instagramUsername,note", *(f'{name},"a\nb"' for name in names)]))
    tree.write_text(json.dumps([{"instagramUsername": name} for name in names]))
    header = len("instagramUsername,note\n")
    parts = [part.body for part in chunks_of(sheet)[0] if isinstance(part.body, bytes)]
    read = [list(csv.reader(part.decode().splitlines(keepends=True)))[1:] for part in parts]
    assert [row[0] for part in read for row in part] == names
    assert max(map(len, read)) <= 10_000
    assert max(map(len, parts)) <= most_bytes + header
    trees = [part.body["targets"] for part in chunks_of(tree)[0] if isinstance(part.body, dict)]
    assert [row["instagramUsername"] for part in trees for row in part] == names
    assert max(map(len, trees)) <= 10_000
    assert max(len(json.dumps(part)) for part in trees) <= most_bytes + 2
