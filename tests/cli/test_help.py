"""Every command explains itself, and a misspelt one is told apart from one that failed."""

import ast
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from iglayers import __version__
from iglayers.cli.main import ENTRIES, Entry, app


def whole() -> Any:
    """The command with every other that is brought in only when it is called."""
    group: Any = get_command(app)
    for each in ENTRIES:
        group.bring_in(each.name)
    return group


def paths(group: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = [path]
    for name, each in getattr(group, "commands", {}).items():
        found += paths(each, (*path, name))
    return found


@pytest.mark.parametrize("path", paths(whole()), ids=" ".join)
def test_command_explains_itself_and_its_options(path: tuple[str, ...]) -> None:
    command = at(path)
    shown = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    assert command.help.split("\n")[0] in shown.stdout
    assert [each.name for each in command.params if not each.hidden and not each.help] == []


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_list_of_commands_says_what_the_command_says_of_itself(entry: Entry) -> None:
    said = whole().commands[entry.name].help.split("\n\n")[0].replace("\n", " ")
    assert said.startswith(entry.line.removesuffix("."))


def test_every_command_is_called_by_a_test() -> None:
    leaves = {path for path in paths(whole()) if path and not hasattr(at(path), "commands")}
    assert leaves - said_by_tests() == set()


def at(path: tuple[str, ...]) -> Any:
    found = whole()
    for name in path:
        found = found.commands[name]
    return found


def said_by_tests() -> set[tuple[str, ...]]:
    """Words that stand alone, or side by side, in the calls and lists of the tests."""
    said: set[tuple[str, ...]] = set()
    for file in Path(__file__).parents[1].rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call | ast.Tuple | ast.List):
                items = node.args if isinstance(node, ast.Call) else node.elts
                words = [each.value if isinstance(each, ast.Constant) else None for each in items]
                said |= {(str(word),) for word in words}
                said |= {(str(first), str(second)) for first, second in pairwise(words)}
    return said


@pytest.mark.parametrize("words", [["servee"], ["serve", "--prot", "1"], ["keys", "destroy"], ["serve", "--port", "x"]])
def test_misspelt_command_ends_with_2_and_says_where_to_look(words: list[str]) -> None:
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert "--help" in done.output


def test_version_is_told() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout == f"iglayers {__version__}\n"
