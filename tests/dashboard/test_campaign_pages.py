"""Campaigns in the dashboard: from the first step to the start, each state's buttons, people, unknown outcomes."""

import re
from typing import Any

import aiohttp
import pytest

from iglayers.core.db import Database
from tests.dashboard.visiting import Visit
from tests.serving import Api
from tests.targets.uploads import count, people, write_to

HOSTILE = "<script>fetch('https://evil.example')</script>\"'&\u202e"


async def draft(visit: Visit, **fields: str) -> str:
    """The path of a new draft, as a newcomer makes it."""
    given = {"name": "Spring", "clientName": "Acme", "body": "Hi {{firstName|there}}"} | fields
    status, page, headers = await visit.submit("/campaigns/new", "/campaigns", **given)
    assert status == 303, page
    return headers["Location"].removesuffix("/setup#people")


async def running(visit: Visit, api: Api, *names: str) -> str:
    """The path of a campaign that runs."""
    await api.post("/senders", {"username": "acme.team", "transport": "assisted"})
    path = await draft(visit)
    await api.post(f"{path}/targets", {"targets": people(*names)})
    assert (await visit.submit(f"{path}/setup", f"{path}/start"))[0] == 303
    return path


async def test_five_steps_lead_from_nothing_to_the_start(operator: Visit, api: Api, database: Database) -> None:
    assert "No campaigns yet" in (await operator.get("/campaigns"))[1]
    await api.post("/senders", {"username": "acme.team", "transport": "assisted"})
    await api.post("/suppressions", {"instagramUsername": "bob"})
    path = await draft(operator)
    file = "Handle;Vorname;Shoe size\nann;Ann;38\nbob;Bob;44\nann;Ann;38\nno one;;\n"
    status, page, _ = await operator.submit(f"{path}/setup", f"{path}/setup/people", csv=file, step="check")
    assert status == 200
    assert "1 person would be added, 3 rows left out" in page
    assert re.search(r"suppressed.*?<strong[^>]*>1<", page)
    assert "Variable shoeSize" in page
    assert await count(database, "targets") == 0, "nothing is stored before somebody has seen the verdict"
    status, _, _ = await operator.submit(f"{path}/setup", f"{path}/setup/people", csv=file, step="store")
    assert status == 303
    page = (await operator.get(f"{path}/setup"))[1]
    assert "1 person was added, 3 were left out." in page
    assert "Hi Ann" in page
    assert "Start: write to 1 person" in page
    speed = {"hourlyLimit": "3", "from": "00:00", "to": "24:00", "day-mon": "on", "timezone": "Europe/Madrid"}
    assert (await operator.submit(f"{path}/setup", f"{path}/setup/speed", **speed))[0] == 303
    stored = (await api.get(path)).body
    assert (stored["hourlyLimit"], stored["schedule"]["windows"][0]["days"]) == (3, ["mon"])
    assert (await operator.submit(f"{path}/setup", f"{path}/start"))[0] == 303
    assert (await api.get(path)).body["status"] == "running"
    assert "This campaign, in 60 minutes" in (await operator.get(path))[1]


async def test_a_file_comes_by_the_plain_form_too(operator: Visit, api: Api) -> None:
    path = await draft(operator)
    token = re.search(r'name="form_token" value="(\w+)"', (await operator.get(f"{path}/setup"))[1])
    assert token
    sent = aiohttp.FormData({"form_token": token[1], "step": "store"})
    sent.add_field("file", b"\xef\xbb\xbfinstagramUsername,firstName\nann,Ann\n", filename="people.csv")
    status, page, _ = await operator.post(f"{path}/setup/people", sent)
    assert status == 303, page
    assert (await api.get(f"{path}/targets")).body["data"][0]["firstName"] == "Ann"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "Choose a file, or paste usernames."),
        ({"csv": "handle,size\nann,4\n", "column0": "-", "column1": "-"}, "Say which column holds the username."),
        ({"csv": "handle,note\n"}, "There is nobody in it."),
        ({"csv": "handle,note\na,b\n", "column1": "instagramUsername"}, "Two columns are instagramUsername"),
    ],
)
async def test_a_file_that_cannot_be_used_is_refused_with_the_remedy(
    operator: Visit, fields: dict[str, str], told: str
) -> None:
    path = await draft(operator)
    status, page, _ = await operator.submit(f"{path}/setup", f"{path}/setup/people", **fields)
    assert (status, told in page) == (422, True), page


async def test_buttons_fit_the_state(operator: Visit, viewer: Visit, api: Api) -> None:
    path = await running(operator, api, "ann", "bob")
    page = (await operator.get(path))[1]
    assert f'action="{path}/pause"' in page
    assert "2 people who were not written to never will be" in page
    assert f'action="{path}/pause"' not in (await viewer.get(path))[1]
    assert (await viewer.submit("/account", f"{path}/pause"))[0] == 403
    assert (await operator.submit(path, f"{path}/pause"))[0] == 303
    assert f'action="{path}/resume"' in (await operator.get(path))[1]
    status, page, _ = await operator.submit(path, f"{path}/delete")
    assert (status, "Cancel it first." in page) == (409, True)
    assert (await operator.submit(path, f"{path}/cancel"))[0] == 303
    assert (await api.get(path)).body["status"] == "cancelled"
    status, _, headers = await operator.submit(path, f"{path}/clone")
    assert status == 303
    assert headers["Location"].endswith("/setup")


