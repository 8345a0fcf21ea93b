"""Bodies that are too large, too slow or never end: refused, and no more of them is read than the limit says."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from iglayers.accounts import request
from iglayers.accounts.request import MAX_JSON_BYTES
from iglayers.accounts.services import Services
from iglayers.campaigns.api_targets import MAX_BODY_BYTES
from iglayers.contacts.api import MAX_LIST_BYTES
from iglayers.core.db import Database
from iglayers.web import linger
from tests.serving import Api, serving
from tests.web.wire import Wire
from tests.web.world import World, everything


class Counting:
    """An application, with what it took in of bodies counted, and what had left `wire`, until it answered."""

    def __init__(self) -> None:
        self.taken_bytes = 0
        self.left_bytes = 0
        self.wire: Wire | None = None

    def around(self, application: Any) -> Any:
        async def counting(scope: Any, receive: Any, send: Any) -> None:
            has_answered = False

            async def counted() -> Any:
                message = await receive()
                if not has_answered:
                    self.taken_bytes += len(message.get("body", b""))
                return message

            async def answered(message: Any) -> None:
                nonlocal has_answered
                if not has_answered and self.wire is not None:
                    self.left_bytes = self.wire.left_bytes()
                has_answered = True
                await send(message)

            await application(scope, counted, answered)

        return counting


PART = b" " * (64 << 10)
# What the server holds of what nobody asked for; where the system does not tell them apart, the kernel too.
BUFFERS_BYTES = 8 << 20
ENDLESS_BYTES = 64 << 20


async def pour(wire: Wire) -> None:
    """Send a huge body in chunks, until the other side has had enough; one that has not gets its end."""
    with suppress(ConnectionError):
        while wire.sent_bytes < ENDLESS_BYTES:
            await wire.send(f"{len(PART):x}\r\n".encode() + PART + b"\r\n")
        await wire.send(b"0\r\n\r\n")


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/clients", MAX_JSON_BYTES),
        ("/campaigns/{campaigns}/start", MAX_JSON_BYTES),
        ("/campaigns/{campaigns}/targets", MAX_BODY_BYTES),
        ("/suppressions", MAX_LIST_BYTES),
        ("/suppressions/import", MAX_LIST_BYTES),
    ],
)
async def test_an_endless_body_is_refused_without_being_read_to_the_end(
    api: Api, services: Services, world: World, path: str, limit: int
) -> None:
    counting = Counting()
    kind = "text/csv" if path.endswith("import") else "application/json"
    async with serving(services, around=counting.around) as url:
        counting.wire = wire = await Wire.opened(url)
        await wire.head(path.format(**world.ids), api.key, f"Content-Type: {kind}", "Transfer-Encoding: chunked")
        pouring = asyncio.create_task(pour(wire))
        status, body = await wire.answer()
        pouring.cancel()
        wire.close()
    assert (status, body["error"]["code"]) == (413, "payload_too_large")
    assert counting.taken_bytes <= limit + len(PART)
    assert 0 < counting.left_bytes <= limit + BUFFERS_BYTES


@pytest.mark.parametrize("announced", [MAX_JSON_BYTES + 1, 5 << 30, 2**63])
async def test_a_body_that_is_announced_too_large_is_refused_before_it_comes(
    api: Api, services: Services, announced: int
) -> None:
    counting = Counting()
    async with serving(services, around=counting.around) as url:
        wire = await Wire.opened(url)
        await wire.head("/clients", api.key, "Content-Type: application/json", f"Content-Length: {announced}")
        status, _ = await wire.answer()
        wire.close()
    assert status == 413
    assert counting.taken_bytes == 0


@pytest.mark.parametrize("key", ["sk_live_" + "0" * 38, "nonsense", ""])
async def test_nothing_of_a_body_is_read_for_a_bad_key(services: Services, workspaces: Any, key: str) -> None:
    counting = Counting()
    async with serving(services, around=counting.around) as url:
        counting.wire = wire = await Wire.opened(url)
        await wire.head("/clients", key, "Content-Type: application/json", "Transfer-Encoding: chunked")
        pouring = asyncio.create_task(pour(wire))
        status, body = await wire.answer()
        pouring.cancel()
        wire.close()
    assert (status, body["error"]["code"]) == (401, "invalid_api_key")
    assert counting.taken_bytes <= len(PART)
    assert counting.left_bytes <= BUFFERS_BYTES


@pytest.mark.parametrize("key", [None, "nonsense"])
async def test_a_refusal_reaches_a_client_that_reads_only_when_it_has_sent_everything(
    api: Api, base_url: str, key: str | None
) -> None:
    wire = await Wire.opened(base_url)
    length = 8 * MAX_JSON_BYTES
    await wire.head("/clients", key or api.key, "Content-Type: application/json", f"Content-Length: {length}")
    await wire.send(b" " * length)
    status, _ = await wire.answer()
    wire.close()
    assert status == (401 if key else 413)


async def test_what_goes_on_after_a_refusal_is_cut_off(
    api: Api, base_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linger, "LINGER_BYTES", MAX_JSON_BYTES)
    wire = await Wire.opened(base_url)
    await wire.head("/clients", api.key, "Content-Type: application/json", "Transfer-Encoding: chunked")
    await pour(wire)
    assert wire.sent_bytes < ENDLESS_BYTES
    wire.close()


async def test_a_body_of_exactly_the_limit_is_taken(api: Api) -> None:
    body = b'{"name": "Acme"}'
    assert (await api.post("/clients", data=body + b" " * (MAX_JSON_BYTES - len(body)))).status == 201


async def test_a_body_that_never_ends_is_given_up(api: Api, base_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request, "BODY_DEADLINE_S", 0.2)
    wire = await Wire.opened(base_url)
    await wire.head("/clients", api.key, "Content-Type: application/json", "Content-Length: 16")
    await wire.send(b'{"name"')
    status, body = await wire.answer()
    wire.close()
    assert (status, body["error"]["code"], body["error"]["param"]) == (400, "invalid_field", "body")


async def test_a_client_that_goes_away_leaves_nothing(api: Api, base_url: str, database: Database) -> None:
    before = await everything(database)
    for _ in range(20):
        wire = await Wire.opened(base_url)
        await wire.head("/clients", api.key, "Content-Type: application/json", "Content-Length: 16")
        await wire.send(b'{"name": "Acme"')
        wire.close()
    assert (await api.get("/me")).status == 200
    assert await everything(database) == before
