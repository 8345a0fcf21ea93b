"""Fixtures of every test: a real PostgreSQL, two workspaces, callers, and the application over HTTP.

`database` is one database for the whole run, emptied before each test that asks for it; `fresh_database`
makes further ones for processes of their own. `api` and `test_api` call the real application.
"""

import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import aiohttp
import hypothesis
import msgspec
import pytest
import structlog

from iglayers.accounts import actions as accounts
from iglayers.accounts import queries as account_queries
from iglayers.accounts.model import Caller, Mode, Scope
from iglayers.accounts.services import Services
from iglayers.core import db
from iglayers.core.config import Settings
from iglayers.core.crypto import Vault
from iglayers.core.db import Database
from iglayers.core.ids import WorkspaceId
from iglayers.core.migrate import migrate
from tests import databases
from tests.databases import PEPPER, SECRET_KEY
from tests.doubles.control import Instagram, instagram
from tests.serving import Api, serving

# No test reaches Meta: nothing listens there.
NOWHERE = "http://127.0.0.1:9"

# A loaded machine is no failure.
hypothesis.settings.register_profile("iglayers", deadline=None)
hypothesis.settings.load_profile("iglayers")


def pytest_collection_finish() -> None:
    """Thousands of tests and all modules are there for the whole run, and not searched for garbage again and again."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def loggers_are_not_kept() -> Iterator[None]:
    """A logger that was kept at its first use would speak as the test of that use had set it up."""
    configure: Callable[..., None] = structlog.configure

    def without_keeping(**given: object) -> None:
        configure(**{**given, "cache_logger_on_first_use": False})

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(structlog, "configure", without_keeping)
        yield


@pytest.fixture(autouse=True)
def logging_as_at_the_start() -> None:
    """Commands that a test ran in this process have set up logging for themselves."""
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of the server's own database; tests make others beside it."""
    with databases.server() as url:
        yield url


@pytest.fixture(scope="session")
async def template_database(postgres: str) -> AsyncIterator[str]:
    """A migrated database with its installation row, to be copied; nobody connects to it."""
    name = await databases.create(postgres)
    url = databases.named(postgres, name)
    await migrate(url)
    pool = await db.connect(url, size=1)
    async with pool.transaction() as conn:
        await accounts.found_installation(conn, Vault(SECRET_KEY), new_pepper=PEPPER)
    await pool.close()
    yield name
    await databases.drop(postgres, name)


@pytest.fixture(scope="session")
async def session_database(postgres: str, template_database: str) -> AsyncIterator[tuple[str, Database, list[str]]]:
    """What `database` is made of: its URL, its pool, and its tables, children first."""
    name = await databases.create(postgres, template=template_database)
    url = databases.named(postgres, name)
    pool = await db.connect(url, size=60, name="iglayers tests")
    yield url, pool, await databases.children_first(url)
    await pool.close()
    await databases.drop(postgres, name)


@pytest.fixture
async def database(session_database: tuple[str, Database, list[str]]) -> Database:
    """An empty database: an installation, no workspaces."""
    _, pool, tables = session_database
    async with pool.connection() as conn:
        await databases.empty(conn, tables)
    return pool


@pytest.fixture
def database_url(session_database: tuple[str, Database, list[str]], database: Database) -> str:
    """Where `database` is, for a process of its own."""
    return session_database[0]


@pytest.fixture
async def fresh_database(postgres: str, template_database: str) -> AsyncIterator[Callable[[], Awaitable[str]]]:
    """Makes further databases, migrated and with a first pair of workspaces; gives their URL."""
    made: list[str] = []

    async def make() -> str:
        made.append(await databases.create(postgres, template=template_database))
        return databases.named(postgres, made[-1])

    yield make
    for name in made:
        await databases.drop(postgres, name)


@pytest.fixture
async def workspaces(database: Database) -> dict[Mode, WorkspaceId]:
    """A live and a test workspace."""
    async with database.transaction() as conn:
        return dict(zip(Mode, await accounts.create_pair(conn, "Main"), strict=True))


@pytest.fixture
async def caller(database: Database, workspaces: dict[Mode, WorkspaceId]) -> Caller:
    """Somebody with every scope in the live workspace."""
    return await caller_of(database, workspaces[Mode.LIVE], Mode.LIVE)


@pytest.fixture
async def test_caller(database: Database, workspaces: dict[Mode, WorkspaceId]) -> Caller:
    """Somebody with every scope in the test workspace."""
    return await caller_of(database, workspaces[Mode.TEST], Mode.TEST)


async def caller_of(database: Database, workspace_id: WorkspaceId, mode: Mode) -> Caller:
    async with database.connection() as conn:
        clock = await account_queries.clock(conn, workspace_id)
    assert clock is not None
    return Caller(workspace_id=workspace_id, mode=mode, scopes=frozenset(Scope), actor="key Tests", clock=clock)


@pytest.fixture
def services(database: Database, database_url: str, tmp_path: Path) -> Services:
    """What a process opens. Call limits and the circuit breaker are out of the way, but in tests about them."""
    settings = Settings(
        data_dir=tmp_path, database_url=database_url, secret_key=SECRET_KEY.hex(),
        rate_limit_per_minute=600_000, rate_limit_burst=100_000, breaker_least=1_000_000,
        instagram_app_id="990000000000001", instagram_app_secret="ig-app-secret-for-tests-0001",
        instagram_graph_url=NOWHERE, instagram_api_url=NOWHERE, instagram_www_url=NOWHERE,
    )  # fmt: skip
    return Services(settings=settings, db=database, vault=Vault(SECRET_KEY), pepper=PEPPER)


@pytest.fixture(scope="session")
async def worker_pool(session_database: tuple[str, Database, list[str]]) -> AsyncIterator[Database]:
    """Connections as workers have them."""
    pool = await db.connect(session_database[0], size=60, name="iglayers tests' worker", by_keys=True)
    yield pool
    await pool.close()


@pytest.fixture
def worker_services(services: Services, worker_pool: Database) -> Services:
    """What a worker opens: planned anew each time, the engine's statements would take three times as long."""
    return msgspec.structs.replace(services, db=worker_pool)


@pytest.fixture(scope="session")
async def running_double() -> AsyncIterator[Instagram]:
    """One double of Meta's API for the whole run."""
    async with instagram() as double:
        yield double


@pytest.fixture
async def double(running_double: Instagram) -> Instagram:
    """Meta's API as it is before anything happened."""
    await running_double.reset()
    return running_double


@pytest.fixture(scope="session")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A bare HTTP client."""
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def base_url(services: Services) -> AsyncIterator[str]:
    """Where the application listens."""
    async with serving(services) as url:
        yield url


@pytest.fixture
async def api(http: aiohttp.ClientSession, base_url: str, database: Database, caller: Caller) -> Api:
    """The application, called with a key of the live workspace that has every scope."""
    return Api(http, base_url, await key_of(database, caller))


@pytest.fixture
async def test_api(http: aiohttp.ClientSession, base_url: str, database: Database, test_caller: Caller) -> Api:
    """The application, called with a key of the test workspace that has every scope."""
    return Api(http, base_url, await key_of(database, test_caller))


async def key_of(database: Database, caller: Caller) -> str:
    new = accounts.NewKey(name="Tests", scopes=list(Scope))
    async with database.transaction() as conn:
        return (await accounts.create_key(conn, caller, new)).key
