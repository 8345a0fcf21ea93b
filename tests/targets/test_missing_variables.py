"""Before the start: how many people lack a word that the texts need, by the same rule as at sending."""

from iglayers.accounts.model import Caller
from iglayers.core.db import Database
from iglayers.targets import queries_lifecycle
from iglayers.templates.render import Missing, parse, render
from tests.serving import Api
from tests.targets.uploads import campaign, end, upload

FIELDS = [
    {"firstName": "Ana", "followerCount": 0, "variables": {"niche": "food"}},
    {"firstName": "", "variables": {"niche": " \u00a0\u3000 "}},
    {"fullName": "Ana Lima", "variables": {"niche": ""}},
    {"firstName": "  "},
]
TEXTS = ["{{firstName}} {{niche}}", "{{followerCount}} {{instagramUsername}} {{clientName}} {{category|all}}"]


async def test_people_without_a_needed_word_are_counted(api: Api, database: Database, caller: Caller) -> None:
    spring = await campaign(database, caller)
    rows = [{"instagramUsername": f"person{number}"} | fields for number, fields in enumerate(FIELDS)]
    assert (await upload(api, spring, rows)).body["accepted"] == 4
    async with database.connection() as conn:
        gaps = await queries_lifecycle.count_missing_variables(conn, caller.workspace_id, spring.id, bodies=TEXTS)
    assert gaps == {"firstName": 3, "niche": 3, "followerCount": 3}


async def test_blank_is_missing_at_sending_too() -> None:
    for blank in ("", "  ", " \u00a0\u3000 "):
        assert render(parse("{{niche}}"), {"niche": blank}) == Missing(("niche",))


async def test_only_people_who_are_still_queued_count(api: Api, database: Database, caller: Caller) -> None:
    spring = await campaign(database, caller)
    made = await upload(api, spring, [{"instagramUsername": "a1"}, {"instagramUsername": "a2"}])
    await end(database, made.body["results"][0]["id"], "skipped")
    async with database.connection() as conn:
        gaps = await queries_lifecycle.count_missing_variables(
            conn, caller.workspace_id, spring.id, bodies=["{{firstName}}"]
        )
    assert gaps == {"firstName": 1}
