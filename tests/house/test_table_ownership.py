"""A table is written only in its owner's queries; every table of the migrations has an owner."""

import re
from pathlib import Path, PurePosixPath

from tests.house.source import ROOT, Statement, report, statements
from tests.house.tables import ENGINE_FILES, ENGINE_WRITES, OWNERS, schema

_TABLE = r'(?:ONLY )?(?:"?\w+"?\.)?"?(\w+)"?'
_WRITES = (
    re.compile(rf"\b(?:INSERT INTO|DELETE FROM|MERGE INTO|TRUNCATE(?: TABLE)?) {_TABLE}"),
    # not `FOR UPDATE`, `FOR NO KEY UPDATE`, `DO UPDATE`
    re.compile(rf"(?<!\bFOR )(?<!\bKEY )(?<!\bDO )\bUPDATE {_TABLE}"),
    re.compile(rf"\bCOPY {_TABLE}(?: .*)? FROM STDIN"),
)


def written(statement: Statement) -> set[str]:
    text = " ".join(statement.text.split())
    return {table for pattern in _WRITES for table in pattern.findall(text)}


def trespasses(root: Path) -> list[str]:
    return [
        f"{statement.place} writes {table}, which belongs to {OWNERS[table]}: call its queries or actions"
        for statement in statements(root)
        for table in sorted(written(statement) & OWNERS.keys())
        if not _may_write(statement.path, table)
    ]


def _may_write(path: str, table: str) -> bool:
    if ENGINE_FILES.fullmatch(path) and table in ENGINE_WRITES:
        return True
    folder = ".".join(PurePosixPath(path).parent.parts[1:])
    place = folder or PurePosixPath(path).stem
    return f"{place}.".startswith(f"{OWNERS[table]}.")


def test_a_table_is_written_only_by_its_owner() -> None:
    found = trespasses(ROOT)
    assert not found, report("A table is written only in its owner's queries:", found)


def test_every_table_has_an_owner() -> None:
    ownerless = sorted(schema(ROOT).keys() - OWNERS.keys())
    assert not ownerless, report("Tables without an owner; give them a line in tests/house/tables.py:", ownerless)


def test_every_owner_has_its_table() -> None:
    made_by_code = {"migrations"}  # core/migrate.py makes it before the first migration
    gone = sorted(OWNERS.keys() - schema(ROOT).keys() - made_by_code)
    assert not gone, report("Listed in tests/house/tables.py, but no migration makes it:", gone)


def test_the_rule_sees_a_trespass(tmp_path: Path) -> None:
    def plant(path: str, sql: str) -> list[str]:
        file = tmp_path / "iglayers" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f'def it(conn):\n    return conn.execute("""{sql}""")\n')
        try:
            return trespasses(tmp_path)
        finally:
            file.unlink()

    writes = (
        "INSERT INTO {}\n (a) VALUES (1)",
        "UPDATE {} SET a = 1",
        "DELETE FROM {}",
        "COPY {} FROM STDIN",
    )
    for sql in (*writes, "WITH gone AS (DELETE FROM {} RETURNING 1) SELECT 1", "TRUNCATE {}"):
        assert plant("clients/queries.py", sql.format("migrations")), sql
        assert plant("core/queries.py", sql.format("migrations")) == [], sql
    reading = "SELECT 1 FROM migrations FOR NO KEY UPDATE OF migrations"
    assert plant("clients/queries.py", reading) == []
    assert plant("clients/queries.py", "INSERT INTO x VALUES (1) ON CONFLICT (a) DO UPDATE SET b = 1") == []


def test_the_rule_sees_a_trespass_by_copy(tmp_path: Path) -> None:
    slice_ = tmp_path / "iglayers" / "clients"
    slice_.mkdir(parents=True)
    (slice_ / "queries.py").write_text(
        'async def it(conn):\n    await conn.copy_records_to_table("migrations", records=[])\n'
    )
    assert len(trespasses(tmp_path)) == 1


def test_the_engine_writes_what_is_listed_and_nothing_else() -> None:
    assert _may_write("iglayers/sending/queries_begin.py", "messages")
    assert not _may_write("iglayers/sending/queries_begin.py", "suppressions")
    assert not _may_write("iglayers/sending/actions.py", "messages")
    assert not _may_write("iglayers/replies/queries.py", "messages")
    assert _may_write("iglayers/senders/transports/sandbox/queries.py", "sandbox_messages")
    assert not _may_write("iglayers/senders/queries.py", "sandbox_messages")
