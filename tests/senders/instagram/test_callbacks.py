"""Meta calls when an owner removes the app or wants their data deleted; nobody else can."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.core.config import Settings
from iglayers.core.db import Database
from iglayers.senders.model import Sender
from iglayers.senders.transports.instagram.callbacks import user_of
from tests.doubles.control import APP_SECRET, META_SECRET, Account
from tests.doubles.instagram.wire import signed_request
from tests.senders.orders import count
from tests.serving import Api

VECTOR = (
    "eRIvqso0SySG-A_Avh4TRMWRPg5wt3O3c0icTzr1hJk."
    "eyJ1c2VyX2lkIjoiODgwMDAwMDAwMDAwMDk5IiwiYWxnb3JpdGhtIjoiSE1BQy1TSEEyNTYiLCJpc3N1ZWRfYXQiOjE3OTAwMDAwMDB9"
)


def settings(*, app_secret: str | None = None, meta_app_secret: str | None = None) -> Settings:
    return Settings(data_dir=Path(), instagram_app_secret=app_secret, instagram_meta_app_secret=meta_app_secret)


def test_the_vector_of_the_documentation() -> None:
    for ours in (settings(app_secret=APP_SECRET), settings(app_secret="another", meta_app_secret=APP_SECRET)):
        assert user_of(VECTOR, ours) == "880000000000099"


@pytest.mark.parametrize(
    "forged",
    [
        "", ".", "a.b", VECTOR[1:], VECTOR[:-1], VECTOR.replace(".", "", 1), f"{VECTOR}.x", VECTOR * 100, "é.é",
        VECTOR.partition(".")[2], f".{VECTOR.partition('.')[2]}",
    ],
)  # fmt: skip
def test_what_the_app_has_not_signed_is_nothing(forged: str) -> None:
    assert user_of(forged, settings(app_secret=APP_SECRET)) is None
    assert user_of(VECTOR, settings(app_secret="another")) is None
    assert user_of(VECTOR, settings()) is None


def signed(secret: str, user_id: str) -> str:
    return signed_request(secret, {"user_id": user_id, "algorithm": "HMAC-SHA256", "issued_at": 1_790_000_000})


async def called(http: aiohttp.ClientSession, api: Api, path: str, signed: str) -> tuple[int, Any]:
    async with http.post(f"{api.base}/instagram/{path}", data={"signed_request": signed}) as answer:
        return answer.status, json.loads(await answer.text())


@pytest.mark.parametrize("secret", [APP_SECRET, META_SECRET])
async def test_removing_the_app_stops_the_sender(
    secret: str, api: Api, http: aiohttp.ClientSession, account: Account, sender: Sender, database: Database
) -> None:
    for _ in range(2):
        assert (await called(http, api, "deauthorize", signed(secret, account.app_scoped_id)))[0] == 200
    shown = (await api.get(f"/senders/{sender.id}")).body
    assert shown["state"] == "disabled"
    assert "removed the app" in shown["stateReason"]
    assert await count(database, "sender_credentials") == 0


async def test_a_deletion_erases_and_can_be_looked_up(
    api: Api, http: aiohttp.ClientSession, account: Account, sender: Sender, database: Database, caller: Caller
) -> None:
    async with database.connection() as conn:
        await conn.execute(
            "INSERT INTO conversations (id, workspace_id, sender_id, igsid, created_at) "
            "VALUES (gen_random_uuid(), $1, $2, '88', now())", caller.workspace_id.uuid, sender.id.uuid,
        )  # fmt: skip
        await conn.execute(
            "INSERT INTO inbound (id, workspace_id, sender_id, provider_key, kind, fact, occurred_at) "
            "VALUES (gen_random_uuid(), $1, $2, 'k', 'reply', '{\"text\": \"Hi\"}', now())",
            caller.workspace_id.uuid, sender.id.uuid,
        )  # fmt: skip
    status, told = await called(http, api, "deletion", signed(APP_SECRET, account.app_scoped_id))
    assert status == 200
    assert told["url"] == f"https://app.example/instagram/deletion?c={told['confirmation_code']}"
    for table in ("sender_credentials", "conversations"):
        assert await count(database, table) == 0
    async with database.connection() as conn:
        assert await conn.fetchval("SELECT fact FROM inbound") == {}
        assert await conn.fetchval("SELECT instagram_id FROM senders") is None
    for code, expected in ((told["confirmation_code"], 200), (told["confirmation_code"][:-1] + "x", 404), ("", 404)):
        async with http.get(f"{api.base}/instagram/deletion", params={"c": code}) as page:
            assert page.status == expected
            assert page.headers["Content-Security-Policy"]


async def test_a_deletion_of_somebody_unknown_is_confirmed_too(
    api: Api, http: aiohttp.ClientSession, sender: Sender
) -> None:
    status, told = await called(http, api, "deletion", signed(APP_SECRET, "42"))
    assert (status, bool(told["confirmation_code"])) == (200, True)
    assert (await api.get(f"/senders/{sender.id}")).body["state"] == "active"


async def test_a_forged_call_changes_nothing(
    api: Api, http: aiohttp.ClientSession, account: Account, sender: Sender, services: Services
) -> None:
    forged = signed("another-secret", account.app_scoped_id)
    for path in ("deauthorize", "deletion"):
        for text in (forged, ""):
            status, told = await called(http, api, path, text)
            assert (status, told["error"]["param"]) == (400, "signed_request")
    assert (await api.get(f"/senders/{sender.id}")).body["state"] == "active"
