"""Files that cannot be used are refused whole; what stops an import half-way is told, and keeps what it added."""

import asyncio
from urllib.parse import urlsplit

import pytest

from iglayers.accounts.model import Caller
from iglayers.campaigns import actions_imports as campaign_imports
from iglayers.campaigns import api_imports
from iglayers.core.db import Database
from iglayers.core.ids import ImportId
from iglayers.targets import actions_imports
from tests.databases import PEPPER
from tests.events.receiving import until
from tests.serving import Api
from tests.targets.importing import HEADER, imported, in_small_batches, rejects, send, work_off
from tests.targets.test_csv_upload import HEADERS
from tests.targets.uploads import campaign, count, upload_csv, write_to

FILES = {text: told for text, told in HEADERS.items() if text != "instagramUsername,\nanna,x\n"}


async def leftovers(database: Database) -> int:
    return await count(database, "imports") + await count(database, "import_pieces")


@pytest.mark.parametrize("text", FILES)
async def test_headers_that_cannot_be_used_are_refused_at_once(
    api: Api, database: Database, caller: Caller, text: str
) -> None:
    answer = await send(api, await campaign(database, caller), text)
    assert answer.status == 400, answer
    error = answer.body["error"]
    assert FILES[text] in error["message"] + error["remedy"]
    assert await leftovers(database) == 0


