"""A workspace as it looks after a month of work, for pictures: clients, senders, a campaign with every outcome."""

import random
from datetime import timedelta

from iglayers.core.clock import real_now
from iglayers.core.db import Database
from iglayers.core.ids import CampaignId, ClientId, SenderId, TargetId, WorkspaceId
from tests.serving import Api
from tests.targets.uploads import people, write_to

CLIENTS = (
    ("Luna Skincare", "luna", 20, 120), ("Northwind Coffee", "northwind_01", None, 80),
    ("Atelier Mori", None, None, None), ("Peak & Pine Outdoor", "peak-pine", 8, 50),
    ("Studio Okapi", "okapi", None, 40), ("Casa Verde", "casa-verde", 10, None),
)  # fmt: skip
DAYS = 29
REPLIES = (
    "Sounds lovely, tell me more!", "Yes, I'm interested 😊 What would you need from me?", "stop",
    "Hey! Thanks for writing. I am travelling until next week, can we talk after the 12th?",
    "How much do you pay for one reel and two stories?", "No thanks",
)  # fmt: skip


async def fill(api: Api, database: Database, workspace_id: WorkspaceId, *, written_to: int = 260) -> dict[str, str]:
    """The ids of what is worth looking at, by their collections."""
    chance = random.Random(7)
    made: list[str] = []
    for name, external_id, hour, day in CLIENTS:
        fields = {"name": name, "externalId": external_id, "hourlyLimit": hour, "dailyLimit": day}
        made.append((await api.post("/clients", fields)).body["id"])
    template = (await api.get("/message-templates")).body["data"][0]["id"]
    sender = (await api.post("/senders", {"username": "luna.team", "transport": "sandbox"})).body["id"]
    trouble = (await api.post("/senders", {"username": "luna.second", "transport": "sandbox"})).body["id"]
    campaign = (
        await api.post("/campaigns", {"clientId": made[0], "name": "Spring creators", "messageTemplateId": template})
    ).body["id"]
    names = [f"creator.{number}" for number in range(written_to)]
    uploaded = await api.post(f"/campaigns/{campaign}/targets", {"targets": people(*names)})
    targets = [each["id"] for each in uploaded.body["results"]]
    for target in targets:
        state = chance.choices(["sent", "failed", "unknown"], [95, 4, 1])[0]
        reply = "Sounds lovely, tell me more!" if state == "sent" and chance.random() < 0.22 else None
        await write_to(database, target, state=state, reply=reply)
    await _spread(database, [TargetId.parse(each) for each in targets], SenderId.parse(sender), chance)
    thread = await _talk(api)
    await _hand_over(api, database, client=made[1], template=template)
    async with database.transaction() as conn:
        await conn.execute("UPDATE workspaces SET monthly_limit = 250 WHERE id = $1", workspace_id.uuid)
        await conn.execute(
            "UPDATE senders SET state = 'challenged', state_reason = 'Instagram asked to verify' WHERE id = $1",
            SenderId.parse(trouble).uuid,
        )
        await conn.execute(
            "UPDATE campaigns SET state = 'running', started_at = now(), due_at = now() WHERE id = $1",
            CampaignId.parse(campaign).uuid,
        )
        await conn.execute(
            "INSERT INTO usage_months (workspace_id, month, sent) VALUES ($1, date_trunc('month', now())::date, 231) "
            "ON CONFLICT (workspace_id, month) DO UPDATE SET sent = excluded.sent",
            workspace_id.uuid,
        )
    return {"campaigns": campaign, "targets": targets[1], "senders": sender, "inbox": thread}


async def _talk(api: Api) -> str:
    """Some of them write back, and one is answered; the id of that thread."""
    for number, text in enumerate(REPLIES):
        fields = {"instagramUsername": f"creator.{number}", "senderUsername": "luna.team", "text": text}
        await api.post("/replies", fields)
    thread = (await api.get("/conversations", instagramUsername="creator.1")).body["data"][0]["id"]
    await api.post(f"/conversations/{thread}/messages", {"text": "Lovely! When would you have time for a call?"})
    return thread


async def _hand_over(api: Api, database: Database, *, client: str, template: str) -> None:
    """Cards of an account that a person uses."""
    sender = (await api.post("/senders", {"username": "northwind.hello", "transport": "assisted"})).body["id"]
    fields = {"clientId": client, "name": "Autumn tasting", "messageTemplateId": template, "senderIds": [sender]}
    campaign = (await api.post("/campaigns", fields)).body["id"]
    people = [
        {"instagramUsername": "mara.brews", "fullName": "Mara Lindqvist", "firstName": "Mara", "category": "Coffee",
         "followerCount": 48_200},
        {"instagramUsername": "thefilterfox", "fullName": "Jonas Fuchs", "firstName": "Jonas", "followerCount": 9_130},
        {"instagramUsername": "cafe.con.lucia", "firstName": "Lucía"},
    ]  # fmt: skip
    await api.post(f"/campaigns/{campaign}/targets", {"targets": people})
    await api.post(f"/campaigns/{campaign}/start")
    async with database.transaction() as conn:
        await conn.execute("""
            INSERT INTO messages (id, attempt_id, workspace_id, client_id, campaign_id, target_id, contact_id,
                                  sender_id, step, route, state, begun_at)
            SELECT id, id, workspace_id, $3, campaign_id, id, contact_id, $2, 0, 'assisted', 'handed_over', now()
            FROM targets WHERE campaign_id = $1
        """, CampaignId.parse(campaign).uuid, SenderId.parse(sender).uuid, ClientId.parse(client).uuid)  # fmt: skip
        await conn.execute(
            "UPDATE targets SET state = 'awaiting_operator', sender_id = $2, next_due_at = NULL WHERE campaign_id = $1",
            CampaignId.parse(campaign).uuid,
            SenderId.parse(sender).uuid,
        )


async def _spread(database: Database, targets: list[TargetId], sender: SenderId, chance: random.Random) -> None:
    """Over the last thirty days, more of it lately, little of it at weekends."""
    now = real_now()
    async with database.transaction() as conn:
        for target in targets:
            begun_at = now - timedelta(days=DAYS * chance.random() ** 1.4, minutes=chance.randrange(600))
            if begun_at.weekday() >= 5 and chance.random() < 0.7:
                begun_at -= timedelta(days=2)
            await conn.execute(
                "UPDATE messages SET begun_at = $2, sender_id = $3 WHERE target_id = $1",
                target.uuid,
                begun_at,
                sender.uuid,
            )
            await conn.execute(
                "UPDATE replies SET received_at = $2, sender_id = $3 WHERE target_id = $1",
                target.uuid, min(now, begun_at + timedelta(hours=20 * chance.random())), sender.uuid,
            )  # fmt: skip
