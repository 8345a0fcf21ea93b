"""A file too long for a form: checked by the workers, shown with its verdict, then added; as a plain form sends it."""

import re
from typing import Any

import aiohttp
import pytest

from iglayers.campaigns import actions_imports
from iglayers.core.clock import real_now
from iglayers.core.db import Database
from iglayers.dashboard import campaign_people
from iglayers.targets import actions_imports as imports
from tests.dashboard.test_campaign_pages import draft
from tests.dashboard.visiting import Visit
from tests.serving import Api
from tests.targets.importing import work_off
from tests.targets.uploads import count

HEADER = "Insta;Vorname;Shoe size\n"


@pytest.fixture(autouse=True)
def short_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a short file is a long one."""
    monkeypatch.setattr(campaign_people, "MOST_KEPT", 4_096)


async def form(visit: Visit, path: str, file: bytes, **fields: str) -> aiohttp.FormData:
    token = re.search(r'name="form_token" value="(\w+)"', (await visit.get(f"{path}/setup"))[1])
    assert token
    sent = aiohttp.FormData({"form_token": token[1], **fields})
    sent.add_field("file", file, filename="people.csv", content_type="text/csv")
    return sent


async def check(visit: Visit, path: str, text: str) -> str:
    """The path of the import that checks this file."""
    status, page, headers = await visit.post(f"{path}/setup/people", await form(visit, path, text.encode()))
    assert status == 303, page
    return headers["Location"]


def lines(number: int) -> str:
    return "".join(f"person.{each};Ann;{each}\n" for each in range(number))


async def test_a_long_file_is_checked_shown_and_added(operator: Visit, api: Api, database: Database) -> None:
    path = await draft(operator)
    at = await check(operator, path, f"\ufeff{HEADER}{lines(500)}no one;;\nperson.7;Ann;1\n")
    page = (await operator.get(at))[1]
    assert "Checking the file" in page
    assert "hx-get" in page
    assert "A file is being checked" in (await operator.get(f"{path}/setup"))[1]
    await work_off(database)
    page = (await operator.get(at, hx_request="true"))[1]
    assert "<html" not in page
    assert "500 people would be added, 2 rows left out" in page
    assert "person.7 is in this file already, at line 9." in page
    assert "Variable shoeSize" in page
    assert await count(database, "targets") == 0, "nothing is stored before somebody has seen the verdict"
    assert "A file was checked and waits" in (await operator.get(f"{path}/setup"))[1]
    chosen = {"column0": "instagramUsername", "column1": "-", "column2": "variable"}
    status, page, headers = await operator.submit(at, at, step="check", **chosen)
    assert status == 303, page
    again = headers["Location"]
    assert "The file is not here any more" in (await operator.get(at))[1]
    await work_off(database)
    assert re.search(r'value="-" selected', (await operator.get(again))[1])
    status, page, headers = await operator.submit(again, again, step="store", **chosen)
    assert status == 303, page
    await work_off(database)
    page = (await operator.get(headers["Location"]))[1]
    assert "500 people were added, 2 rows were left out" in page
    assert "no one" in (await operator.get(f"{headers['Location']}/rejects"))[1]
    first = (await api.get(f"{path}/targets", limit=1)).body["data"][0]
    assert (first.get("firstName"), set(first["variables"])) == (None, {"shoeSize"})
    assert await count(database, "import_pieces") == 0
    status, page, _ = await operator.submit(again, again, step="store", **chosen)
    assert (status, "it was read again already" in page) == (409, True)


async def test_pasted_names_of_more_than_an_upload_takes_go_the_same_way(
    operator: Visit, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await draft(operator)
    monkeypatch.setattr(campaign_people, "MOST_KEPT", 1 << 20)
    pasted = "\n".join(f"p{number}" for number in range(10_001))
    status, page, headers = await operator.submit(f"{path}/setup", f"{path}/setup/people", pasted=pasted)
    assert status == 303, page
    await work_off(database)
    assert "10,001 people would be added" in (await operator.get(headers["Location"]))[1]


async def test_a_check_can_be_stopped(operator: Visit, viewer: Visit, database: Database) -> None:
    path = await draft(operator)
    at = await check(operator, path, HEADER + lines(500))
    assert "Stop" not in re.sub(r"<details.*", "", (await viewer.get(at))[1], flags=re.DOTALL)
    assert (await operator.submit(at, f"{at}/cancel"))[0] == 303
    page = (await operator.get(at))[1]
    assert "Cancelled by operator@example.com" in page
    assert "Nobody was added." in page
    assert await count(database, "import_pieces") == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEADER.strip() + "".join(f";{str(each) * 200}" for each in range(30)) + "\n", "no rows"),
        (";".join(f"c{each}" for each in range(60)) + "\n" + (";" * 59 + "\n") * 200, "60 columns; 56 are allowed"),
        ("\n" * 5_000, "header"),
    ],
)
async def test_what_cannot_be_read_leaves_nothing(operator: Visit, database: Database, text: str, told: str) -> None:
    path = await draft(operator)
    status, page, _ = await operator.post(f"{path}/setup/people", await form(operator, path, text.encode()))
    assert (status, told in page) == (422, True), page
    assert await count(database, "imports") == 0
    assert await count(database, "import_pieces") == 0


async def test_a_file_without_the_forms_token_makes_no_import(
    operator: Visit, viewer: Visit, database: Database
) -> None:
    path = await draft(operator)
    sent = aiohttp.FormData({"form_token": "0" * 64})
    sent.add_field("file", (HEADER + lines(500)).encode(), filename="people.csv")
    assert (await operator.post(f"{path}/setup/people", sent))[0] == 403
    sent = await form(operator, path, (HEADER + lines(500)).encode())
    assert (await viewer.post(f"{path}/setup/people", sent))[0] == 403
    assert await count(database, "imports") == 0


async def test_a_text_that_is_no_text_is_refused(operator: Visit, database: Database) -> None:
    path = await draft(operator)
    sent = aiohttp.MultipartWriter("form-data")
    sent.append(b"\xff\xfe").set_content_disposition("form-data", name="pasted")
    status, page, _ = await operator.post(f"{path}/setup/people", sent)
    assert (status, "The form cannot be read." in page) == (422, True)
    assert await count(database, "imports") == 0


async def test_a_campaign_that_takes_nobody_is_told_after_the_file(operator: Visit, api: Api) -> None:
    path = await draft(operator)
    sent = await form(operator, path, (HEADER + lines(500)).encode())
    assert (await api.post(f"{path}/cancel")).status == 200
    status, page, _ = await operator.post(f"{path}/setup/people", sent)
    assert (status, "Nobody can be added any more." in page) == (422, True), page


async def test_a_kept_file_goes_with_its_day_and_with_an_erasure(operator: Visit, api: Api, database: Database) -> None:
    path = await draft(operator)
    await check(operator, path, HEADER + lines(500))
    await work_off(database)
    await actions_imports.tidy(database)
    assert await count(database, "import_pieces") == 1
    await api.post("/suppressions", {"instagramUsername": "ann"})
    assert (await api.delete("/contacts/ann")).status == 200
    assert await count(database, "import_pieces") == 0
    await check(operator, path, HEADER + lines(500))
    await work_off(database)
    later: Any = real_now() + imports.FILE_KEPT_FOR
    async with database.transaction() as conn:
        await imports.tidy(conn, now=later)
    assert await count(database, "import_pieces") == 0
