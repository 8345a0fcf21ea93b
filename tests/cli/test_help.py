"""Every command explains itself, and a misspelt one is told apart from one that failed."""

from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from iglayers import __version__
from iglayers.cli.main import app


def commands(group: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = [path]
    for name, each in getattr(group, "commands", {}).items():
        found += commands(each, (*path, name))
    return found


@pytest.mark.parametrize("path", commands(get_command(app)), ids=" ".join)
def test_command_explains_itself_and_its_options(path: tuple[str, ...]) -> None:
    command: Any = get_command(app)
    for name in path:
        command = command.commands[name]
    shown = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    assert command.help.split("\n")[0] in shown.stdout
    unexplained = [each.name for each in command.params if not each.hidden and not each.help]
    assert unexplained == []


@pytest.mark.parametrize("words", [["servee"], ["serve", "--prot", "1"], ["keys", "destroy"], ["serve", "--port", "x"]])
def test_misspelt_command_ends_with_2_and_says_where_to_look(words: list[str]) -> None:
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert "--help" in done.output


def test_version_is_told() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout == f"iglayers {__version__}\n"
