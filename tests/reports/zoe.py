"""A person of whom something stands in every table that may hold a word about people, and where it still does."""

from iglayers.accounts.answers import bound_to
from iglayers.accounts.model import Caller
from iglayers.core.crypto import Vault
from iglayers.core.db import Database
from iglayers.core.ids import SenderId, WorkspaceId
from iglayers.replies.actions_inbound import process_inbound
from iglayers.senders.actions import receive
from iglayers.senders.model import Fact, Sender
from iglayers.senders.transports.instagram.inbound import parse
from iglayers.senders.transports.sandbox.transport import tick
from tests import make
from tests.databases import PEPPER, SECRET_KEY
from tests.reports.stepping import Stepping
from tests.senders.connected import comment, echo, envelope, event, message
from tests.senders.orders import a_sender
from tests.serving import Api
from tests.targets.importing import imported
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
TELL_OF_PEOPLE = {
    "audit_log", "contacts", "conversations", "delivery_attempts", "events", "idempotency_keys", "import_rejects",
    "inbound", "messages", "replies", "sandbox_messages", "suppressions", "targets",
}  # fmt: skip
# Ids, counts, settings and our own people; or no rows, of an import that has ended, a simulated plan, a post read.
NOT_OF_PEOPLE = {
    "api_keys", "campaign_steps", "campaigns", "clients", "deliveries", "first_contacts", "import_names",
    "import_pieces", "imports", "inbound_posts", "installation", "instagram_logins", "invitations", "login_failures",
    "members", "message_templates", "migrations", "rate_limits", "reconciliations", "retentions",
    "sandbox_faults", "sandbox_plans", "sender_credentials", "senders", "sessions", "target_counts", "usage_months",
    "users", "wakeups", "webhook_endpoints", "webhook_replays", "workspaces",
}  # fmt: skip
VAULT = Vault(SECRET_KEY)


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
    assert (await api.post("/replies", said_by_hand("Zoe here, again"))).status == 201
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


def said_by_hand(text: str) -> dict[str, str]:
    return {"instagramUsername": NAME, "senderUsername": "acme.official", "text": text}


async def came_in_unread(database: Database, caller: Caller) -> None:
    """What a provider has told and no worker has read: by her name, and by her id for an account of ours."""
    async with database.connection() as conn:
        thread = await conn.fetchrow("SELECT sender_id, igsid FROM conversations WHERE igsid IS NOT NULL LIMIT 1")
        assert thread is not None
        for key, of in (("late.1", {"username": NAME}), ("late.2", {"igsid": thread["igsid"]})):
            fact = Fact(provider_key=key, kind="reply", occurred_at=caller.now, fact=of | {"text": "zoe, late"})
            await receive(conn, caller.workspace_id, SenderId(thread["sender_id"]), [fact])


async def people_told_of_zoe(api: Api, database: Database, caller: Caller, stepping: Stepping) -> None:
    """What our own people and systems wrote of her: reasons, labels, files, answers, and what is kept of a call."""
    reply = await api.post("/replies", said_by_hand("Zoe says no"), idempotency_key="zoe-1")
    await api.patch(f"/replies/{reply.body['id']}", {"label": "no", "reason": "zoe was clear"})
    await api.delete(f"/suppressions/{NAME}")
    hands = (await api.post("/senders", {"username": "by.hand", "transport": "assisted"})).body["id"]
    cards = await campaign(database, caller, "By hand", client_id=(await make.client(database, caller, "Other")).id)
    await api.patch(f"/campaigns/{cards.id}", {"senderIds": [hands]})
    await upload(api, cards, [PERSON])
    await api.post(f"/campaigns/{cards.id}/start")
    await stepping.look(2)
    [card] = (await api.get("/outbox")).body["data"]
    await api.post(f"/outbox/{card['id']}/skip", {"reason": "zoe is a friend"})
    await api.post(f"/outbox/{card['id']}/undo")
    lines = f"instagramUsername,profileUrl\n{NAME},\nann,https://instagram.com/{NAME}\n@{NAME},\n"
    await imported(api, database, cards, lines)
    await make.suppression(database, caller, NAME, reason="zoe again")
    async with database.connection() as conn:
        zoe = await conn.fetchval("SELECT id FROM contacts WHERE username = $1", NAME)
        await conn.execute("UPDATE messages SET reason = 'no zoe' WHERE state = 'sent' AND contact_id = $1", zoe)
        await conn.execute("UPDATE targets SET reason = 'no zoe' WHERE state = 'replied' AND contact_id = $1", zoe)
        await conn.execute("""
            WITH told AS (
                INSERT INTO deliveries (id, workspace_id, endpoint_id, event_id, due_at)
                SELECT id, workspace_id, id, id, now() FROM events WHERE contact_id = $1
                RETURNING id, workspace_id
            )
            INSERT INTO delivery_attempts (id, workspace_id, delivery_id, cause, started_at, duration_ms, response)
            SELECT id, workspace_id, id, 'automatic', now(), 1, 'Thanks for telling of zoe' FROM told
        """, zoe)  # fmt: skip


async def traces(database: Database) -> set[str]:
    """The tables in which a word about Zoe stands, sealed ones included."""
    found: set[str] = set()
    async with database.connection() as conn:
        for table in await tables(database):
            text = await conn.fetchval(f"SELECT string_agg(t::text, ' ') FROM {table} t") or ""
            if table == "idempotency_keys":
                kept = await conn.fetch("SELECT workspace_id, key, body FROM idempotency_keys")
                text = " ".join(
                    VAULT.open(body, bound_to=bound_to(WorkspaceId(workspace), key)).decode()
                    for workspace, key, body in kept
                )
            if any(word in text.lower() for word in TRACES):
                found.add(table)
    return found


async def tables(database: Database) -> set[str]:
    """Every table; one in parts is one."""
    async with database.connection() as conn:
        found = await conn.fetch("""
            SELECT relname FROM pg_class
            WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace
        """)  # fmt: skip
    return {each["relname"] for each in found}
