"""What a campaign came to: as JSON with its counts, and as a file with everybody in it."""

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iglayers.accounts.model import Caller
from iglayers.core import csv_text
from iglayers.core.clock import real_now
from iglayers.core.csv_text import safe_cell
from iglayers.core.db import Database
from iglayers.core.ids import TargetId
from iglayers.reports.export import COLUMNS, csv_lines
from iglayers.reports.model import Result
from iglayers.targets.model import TargetState
from tests.serving import Answer, Api
from tests.targets.uploads import campaign, end, people, upload, write_to

FIELDS = [
    "targetId", "instagramUsername", "profileUrl", "fullName", "firstName", "category", "followerCount", "variables",
    "status", "errorCode", "reason", "senderUsername", "route", "message",
    "sentAt", "repliedAt", "lastReply", "updatedAt",
]  # fmt: skip


def table(answer: Answer) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.raw.decode(), newline="")))


def lines(answer: Answer) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.raw.splitlines()]


async def test_json_has_the_campaign_its_counts_and_a_page(api: Api, database: Database, caller: Caller) -> None:
    spring = await campaign(database, caller, metadata={"source": "agent_workflow"})
    made = await upload(api, spring, people("anna", "ben", "carl", "dora"))
    anna, ben, carl, _ = [row["id"] for row in made.body["results"]]
    await write_to(database, anna, text="Hi Anna", reply="Yes, tell me more")
    await write_to(database, ben)
    await end(database, carl, "skipped", reason="No route is permitted.")
    status, body = await api.get(f"/campaigns/{spring.id}/results", limit=3)
    assert status == 200
    assert body["campaign"]["metadata"] == {"source": "agent_workflow"}
    assert body["summary"] == dict.fromkeys(TargetState, 0) | {"queued": 1, "replied": 1, "sent": 1, "skipped": 1}
    assert [row["instagramUsername"] for row in body["data"]] == ["dora", "carl", "ben"]
    assert list(body["data"][0]) == FIELDS
    assert (body["data"][1]["errorCode"], body["data"][1]["reason"]) == ("provider_error", "No route is permitted.")
    status, rest = await api.get(f"/campaigns/{spring.id}/results", limit=3, cursor=body["nextCursor"])
    [row] = rest["data"]
    assert (rest["hasMore"], rest["nextCursor"]) == (False, None)
    assert (row["message"], row["lastReply"], row["senderUsername"]) == ("Hi Anna", "Yes, tell me more", "our.brand")
    assert (row["status"], row["route"]) == ("replied", "assisted")
    assert row["sentAt"].endswith("Z")
    assert row["repliedAt"].endswith("Z")


async def test_files_hold_everybody_in_the_order_of_upload(api: Api, database: Database, caller: Caller) -> None:
    spring = await campaign(database, caller, name="Spring / Été 2026")
    names = [f"a{n}" for n in range(2_345)]
    made = await upload(api, spring, people(*names))
    await write_to(database, made.body["results"][1_000]["id"], reply="Hello")
    as_csv = await api.get(f"/campaigns/{spring.id}/results", format="csv")
    assert as_csv.headers["Content-Type"] == f"{csv_text.MEDIA_TYPE}; charset=utf-8"
    assert as_csv.headers["Content-Disposition"] == 'attachment; filename="spring-t-2026-results.csv"'
    assert "X-Request-Id" in as_csv.headers
    assert [row["instagramUsername"] for row in table(as_csv)] == names
    assert list(table(as_csv)[0]) == FIELDS
    assert table(as_csv)[1_000]["lastReply"] == "Hello"
    as_lines = await api.get(f"/campaigns/{spring.id}/results", format="ndjson")
    assert as_lines.headers["Content-Type"] == "application/x-ndjson"
    assert as_lines.headers["Content-Disposition"].endswith('.ndjson"')
    assert [row["instagramUsername"] for row in lines(as_lines)] == names
    _, body = await api.get(f"/campaigns/{spring.id}/results", limit=1_000)
    assert lines(as_lines)[:-1_001:-1] == body["data"]


