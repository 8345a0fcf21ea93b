"""Every page of the list answers, to an owner with what is there, and to nobody who may not see it."""

from iglayers.core.db import Database
from iglayers.dashboard import files
from tests.browser.paths import PAGES
from tests.dashboard.visiting import Visit
from tests.serving import Api
from tests.web.world import populated

_OWNERS = ("audit-log", "people", "settings", "api-key", "webhook", "delivery")
_WRITERS = ("client-new", "template-new", "suppressions-new", "campaign-new", "campaign-setup", "inbox-log", "sender-")
# As text it is shown; as anything else it would run, or turn the page round.
HOSTILE = "<script>alert(1)</script>\"'&\u202e\u0627\u0644\u0627\u0633\u0645\U0001f600{{7*7}}"


async def test_every_page_answers(owner: Visit, viewer: Visit, api: Api, database: Database) -> None:
    world = await populated(api, database)
    for name, path in PAGES.items():
        status, page, _ = await owner.get(world.path(path))
        assert status == 200, (name, page[:400])
        status, _, _ = await viewer.get(world.path(path))
        assert (status == 403) == name.startswith((*_OWNERS, *_WRITERS)), (name, status)


async def test_text_says_once_how_it_is_written(owner: Visit) -> None:
    paths = {"/": "html", "/docs": "html", "/docs/style.css": "css"}
    paths |= {str(files.address(name)): kind for name, kind in (("app.css", "css"), ("app.js", "javascript"))}
    for path, kind in paths.items():
        _, _, headers = await owner.get(path)
        assert headers["Content-Type"] == f"text/{kind}; charset=utf-8", path


async def test_hostile_text_is_text_everywhere(owner: Visit, api: Api, database: Database) -> None:
    world = await populated(api, database, name="acme")
    await api.post("/clients", {"name": HOSTILE, "externalId": "x"})
    text = HOSTILE.removesuffix("{{7*7}}")
    await api.patch(f"/message-templates/{world.ids['templates']}", {"name": text, "body": text})
    await api.post("/api-keys", {"name": HOSTILE, "scopes": ["read"]})
    await api.patch(f"/webhooks/{world.ids['webhooks']}", {"description": HOSTILE})
    await api.post("/suppressions", {"instagramUsername": "acme.fan", "reason": HOSTILE})
    for path in PAGES.values():
        status, page, _ = await owner.get(world.path(path))
        assert status == 200, path
        assert "<script>alert" not in page, path
