"""What commands that call the API print: tables for people, JSON for programs, whole files or none."""

import io
import json
import os
import pty
import subprocess
from pathlib import Path
from typing import Any

import pytest

from iglayers.accounts.model import Caller
from iglayers.cli import client_campaigns_view as view
from iglayers.cli import client_output
from iglayers.cli.client_output import Output, cell, printable, progress
from iglayers.core.db import Database
from tests import make
from tests.cli.calling import Line
from tests.cli.processes import PROGRAM, ROOT, environment
from tests.sdk.scripted import answer, page, scripted
from tests.serving import Api

ROWS = [{"id": "cl_1", "name": "Ann", "budget": {"daily": 5}}, {"id": "cl_2", "name": None}]


def shown(*, is_table: bool = True, as_json: bool = False) -> tuple[Output, io.StringIO]:
    stream = io.StringIO()
    return Output(as_json=as_json, stream=stream, is_table=is_table), stream


@pytest.mark.parametrize(("is_table", "as_json"), [(False, False), (True, True)])
@pytest.mark.parametrize("rows", [[], ROWS])
def test_program_gets_a_list_as_one_array(rows: list[dict[str, Any]], *, is_table: bool, as_json: bool) -> None:
    out, stream = shown(is_table=is_table, as_json=as_json)
    out.items(iter(rows), ("name",), limit=None)
    assert json.loads(stream.getvalue()) == rows
    assert out.most(None) is None


def test_person_gets_some_columns_and_is_told_of_more(capsys: pytest.CaptureFixture[str]) -> None:
    out, stream = shown()
    out.items(iter(ROWS), ("name", "budget.daily"), limit=1)
    assert out.most(1) == 2
    lines = stream.getvalue().splitlines()
    assert [part.strip() for part in lines[1].split("┃")[1:3]] == ["name", "daily"]
    assert [part.strip() for part in lines[3].split("│")[1:3]] == ["Ann", "5"]
    assert len(lines) == 5
    assert "more than these 1" in capsys.readouterr().err


@pytest.mark.parametrize(("columns", "is_table"), [(40, True), (30, False)])
def test_rows_that_are_too_wide_are_shown_one_below_the_other(
    monkeypatch: pytest.MonkeyPatch, columns: int, *, is_table: bool
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    out, stream = shown()
    out.table([{"username": "person.with.a.name", "reason": "Has a reason", "no": None}], ("username", "reason", "no"))
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= columns
    assert ("┃" in stream.getvalue()) is is_table
    words = stream.getvalue().split()
    assert {"username", "person.with.a.name", "Has"} <= set(words)
    assert ("no" in words) is is_table


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("plain", "plain"), ("Zoë 你好", "Zoë 你好"), ("[red]no[/red]", "[red]no[/red]"), ("two\nlines", "two\nlines"),
        ("\x1b]0;title\x07\x1b[2J", "�]0;title��[2J"), ("abc\u202edcba\u200b", "abc�dcba�"), ("\x9b2J\r", "�2J�"),
    ],
)  # fmt: skip
def test_text_of_a_stranger_does_not_steer_the_terminal(text: str, told: str) -> None:
    assert printable(text) == told
    out, stream = shown()
    out.one({"text": text})
    assert [line.strip() for line in stream.getvalue().splitlines()] == [
        line.strip() for line in f"text  {told}".splitlines()
    ]


@pytest.mark.parametrize(
    ("item", "told"), [(None, ""), (True, "yes"), (7, "7"), (["a", "b"], "a, b"), ({"a": [1]}, '{"a": [1]}')]
)
def test_value_is_told_as_a_person_reads_it(item: object, told: str) -> None:
    assert cell(item) == told


