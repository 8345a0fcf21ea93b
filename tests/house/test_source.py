"""Sizes, names, imports and docstrings of the Python files."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.house.source import ROOT, parse, python_files, relative, report

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 60
EMPTY_WORDS = {"util", "utils", "helper", "helpers", "common", "base", "manager", "managers"}

# `file:function` that may import inside, because what it imports is an optional extra.
OPTIONAL_EXTRAS: frozenset[str] = frozenset()

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def long_files(root: Path) -> list[str]:
    sizes = [(relative(path, root), len(path.read_text().splitlines())) for path in python_files(root)]
    return [f"{name}: {lines} lines" for name, lines in sizes if lines > MAX_FILE_LINES]


def long_functions(root: Path) -> list[str]:
    return [
        f"{name}:{node.lineno} {node.name}: {lines} lines"
        for name, node in _functions(root)
        if (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > MAX_FUNCTION_LINES
    ]


def empty_names(root: Path) -> list[str]:
    return [
        name
        for name in (relative(path, root) for path in python_files(root))
        if EMPTY_WORDS.intersection(re.split(r"[/_]", name.removesuffix(".py")))
    ]


def local_imports(root: Path) -> list[str]:
    return sorted(
        {
            f"{name}:{inner.lineno} in {node.name}"
            for name, node in _functions(root)
            if f"{name}:{node.name}" not in OPTIONAL_EXTRAS
            for inner in _statements(node)
            if isinstance(inner, ast.Import | ast.ImportFrom)
        }
    )


def undescribed(root: Path) -> list[str]:
    return [relative(path, root) for path in python_files(root) if not ast.get_docstring(parse(path))]


def _functions(root: Path) -> Iterator[tuple[str, FunctionNode]]:
    """One file after another: with all trees at once the garbage collector takes longer than all else."""
    for path in python_files(root):
        for node in _statements(parse(path)):
            if isinstance(node, FunctionNode):
                yield relative(path, root), node


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Every statement inside, however deep. Expressions, most of a tree by far, hold none."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
            yield child
            yield from _statements(child)


LONG_FILE = '"""Long."""\n' + "X = 1\n" * MAX_FILE_LINES
LONG_FUNCTION = '"""Long."""\n\n\ndef long() -> None:\n' + "    print()\n" * MAX_FUNCTION_LINES

RULES = [
    pytest.param(long_files, "clients.py", LONG_FILE, "at most 500 lines a file: split by verb or noun", id="file"),
    pytest.param(long_functions, "clients.py", LONG_FUNCTION, "at most 60 lines a function", id="function"),
    pytest.param(empty_names, "core/utils.py", '"""Odds."""', "a file is named for what it holds", id="name"),
    pytest.param(empty_names, "common/db.py", '"""Odds."""', "a folder is named for what it holds", id="folder"),
    pytest.param(
        local_imports,
        "clients.py",
        '"""Late."""\n\n\ndef late() -> None:\n    from os import path\n',
        "imports stand at the top of the file: a local one means that the order of slices is wrong",
        id="import",
    ),
    pytest.param(
        undescribed,
        "clients.py",
        "X = 1\n",
        "a module says in one to five lines what it holds",
        id="docstring",
    ),
]


@pytest.mark.parametrize(("check", "name", "content", "rule"), RULES)
def test_source(check: Callable[[Path], list[str]], name: str, content: str, rule: str, tmp_path: Path) -> None:
    found = check(ROOT)
    assert not found, report(f"House rule: {rule}.", found)

    planted = tmp_path / "iglayers" / name
    planted.parent.mkdir(parents=True)
    planted.write_text('"""Fine."""\n\n\ndef short() -> None:\n    print()\n')
    assert check == empty_names or not check(tmp_path)
    planted.write_text(content)
    assert len(check(tmp_path)) == 1, "this rule does not see its own violation"
