"""Calls a key may make, over all processes, and addresses that guess keys."""

import asyncio
import re
from contextlib import AsyncExitStack

import aiohttp
import pytest

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.core.crypto import new_api_key
from iglayers.core.db import Database
from tests.accounts.keys import make_key, with_settings
from tests.serving import Answer, Api, serving
from tests.web.test_bad_input import refused

POLICY = re.compile(r'"default";q=(\d+);w=60')
STATE = re.compile(r'"default";r=(\d+);t=(\d+)')


def left(answer: Answer) -> int:
    found = STATE.fullmatch(answer.headers["RateLimit"])
    assert found, answer.headers["RateLimit"]
    return int(found[1])


async def test_each_answer_tells_the_limit_and_what_is_left(
    http: aiohttp.ClientSession, services: Services, api: Api
) -> None:
    async with serving(with_settings(services, rate_limit_per_minute=300, rate_limit_burst=100)) as url:
        strict = Api(http, url, api.key)
        answers = [await strict.get(path) for path in ("/me", "/clients", "/clients/nope", "/campaigns")]
        answers.append(await strict.post("/clients", {"surprise": 1}))
    assert {each.headers["RateLimit-Policy"] for each in answers} == {'"default";q=300;w=60'}
    assert all(POLICY.fullmatch(each.headers["RateLimit-Policy"]) for each in answers)
    numbers = [left(each) for each in answers]
    # Calls come back at five a second while the test runs.
    assert 90 <= min(numbers) <= max(numbers) <= 99


async def test_one_call_too_many_is_refused_and_who_waits_is_let_in(
    http: aiohttp.ClientSession, services: Services, database: Database, caller: Caller
) -> None:
    key, other = await make_key(database, caller), await make_key(database, caller)
    async with serving(with_settings(services, rate_limit_per_minute=6, rate_limit_burst=3)) as url:
        api = Api(http, url, key.key)
        assert [(await api.get("/me")).status for _ in range(4)] == [200, 200, 200, 429]
        answer = await api.get("/me")
        refused(answer, 429, "rate_limit_exceeded")
        wait_s = int(answer.headers["Retry-After"])
        assert 9 <= wait_s <= 10
        assert answer.headers["RateLimit-Policy"] == '"default";q=6;w=60'
        assert answer.headers["RateLimit"] == f'"default";r=0;t={wait_s}'
        # Another key has calls of its own.
        assert (await api.with_key(other.key).get("/me")).status == 200
        await pass_time(database, wait_s)
        assert [(await api.get("/me")).status for _ in range(2)] == [200, 429]


async def pass_time(database: Database, seconds: int) -> None:
    """As if so much time had gone by since the calls."""
    async with database.connection() as conn:
        await conn.execute("UPDATE rate_limits SET full_at = full_at - make_interval(secs => $1)", seconds)


async def test_processes_share_one_limit(
    http: aiohttp.ClientSession, services: Services, database: Database, caller: Caller
) -> None:
    key = await make_key(database, caller)
    settings = {"rate_limit_per_minute": 1, "rate_limit_burst": 100}
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(serving(with_settings(services, **settings))) for _ in range(2)]
        calls = [Api(http, url, key.key).get("/me") for url in urls * 90]
        answers = await asyncio.gather(*calls)
    let_in = [each for each in answers if each.status == 200]
    assert {each.status for each in answers} == {200, 429}
    # At most 5 % more; a process may keep a block of calls that it does not use.
    assert 90 <= len(let_in) <= 105


async def test_a_refused_call_has_no_effect(
    http: aiohttp.ClientSession, services: Services, database: Database, caller: Caller
) -> None:
    key = await make_key(database, caller)
    async with serving(with_settings(services, rate_limit_per_minute=1, rate_limit_burst=2)) as url:
        api = Api(http, url, key.key)
        answers = [await api.post("/clients", {"name": "Acme"}) for _ in range(5)]
    assert [each.status for each in answers] == [201, 201, 429, 429, 429]
    async with database.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM clients") == 2


@pytest.mark.parametrize("wrong", [new_api_key("live"), "nonsense"], ids=["well formed", "nonsense"])
async def test_who_guesses_keys_is_stopped_and_known_keys_go_on(api: Api, wrong: str) -> None:
    assert (await api.get("/me")).status == 200
    answers = [await api.with_key(wrong).get("/me") for _ in range(25)]
    assert [each.status for each in answers] == [401] * 20 + [429] * 5
    refused(answers[-1], 429, "rate_limit_exceeded")
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 10
    # Others behind the same address are not locked out.
    assert (await api.get("/me")).status == 200
