"""Commands that only ask for help, complete a word or call the API start at once; every command is documented."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from iglayers.cli import main
from iglayers.cli.main import CALLS, ENTRIES, app
from tests.cli.processes import PROGRAM, ROOT, environment

HEAVY = "{'litestar', 'asyncpg', 'aiohttp', 'structlog', 'cryptography'}"
PAGE = ROOT / "docs" / "cli.md"


def test_every_module_with_commands_is_in_the_list() -> None:
    modules = {path.stem for path in Path(main.__file__).parent.glob("*.py") if "\ndef add(" in path.read_text()}
    assert modules == {each.module for each in ENTRIES}


@pytest.mark.parametrize("words", ["--help", "campaigns start --help", "me"])
def test_help_and_calls_of_the_api_do_not_wait_for_what_a_server_imports(words: str) -> None:
    program = (
        "import sys\nfrom iglayers.cli.main import app\n"
        "try: app()\nexcept SystemExit: pass\n"
        f"print('imported:', *({HEAVY} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words.split()],
        cwd=ROOT, env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "imported:", done.stderr


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("iglayers camp", {"campaigns"}), ("iglayers campaigns sta", {"status", "start", "stats"})],
)
def test_shell_completes_names_of_commands(typed: str, offered: set[str]) -> None:
    asked = {
        "_IGLAYERS_COMPLETE": "complete_bash", "_TYPER_COMPLETE_ARGS": typed, "COMP_WORDS": typed,
        "COMP_CWORD": str(typed.count(" ")),
    }  # fmt: skip
    done = subprocess.run([*PROGRAM], cwd=ROOT, env=environment() | asked, capture_output=True, text=True, check=False)
    assert set(done.stdout.split()) == offered


def test_page_of_the_command_line_tells_of_every_command_that_calls_the_api_and_of_no_other() -> None:
    page = PAGE.read_text(encoding="utf-8")
    group: Any = get_command(app)
    calling = [each.name for each in ENTRIES if each.panel == CALLS]
    for name in calling:
        group.bring_in(name)
    known = {
        " ".join(filter(None, ("iglayers", name, verb)))
        for name in calling
        for verb in getattr(group.commands[name], "commands", {"": None})
    } | {f"iglayers senders {verb}" for verb in ("list", "show", "pause", "resume")}  # fmt: skip
    told = {line.split("|")[1].strip().strip("`") for line in page.splitlines() if line.startswith("| `iglayers ")}
    assert {" ".join(each.split()[:3]) if len(each.split()) > 2 else each for each in told} == known
