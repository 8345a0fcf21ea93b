"""A PostgreSQL of one's own: what it must be, who may open it, and many who migrate it at once."""

import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.cli.conftest import Run
from tests.cli.processes import PROGRAM, ROOT, command, environment
from tests.databases import SECRET_KEY


def test_ten_migrate_at_once_and_one_does_the_work(empty_url: str) -> None:
    ten = [
        subprocess.Popen(
            [*PROGRAM, "migrate"], env=environment(database_url=empty_url), cwd=ROOT, stdout=subprocess.PIPE
        )
        for _ in range(10)
    ]
    said = sorted(each.communicate(timeout=60)[0].decode() for each in ten)
    assert [each.returncode for each in ten] == [0] * 10
    assert said[1:] == ["The database is up to date.\n"] * 9
    assert said[0].startswith("Applied 0001_initial.sql")


@pytest.mark.parametrize("part", ["serve", "api", "worker"])
async def test_database_that_may_forget_is_refused(own_url: str, tmp_path: Path, part: str) -> None:
    conn = await asyncpg.connect(own_url)
    await conn.execute(f"ALTER DATABASE {urlsplit(own_url).path[1:]} SET synchronous_commit = off")
    await conn.close()
    done = command(part, port="0", database_url=own_url, secret_key=SECRET_KEY.hex(), data_dir=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert "synchronous_commit off" in done.stderr
    assert "Set synchronous_commit = on there." in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"secret_key": ""}, "IGLAYERS_SECRET_KEY is required with IGLAYERS_DATABASE_URL"),
        ({"secret_key": "abc"}, "IGLAYERS_SECRET_KEY"),
        ({"secret_key": "ab" * 32}, "Set IGLAYERS_SECRET_KEY to that one."),
        ({"database_url": "postgresql://nobody:x@127.0.0.1:1/none"}, "The database cannot be used"),
        ({"database_url": "mysql://127.0.0.1/none"}, "The database cannot be used"),
    ],
)
def test_what_cannot_be_opened_is_refused_in_one_line(run: Run, settings: dict[str, str], told: str) -> None:
    done = run("dispatch", "status", **settings)
    assert (done.exit_code, done.stdout) == (1, "")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert SECRET_KEY.hex() not in done.stderr


async def test_newer_database_is_refused(run: Run, own_url: str) -> None:
    conn = await asyncpg.connect(own_url)
    await conn.execute("INSERT INTO migrations (name, sha256) VALUES ('9999_of_the_future.sql', '')")
    await conn.close()
    for words in (["migrate"], ["dispatch", "status"]):
        done = run(*words, database_url=own_url)
        assert (done.exit_code, done.stdout) == (1, "")
        assert "newer than this program: it has 9999_of_the_future.sql" in done.stderr
