"""No statement locks rows of a table in a step of its WITH, waiting for them, and changes that table in another step.

The steps share one snapshot, so the change comes back to the version that the lock has left behind. Where a foreign
key or an upload holds that version, two such statements close a circle (docs/decisions/0021).
"""

import re
from pathlib import Path

from tests.house.source import ROOT, report, statements

RULE = "A row is locked in one statement and changed in the next, or changed by one plain UPDATE; decision 21 says why:"

_LOCKED = re.compile(r"\bFROM (\w+)\b(?:(?!\bFROM\b|\bUPDATE\b).)*?\bFOR (?:NO KEY )?UPDATE\b(?! OF \w+ SKIP| SKIP)")
_CHANGED = re.compile(r"(?<!\bFOR )(?<!\bKEY )(?<!\bDO )\bUPDATE (\w+)|\bDELETE FROM (\w+)")
# Whoever refers to a target holds it against everybody: no version of it is held by a foreign key alone.
HELD_BY_WHOEVER_REFERS = frozenset({"targets"})


def returning(root: Path) -> list[str]:
    return [
        f"{statement.place} locks and changes {table}"
        for statement in statements(root)
        for table in sorted(_both(" ".join(statement.text.split())) - HELD_BY_WHOEVER_REFERS)
    ]


def _both(text: str) -> set[str]:
    return set(_LOCKED.findall(text)) & {name for pair in _CHANGED.findall(text) for name in pair}


def test_no_statement_changes_what_another_step_of_it_has_locked() -> None:
    found = returning(ROOT)
    assert not found, report(RULE, found)


def test_the_rule_sees_it(tmp_path: Path) -> None:
    queries = tmp_path / "iglayers" / "campaigns" / "queries.py"
    queries.parent.mkdir(parents=True)

    def plant(sql: str) -> list[str]:
        queries.write_text(f'def it(conn):\n    return conn.execute("""{sql}""")\n')
        return returning(tmp_path)

    change = "UPDATE campaigns c SET name = '' FROM held WHERE c.id = held.id"
    for lock in ("FOR NO KEY UPDATE", "FOR UPDATE"):
        assert plant(f"WITH held AS (SELECT id FROM campaigns WHERE id = $1 {lock}) {change}")
    assert not plant(f"WITH held AS (SELECT id FROM campaigns FOR NO KEY UPDATE SKIP LOCKED) {change}")
    assert not plant(f"WITH held AS (SELECT id FROM targets FOR NO KEY UPDATE) {change}")
    assert not plant("SELECT id FROM campaigns WHERE id = $1 FOR NO KEY UPDATE")
