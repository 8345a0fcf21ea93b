"""The tree as the house rules see it: its files, its modules, and the SQL written in them."""

import ast
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON_TREES = ("iglayers", "tests", "examples", "benchmarks")

_STATEMENT = re.compile(r"\s*\(?\s*(SELECT|INSERT|UPDATE|DELETE|WITH|COPY|LOCK|TRUNCATE|MERGE)\s+\S")
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_COPY_METHODS = {"copy_records_to_table", "copy_to_table"}


@dataclass(frozen=True)
class Statement:
    """One SQL text: where it stands, in which function or constant, and the text without its comments."""

    path: str
    line: int
    scope: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line} ({self.scope})"

    @property
    def name(self) -> str:
        """As the lists of exceptions write it: `campaigns.queries.claim_next`."""
        module = self.path.removeprefix("iglayers/").removesuffix(".py").replace("/", ".")
        return f"{module}.{self.scope}"


def report(rule: str, found: list[str]) -> str:
    return f"{rule}\n  " + "\n  ".join(found)


def python_files(root: Path, *trees: str) -> list[Path]:
    return sorted(
        path
        for tree in trees or PYTHON_TREES
        for path in (root / tree).rglob("*.py")
        if "node_modules" not in path.parts
    )


def relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def text_files(root: Path) -> Iterator[tuple[str, str]]:
    """Name and text of every file that is tracked or could be; without git, of every file not hidden."""
    for name in _tracked(root) or _walked(root):
        path = root / name
        if path.is_symlink() or not path.is_file():
            continue
        raw = path.read_bytes()
        if b"\0" not in raw:
            yield name, raw.decode("utf-8", errors="replace")


def statements(root: Path, *, tree: str = "iglayers") -> list[Statement]:
    """Every SQL text in the tree's Python."""
    return [
        statement
        for path in python_files(root, tree)
        for statement in _Reader(parse(path), relative(path, root)).statements
    ]


def without_comments(sql: str) -> str:
    return _COMMENT.sub(" ", sql)


def _tracked(root: Path) -> list[str]:
    if not (root / ".git").exists():
        return []
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    answer = subprocess.run(command, capture_output=True, check=False)
    return sorted({name for name in os.fsdecode(answer.stdout).split("\0") if name})


def _walked(root: Path) -> list[str]:
    found: list[str] = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(
            name for name in folders if name == ".ci" or not (name.startswith((".", "__")) or name == "node_modules")
        )
        found += [relative(Path(folder) / name, root) for name in sorted(names)]
    return found


class _Reader(ast.NodeVisitor):
    """Collects SQL texts, with constants of the same module put in where a text is made of several."""

    def __init__(self, module: ast.Module, path: str) -> None:
        self.statements: list[Statement] = []
        self._path = path
        self._scopes: list[str] = []
        self._constants: dict[str, str] = {}
        for node in module.body:
            name, value = _assigned(node)
            text = self._resolve(value) if value is not None else None
            if name and text is not None:
                self._constants[name] = text
        self._fragments = self._only_parts_of_texts(module)
        self.visit(module)

    def visit_Module(self, node: ast.Module) -> None:
        for child in node.body:
            name, _ = _assigned(child)
            if name in self._fragments:
                continue
            self._within(name or "module", child)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._function(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring is no SQL
            self.visit(node.value)

    def visit_Constant(self, node: ast.Constant) -> None:
        self._text(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        self._text(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if self._resolve(node) is None:
            self.generic_visit(node)
        else:
            self._text(node)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute) and node.func.attr in _COPY_METHODS:
            words = [
                str(part.value)
                for argument in [*node.args, *(keyword.value for keyword in node.keywords)]
                for part in ast.walk(argument)
                if isinstance(part, ast.Constant)
            ]
            self._add(node, f"COPY {' '.join(words)} FROM STDIN")
        self.generic_visit(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for child in ast.iter_child_nodes(node):
            self._within(node.name, child)

    def _within(self, scope: str, node: ast.AST) -> None:
        self._scopes.append(scope)
        self.visit(node)
        self._scopes.pop()

    def _text(self, node: ast.expr) -> None:
        text = self._resolve(node)
        if text is not None:
            self._add(node, text)

    def _add(self, node: ast.expr, text: str) -> None:
        text = without_comments(text)
        if _STATEMENT.match(text):
            # The innermost function names it; a text in a class outside functions keeps the class's name.
            self.statements.append(Statement(self._path, node.lineno, self._scopes[-1], text))

    def _resolve(self, node: ast.expr) -> str | None:
        match node:
            case ast.Constant(value=str(text)):
                return text
            case ast.Name(id=name):
                return self._constants.get(name)
            case ast.JoinedStr(values=parts):
                return "".join(self._resolve(part) or "" for part in parts)
            case ast.FormattedValue(value=value):
                return self._resolve(value)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                ends = self._resolve(left), self._resolve(right)
                return None if ends == (None, None) else "".join(end or "" for end in ends)
            case _:
                return None

    def _only_parts_of_texts(self, module: ast.Module) -> set[str]:
        def loads(node: ast.AST) -> list[str]:
            return [part.id for part in ast.walk(node) if isinstance(part, ast.Name) and part.id in self._constants]

        everywhere = [
            part.id
            for part in ast.walk(module)
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load) and part.id in self._constants
        ]
        inside: list[str] = []
        pending: list[ast.AST] = [module]
        while pending:
            node = pending.pop()
            if isinstance(node, ast.BinOp | ast.JoinedStr):
                inside += loads(node)
            else:
                pending += ast.iter_child_nodes(node)
        return {name for name in inside if inside.count(name) == everywhere.count(name)}


def _assigned(node: ast.stmt) -> tuple[str, ast.expr | None]:
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name, value
        case ast.AnnAssign(target=ast.Name(id=name), value=value):
            return name, value
        case ast.ClassDef(name=name):
            return name, None
        case _:
            return "", None
