"""A file goes to the workers, who answer for every row of it."""

import asyncio

import pytest

from iglayers.accounts.model import Caller
from iglayers.core.db import Database
from iglayers.targets import actions_imports
from tests import make
from tests.serving import Api
from tests.targets.importing import HEADER, imported, in_small_batches, rejects, send, work_off
from tests.targets.test_csv_upload import GOOD
from tests.targets.uploads import campaign, count, upload_csv, write_to

LEFTOVERS = ("import_pieces", "import_names")


async def test_a_file_becomes_targets_and_tells_of_its_end(api: Api, database: Database, caller: Caller) -> None:
    spring = await campaign(database, caller)
    made = await send(api, spring, HEADER + "anna,Anna A,24000,Madrid\nben,,,\nanna,,,\n")
    assert (made.status, made.body["state"], made.body["rowsPerSecond"]) == (201, "queued", None)
    await work_off(database)
    _, shown = await api.get(f"/imports/{made.body['id']}")
    assert (shown["state"], shown["rowsRead"], shown["accepted"], shown["rejected"]) == ("completed", 3, 2, 1)
    assert (shown["rejectedByCode"], shown["reason"]) == ({"target_duplicate": 1}, None)
    assert shown["bytesRead"] == shown["bytesTotal"]
    assert shown["rowsPerSecond"] > 0
    targets = (await api.get(f"/campaigns/{spring.id}/targets")).body["data"]
    assert {each["instagramUsername"]: each["variables"] for each in targets} == {
        "anna": {"city": "Madrid"},
        "ben": None,
    }
    [event] = (await api.get("/events", types="import.completed")).body["data"]
    assert event["data"]["import"] == shown | {"rowsPerSecond": event["data"]["import"]["rowsPerSecond"]}
    assert event["data"]["campaign"]["id"] == str(spring.id)
    assert await count(database, "events WHERE type = 'target.queued'") == 2
    assert [await count(database, table) for table in LEFTOVERS] == [0, 0]
    assert (await api.get(f"/campaigns/{spring.id}/imports")).body["data"] == [shown]


@pytest.mark.parametrize("name", GOOD)
async def test_files_that_mean_one_person(api: Api, database: Database, caller: Caller, name: str) -> None:
    spring = await campaign(database, caller)
    assert (await imported(api, database, spring, GOOD[name]))["accepted"] == 1
    [target] = (await api.get(f"/campaigns/{spring.id}/targets")).body["data"]
    assert (target["instagramUsername"], target["fullName"], target["followerCount"]) == ("anna", "Anna A", 24000)


DIRT = (
    b"anna,,,",
    b"ben,Ben,1",
    b"carl,Carl,1,Rome,more",
    b"dora,D\xf6ra,1,K\xf6ln",
    b"emil,Emil,1.5,",
    b",Nobody,1,",
    b'"hugo","two\nlines",1,',
    b"anna,,,",
    b"i\x00da,,,",
    b'jan,"Jan "J"",1,',
    b"kai,=cmd()|A1,1,Oslo",
    b"lea,Lea,1," + b"x" * 1_000_000,
    b"=1+1,,,",
    b"mia,Mia,1,",
)


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
async def test_dirt_is_refused_by_line_as_in_an_upload(
    api: Api, database: Database, caller: Caller, ending: bytes
) -> None:
    text = HEADER.encode().replace(b"\n", ending) + ending.join(DIRT)
    ended = await imported(api, database, await campaign(database, caller), text)
    found = await rejects(api, ended["id"])
    uploaded = await upload_csv(api, await campaign(database, caller, "Twin"), text)
    told = {str(row["line"]): row["error"] for row in uploaded.body["results"] if "error" in row}
    assert {row["line"]: row["code"] for row in found} == {line: error["code"] for line, error in told.items()}
    reasons = {row["line"]: row["reason"].replace("this file", "this call") for row in found}
    assert reasons == {line: error["message"].replace("\x00", "") for line, error in told.items()}
    assert {row["line"]: row["instagramUsername"] for row in found}["15"] == "'=1+1"
    assert (ended["state"], ended["rowsRead"], ended["accepted"]) == ("completed", len(DIRT), 3)


