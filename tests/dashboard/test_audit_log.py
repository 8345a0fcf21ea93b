"""The audit log narrowed by what, which object and who, with links to objects that have a page."""

from tests.dashboard.visiting import Visit
from tests.serving import Api


async def test_lines_are_narrowed_and_lead_to_their_objects(owner: Visit, api: Api) -> None:
    client = (await api.post("/clients", {"name": "Acme"})).body["id"]
    await owner.submit("/clients/new", "/clients", name="Bolt")
    template = (await api.post("/message-templates", {"name": "Intro", "body": "Hi"})).body["id"]
    page = (await owner.get("/audit-log"))[1]
    assert f'href="/clients/{client}"' in page
    assert f'href="/templates/{template}"' in page
    page = (await owner.get("/audit-log?action=client"))[1]
    assert ("message template" in page, page.count("client created")) == (False, 2)
    page = (await owner.get(f"/audit-log?objectId={client}"))[1]
    assert page.count("client created") == 1
    page = (await owner.get("/audit-log?actor=owner%40example.com&action=client.created"))[1]
    assert page.count("client created") == 1
    assert "No line fits" in (await owner.get("/audit-log?actor=nobody"))[1]
