"""A backup is the whole database in one private file; what it restores sends nothing until a person says so."""

import json
import stat
from pathlib import Path

import pytest

from tests.cli.conftest import Run


@pytest.fixture
def file(run: Run, tmp_path: Path) -> Path:
    """A backup of a database with a workspace of its own."""
    run("workspaces", "create", "Second")
    path = tmp_path / "iglayers.dump"
    done = run("backup", str(path))
    assert (done.exit_code, done.stderr) == (0, "")
    return path


def test_restored_database_is_the_same_and_sends_nothing(run: Run, file: Path, empty_url: str) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    done = run("restore", str(file), database_url=empty_url)
    assert done.exit_code == 0, done.stderr
    assert "Dispatch is paused: Restored from a backup" in done.stdout
    before, after = (
        json.loads(run("workspaces", "list", **where).stdout) for where in ({}, {"database_url": empty_url})
    )
    assert before == after
    assert len(after) == 4
    assert run("dispatch", "status", database_url=empty_url).stdout.startswith("paused: Restored from a backup")
    assert run("dispatch", "status").stdout == "running\n"
    assert run("dispatch", "resume", database_url=empty_url).stdout == "running\n"


def test_database_in_use_is_not_restored_into_and_no_file_is_replaced(run: Run, file: Path) -> None:
    kept = file.read_bytes()
    again, over = run("backup", str(file)), run("restore", str(file))
    assert (again.exit_code, over.exit_code) == (1, 1)
    assert "exists. Choose another name" in again.stderr
    assert "Restore into an empty one" in over.stderr
    assert file.read_bytes() == kept


@pytest.mark.parametrize("part", [0, 20, 1_000])
def test_damaged_backup_leaves_the_database_empty(run: Run, file: Path, empty_url: str, part: int) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[: -part or 1])
    done = run("restore", str(file), database_url=empty_url)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "pg_restore failed" in done.stderr
    file.write_bytes(whole)
    assert run("restore", str(file), database_url=empty_url).exit_code == 0


def test_file_that_cannot_be_written_is_refused(run: Run, tmp_path: Path) -> None:
    done = run("backup", str(tmp_path / "nowhere" / "file"))
    assert (done.exit_code, done.stdout) == (1, "")
    assert "cannot be written: No such file or directory." in done.stderr


def test_restored_under_another_secret_key_is_told_so(run: Run, file: Path, empty_url: str) -> None:
    done = run("restore", str(file), database_url=empty_url, secret_key="ab" * 32)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "The secret key is not the one this database was made with." in done.stderr
