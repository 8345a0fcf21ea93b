"""The audit log is asked for what was done, to what, by whom and since when."""

from datetime import timedelta

from iglayers.core.clock import Moment, real_now
from tests.serving import Api


async def actions(api: Api, **query: str) -> list[str]:
    return [each["action"] for each in (await api.get("/audit-log", **query)).body["data"]]


async def test_lines_are_found_by_action_object_actor_and_moment(test_api: Api) -> None:
    client = (await test_api.post("/clients", {"name": "Acme"})).body
    await test_api.patch(f"/clients/{client['id']}", {"name": "Acme Brand"})
    await test_api.post("/suppressions", {"instagramUsername": "ann"})
    assert await actions(test_api, action="client") == ["client.changed", "client.created"]
    assert await actions(test_api, action="client.changed") == ["client.changed"]
    assert await actions(test_api, action="cli") == []
    assert await actions(test_api, objectId=client["id"]) == ["client.changed", "client.created"]
    [line] = (await test_api.get("/audit-log", action="suppression")).body["data"]
    assert "suppression.created" in await actions(test_api, actor=line["actor"])
    assert await actions(test_api, actor="somebody else") == []
    assert await actions(test_api, objectId=client["id"], since=line["at"]) == []
    since = Moment.of(real_now() - timedelta(hours=1)).rfc3339()
    assert await actions(test_api, objectId=client["id"], since=since, limit="1") == ["client.changed"]
    refused = await test_api.get("/audit-log", since="yesterday")
    assert (refused.status, refused.body["error"]["param"]) == (400, "since")
