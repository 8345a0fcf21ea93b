"""The database: a pool, transactions, and four functions that turn rows into structs. SQL itself lives in slices.

`transaction()` marks the task, so that outgoing calls refuse to run while rows are locked.
"""

# asyncpg ships without types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import datetime
from enum import Enum
from types import NoneType
from typing import Any, LiteralString, Protocol, TypeVar, cast, get_args, get_origin

import asyncpg
import msgspec

from iglayers.core.clock import Moment
from iglayers.core.ids import Id
from iglayers.core.wire import decode_special, json_bytes

T = TypeVar("T")

in_transaction: ContextVar[bool] = ContextVar("in_transaction", default=False)


class Connection(Protocol):
    """The part of asyncpg's connection that this product uses."""

    async def fetch(self, query: str, *args: object) -> list[asyncpg.Record]: ...
    async def fetchrow(self, query: str, *args: object) -> asyncpg.Record | None: ...
    async def fetchval(self, query: str, *args: object) -> Any: ...  # noqa: ANN401 a single SQL value of any type
    async def execute(self, query: str, *args: object) -> str: ...
    def cursor(self, query: str, *args: object, prefetch: int) -> AsyncGenerator[asyncpg.Record, None]: ...


class Database:
    """A pool of connections to one PostgreSQL."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool: asyncpg.Pool = pool

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Connection, None]:
        """One unit of work: commits at the end of the block, rolls back on an exception."""
        async with self._pool.acquire() as conn, conn.transaction():
            mark = in_transaction.set(True)
            try:
                yield cast("Connection", conn)
            finally:
                in_transaction.reset(mark)

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Connection, None]:
        """For reads and single statements: each commits by itself."""
        async with self._pool.acquire() as conn:
            yield cast("Connection", conn)

    async def close(self) -> None:
        await self._pool.close()


# The engine asks the same few statements thousands of times, each by keys: planned once, joined in the order in which
# they are written, along indexes that have the order wanted, also while the tables are too young to have statistics.
# Planning anew took longer than running them, and a guess from no statistics cost 1.5 ms a message.
_BY_KEYS = {
    "plan_cache_mode": "force_generic_plan",
    "join_collapse_limit": "1",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_sort": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
    # Each statement changes one target or a few: see the triggers that count them.
    "iglayers.one_by_one": "on",
}


# All others ask about whatever a caller names, and are planned each time: a plan that was kept from when a table had
# three rows reads all of it for each of ten thousand, until the next ANALYZE.
_BY_SIZE = {"plan_cache_mode": "force_custom_plan"}


async def connect(url: str, *, size: int, name: str = "iglayers", by_keys: bool = False) -> Database:
    """A pool of up to `size` connections; OSError or asyncpg.PostgresError when the server cannot be reached.

    `by_keys` is for workers, whose statements find every row by a key.
    """
    pool = await asyncpg.create_pool(
        url,
        min_size=min(2, size),
        max_size=size,
        init=_prepare,
        reset=_keep_as_is,
        statement_cache_size=512,
        command_timeout=120,
        server_settings={"application_name": name, "timezone": "UTC"} | (_BY_KEYS if by_keys else _BY_SIZE),
    )
    return Database(pool)


async def keep_plans(conn: Connection) -> None:
    """For the rest of this transaction: planned anew for thousands of values, statements would take twice as long."""
    await execute(conn, "SELECT set_config('plan_cache_mode', 'auto', true)")


async def rows(conn: Connection, kind: type[T], sql: LiteralString, /, *args: object) -> list[T]:
    read = reader(kind)
    return [read(record) for record in await conn.fetch(sql, *plain(args))]


async def row(conn: Connection, kind: type[T], sql: LiteralString, /, *args: object) -> T | None:
    record = await conn.fetchrow(sql, *plain(args))
    return None if record is None else reader(kind)(record)


async def value(conn: Connection, sql: LiteralString, /, *args: object) -> Any:  # noqa: ANN401 a single SQL value
    return await conn.fetchval(sql, *plain(args))


async def execute(conn: Connection, sql: LiteralString, /, *args: object) -> int:
    """The number of rows that the statement touched."""
    tag = await conn.execute(sql, *plain(args))
    count = tag.rpartition(" ")[2]
    return int(count) if count.isdigit() else 0


async def stream(conn: Connection, kind: type[T], sql: LiteralString, /, *args: object) -> AsyncGenerator[T, None]:
    """Rows one by one through a server-side cursor; needs an open transaction."""
    read = reader(kind)
    async for record in conn.cursor(sql, *plain(args), prefetch=1_000):
        yield read(record)


async def _prepare(conn: asyncpg.Connection) -> None:
    await conn.set_type_codec("jsonb", schema="pg_catalog", encoder=_write_jsonb, decoder=_read_jsonb, format="binary")
    # `json` keeps the exact text: events are signed and delivered as they were written.
    await conn.set_type_codec("json", schema="pg_catalog", encoder=_write_json, decoder=msgspec.Raw, format="text")


async def _keep_as_is(_conn: asyncpg.Connection) -> None:
    """No reset between uses: nothing here sets session state, and the reset costs a round trip."""


def _write_jsonb(tree: object) -> bytes:
    return b"\x01" + json_bytes(tree)


def _read_jsonb(data: bytes) -> object:
    return msgspec.json.decode(data[1:])


def _write_json(tree: object) -> str:
    return (tree if isinstance(tree, bytes) else json_bytes(tree)).decode()


def plain(args: Sequence[object]) -> list[object]:
    """Arguments as the driver knows them: our ids become UUIDs, also inside lists."""
    return [_plain(arg) for arg in args]


def _plain(arg: object) -> object:
    if isinstance(arg, Id):
        return arg.uuid
    if isinstance(arg, Enum):
        return arg.value
    if isinstance(arg, list):
        items = cast("list[object]", arg)
        return [_plain(item) for item in items] if items and isinstance(items[0], Id | Enum) else items
    return arg


_readers: dict[type, Callable[[asyncpg.Record], Any]] = {}


def reader(kind: type[T]) -> Callable[[asyncpg.Record], T]:
    """How to make a `kind` (a struct whose fields are the columns) from a record; planned once for each kind."""
    if kind not in _readers:
        _readers[kind] = _plan(kind)
    return _readers[kind]


def _plan(kind: type) -> Callable[[asyncpg.Record], Any]:
    steps = [
        (field.name, convert)
        for field in msgspec.structs.fields(kind)
        if (convert := _converter(field.type)) is not None
    ]

    def read(record: asyncpg.Record) -> object:
        values = dict(record.items())
        for name, convert in steps:
            if values[name] is not None:
                values[name] = convert(values[name])
        return kind(**values)

    return read


def _converter(kind: Any) -> Callable[[Any], object] | None:  # noqa: ANN401 a type expression
    """From a column's value to the field's type; None where they are the same."""
    options = [option for option in get_args(kind) if option is not NoneType]
    if get_origin(kind) is list:
        inner = _converter(options[0])
        return None if inner is None else lambda items: [inner(item) for item in items]
    if isinstance(kind, type):
        if issubclass(kind, Id | Enum):
            return kind
        if issubclass(kind, msgspec.Struct):
            return lambda tree: msgspec.convert(tree, kind, dec_hook=decode_special)
        if issubclass(kind, datetime):
            return Moment.of
        return None
    return _converter(options[0]) if len(options) == 1 else None
