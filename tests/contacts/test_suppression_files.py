"""Suppression lists come in and go out as CSV files."""

import asyncio
import csv
import io

from iglayers.accounts.model import Caller
from iglayers.core.db import Database
from tests import make
from tests.serving import Answer, Api


async def upload(api: Api, data: bytes, **query: object) -> Answer:
    return await api.call("POST", "/suppressions/import", data=data, content_type="text/csv", query=query)


async def test_a_file_is_taken_and_bad_lines_are_named(api: Api) -> None:
    data = (
        b"\xef\xbb\xbfinstagramUsername,reason,expiresAt\r\n"
        b"@Jane,asked us,\r\n"
        b"j\xd0\xb0ne,,\r\n"
        b"tom,,2199-01-01T00:00:00Z\r\n"
        b"ann\r\n"
        b"bob,,yesterday\r\n"
        b'eve,"two\r\nlines",\r\n'
        b"caf\xe9,,\r\n"
    )
    status, answer = await upload(api, data)
    assert status == 201
    assert (answer["accepted"], answer["rejected"], answer["rejectsLeftOut"]) == (2, 5, 0)
    assert [each["line"] for each in answer["rejects"]] == [3, 5, 6, 7, 9]
    assert [each["error"]["param"] for each in answer["rejects"]] == [
        "instagramUsername", "body", "expiresAt", "reason", "body",
    ]  # fmt: skip
    listed = (await api.get("/suppressions")).body["data"]
    assert {(each["instagramUsername"], each["reason"], each["source"]) for each in listed} == {
        ("jane", "asked us", "import"),
        ("tom", "", "import"),
    }


async def test_a_file_may_be_for_one_client(api: Api, database: Database, caller: Caller) -> None:
    acme = await make.client(database, caller)
    assert (await upload(api, b"instagramUsername\njane\n", clientId=acme.id)).body["accepted"] == 1
    assert (await api.get("/suppressions")).body["data"][0]["clientId"] == str(acme.id)


async def test_files_that_cannot_be_used_are_refused(api: Api) -> None:
    for data, reason in (
        (b"", "empty"),
        (b"username\njane\n", "username is not a column"),
        (b"reason\nx\n", "instagramUsername is missing"),
        (b"instagramUsername\na b\n", "blank inside"),
    ):
        status, answer = await upload(api, data)
        assert status == 400
        assert reason in answer["error"]["message"]
    refused = await api.post("/suppressions/import", {"instagramUsername": "jane"})
    assert (refused.status, refused.body["error"]["code"]) == (415, "unsupported_media_type")


async def test_a_file_over_ten_mebibytes_is_refused_before_it_is_sent(api: Api) -> None:
    reader, writer = await asyncio.open_connection(*api.base.removeprefix("http://").split(":"))
    head = (
        "POST /api/v1/suppressions/import HTTP/1.1", "Host: localhost", f"Authorization: Bearer {api.key}",
        "Content-Type: text/csv", f"Content-Length: {(10 << 20) + 1}", "", "",
    )  # fmt: skip
    writer.write("\r\n".join(head).encode())
    async with asyncio.timeout(10):
        answer = await reader.readuntil(b"}")
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"payload_too_large"' in answer


async def test_a_file_longer_than_one_part_is_taken_whole(api: Api) -> None:
    names = [f"creator{n}" for n in range(11_000)]
    status, answer = await upload(api, "\n".join(["instagramUsername", *names, "a b"]).encode())
    assert (status, answer["accepted"], answer["rejected"]) == (201, 11_000, 1)
    exported = await api.get("/suppressions", format="csv")
    rows = list(csv.DictReader(io.StringIO(exported.raw.decode(), newline="")))
    assert {row["instagramUsername"] for row in rows} == set(names)


async def test_the_list_is_downloaded_as_a_file_that_runs_nothing(api: Api, database: Database, caller: Caller) -> None:
    await make.suppression(database, caller, "jane", reason="=HYPERLINK(1)")
    await make.suppression(database, caller, "tom", reason='says "no", thanks')
    answer = await api.get("/suppressions", format="csv")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="suppressions.csv"'
    lines = answer.raw.decode().split("\r\n")
    assert lines[0] == "instagramUsername,clientId,reason,source,expiresAt,createdAt"
    assert [line.rpartition(",")[0] for line in sorted(lines[1:])] == [
        "",
        "jane,,'=HYPERLINK(1),manual,",
        'tom,,"says ""no"", thanks",manual,',
    ]
    only = await api.get("/suppressions", format="csv", instagramUsername="jane")
    assert only.raw.count(b"\r\n") == 2
    nobody = await api.get("/suppressions", format="csv", instagramUsername="nobody")
    assert nobody.raw.count(b"\r\n") == 1


async def test_what_was_exported_can_be_read_again(api: Api, test_api: Api, database: Database, caller: Caller) -> None:
    acme = await make.client(database, caller)
    await api.post("/suppressions", {"instagramUsername": "jane", "reason": "asked us", "source": "our crm"})
    await api.post("/suppressions", {"instagramUsername": "tom", "clientId": acme.id, "source": "opt_out"})
    before = (await api.get("/suppressions")).body["data"]
    exported = (await api.get("/suppressions", format="csv")).raw
    for name, query in (("jane", {}), ("tom", {"clientId": acme.id})):
        assert (await api.delete(f"/suppressions/{name}", **query)).status == 200
    assert (await upload(api, exported)).body["accepted"] == 2
    after = (await api.get("/suppressions")).body["data"]
    told = ("instagramUsername", "clientId", "reason", "source", "expiresAt")
    assert [[each[name] for name in told] for each in after] == [[each[name] for name in told] for each in before]
    # Another workspace has no such client: that line alone is refused.
    status, answer = await upload(test_api, exported)
    assert (status, answer["accepted"], answer["rejected"]) == (201, 1, 1)
    assert (answer["rejects"][0]["error"]["code"], answer["rejects"][0]["error"]["param"]) == (
        "client_not_found",
        "clientId",
    )
