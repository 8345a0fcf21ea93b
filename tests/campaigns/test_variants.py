"""Several texts for one step: who gets which is drawn once, and each is counted apart."""

from collections import Counter
from typing import Any

import pytest

from iglayers.accounts.model import Caller
from iglayers.accounts.services import Services
from iglayers.core.db import Database
from iglayers.reports.model_stats import StepNumbers
from iglayers.reports.stats import with_the_best
from tests import make
from tests.reports.stepping import Stepping
from tests.senders.orders import a_sender
from tests.serving import Api
from tests.targets.uploads import campaign, people, upload


async def texts(database: Database, caller: Caller, *bodies: str) -> list[str]:
    return [str((await make.template(database, caller, body=body, name=body)).id) for body in bodies]


async def test_variants_come_back_as_they_were_given(api: Api, database: Database, caller: Caller) -> None:
    client = await make.client(database, caller)
    a, b, c = await texts(database, caller, "A", "B", "C")
    fields = {
        "clientId": str(client.id),
        "name": "Spring",
        "messageTemplateId": a,
        "variants": [{"messageTemplateId": a, "weight": 3}, {"messageTemplateId": b, "weight": 1}],
        "followUps": [{
            "messageTemplateId": c, "delayHours": 48,
            "variants": [{"messageTemplateId": c, "weight": 1}, {"messageTemplateId": a, "weight": 2}],
        }],
    }  # fmt: skip
    made = await api.post("/campaigns", fields)
    assert made.status == 201
    shown = (await api.get(f"/campaigns/{made.body['id']}")).body
    assert {name: shown[name] for name in fields} == fields
    changed = await api.patch(f"/campaigns/{made.body['id']}", {"variants": []})
    assert (changed.body["variants"], changed.body["messageTemplateId"]) == ([], a)


@pytest.mark.parametrize(
    ("variants", "param"),
    [
        (["a"], "variants"),
        (["b", "a"], "variants[0].messageTemplateId"),
        (["a", "b", "a"], "variants[2].messageTemplateId"),
        (["a", "none"], "variants[1].messageTemplateId"),
        (["a"] * 7, "variants"),
    ],
)
async def test_variants_that_cannot_be_are_refused(
    variants: list[str], param: str, api: Api, database: Database, caller: Caller
) -> None:
    client = await make.client(database, caller)
    a, b = await texts(database, caller, "A", "B")
    ids = {"a": a, "b": b, "none": "tpl_" + "0" * 32}
    refused = await api.post("/campaigns", {
        "clientId": str(client.id), "name": "Spring", "messageTemplateId": a,
        "variants": [{"messageTemplateId": ids[each]} for each in variants],
    })  # fmt: skip
    assert (refused.status in (400, 404), refused.body["error"]["param"]) == (True, param)


async def test_everybody_gets_one_text_of_each_step_drawn_by_weight(
    test_api: Api, worker_services: Services, database: Database, test_caller: Caller
) -> None:
    stepping = Stepping(worker_services, test_caller)
    await stepping.set_clock(test_caller.now)
    await a_sender(database, test_caller, hourly_limit=1_000, daily_limit=10_000)
    a, b, c, d = await texts(database, test_caller, "A", "B", "C", "D")
    spring = await campaign(database, test_caller)
    fields: dict[str, Any] = {
        "messageTemplateId": a,
        "variants": [{"messageTemplateId": each} for each in (a, b, c)],
        "followUps": [{
            "messageTemplateId": d, "delayHours": 1,
            "variants": [{"messageTemplateId": d, "weight": 9}, {"messageTemplateId": a}],
        }],
    }  # fmt: skip
    assert (await test_api.patch(f"/campaigns/{spring.id}", fields)).status == 200
    await upload(test_api, spring, people(*(f"sandbox.silent.{n}" for n in range(120))))
    await test_api.post(f"/campaigns/{spring.id}/start")
    await stepping.run(spring.id)
    async with database.connection() as conn:
        rows = await conn.fetch("SELECT target_id, step, variant, body FROM messages")
    assert Counter((each["target_id"], each["step"]) for each in rows).most_common(1)[0][1] == 1
    counts = Counter((each["step"], each["body"]) for each in rows)
    assert sum(counts.values()) == 240
    assert {(0, "A"), (0, "B"), (0, "C"), (1, "D")} <= counts.keys()
    # 40 of each and 108 are expected; this far off happens once in a million runs.
    assert all(15 < counts[0, body] < 65 for body in "ABC")
    assert counts[1, "D"] > 85
    told = (await test_api.get(f"/campaigns/{spring.id}/stats")).body["steps"]
    assert [(each["step"], each["variant"]) for each in told] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    assert sum(each["sent"] for each in told) == 240


def arm(variant: int, sent: int, replied: int) -> StepNumbers:
    return StepNumbers(step=0, variant=variant, sent=sent, failed=0, unknown=0, replied=replied, opted_out=0)


@pytest.mark.parametrize(
    ("arms", "best"),
    [
        ([arm(0, 50, 25), arm(1, 50, 5)], [True, False]),
        ([arm(0, 49, 25), arm(1, 500, 5)], [False, False]),
        ([arm(0, 50, 12), arm(1, 50, 8)], [False, False]),
        ([arm(0, 900, 90)], [False]),
        ([arm(0, 200, 10), arm(1, 200, 80), arm(2, 200, 78)], [False, False, False]),
    ],
)
def test_a_best_variant_is_named_only_where_the_numbers_can_tell(arms: list[StepNumbers], best: list[bool]) -> None:
    assert [each.is_best for each in with_the_best(arms)] == best
