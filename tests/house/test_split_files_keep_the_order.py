"""`actions_import.py` keeps the rules of `actions.py`; import-linter knows only the unsplit names."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.house.source import ROOT, parse, python_files, relative, report

HEIGHTS = {"model": 0, "queries": 1, "actions": 2, "api": 3}


def upward_imports(root: Path) -> list[str]:
    modules = {
        relative(path, root).removesuffix(".py").removesuffix("/__init__").replace("/", "."): path
        for path in python_files(root, "iglayers")
    }
    return [
        f"{module} imports {imported}"
        for module, path in sorted(modules.items())
        for imported in sorted({_nearest(name, modules) for name in _imported(path, module)})
        if _is_upward(module, imported)
    ]


def _is_upward(importer: str, imported: str) -> bool:
    slice_, kind = _place(imported)
    own_slice, own_kind = _place(importer)
    if slice_ == own_slice:
        return HEIGHTS.get(own_kind, 9) < HEIGHTS.get(kind, 0)
    return kind == "api" and not f"{importer}.".startswith("iglayers.web.")


def _place(module: str) -> tuple[str, str]:
    """The folder a module stands in, and which of the four it is by the first word of its name."""
    folder, _, name = module.rpartition(".")
    return folder, name.split("_")[0]


def _nearest(name: str, modules: dict[str, Path]) -> str:
    return name if name in modules else name.rpartition(".")[0]


def _imported(path: Path, module: str) -> Iterator[str]:
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            steps = node.level - (path.name == "__init__.py")
            start = ".".join(module.split(".")[: -steps or None]) + "." if node.level else ""
            base = (start + (node.module or "")).rstrip(".")
            yield from (f"{base}.{alias.name}" for alias in node.names)


def test_split_files_keep_the_order() -> None:
    found = upward_imports(ROOT)
    assert not found, report("api > actions > queries > model, and only web imports api:", found)


def test_the_rule_sees_upward_imports(tmp_path: Path) -> None:
    def plant(name: str, text: str) -> None:
        path = tmp_path / "iglayers" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    for name in ("model", "queries_rows", "actions", "actions_import", "api_reading"):
        plant(f"clients/{name}.py", "")
    plant("web/app.py", "from iglayers.clients import api_reading\n")
    plant(
        "clients/actions.py",
        "from iglayers.clients.actions_import import x\nfrom . import model, queries_rows\n",
    )
    assert upward_imports(tmp_path) == []
    plant("clients/queries_rows.py", "from iglayers.clients import actions_import\n")
    plant("clients/model.py", "from .queries_rows import row\n")
    plant("targets/actions.py", "import iglayers.clients.api_reading\n")
    assert upward_imports(tmp_path) == [
        "iglayers.clients.model imports iglayers.clients.queries_rows",
        "iglayers.clients.queries_rows imports iglayers.clients.actions_import",
        "iglayers.targets.actions imports iglayers.clients.api_reading",
    ]
