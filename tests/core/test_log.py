"""Logs: quiet where a thing goes on, whole where a library speaks, and never a reason to fail."""

import json
import logging
import sys
from collections.abc import Iterator

import asyncpg
import pytest
import structlog

from iglayers.core import log
from iglayers.core.db import Database
from iglayers.core.log import Repeats


class Broken:
    """A terminal that was closed."""

    def isatty(self) -> bool:
        return False

    def write(self, _text: str) -> int:
        raise OSError(5, "Input/output error")

    def flush(self) -> None:
        raise OSError(5, "Input/output error")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    handlers = logging.getLogger().handlers[:]
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers
    logging.getLogger("asyncpg").setLevel(logging.NOTSET)


def test_same_warning_is_written_once_in_ten_seconds_and_counted() -> None:
    now = [0.0]
    repeats = Repeats(clock=lambda: now[0])
    written: list[object] = []
    for at in (0, 1, 9.9, 10, 10.1, 25):
        now[0] = at
        try:
            written.append((at, repeats(None, "warning", {"event": "database.failed"}).get("repeated")))
        except structlog.DropEvent:
            continue
    assert written == [(0, None), (10, 2), (25, 1)]


def test_other_warnings_and_other_levels_are_always_written() -> None:
    repeats = Repeats(clock=lambda: 0.0)
    for pid in range(3):
        assert repeats(None, "warning", {"event": "child.died", "pid": pid})["pid"] == pid
    for _ in range(3):
        assert repeats(None, "info", {"event": "message.attempted"})
        assert repeats(None, "error", {"event": "request.failed"})


def test_libraries_speak_in_the_same_form_and_secrets_are_masked(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("info")
    logging.getLogger("some.library").warning("odd key %s", "sk_live_abcdefghijklmnop")
    logging.getLogger("some.library").info("nothing new")
    structlog.get_logger("ours").info("line\nbreak", key="whsec_abcdefgh")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(each["level"], each["event"]) for each in lines] == [("warning", "library.said"), ("info", "line\nbreak")]
    assert (lines[0]["library"], lines[0]["text"]) == ("some.library", "odd key sk_live_***")
    assert lines[1]["key"] == "whsec_***"


def test_closed_terminal_ends_nobodys_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Broken())
    log.configure("info")
    structlog.get_logger("ours").info("child.started")


def test_level_holds(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("error")
    structlog.get_logger("ours").warning("child.died")
    logging.getLogger("some.library").warning("odd")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("statement", "value", "told"),
    [
        ("INSERT INTO pg_temp.said VALUES ($1)", "Hi Jane,\nDETAIL: we pay 500", 'check constraint "said_text_check"'),
        ("SELECT $1::text::integer", "Hi Jane,\nwe pay 500", "SQLSTATE 22P02"),
        ("SELECT $1::integer", "Hi Jane, we pay 500", "SQLSTATE"),
        ("SELECT $1::text", "Hi Jane, we pay \ud800", "SQLSTATE"),
        ("SELECT FROM nothing WHERE $1::text = ''", "Hi Jane", 'relation "nothing" does not exist'),
    ],
)
async def test_what_a_database_quotes_is_not_logged(
    database: Database, capsys: pytest.CaptureFixture[str], statement: str, value: str, told: str
) -> None:
    log.configure("info")
    async with database.connection() as conn:
        await conn.execute("CREATE TEMP TABLE said (text text CHECK (text = ''))")
        with pytest.raises(asyncpg.PostgresError) as refused:
            await conn.execute(statement, value)
        await conn.execute("DROP TABLE said")
    wrapped = ExceptionGroup("two loops", [RuntimeError("other"), refused.value])
    structlog.get_logger("tests").error("failed", exc_info=wrapped)
    logged = capsys.readouterr().err
    assert told in json.loads(logged)["exception"]
    assert "test_what_a_database_quotes_is_not_logged" in logged
    assert "we pay" not in logged
    assert "Jane" not in logged
