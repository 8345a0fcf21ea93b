"""SQL text stands in queries.py or queries_*.py, in the migrations, and in two files of core."""

import re
from pathlib import Path

from tests.house.source import ROOT, report, statements

RULE = "SQL stands in its slice's queries.py (or queries_*.py), one typed function a query; move these there:"

# A slice under about 150 lines is one module with its queries in it.
ONE_MODULE_SLICES = (
    "accounts|events|clients|contacts|templates|usage|messages|senders|targets|campaigns|sending|replies|reports"
)
ALLOWED = re.compile(
    rf"iglayers/(.+/)?queries(_\w+)?\.py|iglayers/core/(db|migrate)\.py|iglayers/({ONE_MODULE_SLICES})\.py"
)


def misplaced(root: Path) -> list[str]:
    return [
        f"{statement.place}: {' '.join(statement.text.split())[:60]}"
        for statement in statements(root)
        if not ALLOWED.fullmatch(statement.path)
    ]


def test_sql_stands_in_queries() -> None:
    found = misplaced(ROOT)
    assert not found, report(RULE, found)


def test_the_rule_sees_sql_elsewhere(tmp_path: Path) -> None:
    slice_ = tmp_path / "iglayers" / "clients"
    slice_.mkdir(parents=True)
    sql = 'def find(conn):\n    """SELECT is only a word."""\n    return conn.fetch("""\n  {}\n  """)\n'
    transport = tmp_path / "iglayers" / "senders" / "transports" / "sandbox"
    transport.mkdir(parents=True)
    for folder in (slice_, transport):
        (folder / "queries.py").write_text(sql.format("SELECT id FROM clients"))
    (slice_ / "queries_import.py").write_text(sql.format("SELECT id FROM clients"))
    assert misplaced(tmp_path) == []
    kinds = [
        "SELECT id FROM clients",
        "INSERT INTO clients VALUES (1)",
        "UPDATE clients SET name = ''",
        "DELETE FROM clients",
        "-- the reason\n WITH named AS (SELECT 1) SELECT 2",
        "COPY clients FROM STDIN",
        "LOCK TABLE clients",
        "TRUNCATE clients",
    ]
    for number, kind in enumerate(kinds):
        (slice_ / f"actions_{number}.py").write_text(sql.format(kind))
    assert len(misplaced(tmp_path)) == len(kinds)
    (slice_ / "actions_built.py").write_text(
        'START = "SELECT id "\n\n\ndef it() -> str:\n    return START + "FROM x"\n'
    )
    assert misplaced(tmp_path)[-1] == "iglayers/clients/actions_built.py:5 (it): SELECT id FROM x"