async def test_a_campaign_without_anybody_has_an_empty_file(api: Api, database: Database, caller: Caller) -> None:
    spring = await campaign(database, caller)
    answer = await api.get(f"/campaigns/{spring.id}/results", format="csv")
    assert (answer.status, answer.raw.decode()) == (200, ",".join(FIELDS) + "\r\n")
    answer = await api.get(f"/campaigns/{spring.id}/results", format="ndjson")
    assert (answer.status, answer.raw) == (200, b"")


async def test_filters_by_state_and_by_change(api: Api, database: Database, caller: Caller) -> None:
    spring = await campaign(database, caller)
    made = await upload(api, spring, people("anna", "ben", "carl"))
    since = real_now().rfc3339()
    await write_to(database, made.body["results"][1]["id"])
    for query, names in (
        ({"status": "sent"}, ["ben"]), ({"status": "queued,sent"}, ["anna", "ben", "carl"]),
        ({"updatedSince": since}, ["ben"]), ({"status": "queued", "updatedSince": since}, []),
    ):  # fmt: skip
        rows = lines(await api.get(f"/campaigns/{spring.id}/results", format="ndjson", **query))
        assert [row["instagramUsername"] for row in rows] == names
        _, body = await api.get(f"/campaigns/{spring.id}/results", **query)
        assert [row["instagramUsername"] for row in body["data"]] == names[::-1]
        assert sum(body["summary"].values()) == 3


@pytest.mark.parametrize("query", [
    {"format": "xml"}, {"status": "gone"}, {"updatedSince": "yesterday"}, {"updatedSince": "2026-05-01T09:00:00"},
    {"updatedSince": "10000-01-01T00:00:00Z"}, {"limit": "0"}, {"cursor": "x"}, {"format": "csv", "limit": "5"},
    {"stauts": "sent"},
])  # fmt: skip
async def test_questions_that_mean_nothing_are_refused(
    api: Api, database: Database, caller: Caller, query: dict[str, str]
) -> None:
    spring = await campaign(database, caller)
    answer = await api.get(f"/campaigns/{spring.id}/results", **query)
    assert (answer.status, answer.body["error"]["code"]) == (400, "invalid_field")


async def test_a_spreadsheet_runs_nothing_and_json_stays_exact(api: Api, database: Database, caller: Caller) -> None:
    spring = await campaign(database, caller)
    formulas = ["=1+1", "+1", "-1", "@a", "＝1", " =1", 'a,"b"']
    await upload(api, spring, [
        {"instagramUsername": f"a{n}", "category": text, "fullName": "=x", "variables": {"x": text}}
        for n, text in enumerate(formulas)
    ])  # fmt: skip
    exact = [text.strip() for text in formulas]
    rows = table(await api.get(f"/campaigns/{spring.id}/results", format="csv"))
    assert [row["category"] for row in rows] == [safe_cell(text) for text in exact]
    assert all(row["fullName"] == "'=x" for row in rows)
    assert [json.loads(row["variables"])["x"] for row in rows] == exact
    rows = lines(await api.get(f"/campaigns/{spring.id}/results", format="ndjson"))
    assert [row["category"] for row in rows] == exact


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)


@given(st.lists(st.tuples(TEXT, TEXT, st.integers(0, 2**53) | st.none()), min_size=1, max_size=5))
def test_a_csv_read_back_is_what_was_written(given_rows: list[tuple[str, str, int | None]]) -> None:
    results = [
        Result(
            target_id=TargetId.new(), instagram_username="a", profile_url=None, full_name=full_name, first_name=None,
            category=None, follower_count=followers, variables=None, status=TargetState.SENT, error_code=None,
            reason=None, sender_username=None, route=None, message=message, sent_at=None, replied_at=None,
            last_reply=None, updated_at=real_now(),
        )
        for full_name, message, followers in given_rows
    ]  # fmt: skip
    read = [
        dict(zip(COLUMNS, row, strict=True)) for row in csv.reader(io.StringIO(csv_lines(results).decode(), newline=""))
    ]
    assert [(row["fullName"], row["message"], row["followerCount"]) for row in read] == [
        (safe_cell(full_name), safe_cell(message), "" if followers is None else str(followers))
        for full_name, message, followers in given_rows
    ]
