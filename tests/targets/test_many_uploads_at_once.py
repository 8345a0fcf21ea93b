"""Uploads of the same people at once, whatever their order: each person once, nobody waits forever."""

import asyncio
import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iglayers.accounts.model import Caller
from iglayers.campaigns.model import Campaign
from iglayers.core.db import Database
from iglayers.core.ids import TargetId
from iglayers.targets import actions, rows
from iglayers.targets.model import UploadCampaign, UploadReport
from tests.databases import PEPPER
from tests.serving import Api
from tests.targets.uploads import campaign, count, end, people, upload


async def test_fifty_uploads_of_the_same_thousand_people(api: Api, database: Database, caller: Caller) -> None:
    spring = await campaign(database, caller)
    names, chance = [f"creator{n}" for n in range(1_000)], random.Random(5)
    answers = await asyncio.gather(*(
        upload(api, spring, people(*chance.sample(names, 1_000))) for _ in range(50)
    ))  # fmt: skip
    assert {answer.status for answer in answers} <= {201, 409}
    assert sum(answer.body["accepted"] for answer in answers) == 1_000
    assert all(answer.body["accepted"] + answer.body["rejected"] == 1_000 for answer in answers)
    assert await count(database, "targets") == await count(database, "contacts") == 1_000
    assert await count(database, "events WHERE type = 'target.queued'") == 1_000


async def test_known_and_ended_people_at_once_are_queued_once(api: Api, database: Database, caller: Caller) -> None:
    known = await campaign(database, caller)
    names, chance = [f"creator{n}" for n in range(200)], random.Random(6)
    await upload(api, known, people(*names))
    spring = await campaign(database, caller)
    ended = await upload(api, spring, people(*names[:100]))
    for row in ended.body["results"]:
        await end(database, row["id"], "skipped")
    answers = await asyncio.gather(*(
        upload(api, spring, people(*chance.sample(names, 200))) for _ in range(20)
    ))  # fmt: skip
    assert {answer.status for answer in answers} <= {201, 409}
    assert sum(answer.body["accepted"] for answer in answers) == 200
    assert await count(database, "targets WHERE state = 'queued'") == 400


def uploading(spring: Campaign) -> UploadCampaign:
    return UploadCampaign(
        id=spring.id, client_id=spring.client_id, name=spring.name, state=spring.state.value,
        first_contact_scopes=[spring.client_id.uuid],
    )  # fmt: skip


NAMES = st.lists(
    st.sampled_from([*(f"n{n}" for n in range(12)), "@N1", "bad name", "", "n2 "]), min_size=1, max_size=40
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=NAMES, others=NAMES)
async def test_counts_add_up_and_order_is_kept(
    database: Database, caller: Caller, names: list[str], others: list[str]
) -> None:
    spring = await campaign(database, caller)

    async def send(sent: list[str], *, dry_run: bool = False) -> UploadReport:
        async with database.transaction() as conn:
            return await actions.upload(
                conn, caller, uploading(spring), rows.from_json({"targets": people(*sent)}), pepper=PEPPER,
                dry_run=dry_run,
            )  # fmt: skip

    before = await count(database, "targets")
    for sent in (names, others):
        dry = await send(sent, dry_run=True)
        report = await send(sent)
        assert report.accepted + report.rejected == len(sent) == len(report.results)
        assert [each.index for each in report.results] == list(range(len(sent)))
        assert [each.status for each in dry.results] == [each.status for each in report.results]
        ids = [TargetId.parse(each.id).uuid.int for each in report.results if each.id is not None]
        assert ids == sorted(ids)
        assert len(ids) == report.accepted
        assert [each.error is None for each in report.results] == [each.id is not None for each in report.results]
        before += report.accepted
        assert await count(database, "targets") == before
