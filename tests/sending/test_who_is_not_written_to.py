"""People who are refused: nothing leaves, the target says why, and everybody else goes on."""

import pytest

from iglayers.core.ids import uuid7
from iglayers.sending import send
from tests import make
from tests.sending.world import World

PASSED_OVER = send.Step([], left=0)

WHY = {
    "suppressed": "target_suppressed",
    "erased": "target_suppressed",
    "sandbox.noroute": "no_permitted_route",
}


async def make_it_so(world: World, username: str) -> None:
    match username:
        case "suppressed":
            await make.suppression(world.db, world.caller, username)
        case "erased":
            await world.all("UPDATE contacts SET username = NULL, erased_at = now() WHERE username = 'erased'")
        case _:
            pass


@pytest.mark.parametrize("username", WHY)
async def test_refused_people_are_skipped_with_their_reason(username: str, world: World) -> None:
    await world.sender()
    campaign = await world.campaign([username, "twin"])
    await make_it_so(world, username)
    await world.send()
    assert await world.delivered() == ["twin"]
    target = (await world.all("SELECT * FROM targets WHERE campaign_id = $1 ORDER BY id", campaign.id.uuid))[0]
    assert (target["state"], target["error_code"]) == ("skipped", WHY[username])
    assert target["reason"]
    [told] = await world.events("message.skipped")
    assert (told["message"]["errorCode"], told["message"]["reason"]) == (WHY[username], target["reason"])
    assert await world.state(campaign.id) == "completed"


async def test_a_suppression_of_another_client_or_one_that_is_over_refuses_nobody(world: World) -> None:
    await world.sender()
    other = await make.client(world.db, world.caller, "Other")
    await make.suppression(world.db, world.caller, "jane", client_id=other.id)
    soon = world.caller.now
    await world.later(seconds=1)
    await make.suppression(world.db, world.caller, "joe")
    await world.all("UPDATE suppressions SET expires_at = $1 WHERE client_id IS NULL", soon)
    for each in ("jane", "joe"):
        await world.campaign([each])
        await world.later(minutes=1)
        await world.send()
    assert await world.delivered() == ["jane", "joe"]


async def test_a_person_of_two_campaigns_of_one_client_is_written_to_once(world: World) -> None:
    await world.sender()
    client = await make.client(world.db, world.caller)
    drafts = [await world.campaign(["jane"], client_id=client.id, started=False) for _ in range(3)]
    for each in drafts:
        await world.start(each)
    for _ in drafts:
        await world.send()
        await world.later(minutes=1)
    assert await world.delivered() == ["jane"]
    states = [list((await world.people(each)).values()) for each in drafts]
    assert sorted(states) == [["sent"], ["skipped"], ["skipped"]]
    assert await world.value("SELECT error_code FROM targets WHERE state = 'skipped' LIMIT 1") == "target_duplicate"


@pytest.mark.parametrize(("scope", "messages"), [("client", 2), ("workspace", 1)])
async def test_two_clients_share_a_person_unless_the_workspace_forbids_it(
    scope: str, messages: int, world: World
) -> None:
    await world.set_workspace(first_contact_scope=scope)
    await world.sender()
    for _ in range(2):
        await world.campaign(["jane"])
        await world.send()
        await world.later(minutes=1)
    assert len(await world.delivered()) == messages


@pytest.mark.parametrize(
    ("body", "code"),
    [("Hi {{firstName}}", "missing_variable"), ("Hi {{instagramUsername}} " + "é" * 500, "message_too_long")],
)
async def test_a_text_that_cannot_go_out_is_not_cut(body: str, code: str, world: World) -> None:
    await world.sender()
    draft = await world.campaign(["jane"], started=False)
    await world.all("UPDATE message_templates SET body = $1", body)
    await world.start(draft)
    await world.send()
    assert (await world.target("jane"))["error_code"] == code
    assert await world.delivered() == []


async def test_a_campaign_that_does_not_use_the_only_open_route_skips(world: World) -> None:
    await world.sender()
    await world.campaign(["jane"], routes=["instagram.window"])
    await world.send()
    assert (await world.target("jane"))["error_code"] == "no_permitted_route"
    assert await world.attempts("jane") == []


async def test_a_person_is_not_written_to_while_they_are_being_suppressed(world: World) -> None:
    """The contact is held by the one who suppresses: they are passed over, and the next look sees what was written."""
    await world.sender()
    await world.campaign(["jane"])
    contact_id = await world.value("SELECT id FROM contacts WHERE username = 'jane'")
    async with world.db.transaction() as conn:
        await conn.execute("SELECT 1 FROM contacts WHERE id = $1 FOR NO KEY UPDATE", contact_id)
        assert await send.begin_next(world.engine) == PASSED_OVER
        await conn.execute(
            """
            INSERT INTO suppressions (id, workspace_id, contact_id, source, created_at)
            VALUES ($1, $2, $3, 'manual', now())
            """,
            uuid7(), world.caller.workspace_id.uuid, contact_id,
        )  # fmt: skip
    await world.send()
    assert (await world.target("jane"))["state"] == "skipped"
    assert await world.delivered() == []


MERGE = "UPDATE contacts SET merged_into = (SELECT id FROM contacts WHERE username = $2) WHERE username = $1"


async def test_a_target_that_a_merge_left_under_its_old_name_is_the_person_who_is_left(world: World) -> None:
    """An upload that had met the person before the merge writes its rows after it."""
    await world.sender()
    campaign = await world.campaign(["old", "new"])
    await world.all(MERGE, "old", "new")
    await world.send()
    await world.later(minutes=1)
    await world.send()
    assert await world.delivered() == ["new"]
    states = await world.all(
        "SELECT state, error_code FROM targets WHERE campaign_id = $1 ORDER BY id", campaign.id.uuid
    )
    assert [tuple(each) for each in states] == [("sent", None), ("skipped", "target_duplicate")]
    assert await world.value("SELECT username FROM contacts k JOIN messages m ON m.contact_id = k.id") == "new"


async def test_a_person_is_not_written_to_while_they_are_being_merged(world: World) -> None:
    """They are passed over, and the next look sees another one, who is suppressed."""
    await world.sender()
    await world.campaign(["old"])
    await make.suppression(world.db, world.caller, "new")
    async with world.db.transaction() as conn:
        await conn.execute(MERGE, "old", "new")
        assert await send.begin_next(world.engine) == PASSED_OVER
    await world.send()
    assert await world.delivered() == []
    assert await world.all("SELECT state, error_code FROM targets") == [("skipped", "target_suppressed")]


async def test_events_of_a_skip_carry_campaign_and_person(world: World) -> None:
    await world.sender()
    campaign = await world.campaign(["sandbox.noroute"], metadata={"source": "import"})
    await world.send()
    [told] = await world.events("message.skipped")
    assert told["campaign"] == {
        "id": str(campaign.id), "name": "Spring", "clientId": str(campaign.client_id), "metadata": {"source": "import"},
    }  # fmt: skip
    assert told["target"]["instagramUsername"] == "sandbox.noroute"


async def test_no_way_that_the_campaign_uses(world: World) -> None:
    await world.sender(routes=["sandbox", "assisted"])
    campaign = await world.campaign(["sandbox.noroute"], routes=["sandbox"])
    await world.send()
    assert await world.people(campaign) == {"sandbox.noroute": "skipped"}
    assert (await world.target("sandbox.noroute"))["reason"] == "The sandbox opens no route to this person."
