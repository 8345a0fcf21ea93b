"""Every file and folder that docs/architecture.md names exists."""

import re
from pathlib import Path

from tests.house.source import ROOT, report, text_files

_ENDINGS = "py|md|sql|toml|txt|csv|html|css|js|yml|yaml|json|in|sh"
_FILE = re.compile(rf"(?<![\w./:@{{<-])((?:[\w.*<>-]+/)*[\w.*-]+\.(?:{_ENDINGS}))(?![\w/(]|\.\w)")
_FOLDER = re.compile(r"`((?:[\w.*-]+/)+)`")
_WEB = re.compile(r"\b\w+://\S+")


def missing(root: Path) -> list[str]:
    names = [name for name, _ in text_files(root)]
    return [named for named in named_in(root / "docs" / "architecture.md") if not _exists(named, root, names)]


def named_in(page: Path) -> list[str]:
    text = _WEB.sub(" ", page.read_text(encoding="utf-8"))
    return sorted({*_FILE.findall(text), *_FOLDER.findall(text)})


def _exists(named: str, root: Path, names: list[str]) -> bool:
    """From the root, from docs or from the package; a bare file name (`queries.py` of any slice) anywhere."""
    pattern = re.sub(r"<[\w-]+>", "*", named).rstrip("/")
    if "/" not in named:
        end = re.compile(r"(?:.*/)?" + re.escape(pattern).replace(r"\*", "[^/]*"))
        return any(end.fullmatch(name) for name in names)
    return any(next(base.glob(pattern), None) for base in (root, root / "docs", root / "iglayers"))


def test_architecture_names_what_exists() -> None:
    page = ROOT / "docs" / "architecture.md"
    assert page.is_file(), "docs/architecture.md is missing"
    found = missing(ROOT)
    assert not found, report("docs/architecture.md names files that do not exist:", found)


def test_the_rule_sees_a_missing_file(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "iglayers" / "clients").mkdir(parents=True)
    (tmp_path / "iglayers" / "clients" / "queries.py").write_text("")
    (tmp_path / "docs" / "life.md").write_text("")
    page = tmp_path / "docs" / "architecture.md"
    page.write_text(
        "[life](life.md), `queries.py`, `clients/queries.py`, `iglayers/<slice>/queries.py`, `clients/`,"
        " `iglayers/*/*.py` https://example.com/not/ours.html `GET /events` e.g. 3.11, `campaigns.start`\n"
    )
    assert missing(tmp_path) == []
    page.write_text(
        "`clients/api.py`, [x](decisions/0001-x.md), actions.py\n```\nsending/\n  send.py\n```\n`sending/`\n"
    )
    assert missing(tmp_path) == ["actions.py", "clients/api.py", "decisions/0001-x.md", "send.py", "sending/"]