async def test_utf16_other_kinds_and_long_files_are_refused(
    api: Api, database: Database, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    spring = await campaign(database, caller)
    assert "UTF-16" in (await send(api, spring, HEADER.encode("utf-16"))).body["error"]["message"]
    path = f"/campaigns/{spring.id}/imports"
    assert (await api.post(path, data=b"x", content_type="application/xml")).status == 415
    monkeypatch.setattr(api_imports, "MAX_IMPORT_BYTES", 100)
    assert (await send(api, spring, HEADER + "anna,,,\n" * 20)).status == 413
    assert await leftovers(database) == 0


async def test_a_body_that_breaks_off_leaves_nothing(api: Api, database: Database, caller: Caller) -> None:
    spring = await campaign(database, caller)
    url = urlsplit(api.base)
    _, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write(
        f"POST /api/v1/campaigns/{spring.id}/imports HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.key}\r\n"
        f"Content-Type: text/csv\r\nContent-Length: 1000000\r\n\r\n{HEADER}".encode()
        + b"anna,,,\n" * 50_000
    )
    await writer.drain()
    await until(lambda: _any(database, "import_pieces"))
    async with database.connection() as conn:
        import_id = ImportId(await conn.fetchval("SELECT id FROM imports"))
    assert (await api.get(f"/imports/{import_id}")).status == 404
    assert (await api.get(f"/campaigns/{spring.id}/imports")).body["data"] == []
    assert await work_off(database) == 0
    writer.close()
    await until(lambda: _none(database))


async def _any(database: Database, table: str) -> bool:
    return await count(database, table) > 0


async def _none(database: Database) -> bool:
    return await leftovers(database) == 0


async def test_the_same_key_makes_one_import(api: Api, database: Database, caller: Caller) -> None:
    spring = await campaign(database, caller)
    made = [await send(api, spring, HEADER + "anna,,,\n", idempotency_key="k1") for _ in range(2)]
    assert made[0].raw == made[1].raw
    assert made[1].headers["Idempotency-Replayed"] == "true"
    other = await send(api, spring, HEADER + "ben,,,\n", idempotency_key="k1")
    assert (other.status, await count(database, "imports")) == (422, 1)


async def test_a_quote_that_is_never_closed_fails_the_rest(api: Api, database: Database, caller: Caller) -> None:
    text = HEADER + 'anna,,,\nben,"Ben,1,\n' + "carl,,,\n" * 40_000
    ended = await imported(api, database, await campaign(database, caller), text)
    assert (ended["state"], ended["accepted"], ended["rowsRead"]) == ("failed", 1, 2)
    assert ended["reason"] == "Line 3: a quote is opened and not closed; nothing after it was read."
    assert [row["line"] for row in await rejects(api, ended["id"])] == ["3"]


async def test_rows_beyond_the_limit_fail_the_rest(
    api: Api, database: Database, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_small_batches(monkeypatch)
    monkeypatch.setattr(actions_imports, "MAX_IMPORT_ROWS", 5)
    rows = [f"creator{n},,,\n" for n in range(6)]
    exact = await imported(api, database, await campaign(database, caller), HEADER + "".join(rows[:5]) + "\n\n")
    assert (exact["state"], exact["accepted"]) == ("completed", 5)
    ended = await imported(api, database, await campaign(database, caller, "Summer"), HEADER + "".join(rows))
    assert (ended["state"], ended["accepted"], ended["rowsRead"]) == ("failed", 5, 5)
    assert ended["reason"] == "The file has more than 5 rows; those after the first 5 were not read."


@pytest.mark.parametrize("verb", ["cancelled", "archived"])
async def test_a_campaign_that_ends_ends_its_imports(
    api: Api, database: Database, caller: Caller, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    in_small_batches(monkeypatch)
    spring = await campaign(database, caller)
    first = await upload_csv(api, spring, HEADER + "zoe,,,\n")
    await write_to(database, first.body["results"][0]["id"])
    made = await send(api, spring, HEADER + "".join(f"creator{n},,,\n" for n in range(9)))
    assert await campaign_imports.go_on_with_imports(database, pepper=PEPPER)
    path = f"/campaigns/{spring.id}"
    assert (await (api.delete(path) if verb == "archived" else api.post(f"{path}/cancel"))).status == 200
    await work_off(database)
    _, ended = await api.get(f"/imports/{made.body['id']}")
    assert (ended["state"], ended["rowsRead"], ended["accepted"]) == ("cancelled", 3, 3)
    assert ended["reason"] == f"The campaign was {verb}; line 5 and what follows were not read."
    assert await count(database, "import_pieces") == 0
    assert await count(database, "events WHERE type = 'import.completed'") == 1
    assert (await send(api, spring, HEADER + "anna,,,\n")).body["error"]["code"] == "invalid_state"


async def test_a_deleted_campaign_takes_its_imports_along(api: Api, database: Database, caller: Caller) -> None:
    spring = await campaign(database, caller)
    made = await send(api, spring, HEADER + "anna,,,\n")
    assert (await api.delete(f"/campaigns/{spring.id}")).status == 200
    assert await work_off(database) == 0
    assert (await api.get(f"/imports/{made.body['id']}")).status == 404
    assert await leftovers(database) == 0


async def test_a_cancelled_import_keeps_what_it_added(
    api: Api, database: Database, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_small_batches(monkeypatch)
    made = await send(api, await campaign(database, caller), HEADER + "".join(f"c{n},,,\n" for n in range(9)))
    assert await campaign_imports.go_on_with_imports(database, pepper=PEPPER)
    ended = [(await api.post(f"/imports/{made.body['id']}/cancel")).body for _ in range(2)]
    assert ended[0] == ended[1]
    assert (ended[0]["state"], ended[0]["accepted"]) == ("cancelled", 3)
    assert "after 3 rows" in ended[0]["reason"]
    assert (await work_off(database), await count(database, "targets")) == (0, 3)
    assert await count(database, "events WHERE type = 'import.completed'") == 1


async def test_a_batch_that_fails_on_our_side_ends_the_import(api: Api, database: Database, caller: Caller) -> None:
    spring = await campaign(database, caller)
    broken, good = [(await send(api, spring, HEADER + f"{name},,,\n")).body["id"] for name in ("anna", "ben")]
    async with database.connection() as conn:
        await conn.execute("UPDATE imports SET delimiter = '' WHERE id = $1", ImportId.parse(broken).uuid)
    await work_off(database)
    _, ended = await api.get(f"/imports/{broken}")
    assert (ended["state"], ended["rowsRead"]) == ("failed", 0)
    assert "at line 2" in ended["reason"]
    assert (await api.get(f"/imports/{good}")).body["state"] == "completed"


async def test_an_erased_person_is_gone_from_the_rejects(api: Api, database: Database, caller: Caller) -> None:
    spring = await campaign(database, caller)
    await upload_csv(api, spring, HEADER + "zoe,,,\n")
    made = await send(api, spring, HEADER + "@Zoe,,x,\nzoe,,,\nbad name,,,\n")
    assert (await api.delete("/contacts/zoe")).status == 409
    await work_off(database)
    async with database.connection() as conn:
        # As a worker leaves it that is killed right after the end.
        await conn.execute("INSERT INTO import_names SELECT id, 'zoe', workspace_id, 2 FROM imports")
    assert (await api.delete("/contacts/zoe")).status == 200
    assert await count(database, "import_names") == 0
    told = {row["line"]: (row["instagramUsername"], row["code"]) for row in await rejects(api, made.body["id"])}
    assert told == {"2": ("", "invalid_field"), "3": ("", "target_duplicate"), "4": ("bad name", "invalid_field")}


async def test_what_is_past_its_time_is_dropped(api: Api, database: Database, caller: Caller) -> None:
    spring = await campaign(database, caller)
    old, new = [await imported(api, database, spring, HEADER + "bad name,,,\n") for _ in range(2)]
    stopped, coming = [(await send(api, spring, HEADER + "anna,,,\n")).body["id"] for _ in range(2)]
    changes = {
        old["id"]: "ended_at = now() - interval '31 days'",
        stopped: "state = 'receiving', created_at = now() - interval '2 hours'",
        coming: "state = 'receiving'",
    }
    async with database.transaction() as conn:
        await conn.execute("INSERT INTO import_names SELECT id, 'zoe', workspace_id, 2 FROM imports")
        for import_id, change in changes.items():
            await conn.execute(f"UPDATE imports SET {change} WHERE id = $1", ImportId.parse(import_id).uuid)
    await campaign_imports.tidy(database)
    async with database.connection() as conn:
        left = {ImportId(each["id"]) for each in await conn.fetch("SELECT id FROM imports")}
    assert {str(each) for each in left} == {old["id"], new["id"], coming}
    assert await count(database, "import_names") == 1
    assert [len(await rejects(api, each["id"])) for each in (old, new)] == [0, 1]
    assert (await api.get(f"/imports/{old['id']}")).body["rejected"] == 1
