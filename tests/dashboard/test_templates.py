"""Templates: shown as a person would get them by the renderer that sends, malformed ones refused at their place."""

import re

from iglayers.accounts.model import Caller
from iglayers.core.db import Database
from tests.dashboard.visiting import Visit
from tests.serving import Api
from tests.targets.uploads import campaign


async def _preview(operator: Visit, body: str, **samples: str) -> tuple[int, str]:
    found = re.search(r'name="form_token" value="(\w+)"', (await operator.get("/templates/new"))[1])
    assert found
    fields = {"form_token": found[1], "name": "", "body": body} | {
        f"sample.{name}": text for name, text in samples.items()
    }
    status, page, _ = await operator.post("/templates/preview", fields, HX_Request="true")
    assert "<html" not in page, "a part, not a page"
    return status, page


async def test_preview_is_what_the_renderer_makes(operator: Visit) -> None:
    _, page = await _preview(operator, "Hi {{firstName|there}}, {{city}}")
    assert "Hi Jane, {{city}}" in page
    assert "Without a value for city a person is skipped" in page
    _, page = await _preview(operator, "Hi {{firstName|there}}, {{city}}", firstName="", city="Madrid")
    assert "Hi there, Madrid" in page


async def test_length_is_counted_in_bytes(operator: Visit) -> None:
    _, page = await _preview(operator, "\u00e9" * 500)
    assert "1,000 of 1,000" in page
    assert "Instagram takes no text over" not in page
    _, page = await _preview(operator, "\u00e9" * 500 + "x")
    assert "Instagram takes no text over 1,000 bytes" in page


async def test_malformed_braces_are_told_with_their_place(operator: Visit) -> None:
    _, page = await _preview(operator, "Hi\nthere {{first name}}")
    assert "at line 2, character 7" in page
    status, page, _ = await operator.submit("/templates/new", "/templates", name="Intro", body="Hi {{")
    assert status == 422
    assert re.search(r'id="body-error">body: the “{{” at line 1, character 4', page)


async def test_form_can_be_previewed_without_a_script(operator: Visit) -> None:
    status, page, _ = await operator.submit(
        "/templates/new", "/templates/preview", name="Kept", body="Hi {{firstName}}"
    )
    assert (status, "Hi Jane" in page, 'value="Kept"' in page) == (200, True, True)
    assert "No templates yet" in (await operator.get("/templates"))[1]


async def test_template_is_made_changed_found_and_archived(operator: Visit) -> None:
    status, _, headers = await operator.submit("/templates/new", "/templates", name="Intro", body="Hi {{firstName}}")
    assert status == 303
    path = headers["Location"]
    status, _, _ = await operator.submit(path, path, name="Intro two", body="Hello {{firstName}}")
    assert status == 303
    assert "Intro two" in (await operator.get("/templates?q=hello"))[1]
    assert "Intro two" not in (await operator.get("/templates?q=nothing"))[1]
    status, _, _ = await operator.submit(path, f"{path}/archive")
    assert status == 303
    assert path not in (await operator.get("/templates"))[1]
    assert "Intro two" in (await operator.get("/templates?archived=true"))[1]


async def test_campaigns_with_a_frozen_text_are_told(
    operator: Visit, api: Api, database: Database, caller: Caller
) -> None:
    spring = await campaign(database, caller)
    template = (await api.get("/message-templates")).body["data"][0]["id"]
    assert "taken up when it starts" in (await operator.get(f"/templates/{template}"))[1]
    async with database.connection() as conn:
        await conn.execute("UPDATE campaign_steps SET body = 'as it was' WHERE campaign_id = $1", spring.id.uuid)
        await conn.execute("UPDATE campaigns SET state = 'paused', started_at = now() WHERE id = $1", spring.id.uuid)
    page = (await operator.get(f"/templates/{template}"))[1]
    assert "its own, frozen before the last change" in page
    status, page, _ = await operator.submit(f"/templates/{template}", f"/templates/{template}/archive")
    assert (status, "have not ended use this message template" in page) == (409, True)


async def test_viewers_read_and_change_nothing(viewer: Visit) -> None:
    assert (await viewer.get("/templates/new"))[0] == 403
    assert (await viewer.submit("/templates", "/templates", name="x", body="y"))[0] == 403
