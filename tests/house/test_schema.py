"""The committed schema is what the migrations make."""

from tests.house.schema import COMMITTED, migrated_dump


async def test_schema_sql_is_what_the_migrations_make(postgres: str) -> None:
    assert COMMITTED.read_text() == await migrated_dump(postgres), "run `make schema` and read the difference"
