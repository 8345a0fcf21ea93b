"""One person's page, and the list of those who must not be written to: search, paste, files, undo, erasure."""

import html
import re

import aiohttp

from iglayers.accounts.model import Caller
from iglayers.core.db import Database
from iglayers.dashboard.request import UNDO_COOKIE
from tests import make
from tests.dashboard.visiting import Visit
from tests.serving import Api
from tests.targets.uploads import campaign, upload, write_to

_UNDO = re.compile(r'action="(/suppressions/\w+)" class="inline">(.*?)</form>', re.DOTALL)
_HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')


async def _undo(somebody: Visit, path: str) -> None:
    """Press the button beside the line that tells what was done."""
    page = (await somebody.get(path))[1]
    flash = page[page.index('class="flash"') :]
    action, inside = _UNDO.findall(flash)[0]
    status, _, _ = await somebody.post(action, {name: html.unescape(text) for name, text in _HIDDEN.findall(inside)})
    assert status == 303


async def _names(api: Api) -> list[str]:
    return [each["instagramUsername"] for each in (await api.get("/suppressions")).body["data"]]


async def test_a_person_is_found_by_any_spelling_and_told_whole(
    owner: Visit, api: Api, database: Database, caller: Caller
) -> None:
    spring = await campaign(database, caller)
    rows = [{"instagramUsername": "jane.doe", "fullName": "Jane Doe", "variables": {"city": "Madrid"}}]
    target = (await upload(api, spring, rows)).body["results"][0]["id"]
    await write_to(database, target, state="sent", reply="Sounds good")
    for spelling in ("jane.doe", "@Jane.Doe", "https://www.instagram.com/JANE.DOE/?hl=en"):
        status, _, headers = await owner.get(f"/contacts?q={spelling.replace('@', '%40').replace('?', '%3F')}")
        assert (status, headers["Location"]) == (303, "/contacts/jane.doe")
    page = (await owner.get("/contacts/jane.doe"))[1]
    for told in ("Uploaded", "Written to", "Answered", "Sounds good", "Jane Doe", "Madrid", "Spring"):
        assert told in page, told
    assert page.index("Answered") < page.index("Uploaded</span>"), "newest first"
    status, page, _ = await owner.get("/contacts?q=nobody.else")
    assert (status, "Nobody of this name is known" in page) == (404, True)
    assert "That is" not in (await owner.get("/contacts?q=a%20b"))[1]


async def test_suppressing_and_lifting_are_undone(
    operator: Visit, api: Api, database: Database, caller: Caller
) -> None:
    await upload(api, await campaign(database, caller), [{"instagramUsername": "jane.doe"}])
    fields = {"instagramUsername": "jane.doe", "clientId": "", "reason": "asked by phone"}
    status, _, _ = await operator.submit("/contacts/jane.doe", "/suppressions/one", **fields)
    assert (status, await _names(api)) == (303, ["jane.doe"])
    await _undo(operator, "/contacts/jane.doe")
    assert await _names(api) == []
    await operator.submit("/contacts/jane.doe", "/suppressions/one", **fields)
    await operator.submit("/suppressions", "/suppressions/lift", instagramUsername="jane.doe", clientId="")
    assert await _names(api) == []
    await _undo(operator, "/suppressions")
    assert (await api.get("/suppressions")).body["data"][0]["reason"] == "asked by phone"


async def test_what_a_person_asked_for_is_not_taken_back_by_an_undo(
    operator: Visit, api: Api, database: Database, caller: Caller
) -> None:
    await make.suppression(database, caller, "jane.doe")
    async with database.connection() as conn:
        await conn.execute("UPDATE suppressions SET source = 'opt_out'")
    fields = {"instagramUsername": "jane.doe", "clientId": ""}
    await operator.submit("/contacts/jane.doe", "/suppressions/one", **fields)
    assert UNDO_COOKIE not in operator.cookies
    page = (await operator.get("/suppressions"))[1]
    assert "cannot be put back as their own wish" in page
    await operator.submit("/suppressions", "/suppressions/lift", **fields)
    assert UNDO_COOKIE not in operator.cookies
    assert await _names(api) == []


