"""Campaigns in each of their states, as people and the engine bring them there."""

from collections.abc import Sequence

from iglayers.accounts.model import Caller
from iglayers.campaigns import queries
from iglayers.campaigns.model import Campaign, CampaignState
from iglayers.core.db import Database
from tests.serving import Api
from tests.targets.uploads import campaign as new_campaign
from tests.targets.uploads import people, upload

# The calls that lead from a draft to a state; only the engine completes.
WAYS: dict[str, list[str]] = {
    "draft": [],
    "running": ["start"],
    "paused": ["start", "pause"],
    "completed": ["start"],
    "cancelled": ["cancel"],
}


async def campaign_in(
    api: Api, database: Database, caller: Caller, state: str, *, names: Sequence[str] = ("jane.doe",)
) -> Campaign:
    """A campaign in this state; `names` are still to be written to, also in one that is completed."""
    made = await new_campaign(database, caller)
    if names:
        assert (await upload(api, made, people(*names))).status == 201
    for verb in WAYS[state]:
        answer = await api.post(f"/campaigns/{made.id}/{verb}")
        assert answer.status == 200, answer
    if state == "completed":
        await complete(database, caller, made)
    return made


async def complete(database: Database, caller: Caller, made: Campaign) -> None:
    async with database.transaction() as conn:
        await queries.set_state(conn, caller.workspace_id, made.id, state=CampaignState.COMPLETED, at=caller.now)


async def written_to_everybody(database: Database, made: Campaign) -> None:
    """As the engine leaves the people of a campaign that it is done with."""
    async with database.connection() as conn:
        await conn.execute(
            "UPDATE targets SET state = 'sent', next_due_at = NULL, sent_at = now() WHERE campaign_id = $1",
            made.id.uuid,
        )


async def told(api: Api, made: Campaign) -> list[str]:
    """The events about the campaign itself, oldest first."""
    events = (await api.get("/events", limit=1_000)).body["data"]
    return [
        each["type"].removeprefix("campaign.")
        for each in events
        if each["type"].startswith("campaign.") and each["data"]["campaign"]["id"] == str(made.id)
    ]