async def test_a_person_is_accepted_once_however_far_apart_the_lines(
    api: Api, database: Database, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_small_batches(monkeypatch)
    names = [f"creator{n}" for n in range(20)]
    text = HEADER + "".join(f"{name},,,\n" for name in [*names, *reversed(names)])
    for dry_run in ("true", "false"):
        ended = await imported(
            api, database, await campaign(database, caller, dry_run), text, query={"dryRun": dry_run}
        )
        assert (ended["accepted"], ended["rejectedByCode"]) == (20, {"target_duplicate": 20})
        last = (await rejects(api, ended["id"]))[-1]
        assert (last["line"], last["reason"]) == ("41", "creator0 is in this file already, at line 2.")


async def test_a_dry_run_answers_the_same_and_stores_nobody(api: Api, database: Database, caller: Caller) -> None:
    spring = await campaign(database, caller)
    await make.suppression(database, caller, "ben")
    before = await count(database, "contacts")
    ended = await imported(api, database, spring, HEADER + "anna,,,\nben,,,\n", query={"dryRun": "true"})
    assert (ended["dryRun"], ended["accepted"], ended["rejectedByCode"]) == (True, 1, {"target_suppressed": 1})
    assert await count(database, "targets") == 0
    assert await count(database, "contacts") == before
    assert await count(database, "events WHERE type = 'target.queued'") == 0
    assert await count(database, "events WHERE type = 'import.completed'") == 1


async def test_who_must_not_be_written_to_again_is_refused(api: Api, database: Database, caller: Caller) -> None:
    spring = await campaign(database, caller)
    first = await upload_csv(api, spring, HEADER + "anna,,,\nben,,,\n")
    await write_to(database, first.body["results"][0]["id"])
    summer = await campaign(database, caller, "Summer", client_id=spring.client_id)
    ended = await imported(api, database, summer, HEADER + "anna,,,\nben,,,\n")
    assert (ended["accepted"], ended["rejectedByCode"]) == (1, {"target_duplicate": 1})
    assert "already contacted" in (await rejects(api, ended["id"]))[0]["reason"]


async def test_rejects_come_as_one_file_however_many(api: Api, database: Database, caller: Caller) -> None:
    lines = [f"bad name {n},,," for n in range(2_001)]
    ended = await imported(api, database, await campaign(database, caller), HEADER + "\n".join(lines))
    assert (ended["rejected"], ended["state"]) == (2_001, "completed")
    assert [row["line"] for row in await rejects(api, ended["id"])] == [str(n + 2) for n in range(2_001)]


async def test_workers_share_the_imports_and_hold_each_alone(
    api: Api, database: Database, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_small_batches(monkeypatch, rows=5)
    spring = await campaign(database, caller)
    for start in (0, 40):
        await send(api, spring, HEADER + "".join(f"creator{n},,,\n" for n in range(start, start + 60)))
    await asyncio.gather(*(work_off(database) for _ in range(6)))
    ended = (await api.get(f"/campaigns/{spring.id}/imports")).body["data"]
    assert [(each["state"], each["rowsRead"]) for each in ended] == [("completed", 60)] * 2
    assert sum(each["accepted"] for each in ended) == await count(database, "targets") == 100
    assert sum(each["rejected"] for each in ended) == await count(database, "import_rejects") == 20
    assert await count(database, "events WHERE type = 'target.queued'") == 100
    assert await count(database, "events WHERE type = 'import.completed'") == 2


async def test_a_running_campaign_is_looked_at_again(api: Api, database: Database, caller: Caller) -> None:
    spring = await campaign(database, caller)
    async with database.connection() as conn:
        await conn.execute("UPDATE campaigns SET state = 'running', due_at = now() + interval '1 day'")
    await imported(api, database, spring, HEADER + "anna,,,\n")
    assert await count(database, "campaigns WHERE due_at <= now()") == 1


async def test_a_row_longer_than_a_window_is_read_whole(
    api: Api, database: Database, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_small_batches(monkeypatch, window_bytes=64)
    text = HEADER + f"anna,,,{'x' * 900}\nben,,,\n"
    ended = await imported(api, database, await campaign(database, caller), text)
    assert (ended["state"], ended["accepted"]) == ("completed", 2)
    monkeypatch.setattr(actions_imports, "LONGEST_ROW_BYTES", 256)
    ended = await imported(api, database, await campaign(database, caller, "Summer"), text)
    assert (ended["state"], ended["accepted"], ended["rowsRead"]) == ("failed", 0, 1)
    assert ended["reason"] == "Line 2: the row is longer than 256 bytes; nothing after it was read."
