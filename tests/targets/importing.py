"""Imports for tests: a file is sent over HTTP and worked off in the test's own process, batch by batch."""

import csv
from typing import Any

from iglayers.campaigns.actions_imports import go_on_with_imports
from iglayers.campaigns.model import Campaign
from iglayers.core.db import Database
from iglayers.targets import actions_imports
from tests.databases import PEPPER
from tests.serving import Answer, Api

HEADER = "instagramUsername,fullName,followerCount,city\n"


async def send(api: Api, to: Campaign, text: str | bytes, **options: Any) -> Answer:
    data = text.encode() if isinstance(text, str) else text
    return await api.post(f"/campaigns/{to.id}/imports", data=data, content_type="text/csv", **options)


async def work_off(database: Database) -> int:
    """Work off everything there is; the number of batches."""
    batches = 0
    while await go_on_with_imports(database, pepper=PEPPER):
        batches += 1
    return batches


async def imported(api: Api, database: Database, to: Campaign, text: str | bytes, **options: Any) -> dict[str, Any]:
    """A file's import as it is shown at its end."""
    made = await send(api, to, text, **options)
    assert made.status == 201, made
    await work_off(database)
    return (await api.get(f"/imports/{made.body['id']}")).body


async def rejects(api: Api, import_id: str) -> list[dict[str, str]]:
    answer = await api.get(f"/imports/{import_id}/rejects")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/csv; charset=utf-8")
    return list(csv.DictReader(answer.raw.decode().splitlines()))


def in_small_batches(monkeypatch: Any, *, rows: int = 3, window_bytes: int = 256, piece_bytes: int = 16) -> None:
    """So that a short file has borders of pieces, windows and batches everywhere."""
    monkeypatch.setattr(actions_imports, "BATCH_ROWS", rows)
    monkeypatch.setattr(actions_imports, "WINDOW_BYTES", window_bytes)
    monkeypatch.setattr(actions_imports, "PIECE_BYTES", piece_bytes)
