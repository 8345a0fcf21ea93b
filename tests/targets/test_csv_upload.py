"""A CSV file takes the same path as JSON; its refusals name the line."""

import pytest

from iglayers.accounts.model import Caller
from iglayers.core.db import Database
from tests.serving import Api
from tests.targets.uploads import campaign, outcomes, upload_csv

HEADER = "instagramUsername,fullName,followerCount,city\n"

GOOD = {
    "plain": HEADER + "anna,Anna A,24000,Madrid\n",
    "byte order mark": "\ufeff" + HEADER + "anna,Anna A,24000,Madrid\n",
    "CRLF": (HEADER + "anna,Anna A,24000,Madrid\n").replace("\n", "\r\n"),
    "no last newline": HEADER + "anna,Anna A,24000,Madrid",
    "quotes": HEADER + '"anna","Anna A","24000","Madrid"\n',
    "semicolons": (HEADER + "anna,Anna A,24000,Madrid\n").replace(",", ";"),
    "empty lines": HEADER + "\n\nanna,Anna A,24000,Madrid\n\n",
    "blanks round": HEADER + " @Anna , Anna A , 24000 , Madrid \n",
}


@pytest.mark.parametrize("name", GOOD)
async def test_files_that_mean_one_person(api: Api, database: Database, caller: Caller, name: str) -> None:
    spring = await campaign(database, caller)
    answer = await upload_csv(api, spring, GOOD[name])
    assert (answer.status, outcomes(answer)) == (201, ["accepted"])
    _, target = await api.get(f"/campaigns/{spring.id}/targets/{answer.body['results'][0]['id']}")
    assert (target["instagramUsername"], target["fullName"], target["followerCount"]) == ("anna", "Anna A", 24000)
    assert target["variables"] == {"city": "Madrid"}


async def test_dirt_is_refused_by_line(api: Api, database: Database, caller: Caller) -> None:
    text = HEADER.encode() + b"\n".join(
        [
            b"anna,,,",
            b"ben,Ben,1",
            b"carl,Carl,1,Rome,more",
            b"dora,D\xf6ra,1,K\xf6ln",
            b"emil,Emil,1.5,",
            b"finn,Finn,-1,",
            b"gina,Gina,\xd9\xa1,",
            b",Nobody,1,",
            b'"hugo","two\nlines",1,',
            b"anna,,,",
            b"ida," + b"x" * 300 + b",1,",
            b'jan,"Jan "J"",1,',
            b"kai,=cmd()|A1,1,Oslo",
            b"lea,Lea,1," + b"x" * 200_000,
            b"mia,Mia,1,",
        ]
    )
    answer = await upload_csv(api, await campaign(database, caller), text)
    assert answer.status == 201
    found = {row["line"]: row.get("error", {}).get("code", "accepted") for row in answer.body["results"]}
    assert found == {
        2: "accepted", 3: "invalid_field", 4: "invalid_field", 5: "invalid_field", 6: "invalid_field",
        7: "invalid_field", 8: "invalid_field", 9: "missing_required_field", 10: "invalid_field",
        12: "target_duplicate", 13: "invalid_field", 14: "invalid_field", 15: "accepted", 16: "invalid_field",
        17: "accepted",
    }  # fmt: skip
    for row in answer.body["results"]:
        if "error" in row:
            named = row["line"] if row["error"]["code"] != "target_duplicate" else 2
            assert f"line {named}" in row["error"]["message"].lower(), row


async def test_a_quote_that_is_never_closed_ends_the_file(api: Api, database: Database, caller: Caller) -> None:
    answer = await upload_csv(api, await campaign(database, caller), HEADER + 'anna,,,\nben,"Ben,1,\ncarl,,,\n')
    assert outcomes(answer) == ["accepted", "invalid_field"]


HEADERS = {
    "": "empty",
    "instagram_username\nanna\n": "instagramUsername",
    "InstagramUsername\nanna\n": "instagramUsername",
    "instagramUsername,Full Name\nanna,A\n": "fullName",
    "instagramUsername,follower_count\nanna,1\n": "followerCount",
    "instagramUsername,client name\nanna,1\n": "clientName",
    "fullName\nAnna\n": "instagramUsername",
    "instagramUsername,1st\nanna,x\n": "1st",
    "instagramUsername,a-b\nanna,x\n": "a-b",
    "instagramUsername,\nanna,x\n": "",
    "instagramUsername,city,city\nanna,x,y\n": "city",
    "instagramUsername\n": "no rows",
}


@pytest.mark.parametrize("text", HEADERS)
async def test_headers_that_cannot_be_used_are_refused_whole(
    api: Api, database: Database, caller: Caller, text: str
) -> None:
    answer = await upload_csv(api, await campaign(database, caller), text)
    if text == "instagramUsername,\nanna,x\n":
        # An empty last column is a spreadsheet's habit; a cell under it is one too many.
        assert outcomes(answer) == ["invalid_field"]
        return
    assert answer.status == 400, answer
    error = answer.body["error"]
    assert HEADERS[text] in error["message"] + error["remedy"]


async def test_utf16_and_other_kinds_of_files_are_refused(api: Api, database: Database, caller: Caller) -> None:
    spring = await campaign(database, caller)
    assert (await upload_csv(api, spring, HEADER.encode("utf-16"))).status == 400
    path = f"/campaigns/{spring.id}/targets"
    assert (await api.post(path, data=b"x", content_type="application/xml")).status == 415
