"""What people and programs send by mistake or on purpose: refused with a path, never an error of ours."""

import json
from typing import Any

import pytest

from iglayers.accounts.model import Caller
from iglayers.core.db import Database
from tests.serving import Api
from tests.targets.uploads import campaign, count, outcomes, people, upload

BODIES = {
    "not JSON": b"targets",
    "NaN": b'{"targets": [{"instagramUsername": "a1", "followerCount": NaN}]}',
    "infinity": b'{"targets": [{"instagramUsername": "a1", "followerCount": 1e999}]}',
    "a key twice": b'{"targets": [{"instagramUsername": "a1", "instagramUsername": "a2"}]}',
    "a key twice, once escaped": b'{"targets": [{"instagramUsername": "a1", "\\u0069nstagramUsername": "a2"}]}',
    "a key twice, with colons elsewhere": b'{"targets": [{"fullName": "a:b", "fullName": "c:d:\\u003a"}]}',
    "too deep": b'{"targets": ' + b"[" * 40 + b"]" * 40 + b"}",
    "very deep": b'{"targets": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "half a surrogate": b'{"targets": [{"instagramUsername": "a1", "fullName": "\\ud800"}]}',
    "not UTF-8": b'{"targets": [{"instagramUsername": "a1", "fullName": "\xff"}]}',
    "many digits": b'{"targets": [{"instagramUsername": "a1", "followerCount": ' + b"9" * 5_000 + b"}]}",
    "a list": b"[]",
    "no targets": b"{}",
    "targets is no list": b'{"targets": {"instagramUsername": "a1"}}',
    "nobody": b'{"targets": []}',
    "an unknown field": b'{"targets": [{"instagramUsername": "a1"}], "dryRun": true}',
}


@pytest.mark.parametrize("name", BODIES)
async def test_a_body_that_cannot_be_read_is_refused_whole(
    api: Api, database: Database, caller: Caller, name: str
) -> None:
    spring = await campaign(database, caller)
    answer = await api.post(f"/campaigns/{spring.id}/targets", data=BODIES[name])
    assert answer.status == 400, answer
    assert await count(database, "targets") == 0


FIELDS: dict[str, tuple[dict[str, Any], str]] = {
    "beyond 2^53": ({"followerCount": 2**53 + 1}, "followerCount"),
    "beyond 64 bits": ({"followerCount": 10**30}, "followerCount"),
    "a fraction": ({"followerCount": 1.5}, "followerCount"),
    "a count as text": ({"followerCount": "1"}, "followerCount"),
    "a truth": ({"followerCount": True}, "followerCount"),
    "U+0000": ({"fullName": "a\x00b"}, "fullName"),
    "a control": ({"category": "a\x07b"}, "category"),
    "a long name": ({"firstName": "x" * 201}, "firstName"),
    "a number as name": ({"fullName": 5}, "fullName"),
    "another site": ({"profileUrl": "https://example.com/a1"}, "profileUrl"),
    "another person": ({"profileUrl": "https://instagram.com/a2"}, "profileUrl"),
    "a variable that is no name": ({"variables": {"1st": "x"}}, "variables"),
    "a variable with a newline": ({"variables": {"city\n": "x"}}, "variables"),
    "a variable named as a field": ({"variables": {"firstName": "x"}}, "variables.firstName"),
    "a long variable": ({"variables": {"city": "x" * 1_001}}, "variables.city"),
    "U+0000 in a variable": ({"variables": {"city": "\x00"}}, "variables.city"),
    "many variables": ({"variables": {f"v{n}": "x" for n in range(51)}}, "variables"),
    "a variable that is no text": ({"variables": {"city": 5}}, "variables"),
}


@pytest.mark.parametrize("name", FIELDS)
async def test_a_bad_field_is_named_and_the_next_row_is_taken(
    api: Api, database: Database, caller: Caller, name: str
) -> None:
    fields, path = FIELDS[name]
    answer = await upload(api, await campaign(database, caller), [{"instagramUsername": "a1"} | fields, *people("a2")])
    assert outcomes(answer) == ["invalid_field", "accepted"]
    assert answer.body["results"][0]["error"]["param"].startswith(f"targets[0].{path}")


@pytest.mark.parametrize(
    "name", ["а", "a\u0301", "１２３ ４", "a b", "", " ", "a..b", ".a", "a" * 31, "x@y.z", "'; DROP--"]
)
async def test_names_that_nobody_has_are_refused(api: Api, database: Database, caller: Caller, name: str) -> None:
    answer = await upload(api, await campaign(database, caller), people(name))
    assert answer.status == 400


async def test_one_person_in_many_spellings(api: Api, database: Database, caller: Caller) -> None:
    spellings = people(
        "name",
        "@Name",
        " NAME ",
        "https://instagram.com/name/?x=1",
        "name\n",
        "ｎａｍｅ",
        "na\u200bme",
    )
    answer = await upload(api, await campaign(database, caller), spellings)
    assert outcomes(answer) == ["accepted", *["target_duplicate"] * 6]


async def test_hostile_text_comes_back_as_it_was_meant(api: Api, database: Database, caller: Caller) -> None:
    spring = await campaign(database, caller)
    row = {
        "instagramUsername": "a1", "fullName": "<script>alert(1)</script> 👩\u200d🚀", "category": "=1+1",
        "firstName": "e\u0301\u202eevil", "variables": {"x": "{{secret}}", "y": "'; DROP TABLE targets; --"},
    }  # fmt: skip
    made = await upload(api, spring, [row])
    _, target = await api.get(f"/campaigns/{spring.id}/targets/{made.body['results'][0]['id']}")
    assert (target["fullName"], target["category"]) == (row["fullName"], "=1+1")
    assert target["firstName"] == "\u00e9evil"
    assert target["variables"] == row["variables"]


async def test_more_than_ten_thousand_rows_are_refused(api: Api, database: Database, caller: Caller) -> None:
    answer = await upload(api, await campaign(database, caller), people(*(f"a{n}" for n in range(10_001))))
    assert (answer.status, answer.body["error"]["param"]) == (400, "targets")


async def test_more_than_ten_mebibytes_are_refused(api: Api, database: Database, caller: Caller) -> None:
    spring = await campaign(database, caller)
    answer = await api.post(f"/campaigns/{spring.id}/targets", data=b" " * (10 << 20) + b"{}")
    assert (answer.status, answer.body["error"]["code"]) == (413, "payload_too_large")
    just_fits = json.dumps({"targets": people("a1")}).encode().ljust(10 << 20)
    assert (await api.post(f"/campaigns/{spring.id}/targets", data=just_fits)).status == 201


async def test_query_parameters_are_checked(api: Api, database: Database, caller: Caller) -> None:
    spring = await campaign(database, caller)
    for query in ({"dryRun": "yes"}, {"results": "some"}, {"dry_run": "true"}):
        assert (await upload(api, spring, people("a1"), **query)).status == 400
