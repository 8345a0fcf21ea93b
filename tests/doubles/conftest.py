"""One double for all tests here, emptied before each; a receiver of its webhooks; a bare client of its API."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from tests.doubles.control import FIELDS, Account, Instagram
from tests.events.receiving import Receiver, receiving


class Wire:
    """Calls the API as one account, the way the documentation writes it."""

    def __init__(self, http: aiohttp.ClientSession, url: str, account: Account) -> None:
        self._http: aiohttp.ClientSession = http
        self.url: str = url
        self.account: Account = account
        self.headers: dict[str, str] = {"Authorization": f"Bearer {account.access_token}"}
        self.seen: Any = {}

    async def get(self, path: str, **query: str) -> tuple[int, Any]:
        return await self.call("GET", path, params=query)

    async def send(self, recipient: str, text: str = "Hello", **more: Any) -> tuple[int, Any]:
        return await self.body({"recipient": {"id": recipient}, "message": {"text": text}, **more})

    async def reply(self, comment_id: str, text: str = "Hello") -> tuple[int, Any]:
        return await self.body({"recipient": {"comment_id": comment_id}, "message": {"text": text}})

    async def message(self, recipient: str, **message: Any) -> tuple[int, Any]:
        return await self.body({"recipient": {"id": recipient}, "message": message})

    async def body(self, body: object) -> tuple[int, Any]:
        return await self.call("POST", f"/v26.0/{self.account.ig_id}/messages", json=body)

    async def call(self, method: str, path: str, **given: Any) -> tuple[int, Any]:
        """Status and body; `seen` keeps the headers."""
        headers = given.pop("headers", self.headers)
        async with self._http.request(method, self.url + path, headers=headers, **given) as answer:
            self.seen = answer.headers
            is_json = answer.content_type == "application/json"
            return answer.status, await answer.json() if is_json else await answer.text()


def fault_of(answer: tuple[int, Any]) -> tuple[int, int, int | None]:
    """Status, code and subcode."""
    status, body = answer
    return status, body["error"]["code"], body["error"].get("error_subcode")


@pytest.fixture
async def receiver(double: Instagram) -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        await double.call("POST", "/app", callback=receiver.url)
        yield receiver


@pytest.fixture
async def account(double: Instagram) -> Account:
    return await double.account("brand.example", name="Brand", subscribed_fields=FIELDS)


@pytest.fixture
async def wire(http: aiohttp.ClientSession, double: Instagram, account: Account) -> Wire:
    return Wire(http, double.url, account)


@pytest.fixture
async def jane(double: Instagram, account: Account) -> str:
    """Somebody who has just written; her IGSID."""
    await double.person("jane.doe", name="Jane Doe")
    return (await double.does("jane.doe", "writes", account, text="Hello"))["igsid"]