def test_bar_is_for_terminals_alone(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with progress("Uploading") as move:
        move(1, 2)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(client_output.sys, "stderr", terminal := Terminal())
    with progress("Uploading [x]") as move:
        move(1, 2)
    assert "Uploading [x]" in terminal.getvalue()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_terminal_gets_a_table_and_a_pipe_json() -> None:
    ours, theirs = pty.openpty()
    with scripted(page(ROWS[0]), page(ROWS[0])) as server:
        known = environment(url=server.url, api_key="sk_test_x")
        words = [*PROGRAM, "clients", "list"]
        subprocess.run(words, cwd=ROOT, env=known | {"TERM": "xterm"}, stdout=theirs, check=True)
        os.close(theirs)
        on_terminal = os.read(ours, 100_000).decode()
        os.close(ours)
        piped = subprocess.run(words, cwd=ROOT, env=known, stdout=subprocess.PIPE, check=True).stdout
    assert "┃" in on_terminal
    assert "Ann" in on_terminal
    assert json.loads(piped) == ROWS[:1]


@pytest.fixture
async def campaign(test_api: Api, database: Database, test_caller: Caller) -> str:
    body = {
        "clientId": (await make.client(database, test_caller)).id, "name": "Spring",
        "messageTemplateId": (await make.template(database, test_caller)).id,
    }  # fmt: skip
    made = (await test_api.post("/campaigns", body)).body["id"]
    rows = [{"instagramUsername": f"person.{number}"} for number in range(3)]
    await test_api.post(f"/campaigns/{made}/targets", {"targets": rows})
    return made


async def test_results_come_in_each_format_on_standard_output_and_in_files(
    test_api: Api, campaign: str, tmp_path: Path
) -> None:
    line = Line(tmp_path, api_key=test_api.key, url=test_api.base)
    names = ["person.0", "person.1", "person.2"]
    readers = {
        "json": lambda text: [each["instagramUsername"] for each in json.loads(text)["data"]],
        "ndjson": lambda text: [json.loads(each)["instagramUsername"] for each in text.splitlines()],
        "csv": lambda text: [each.split(",")[1] for each in text.splitlines()[1:]],
    }
    for shape, read in readers.items():
        words = ("results", "--campaign", campaign, "--status", "queued")
        printed = await line(*words, "--format", shape)
        assert sorted(read(printed.stdout)) == names
        out = tmp_path / f"results.{shape}"
        written = await line(*words, "-o", str(out))
        assert (written.exit_code, written.stdout) == (0, "")
        assert out.read_text() == printed.stdout.replace("\r\n", "\n")
    assert json.loads((tmp_path / "results.json").read_text())["summary"]["queued"] == 3
    listed = await line.done("results", "--campaign", campaign)
    assert sorted(each["instagramUsername"] for each in listed) == names
    nobody = await line.done("results", "--campaign", campaign, "--format", "json", "--status", "sent")
    assert nobody["data"] == []


async def test_person_reads_status_preflight_and_numbers_as_sentences(test_api: Api, campaign: str) -> None:
    out, stream = shown()
    view.show_status(out, (await test_api.get(f"/campaigns/{campaign}/status")).body)
    view.show_preflight(out, (await test_api.post(f"/campaigns/{campaign}/preflight")).body)
    view.show_stats(out, (await test_api.get(f"/campaigns/{campaign}/stats")).body)
    told = stream.getvalue()
    assert f"draft: The campaign has not been started.\n  iglayers campaigns start {campaign}\n" in told
    assert "Targets: queued 3." in told
    assert "It cannot start as it is.\n3 targets.\nblocker sender_not_available: " in told
    assert "By day, UTC:" in told
    assert "To send: 3 messages, and none of them can go as it stands." in told


async def test_results_that_break_off_leave_the_file_as_it_was(tmp_path: Path) -> None:
    out = tmp_path / "results.csv"
    out.write_text("of yesterday")
    with scripted(answer(200, raw=b"targetId\r\n", Content_Type="text/csv", Content_Length=999)) as server:
        done = await Line(tmp_path, api_key="sk_test_x", url=server.url)(
            "results", "--campaign", "cmp_1", "-o", str(out)
        )
    assert (done.exit_code, done.stdout) == (1, "")
    assert "broke off before its end. Fetch it again." in done.stderr
    assert out.read_text() == "of yesterday"
    assert names_in(tmp_path) == [out.name]


def names_in(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]
