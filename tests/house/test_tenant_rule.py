"""Every statement on a tenant's table names workspace_id, but for those listed in tests/house/tables.py."""

import re
from pathlib import Path

from tests.house.source import ROOT, Statement, report, statements
from tests.house.tables import CROSS_TENANT, schema, tenant_tables

RULE = "Statements on a tenant's table name workspace_id (or stand in CROSS_TENANT, with the reason):"

_TOUCHED = re.compile(
    r'\b(?:FROM|JOIN|INTO|UPDATE|USING|COPY|TRUNCATE|LOCK)\s+(?:TABLE\s+)?(?:ONLY\s+)?(?:\w+\.)?"?(\w+)"?'
)


def unbound(root: Path) -> list[tuple[Statement, set[str]]]:
    """Statements that touch a tenant's table and do not name workspace_id."""
    tenants = tenant_tables(root)
    return [
        (statement, touched)
        for statement in statements(root)
        if (touched := tenants.intersection(_TOUCHED.findall(statement.text)))
        and not re.search(r"\bworkspace_id\b", statement.text)
    ]


def test_tenant_tables_are_asked_for_one_workspace() -> None:
    found = [
        f"{statement.name} at {statement.path}:{statement.line} touches {', '.join(sorted(tables))}"
        for statement, tables in unbound(ROOT)
        if statement.name not in CROSS_TENANT
    ]
    assert not found, report(RULE, found)


def test_a_join_along_a_reference_goes_by_the_id_alone() -> None:
    """Decision 31: the workspace beside it lets the planner look for everybody among all of the workspace."""
    twice = re.compile(r"\b(\w+)\.workspace_id = (?:\$\d+|\w+\.workspace_id)\s+AND \1\.id = \w+\.(?!id\b)\w+")
    found = [
        f"{statement.name} at {statement.path}:{statement.line}: {match[0]}"
        for statement in statements(ROOT)
        for match in twice.finditer(statement.text)
    ]
    assert not found, report("A join along a reference goes by the id alone:", found)


def test_no_exception_is_out_of_date() -> None:
    stale = sorted(CROSS_TENANT.keys() - {statement.name for statement, _ in unbound(ROOT)})
    assert not stale, report("In CROSS_TENANT, but gone, or naming workspace_id now; remove them:", stale)


def test_the_rule_sees_a_statement_without_workspace(tmp_path: Path) -> None:
    migrations = tmp_path / "iglayers" / "migrations"
    migrations.mkdir(parents=True)
    (migrations / "0001_start.sql").write_text(
        """
        CREATE TABLE workspaces (id uuid PRIMARY KEY, -- no workspace_id, it is one
            name text CHECK (name <> ''));
        CREATE TABLE clients (
            id uuid PRIMARY KEY,
            workspace_id uuid NOT NULL REFERENCES workspaces (id),
            UNIQUE (workspace_id, id)
        );
        CREATE TABLE late (id uuid);
        CREATE TABLE gone (workspace_id uuid);
        """
    )
    (migrations / "0002_more.sql").write_text("ALTER TABLE late ADD COLUMN workspace_id uuid;\nDROP TABLE gone;")
    assert schema(tmp_path) == {"workspaces": False, "clients": True, "late": True}

    queries = tmp_path / "iglayers" / "clients" / "queries.py"
    queries.parent.mkdir()

    def verdict(sql: str) -> list[str]:
        queries.write_text(f'async def find(conn):\n    return await conn.fetch("""{sql}""")\n')
        return [statement.name for statement, _ in unbound(tmp_path)]

    bare = (
        "SELECT id FROM clients WHERE id = $1 -- workspace_id",
        "SELECT w.id FROM workspaces w JOIN late l ON l.id = w.id",
        "UPDATE clients\nSET name = $1 WHERE id = $2",
        "DELETE FROM clients WHERE id = $1",
    )
    for sql in bare:
        assert verdict(sql) == ["clients.queries.find"], sql
        assert verdict(f"{sql}\n AND workspace_id = $9") == [], sql
    assert verdict("SELECT id FROM workspaces") == []
