"""The Instagram double from a test: start its process, drive it, ask the judge, stop it by its own id.

    async with instagram(callback=url) as double:
        account = await double.account("brand.example", subscribed_fields=FIELDS)
        await double.person("jane.doe")
        await double.does("jane.doe", "writes", account, text="Hello")
        await double.settle()

`tests/doubles/README.md` has every verb.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

ROOT = Path(__file__).parents[2]
APP_ID = "1200000000000001"
APP_SECRET = "ig-app-secret-for-tests-0001"
META_SECRET = "meta-app-secret-for-tests-0001"
VERIFY_TOKEN = "verify-me"
FIELDS = (
    "messages", "messaging_postbacks", "messaging_seen", "message_reactions", "messaging_referral", "message_edit",
    "comments", "live_comments",
)  # fmt: skip
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0


class VerbRefused(Exception):
    """The control API did not do it; the text says why."""


@dataclass(frozen=True)
class Account:
    """An account the app acts for, with a long-lived token as from the dashboard."""

    ig_id: str
    app_scoped_id: str
    username: str
    access_token: str


class Instagram:
    """A running double. All hosts of the platform are `url`."""

    def __init__(self, session: aiohttp.ClientSession, url: str, pid: int) -> None:
        self._session: aiohttp.ClientSession = session
        self.url: str = url
        self.pid: int = pid

    async def call(self, method: str, path: str, **given: Any) -> Any:
        """Any verb of the control API."""
        async with self._session.request(method, f"{self.url}/_control{path}", json=given or None) as answer:
            body = await answer.json()
        if answer.status != 200:
            raise VerbRefused(body["error"])
        return body

    async def account(self, username: str = "brand.example", **given: Any) -> Account:
        """Further: subscribed_fields, scopes, ig_id, name, human_agent, messages_access, locale, account_type."""
        if "subscribed_fields" in given:
            given["subscribed_fields"] = list(given["subscribed_fields"])
        made = await self.call("POST", "/accounts", username=username, **given)
        return Account(made["ig_id"], made["app_scoped_id"], made["username"], made["access_token"])

    async def change(self, account: Account, **given: Any) -> None:
        await self.call("POST", f"/accounts/{account.ig_id}", **given)

    async def person(self, username: str, **given: Any) -> dict[str, Any]:
        """Further: name, is_professional, followers_count, is_verified, follows (accounts)."""
        return await self.call("POST", "/people", username=username, **given)

    async def does(self, person: str, verb: str, account: Account | None = None, **given: Any) -> dict[str, Any]:
        """A person: writes, comments, taps, edits, unsends, reacts, sees, blocks and so on."""
        towards = {"account": account.ig_id} if account else {}
        return await self.call("POST", f"/people/{person}/{verb}", **towards, **given)

    async def owner(self, account: Account, verb: str, **given: Any) -> dict[str, Any]:
        """Its owner: types (in the app), unsends, comments, removes_app, expire_tokens, kill_tokens, token."""
        return await self.call("POST", f"/accounts/{account.ig_id}/{verb}", **given)

    async def fault(self, name: str = "error", account: Account | None = None, **given: Any) -> int:
        """Plant one; its id. Further: recipient, on, times, always, for_s, commit, status, code, subcode and so on."""
        towards = {"account": account.ig_id} if account else {}
        planted = await self.call("POST", "/faults", fault=name, **towards, **given)
        return planted["id"]

    async def no_faults(self) -> None:
        await self.call("DELETE", "/faults")

    async def webhooks(self, **behaviour: Any) -> dict[str, Any]:
        return await self.call("POST", "/webhooks", **behaviour)

    async def settle(self, timeout_s: float = 10.0) -> None:
        """Until every webhook was accepted or given up."""
        answer = await self.call("POST", "/webhooks/settle", timeout_s=timeout_s)
        assert answer["settled"], f"{answer['unsettled']} webhooks are still on their way"

    async def clock(self, **given: Any) -> dict[str, Any]:
        """advance_s, at, speed."""
        return await self.call("POST", "/clock", **given)

    async def sent(self) -> list[dict[str, Any]]:
        """The judge: every message that left an account and was really stored, in order."""
        return (await self.call("GET", "/log"))["messages"]

    async def requests(self) -> list[dict[str, Any]]:
        """Every call of the API in order, without tokens."""
        return (await self.call("GET", "/log"))["requests"]

    async def urls(self) -> list[str]:
        """Method and address of every call, as it came: with tokens, where somebody put them there."""
        return (await self.call("GET", "/log"))["urls"]

    async def written_twice(self) -> list[tuple[str, str]]:
        """(account, person) pairs that the API wrote to more than once: empty, or somebody was bothered."""
        found = Counter((each["account"], each["person"]) for each in await self.sent() if each["by"] == "api")
        return [pair for pair, times in found.items() if times > 1]

    async def deliveries(self) -> list[dict[str, Any]]:
        return await self.call("GET", "/deliveries")

    async def reset(self) -> None:
        """An empty world on real time; switches, faults and the app as at the start."""
        await self.call("POST", "/reset")


@asynccontextmanager
async def instagram(
    callback: str | None = None,
    *,
    app_id: str = APP_ID,
    app_secret: str = APP_SECRET,
    verify_token: str = VERIFY_TOKEN,
    seed: int = 1,
    port: int = 0,
) -> AsyncGenerator[Instagram]:
    """A double as a process of its own; gone when the block ends."""
    words = ["--port", port, "--app-id", app_id, "--app-secret", app_secret, "--meta-secret", META_SECRET]
    words += ["--verify-token", verify_token, "--seed", seed, *(["--callback", callback] if callback else [])]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.doubles.instagram", *map(str, words), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout
        ready = json.loads(await asyncio.wait_for(process.stdout.readline(), START_TIMEOUT_S))
        async with aiohttp.ClientSession() as session:
            yield Instagram(session, ready["url"], ready["pid"])
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
    except TimeoutError:
        process.kill()
        await process.wait()
