"""No file holds a path of one machine or the address of a package registry."""

import re
import subprocess
from pathlib import Path

from tests.house.source import ROOT, report, text_files

# Written in parts, so that this file does not break its own rule.
_FOLDERS = ("work", "root", "home", "Users", "opt/wheels")
_HOSTS = (
    ("pypi", "org"),
    ("files", "pythonhosted", "org"),
    ("registry", "npmjs", "org"),
    ("registry", "yarnpkg", "com"),
)
_PATTERN = re.compile(
    "|".join(
        [
            rf"(?<![\w.}}])/(?:{'|'.join(_FOLDERS)})/",  # at the start of a path, not inside an address
            *(re.escape(".".join(host)) for host in _HOSTS),
        ]
    )
)


def addresses(root: Path) -> list[str]:
    return [
        f"{name}:{number}: {found[0]}"
        for name, text in text_files(root)
        for number, line in enumerate(text.splitlines(), start=1)
        if (found := _PATTERN.search(line))
    ]


def test_no_machine_paths_and_no_registries() -> None:
    found = addresses(ROOT)
    assert not found, report("Paths of one machine or registry addresses:", found)


def test_the_rule_sees_them(tmp_path: Path) -> None:
    (tmp_path / "fine.md").write_text("See https://example.com/home/ and ./work/ and ~/work.")
    assert addresses(tmp_path) == []
    for number, folder in enumerate(_FOLDERS):
        (tmp_path / f"folder{number}.toml").write_text(f'data = "/{folder}/someone"\n')
    for number, host in enumerate(_HOSTS):
        (tmp_path / f"lock{number}.txt").write_text(f"--index-url https://{'.'.join(host)}/simple\n")
    assert len(addresses(tmp_path)) == len(_FOLDERS) + len(_HOSTS)


def test_the_rule_asks_git_what_is_tracked_or_could_be(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text("ignored.txt\n")
    for name in ("ignored.txt", "new.txt"):
        (tmp_path / name).write_text(f"/{_FOLDERS[0]}/here\n")
    assert [found.split(":")[0] for found in addresses(tmp_path)] == ["new.txt"]
