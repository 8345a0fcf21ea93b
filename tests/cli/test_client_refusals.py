"""Commands that call the API and come to nothing: one clear line, the right exit code, and no key in it."""

from pathlib import Path

import pytest

from iglayers.cli.client import option_of
from tests.cli.calling import Line
from tests.serving import Api, free_port

NOBODY = f"cmp_{0:032}"


@pytest.fixture
def line(test_api: Api, tmp_path: Path) -> Line:
    return Line(tmp_path, api_key=test_api.key, url=test_api.base)


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (f"campaigns show {NOBODY}", 1, "There is no such campaign. Check the id"),
        (f"campaigns start {NOBODY}", 1, "no such campaign"),
        (f"targets list --campaign {NOBODY}", 1, "no such campaign"),
        (f"results --campaign {NOBODY} --format csv", 1, "no such campaign"),
        ("campaigns show cmp_x/../../me", 1, "There is nothing at"),
        ("clients create --name Acme --daily-limit 0", 1, "Correct --daily-limit."),
        ("campaigns create --client cl_x --name x --template tpl_x", 1, "Correct --client."),
        ("campaigns list --status going", 1, "status"),
        ("targets list --campaign=", 1, "An id is empty"),
        ("campaigns stats --by week " + NOBODY, 1, "by must be hour or day. Correct --by."),
        ("me --url localhost:3000", 1, "'localhost:3000' is no address of a server."),
        ("campaigns list --api-key sk_test_x", 2, "No such option"),
        ("clients create", 2, "Missing option '--name'"),
        ("clients create --name x --metadata [1]", 2, "must be a JSON object"),
        ("clients create --name x --metadata {", 2, "is no JSON"),
        ("templates create --name x", 2, "give one of the two"),
        ("templates create --name x --body-file none.txt", 2, "none.txt cannot be read"),
        ("campaigns create --client c --name x --template t --window always", 2, "is not like 'mon-fri 09:00-18:00'"),
        ("campaigns create --client c --name x --template t --follow-up tpl_1", 2, "is not like tpl_"),
        ("targets upload none.csv --campaign c", 2, "none.csv is no file"),
        ("results --campaign c -o file.xlsx", 2, "none of .csv, .json, .ndjson"),
        ("results --campaign c -o file.csv --limit 5", 2, "a file holds everybody"),
        ("campaigns list --limit 0", 2, "Invalid value for '--limit'"),
    ],
)
async def test_call_that_cannot_be_is_one_line_and_an_exit_code(line: Line, words: str, status: int, told: str) -> None:
    done = await line(*words.split())
    assert (done.exit_code, done.stdout) == (status, "")
    assert told in " ".join(done.stderr.replace("│", " ").split())
    if status == 1:
        assert done.stderr.startswith("iglayers: ")
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"api_key": ""}, "IGLAYERS_API_KEY is not set. Make a key on the server"),
        ({"api_key": "sk_test_" + "x" * 38}, "Set IGLAYERS_API_KEY"),
        ({"url": f"http://127.0.0.1:{free_port()}"}, "See whether `iglayers serve` runs there"),
        ({"url": "http://name.invalid"}, "No answer from http://name.invalid"),
    ],
    ids=["no key", "wrong key", "no server", "no name"],
)
async def test_what_is_missing_for_a_call_is_named(line: Line, settings: dict[str, str], told: str) -> None:
    line.settings |= settings
    done = await line("campaigns", "list")
    assert (done.exit_code, done.stdout) == (1, "")
    assert told in done.stderr
    assert line.settings["api_key"] == "" or line.settings["api_key"] not in done.output


async def test_refusal_before_the_file_is_read_is_told_as_it_is(line: Line) -> None:
    line.settings["api_key"] = "sk_test_" + "x" * 38
    people = line.file("people.csv", "instagramUsername,text\n" + "".join(f"p{n},{'x' * 900}\n" for n in range(8_000)))
    done = await line("targets", "upload", people, "--campaign", NOBODY)
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert "Set IGLAYERS_API_KEY" in done.stderr


@pytest.mark.parametrize(
    ("param", "option"),
    [
        ("clientId", "client"), ("senderIds[0]", "sender"), ("messageTemplateId", "template"),
        ("dailyLimit", "daily-limit"), ("schedule.windows[0].days", "window"),
            ("schedule.startAt", "start-at"), ("followUps[0].delayHours", "follow-up"),
    ],
)  # fmt: skip
def test_field_is_told_as_its_option(param: str, option: str) -> None:
    assert option_of(param) == option
