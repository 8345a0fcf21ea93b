"""A person of whom something stands in every table that may hold a word about people, and where it still does."""

from iglayers.accounts.model import Caller
from iglayers.core.db import Database
from iglayers.replies.actions_inbound import process_inbound
from iglayers.senders.actions import receive
from iglayers.senders.model import Sender
from iglayers.senders.transports.instagram.inbound import parse
from iglayers.senders.transports.sandbox.transport import tick
from tests import make
from tests.databases import PEPPER
from tests.reports.stepping import Stepping
from tests.senders.connected import comment, echo, envelope, event, message
from tests.senders.orders import a_sender
from tests.serving import Api
from tests.targets.uploads import campaign, upload

NAME = "sandbox.replies.zoe"
PERSON = {
    "instagramUsername": NAME,
    "profileUrl": f"https://instagram.com/{NAME}",
    "fullName": "Zoe Zebra",
    "firstName": "Zoetje",
    "category": "zebrafish",
    "variables": {"note": "likes zinc"},
}
TRACES = ["zoe", "zebra", "zinc"]


async def wrote_to_zoe(api: Api, database: Database, caller: Caller, stepping: Stepping) -> None:
    """Zoe was uploaded, written to, replied, and somebody else was too."""
    sender = await a_sender(database, caller)
    spring = await campaign(database, caller)
    await upload(api, spring, [PERSON, {"instagramUsername": "ben"}])
    await api.post(f"/campaigns/{spring.id}/start")
    await stepping.run(spring.id)
    async with database.connection() as conn:
        due_at = await conn.fetchval("SELECT max(due_at) FROM sandbox_plans")
    await stepping.set_clock(due_at)
    await tick(database)
    await process_inbound(database, pepper=PEPPER)
    await instagram_told_of_zoe(database, caller, sender)
    said = {"instagramUsername": NAME, "senderUsername": "acme.official", "text": "Zoe here, again"}
    assert (await api.post("/replies", said)).status == 201
    await make.suppression(database, caller, NAME, reason="zoe asked at the zoo")


async def instagram_told_of_zoe(database: Database, caller: Caller, sender: Sender) -> None:
    """What a connected account would hold: a thread by id, what she did in it, and one more thread of her name."""
    words = [message("m1", "zoe asks"), event(message_edit={"mid": "m1", "text": "zoe asked", "num_edit": 1})]
    words += [echo("m2", "Hi Zoetje"), event(postback={"mid": "m3", "title": "zinc"}), event(zebra={"likes": "zinc"})]
    comments = [comment("c1", username=NAME, text="zebra?"), comment("c2", by="880000000000018", username=NAME)]
    facts = [told.fact for told in parse(envelope(*words, changes=comments), now=caller.now)]
    async with database.connection() as conn:
        await receive(conn, caller.workspace_id, sender.id, facts)
    while await process_inbound(database, pepper=PEPPER):
        pass
    async with database.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM conversations WHERE username = $1", NAME) == 2
        assert await conn.fetchval("SELECT count(*) FROM inbound WHERE fact ? 'igsid' AND contact_id IS NULL") == 0


async def traces(database: Database) -> set[str]:
    """The tables in which a word about Zoe stands."""
    found: set[str] = set()
    async with database.connection() as conn:
        tables = await conn.fetch("""
            SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
        """)  # fmt: skip
        for table in tables:
            text = await conn.fetchval(f"SELECT string_agg(t::text, ' ') FROM {table['relname']} t")
            if any(word in (text or "").lower() for word in TRACES):
                found.add(table["relname"].split("_2")[0])
    return found
