"""The double shares no code with what it tests, binds the loopback address only, and ends when told to."""

import ast
import asyncio
import os
import signal
import sys
from pathlib import Path

import aiohttp
import pytest

from tests.doubles.control import ROOT, Instagram, VerbRefused, instagram
from tests.house.source import parse

FILES = sorted([*(ROOT / "tests" / "doubles" / "instagram").glob("*.py"), ROOT / "tests" / "doubles" / "control.py"])


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            names |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_imports_nothing_of_the_product_nor_of_other_tests(path: Path) -> None:
    own = ("tests.doubles.instagram",)
    allowed = sys.stdlib_module_names | {"aiohttp"}
    assert [name for name in imported(path) if not name.startswith(own) and name.split(".")[0] not in allowed] == []


async def test_it_says_where_it_is_and_ends_on_sigterm() -> None:
    async with instagram() as double:
        assert double.url.startswith("http://127.0.0.1:")
        os.kill(double.pid, signal.SIGTERM)
        async with asyncio.timeout(10):
            while await answers(double.url):  # noqa: ASYNC110 the end of another process
                await asyncio.sleep(0.01)


async def answers(url: str) -> bool:
    try:
        async with aiohttp.ClientSession() as session, session.get(f"{url}/_control/clock") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def test_the_same_seed_gives_the_same_ids() -> None:
    async with instagram(seed=7) as one, instagram(seed=7) as two:
        assert await one.account() == await two.account()


async def test_a_verb_that_does_not_fit_says_why(double: Instagram) -> None:
    with pytest.raises(VerbRefused, match="no person nobody"):
        await double.call("POST", "/people/nobody/writes", account="brand.example", text="x")
    with pytest.raises(VerbRefused, match="no fault unheard"):
        await double.fault("unheard")
    with pytest.raises(VerbRefused, match="nonsense"):
        await double.webhooks(nonsense=1)
    with pytest.raises(VerbRefused, match="no verb GET"):
        await double.call("GET", "/nothing")