async def test_pasted_names_are_taken_and_refused_one_by_one(operator: Visit, api: Api) -> None:
    status, page, _ = await operator.submit(
        "/suppressions/new", "/suppressions", usernames="@jane.doe, joe\nnot a name\nhttps://instagram.com/ann/",
        clientId="", reason="", expiresAt="",
    )  # fmt: skip
    assert (status, sorted(await _names(api))) == (422, ["ann", "jane.doe", "joe"])
    assert "3 people are suppressed. 1 row was refused." in page
    assert ">not a name</textarea>" in page
    status, page, _ = await operator.submit("/suppressions/new", "/suppressions", usernames=" ")
    assert (status, "Name 1 to 10,000 people" in page) == (422, True)


async def test_file_is_imported_and_its_rejects_told(operator: Visit, api: Api) -> None:
    async def send(data: bytes) -> tuple[int, str]:
        found = re.search(r'name="form_token" value="(\w+)"', (await operator.get("/suppressions/new"))[1])
        assert found
        form = aiohttp.FormData({"form_token": found[1], "clientId": ""})
        form.add_field("file", data, filename="list.csv", content_type="text/csv")
        status, page, _ = await operator.post("/suppressions/import", form)
        return status, page

    status, page = await send(b"instagramUsername,reason\njane.doe,asked\nnot a name,\n")
    assert (status, await _names(api)) == (422, ["jane.doe"])
    assert "1 row was refused" in page
    assert '<td class="figures">3</td>' in page
    assert (await send(b"instagramUsername\njoe\n"))[0] == 303
    for bad, told in ((b"", "Choose a CSV file first"), (b"name\njoe\n", "is not a column of this list")):
        status, page = await send(bad)
        assert (status, told in page) == (422, True)
    status, text, headers = await operator.get("/suppressions/export.csv")
    assert (status, "attachment" in headers["Content-Disposition"]) == (200, True)
    assert text.splitlines()[0].startswith("instagramUsername,clientId")
    assert len(text.splitlines()) == 3


async def test_list_is_searched_and_narrowed(operator: Visit, database: Database, caller: Caller) -> None:
    client = await make.client(database, caller, "Acme")
    await make.suppression(database, caller, "jane.doe")
    await make.suppression(database, caller, "joe", client_id=client.id)
    page = (await operator.get("/suppressions?q=%40Jane.Doe"))[1]
    assert ("/contacts/jane.doe" in page, "/contacts/joe" in page) == (True, False)
    page = (await operator.get(f"/suppressions?clientId={client.id}"))[1]
    assert ("/contacts/jane.doe" in page, "/contacts/joe" in page) == (False, True)
    assert "That is no username" in (await operator.get("/suppressions?q=a b"))[1]


async def test_erasing_asks_once_and_leaves_a_page_without_a_name(
    owner: Visit, operator: Visit, api: Api, database: Database, caller: Caller
) -> None:
    spring = await campaign(database, caller)
    target = (await upload(api, spring, [{"instagramUsername": "jane.doe", "fullName": "Jane D"}])).body["results"][0][
        "id"
    ]
    await write_to(database, target, state="sent", reply="Sounds good")
    assert "the words of 1 message and 1 reply" in (await owner.get("/contacts/jane.doe"))[1]
    assert "Erase jane.doe" not in (await operator.get("/contacts/jane.doe"))[1]
    assert (await operator.submit("/contacts/jane.doe", "/contacts/jane.doe/erase"))[0] == 403
    status, _, headers = await owner.submit("/contacts/jane.doe", "/contacts/jane.doe/erase")
    assert (status, headers["Location"]) == (303, "/contacts/jane.doe")
    page = (await owner.get("/contacts/jane.doe"))[1]
    assert "<h1>Erased person</h1>" in page
    assert "Jane D" not in page
    assert "Sounds good" not in page