async def test_every_number_opens_its_list(operator: Visit, api: Api, database: Database) -> None:
    path = await running(operator, api, "ann", "bob", "cleo")
    ids = {each["instagramUsername"]: each["id"] for each in (await api.get(f"{path}/targets")).body["data"]}
    await write_to(database, ids["ann"], state="sent", reply="Yes!")
    page = (await operator.get(path))[1]
    assert f"{path}?status=replied#people" in page
    page = (await operator.get(f"{path}?status=replied"))[1]
    assert ("@ann" in page, "@bob" in page) == (True, False)
    page = (await operator.get(f"{path}?q=cle"))[1]
    assert ("@cleo" in page, "@bob" in page) == (True, False)
    story = (await operator.get(f"{path}/targets/{ids['ann']}"))[1]
    assert "Yes!" in story
    status, _, _ = await operator.submit(f"{path}/targets/{ids['bob']}", f"{path}/targets/{ids['bob']}/cancel")
    assert (status, (await api.get(f"{path}/targets/{ids['bob']}")).body["status"]) == (303, "cancelled")
    _, text, headers = await operator.get(f"{path}/results/csv")
    assert "attachment" in headers["Content-Disposition"]
    assert text.count("\n") == 4


async def test_the_list_is_narrowed_by_state_client_and_name(operator: Visit, api: Api) -> None:
    await draft(operator, name="Autumn", clientName="Bolt")
    path = await draft(operator)
    client = (await api.get(path)).body["clientId"]
    for query in ("q=spri", f"clientId={client}", "status=draft&q=spring"):
        page = (await operator.get(f"/campaigns?{query}"))[1]
        assert ("Spring" in page, "Autumn" in page) == (True, False), query
    assert "No campaign is like this" in (await operator.get("/campaigns?status=paused"))[1]


async def test_a_person_settles_what_nobody_knows(operator: Visit, api: Api, database: Database) -> None:
    path = await running(operator, api, "ann", "bob")
    for each in (await api.get(f"{path}/targets")).body["data"]:
        await write_to(database, each["id"], state="unknown")
    assert 'href="/unknown"' in (await operator.get("/"))[1]
    messages = (await api.get("/messages", status="unknown")).body["data"]
    page = (await operator.get("/unknown"))[1]
    assert "No machine decides" in page
    assert "send it again" not in page, "only owners write again"
    first, second = (each["id"] for each in messages)
    status, page, _ = await operator.submit("/unknown", f"/unknown/{first}", said="sent", reason="")
    assert (status, "reason" in page) == (422, True)
    assert (await operator.submit("/unknown", f"/unknown/{first}", said="sent", reason="I saw it"))[0] == 303
    assert (await operator.submit("/unknown", f"/unknown/{second}", said="again", reason="Not there"))[0] == 403
    assert (await api.get(f"/messages/{first}")).body["status"] == "sent"
    assert (await api.get(f"/messages/{second}")).body["status"] == "unknown"


async def test_hostile_text_is_text(operator: Visit, api: Api) -> None:
    path = await draft(operator, name=HOSTILE, clientName=HOSTILE, body=HOSTILE)
    await api.post(f"{path}/targets", {"targets": [{"instagramUsername": "ann", "fullName": HOSTILE}]})
    file = f'handle,"{HOSTILE.replace(chr(34), chr(34) * 2)}"\nbob,"{HOSTILE.replace(chr(34), chr(34) * 2)}"\n'
    pages = [(await operator.get(each))[1] for each in ("/campaigns", path, f"{path}/setup", f"{path}/pace")]
    pages.append((await operator.submit(f"{path}/setup", f"{path}/setup/people", csv=file))[1])
    for page in pages:
        assert "<script>fetch" not in page
        assert "fetch(&#39;https://evil.example" in page


async def test_the_preview_is_by_the_renderer_that_sends(operator: Visit) -> None:
    for body, told in (
        ("Hi {{firstName}}", "Hi Jane"), ("Hi {{shoe}}", "shoe is missing"), ("Hi {{", "is opened and never closed")
    ):  # fmt: skip
        page = (await operator.submit("/campaigns/new", "/campaigns/preview", body=body, messageTemplateId="new"))[1]
        assert told in page


async def read_event(answer: Any) -> str:
    """The next event of a stream, comments and the retry line left out."""
    lines: list[str] = []
    while True:
        line = (await answer.content.readline()).decode()
        assert line, "the stream ended"
        if line.startswith("data: "):
            lines.append(line[6:])
        elif lines and not line.strip():
            return "".join(lines)
